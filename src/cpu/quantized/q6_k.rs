//! Q6_K: 256 weights of 6 bits, in groups of 16 with scales of 8 bits.

use super::heads::half;
use super::{Format, Span};

#[cfg(target_arch = "x86_64")]
use {
    super::x86::{load16, load32, load64, lower_upper, set_groups, set_groups16, set32, set64},
    std::arch::x86_64::*,
};

/// 128 bytes of the quants' low 4 bits, 64 bytes of their high 2 bits, 16 bytes of scales with a sign, and `d`. The quants
/// have 32 more, which the min takes off.
///
/// Of each 128 weights, the low nibbles of 64 bytes are the first 64, and bits 0 and 1, 2 and 3 … of 32 bytes the high bits
/// of 32 each.
pub struct Q6K;

const HIGH: usize = 128;
const SCALES: usize = 192;
const D: usize = 208;

impl Format for Q6K {
    const BLOCK: usize = 256;
    const BYTES: usize = 210;
    const GROUP: usize = 16;
    const WIDE: bool = false;
    const OFFSET: Option<i32> = Some(32);

    fn unpack(blocks: &[u8], span: &mut Span) {
        let block = &blocks[..Self::BYTES];
        for (group, scale) in block[SCALES..D].iter().enumerate() {
            span.scales[group] = half(block, D) * f32::from(scale.cast_signed());
            span.mins[group] = 32.0 * span.scales[group];
        }
        let bits = block[..HIGH].chunks_exact(64).zip(block[HIGH..SCALES].chunks_exact(32));
        for (quants, (low, high)) in span.quants.chunks_exact_mut(128).zip(bits) {
            for at in 0..32 {
                quants[at] = low[at] & 15 | (high[at] & 3) << 4;
                quants[at + 32] = low[at + 32] & 15 | (high[at] >> 2 & 3) << 4;
                quants[at + 64] = low[at] >> 4 | (high[at] >> 4 & 3) << 4;
                quants[at + 96] = low[at + 32] >> 4 | (high[at] >> 6) << 4;
            }
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn unpack_avx2(blocks: &[u8], span: &mut Span) {
        let block = &blocks[..Self::BYTES];
        let numbers = load16(block, SCALES);
        let d = _mm256_set1_ps(half(block, D));
        let scales = [numbers, _mm_bsrli_si128(numbers, 8)]
            .map(|numbers| _mm256_mul_ps(d, _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(numbers))));
        set_groups16(span, scales, scales.map(|scales| _mm256_mul_ps(scales, _mm256_set1_ps(32.0))));
        let (nibble, pair) = (_mm256_set1_epi8(15), _mm256_set1_epi8(48));
        for part in 0..2 {
            let [low, next] = [0, 32].map(|at| load32(block, 64 * part + at));
            let high = load32(block, HIGH + 32 * part);
            let join = |low, high| _mm256_or_si256(_mm256_and_si256(low, nibble), _mm256_and_si256(high, pair));
            set32(span, 4 * part, join(low, _mm256_slli_epi16(high, 4)));
            set32(span, 4 * part + 1, join(next, _mm256_slli_epi16(high, 2)));
            set32(span, 4 * part + 2, join(_mm256_srli_epi16(low, 4), high));
            set32(span, 4 * part + 3, join(_mm256_srli_epi16(next, 4), _mm256_srli_epi16(high, 2)));
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
    unsafe fn unpack_avx512(blocks: &[u8], span: &mut Span) {
        let block = &blocks[..Self::BYTES];
        let numbers = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(load16(block, SCALES)));
        let scales = _mm512_mul_ps(numbers, _mm512_set1_ps(half(block, D)));
        set_groups(span, scales, _mm512_mul_ps(scales, _mm512_set1_ps(32.0)));
        let (left, right) = (lower_upper(4, 2), lower_upper(0, 2));
        let (nibble, six) = (_mm512_set1_epi8(15), _mm512_set1_epi8(63));
        // The low nibble from the one, bits 4 and 5 from the other.
        let join = |low, high| _mm512_and_si512(_mm512_ternarylogic_epi32(nibble, low, high, 0xca), six);
        for part in 0..2 {
            let low = load64(block, 64 * part);
            let high = _mm512_broadcast_i64x4(load32(block, HIGH + 32 * part));
            set64(span, 2 * part, join(low, _mm512_sllv_epi16(high, left)));
            set64(span, 2 * part + 1, join(_mm512_srli_epi16(low, 4), _mm512_srlv_epi16(high, right)));
        }
    }
}
