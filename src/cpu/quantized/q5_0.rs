//! Q5_0: 32 weights of 5 bits.

use super::heads::half;
use super::nibbles::{add_fifth_bits, set_nibbles};
use super::{Format, Span};

#[cfg(target_arch = "x86_64")]
use {
    super::heads::{heads_avx2, heads_avx512},
    super::nibbles::{five_bits_avx2, five_bits_avx512},
    super::x86::{set_groups8, set32, set64},
    std::arch::x86_64::*,
};

/// `d`, 4 bytes of fifth bits, and 16 bytes of quants with 16 more, which the min takes off.
pub struct Q5_0;

const QUANTS: usize = 6;

impl Format for Q5_0 {
    const BLOCK: usize = 32;
    const BYTES: usize = QUANTS + 16;
    const GROUP: usize = 32;
    const WIDE: bool = false;
    const OFFSET: Option<i32> = Some(16);

    fn unpack(blocks: &[u8], span: &mut Span) {
        *span = Span::ZERO;
        for (group, block) in blocks.chunks_exact(Self::BYTES).enumerate() {
            let scale = half(block, 0);
            (span.scales[group], span.mins[group]) = (scale, 16.0 * scale);
            let quants = &mut span.quants[32 * group..][..32];
            set_nibbles(&block[QUANTS..], quants);
            add_fifth_bits(&block[QUANTS - 4..], quants);
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn unpack_avx2(blocks: &[u8], span: &mut Span) {
        let scales = heads_avx2(blocks, Self::BYTES);
        set_groups8(span, scales, _mm256_mul_ps(scales, _mm256_set1_ps(16.0)));
        for group in 0..8 {
            set32(span, group, five_bits_avx2(blocks, Self::BYTES * group + QUANTS));
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
    unsafe fn unpack_avx512(blocks: &[u8], span: &mut Span) {
        let scales = _mm512_castps512_ps256(heads_avx512::<{ Self::BYTES }, 1>(blocks));
        set_groups8(span, scales, _mm256_mul_ps(scales, _mm256_set1_ps(16.0)));
        for pair in 0..4 {
            let at = 2 * Self::BYTES * pair + QUANTS;
            set64(span, pair, five_bits_avx512::<{ Self::BYTES }>(blocks, at));
        }
    }
}
