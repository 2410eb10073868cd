//! Q2_K: 256 weights of 2 bits, in groups of 16 with scales and mins of 4 bits.

use super::heads::half;
use super::{Format, Span};

#[cfg(target_arch = "x86_64")]
use {
    super::x86::{load16, load32, lower_upper, set_groups, set_groups16, set32, set64},
    std::arch::x86_64::*,
};

/// 16 bytes with a scale in the low and a min in the high bits, 64 bytes of quants, `d` and `dmin`.
///
/// Of each 128 weights, bits 0 and 1, 2 and 3 … of 32 bytes are 32 each.
pub struct Q2K;

const QUANTS: usize = 16;
const D: usize = 80;
const D_MIN: usize = 82;

impl Format for Q2K {
    const BLOCK: usize = 256;
    const BYTES: usize = 84;
    const GROUP: usize = 16;
    const WIDE: bool = false;

    fn unpack(blocks: &[u8], span: &mut Span) {
        let block = &blocks[..Self::BYTES];
        for (group, byte) in block[..QUANTS].iter().enumerate() {
            span.scales[group] = half(block, D) * f32::from(byte & 15);
            span.mins[group] = half(block, D_MIN) * f32::from(byte >> 4);
        }
        for (quants, bits) in span.quants.chunks_exact_mut(128).zip(block[QUANTS..D].chunks_exact(32)) {
            for (part, quants) in quants.chunks_exact_mut(32).enumerate() {
                for (quant, bits) in quants.iter_mut().zip(bits) {
                    *quant = bits >> (2 * part) & 3;
                }
            }
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn unpack_avx2(blocks: &[u8], span: &mut Span) {
        let block = &blocks[..Self::BYTES];
        let (bytes, nibble) = (load16(block, 0), _mm_set1_epi8(15));
        let numbers = |bytes, d| {
            [bytes, _mm_bsrli_si128(bytes, 8)]
                .map(|bytes| _mm256_mul_ps(_mm256_set1_ps(d), _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes))))
        };
        let scales = numbers(_mm_and_si128(bytes, nibble), half(block, D));
        let mins = numbers(_mm_and_si128(_mm_srli_epi16(bytes, 4), nibble), half(block, D_MIN));
        set_groups16(span, scales, mins);
        for part in 0..2 {
            let bits = load32(block, QUANTS + 32 * part);
            for pair in 0..4 {
                let shifted = _mm256_srlv_epi64(bits, _mm256_set1_epi64x(2 * pair as i64));
                set32(span, 4 * part + pair, _mm256_and_si256(shifted, _mm256_set1_epi8(3)));
            }
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
    unsafe fn unpack_avx512(blocks: &[u8], span: &mut Span) {
        let block = &blocks[..Self::BYTES];
        let bytes = _mm512_cvtepu8_epi32(load16(block, 0));
        let numbers = |bits, d| _mm512_mul_ps(_mm512_set1_ps(d), _mm512_cvtepi32_ps(bits));
        let scales = numbers(_mm512_and_si512(bytes, _mm512_set1_epi32(15)), half(block, D));
        set_groups(span, scales, numbers(_mm512_srli_epi32(bytes, 4), half(block, D_MIN)));
        let shifts = [lower_upper(0, 2), lower_upper(4, 6)];
        for part in 0..2 {
            let bits = _mm512_broadcast_i64x4(load32(block, QUANTS + 32 * part));
            for (pair, shifts) in shifts.into_iter().enumerate() {
                let shifted = _mm512_srlv_epi16(bits, shifts);
                set64(span, 2 * part + pair, _mm512_and_si512(shifted, _mm512_set1_epi8(3)));
            }
        }
    }
}
