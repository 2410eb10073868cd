//! Q4_K: 256 weights of 4 bits, in groups of 32 with scales and mins of 6 bits.

use super::six_bit::six_bit;
use super::{Format, Span};

#[cfg(target_arch = "x86_64")]
use {
    super::six_bit::{set_six_bit_avx2, set_six_bit_avx512},
    super::x86::{load32, lower_upper, set32, set64},
    std::arch::x86_64::*,
};

/// `d`, `dmin`, 12 bytes of scales and mins, and 128 bytes of quants: of each 64, the low nibbles are the first 32.
pub struct Q4K;

impl Format for Q4K {
    const BLOCK: usize = 256;
    const BYTES: usize = 144;
    const GROUP: usize = 32;
    const WIDE: bool = false;

    fn unpack(blocks: &[u8], span: &mut Span) {
        let block = &blocks[..Self::BYTES];
        *span = Span::ZERO;
        for group in 0..8 {
            (span.scales[group], span.mins[group]) = six_bit(block, group);
        }
        for (nibbles, quants) in block[16..].chunks_exact(32).zip(span.quants.chunks_exact_mut(64)) {
            for (at, byte) in nibbles.iter().enumerate() {
                (quants[at], quants[at + 32]) = (byte & 15, byte >> 4);
            }
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn unpack_avx2(blocks: &[u8], span: &mut Span) {
        let block = &blocks[..Self::BYTES];
        set_six_bit_avx2(block, span);
        let nibble = _mm256_set1_epi8(15);
        for part in 0..4 {
            let both = load32(block, 16 + 32 * part);
            set32(span, 2 * part, _mm256_and_si256(both, nibble));
            set32(span, 2 * part + 1, _mm256_and_si256(_mm256_srli_epi16(both, 4), nibble));
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
    unsafe fn unpack_avx512(blocks: &[u8], span: &mut Span) {
        let block = &blocks[..Self::BYTES];
        set_six_bit_avx512(block, span);
        for part in 0..4 {
            let both = _mm512_broadcast_i64x4(load32(block, 16 + 32 * part));
            set64(span, part, _mm512_and_si512(_mm512_srlv_epi16(both, lower_upper(0, 4)), _mm512_set1_epi8(15)));
        }
    }
}
