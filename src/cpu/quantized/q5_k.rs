//! Q5_K: 256 weights of 5 bits, in groups of 32 with scales and mins of 6 bits.

use super::six_bit::six_bit;
use super::{Format, Span};

#[cfg(target_arch = "x86_64")]
use {
    super::six_bit::{set_six_bit_avx2, set_six_bit_avx512},
    super::x86::{load32, lower_upper, set32, set64},
    std::arch::x86_64::*,
};

/// `d`, `dmin`, 12 bytes of scales and mins, 32 bytes of the quants' bits 4, and 128 bytes of their low bits.
///
/// Of each 64 weights, the low nibbles are the first 32; of all, bit 0, 1 … of 32 bytes the high one of 32 each.
pub struct Q5K;

const HIGH: usize = 16;
const LOW: usize = 48;

impl Format for Q5K {
    const BLOCK: usize = 256;
    const BYTES: usize = 176;
    const GROUP: usize = 32;
    const WIDE: bool = false;

    fn unpack(blocks: &[u8], span: &mut Span) {
        let block = &blocks[..Self::BYTES];
        *span = Span::ZERO;
        for group in 0..8 {
            (span.scales[group], span.mins[group]) = six_bit(block, group);
        }
        for (part, quants) in span.quants.chunks_exact_mut(32).enumerate() {
            let (low, high) = (&block[LOW + part / 2 * 32..][..32], &block[HIGH..LOW]);
            for (quant, (low, high)) in quants.iter_mut().zip(low.iter().zip(high)) {
                *quant = low >> (part % 2 * 4) & 15 | (high >> part & 1) << 4;
            }
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn unpack_avx2(blocks: &[u8], span: &mut Span) {
        let block = &blocks[..Self::BYTES];
        set_six_bit_avx2(block, span);
        let high = load32(block, HIGH);
        for part in 0..8_usize {
            let shifts = _mm256_set1_epi64x((part % 2 * 4) as i64);
            let low = _mm256_srlv_epi64(load32(block, LOW + part / 2 * 32), shifts);
            let bit = _mm256_set1_epi8(1 << part);
            let set = _mm256_cmpeq_epi8(_mm256_and_si256(high, bit), bit);
            let nibble = _mm256_and_si256(low, _mm256_set1_epi8(15));
            set32(span, part, _mm256_or_si256(nibble, _mm256_and_si256(set, _mm256_set1_epi8(16))));
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
    unsafe fn unpack_avx512(blocks: &[u8], span: &mut Span) {
        let block = &blocks[..Self::BYTES];
        set_six_bit_avx512(block, span);
        // Bits 0 to 7, shifted to bit 4 of each byte.
        let high = _mm512_broadcast_i64x4(load32(block, HIGH));
        let highs = [
            _mm512_sllv_epi16(high, lower_upper(4, 3)),
            _mm512_sllv_epi16(high, lower_upper(2, 1)),
            _mm512_srlv_epi16(high, lower_upper(0, 1)),
            _mm512_srlv_epi16(high, lower_upper(2, 3)),
        ];
        for (part, high) in highs.into_iter().enumerate() {
            let both = _mm512_broadcast_i64x4(load32(block, LOW + 32 * part));
            let low = _mm512_srlv_epi16(both, lower_upper(0, 4));
            let five = _mm512_ternarylogic_epi32(_mm512_set1_epi8(15), low, high, 0xca);
            set64(span, part, _mm512_and_si512(five, _mm512_set1_epi8(31)));
        }
    }
}
