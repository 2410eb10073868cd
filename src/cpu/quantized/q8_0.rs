//! Q8_0: 32 weights of 8 bits with a sign.

use super::heads::half;
use super::{Format, Span};

#[cfg(target_arch = "x86_64")]
use {
    super::heads::heads_avx2,
    super::x86::{load32_or, set_groups8, set32, set64},
    std::arch::x86_64::*,
};

/// `d` and 32 bytes of quants. They are unpacked with 128 more, which the min takes off.
pub struct Q8_0;

impl Format for Q8_0 {
    const BLOCK: usize = 32;
    const BYTES: usize = 34;
    const GROUP: usize = 32;
    const WIDE: bool = true;
    const OFFSET: Option<i32> = Some(128);

    fn unpack(blocks: &[u8], span: &mut Span) {
        *span = Span::ZERO;
        for (group, block) in blocks.chunks_exact(Self::BYTES).enumerate() {
            let scale = half(block, 0);
            (span.scales[group], span.mins[group]) = (scale, 128.0 * scale);
            for (quant, byte) in span.quants[32 * group..].iter_mut().zip(&block[2..]) {
                *quant = byte ^ 128;
            }
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn unpack_avx2(blocks: &[u8], span: &mut Span) {
        let scales = heads_avx2(blocks, Self::BYTES);
        set_groups8(span, scales, _mm256_mul_ps(scales, _mm256_set1_ps(128.0)));
        let offset = _mm256_set1_epi8(-128);
        for group in 0..8 {
            set32(span, group, _mm256_xor_si256(load32_or(blocks, Self::BYTES * group + 2, offset), offset));
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
    unsafe fn unpack_avx512(blocks: &[u8], span: &mut Span) {
        let scales = heads_avx2(blocks, Self::BYTES);
        set_groups8(span, scales, _mm256_mul_ps(scales, _mm256_set1_ps(128.0)));
        let offset = _mm512_set1_epi8(-128);
        for pair in 0..4 {
            let [low, high] = [2 * pair, 2 * pair + 1]
                .map(|group| load32_or(blocks, Self::BYTES * group + 2, _mm512_castsi512_si256(offset)));
            let both = _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
            set64(span, pair, _mm512_xor_si512(both, offset));
        }
    }
}
