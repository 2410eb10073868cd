//! Scales as blocks hold them: 16-bit floats, and the 6-bit ones that Q4_K and Q5_K share.

use half::f16;

#[cfg(target_arch = "x86_64")]
use {
    super::Span,
    super::x86::{load16, set_groups, set_groups8},
    std::arch::x86_64::*,
};

/// The 16-bit float at `at`.
#[inline]
pub fn half(block: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}

/// Where the 6-bit scales of a block of Q4_K or Q5_K end that begins with the 16-bit scales of all scales and all mins.
const HEADER: usize = 16;

/// The scale and the min of one of the 8 groups of such a block.
pub fn six_bit(block: &[u8], group: usize) -> (f32, f32) {
    let bits = &block[4..HEADER];
    let (scale, min) = if group < 4 {
        (bits[group] & 63, bits[group + 4] & 63)
    } else {
        let (low, high) = (bits[group + 4], [bits[group - 4], bits[group]]);
        (low & 15 | high[0] >> 6 << 4, low >> 4 | high[1] >> 6 << 4)
    };
    (half(block, 0) * f32::from(scale), half(block, 2) * f32::from(min))
}

/// For vectors: which byte of the header has the low bits of each scale and then of each min, which one has bits 4 and 5 as
/// its bits 6 and 7, by how much the low bits are shifted, and their mask.
#[cfg(target_arch = "x86_64")]
struct SixBit {
    bytes: [[u8; 4]; 16],
    shifts: [i32; 16],
    masks: [i32; 16],
}

#[cfg(target_arch = "x86_64")]
static SIX_BIT: SixBit = {
    const NONE: u8 = 0x80;
    let (mut bytes, mut shifts, mut masks) = ([[NONE; 4]; 16], [0; 16], [63; 16]);
    let mut group = 0;
    while group < 8 {
        let (scale, min, at) = (group, group + 8, group as u8 + 4);
        if group < 4 {
            (bytes[scale][0], bytes[min][0]) = (at, at + 4);
        } else {
            (bytes[scale][0], bytes[min][0]) = (at + 4, at + 4);
            (bytes[scale][1], bytes[min][1]) = (at - 4, at);
            (masks[scale], masks[min], shifts[min]) = (15, 15, 4);
        }
        group += 1;
    }
    SixBit { bytes, shifts, masks }
};

/// Sets the scales and mins of the 8 groups of such a block.
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub fn set_six_bit_avx2(block: &[u8], span: &mut Span) {
    let header = load16(block, 0);
    let both = _mm256_broadcastsi128_si256(header);
    let halves = _mm_cvtph_ps(header);
    let of = |table: &[i32; 16], part: usize| {
        // SAFETY: `part` is 0 or 1.
        unsafe { _mm256_loadu_si256(table.as_ptr().add(8 * part).cast()) }
    };
    let numbers = |part: usize| {
        // SAFETY: `part` is 0 or 1.
        let bytes = unsafe { _mm256_loadu_si256(SIX_BIT.bytes.as_ptr().add(8 * part).cast()) };
        let bits = _mm256_shuffle_epi8(both, bytes);
        let low = _mm256_and_si256(_mm256_srlv_epi32(bits, of(&SIX_BIT.shifts, part)), of(&SIX_BIT.masks, part));
        let high = _mm256_andnot_si256(of(&SIX_BIT.masks, part), _mm256_srli_epi32(bits, 10));
        _mm256_cvtepi32_ps(_mm256_or_si256(low, high))
    };
    let scales = _mm256_mul_ps(_mm256_broadcastss_ps(halves), numbers(0));
    let mins = _mm256_mul_ps(_mm256_broadcastss_ps(_mm_movehdup_ps(halves)), numbers(1));
    set_groups8(span, scales, mins);
}

/// Sets the scales and mins of the 8 groups of such a block.
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
pub fn set_six_bit_avx512(block: &[u8], span: &mut Span) {
    // SAFETY: each table has 64 bytes.
    let (bytes, shifts, masks) = unsafe {
        let of = |table: *const i32| _mm512_loadu_si512(table.cast());
        (of(SIX_BIT.bytes.as_ptr().cast()), of(SIX_BIT.shifts.as_ptr()), of(SIX_BIT.masks.as_ptr()))
    };
    let header = _mm512_broadcast_i32x4(load16(block, 0));
    let bits = _mm512_shuffle_epi8(header, bytes);
    // The mask's bits from the low ones, all others from the high ones.
    let low = _mm512_srlv_epi32(bits, shifts);
    let six = _mm512_ternarylogic_epi32(masks, low, _mm512_srli_epi32(bits, 10), 0xca);
    let halves = _mm256_shuffle_epi8(
        _mm512_castsi512_si256(header),
        _mm256_setr_m128i(_mm_set1_epi16(0x0100), _mm_set1_epi16(0x0302)),
    );
    let scaled = _mm512_mul_ps(_mm512_cvtph_ps(halves), _mm512_cvtepi32_ps(six));
    let (scales, mins) = (_mm512_castps512_ps256(scaled), _mm512_extractf32x8_ps(scaled, 1));
    set_groups(span, _mm512_zextps256_ps512(scales), _mm512_zextps256_ps512(mins));
}

/// The 16-bit floats that up to 8 blocks begin with.
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub fn halves(blocks: &[u8], stride: usize) -> __m128i {
    let word = |block: usize| match blocks.get(stride * block..stride * block + 2) {
        Some(bytes) => i16::from_le_bytes([bytes[0], bytes[1]]),
        None => 0,
    };
    _mm_setr_epi16(word(0), word(1), word(2), word(3), word(4), word(5), word(6), word(7))
}
