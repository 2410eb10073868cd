//! The 6-bit scales and mins of Q4_K and Q5_K.

use super::heads::half;

#[cfg(target_arch = "x86_64")]
use {
    super::Span,
    super::x86::{load16, set_groups8, table8, table16},
    std::arch::x86_64::*,
};

/// What a block begins with: `d` and `dmin`, by which all scales and all mins are multiplied, and 12 bytes of both.
const HEADER: usize = 16;

/// The scale and the min of one of a block's 8 groups.
pub(super) fn six_bit(block: &[u8], group: usize) -> (f32, f32) {
    let bits = &block[4..HEADER];
    let (scale, min) = if group < 4 {
        (bits[group] & 63, bits[group + 4] & 63)
    } else {
        let (low, high) = (bits[group + 4], [bits[group - 4], bits[group]]);
        (low & 15 | high[0] >> 6 << 4, low >> 4 | high[1] >> 6 << 4)
    };
    (half(block, 0) * f32::from(scale), half(block, 2) * f32::from(min))
}

/// For vectors, of each scale and then of each min: which byte of the header has the low bits and which one has bits 4 and 5
/// as its bits 6 and 7, by how much the low bits are shifted, and their mask.
#[cfg(target_arch = "x86_64")]
struct Places {
    bytes: [i32; 16],
    shifts: [i32; 16],
    masks: [i32; 16],
}

#[cfg(target_arch = "x86_64")]
static PLACES: Places = {
    const NONE: u8 = 0x80;
    const fn bytes(low: u8, high: u8) -> i32 {
        i32::from_le_bytes([low, high, NONE, NONE])
    }
    let mut places = Places { bytes: [0; 16], shifts: [0; 16], masks: [63; 16] };
    let mut group = 0;
    while group < 8 {
        let (scale, min, at) = (group, group + 8, group as u8 + 4);
        if group < 4 {
            (places.bytes[scale], places.bytes[min]) = (bytes(at, NONE), bytes(at + 4, NONE));
        } else {
            (places.bytes[scale], places.bytes[min]) = (bytes(at + 4, at - 4), bytes(at + 4, at));
            (places.masks[scale], places.masks[min], places.shifts[min]) = (15, 15, 4);
        }
        group += 1;
    }
    places
};

/// Sets the scales and mins of a block's 8 groups.
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn set_six_bit_avx2(block: &[u8], span: &mut Span) {
    let header = load16(block, 0);
    let numbers = |at| {
        let bits = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(header), table8(&PLACES.bytes, at));
        let mask = table8(&PLACES.masks, at);
        let low = _mm256_and_si256(mask, _mm256_srlv_epi32(bits, table8(&PLACES.shifts, at)));
        let high = _mm256_andnot_si256(mask, _mm256_srli_epi32(bits, 10));
        _mm256_cvtepi32_ps(_mm256_or_si256(low, high))
    };
    let halves = _mm_cvtph_ps(header);
    let scales = _mm256_mul_ps(_mm256_broadcastss_ps(halves), numbers(0));
    let mins = _mm256_mul_ps(_mm256_broadcastss_ps(_mm_movehdup_ps(halves)), numbers(8));
    set_groups8(span, scales, mins);
}

/// Sets the scales and mins of a block's 8 groups.
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(super) fn set_six_bit_avx512(block: &[u8], span: &mut Span) {
    let header = _mm512_broadcast_i32x4(load16(block, 0));
    let bits = _mm512_shuffle_epi8(header, table16(&PLACES.bytes));
    let (low, high) = (_mm512_srlv_epi32(bits, table16(&PLACES.shifts)), _mm512_srli_epi32(bits, 10));
    // The mask's bits from the low ones, all others from the high ones.
    let numbers = _mm512_ternarylogic_epi32(table16(&PLACES.masks), low, high, 0xca);
    let halves = _mm256_shuffle_epi8(
        _mm512_castsi512_si256(header),
        _mm256_setr_m128i(_mm_set1_epi16(0x0100), _mm_set1_epi16(0x0302)),
    );
    let both = _mm512_mul_ps(_mm512_cvtph_ps(halves), _mm512_cvtepi32_ps(numbers));
    set_groups8(span, _mm512_castps512_ps256(both), _mm512_extractf32x8_ps(both, 1));
}
