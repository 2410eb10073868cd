//! Q4_1: 32 weights of 4 bits with a min.

use super::heads::half;
use super::nibbles::set_nibbles;
use super::{Format, Span};

#[cfg(target_arch = "x86_64")]
use {
    super::heads::{heads_avx512, two_heads_avx2},
    super::nibbles::{nibbles_avx2, nibbles_avx512},
    super::x86::{set_groups8, set32, set64},
    std::arch::x86_64::*,
};

/// `d`, `m`, and 16 bytes of quants. Weights are `d · quant + m`.
pub struct Q4_1;

const QUANTS: usize = 4;

impl Format for Q4_1 {
    const BLOCK: usize = 32;
    const BYTES: usize = QUANTS + 16;
    const GROUP: usize = 32;
    const WIDE: bool = false;

    fn unpack(blocks: &[u8], span: &mut Span) {
        *span = Span::ZERO;
        for (group, block) in blocks.chunks_exact(Self::BYTES).enumerate() {
            (span.scales[group], span.mins[group]) = (half(block, 0), -half(block, 2));
            let quants = &mut span.quants[32 * group..][..32];
            set_nibbles(&block[QUANTS..], quants);
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn unpack_avx2(blocks: &[u8], span: &mut Span) {
        let [scales, mins] = two_heads_avx2(blocks, Self::BYTES);
        set_groups8(span, scales, _mm256_xor_ps(mins, _mm256_set1_ps(-0.0)));
        for group in 0..8 {
            set32(span, group, nibbles_avx2(blocks, Self::BYTES * group + QUANTS));
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
    unsafe fn unpack_avx512(blocks: &[u8], span: &mut Span) {
        let heads = heads_avx512::<{ Self::BYTES }, 2>(blocks);
        let (scales, mins) = (_mm512_castps512_ps256(heads), _mm512_extractf32x8_ps(heads, 1));
        set_groups8(span, scales, _mm256_xor_ps(mins, _mm256_set1_ps(-0.0)));
        for pair in 0..4 {
            let at = 2 * Self::BYTES * pair + QUANTS;
            set64(span, pair, nibbles_avx512::<{ Self::BYTES }>(blocks, at));
        }
    }
}
