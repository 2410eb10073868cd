//! Loads and stores that the kernels of several types share.
//!
//! They check their bounds, so that the kernels need not be unsafe; where lengths are known the checks are optimized away.

use super::Span;
use std::arch::x86_64::*;

/// 16 bytes from `at` on.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn load16(bytes: &[u8], at: usize) -> __m128i {
    let bytes: &[u8] = &bytes[at..at + 16];
    // SAFETY: there are 16 bytes.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

/// 32 bytes from `at` on.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn load32(bytes: &[u8], at: usize) -> __m256i {
    let bytes: &[u8] = &bytes[at..at + 32];
    // SAFETY: there are 32 bytes.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
}

/// 16 bytes from `at` on, 0 if there are not so many.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn load16_or_zero(bytes: &[u8], at: usize) -> __m128i {
    match bytes.get(at..at + 16) {
        // SAFETY: there are 16 bytes.
        Some(bytes) => unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) },
        None => _mm_setzero_si128(),
    }
}

/// 32 bits from `at` on, 0 if there are not so many.
#[inline]
pub(super) fn load32_bits(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(<[u8]>::first_chunk).map_or(0, |bits| u32::from_le_bytes(*bits))
}

/// 32 bytes from `at` on, or others if there are not so many.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn load32_or(bytes: &[u8], at: usize, others: __m256i) -> __m256i {
    match bytes.get(at..at + 32) {
        // SAFETY: there are 32 bytes.
        Some(bytes) => unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) },
        None => others,
    }
}

/// 64 bytes from `at` on, 0 where there are none.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(super) fn load64(bytes: &[u8], at: usize) -> __m512i {
    let (start, left) = (bytes.as_ptr().wrapping_add(at), bytes.len().saturating_sub(at));
    if left >= 64 {
        // SAFETY: there are 64 bytes.
        unsafe { _mm512_loadu_si512(start.cast()) }
    } else {
        // SAFETY: what the mask leaves out is not read.
        unsafe { _mm512_maskz_loadu_epi8((1 << left) - 1, start.cast()) }
    }
}

/// Eight of the numbers of a table, from `at` on.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn table8(table: &[i32; 16], at: usize) -> __m256i {
    let table: &[i32] = &table[at..at + 8];
    // SAFETY: there are 32 bytes.
    unsafe { _mm256_loadu_si256(table.as_ptr().cast()) }
}

/// A table of 16 numbers.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(super) fn table16(table: &[i32; 16]) -> __m512i {
    // SAFETY: these are 64 bytes.
    unsafe { _mm512_loadu_si512(table.as_ptr().cast()) }
}

/// A table of 32 numbers.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(super) fn table32(table: &[u16; 32]) -> __m512i {
    // SAFETY: these are 64 bytes.
    unsafe { _mm512_loadu_si512(table.as_ptr().cast()) }
}

/// One 16-bit number in the lower half, and another in the upper one.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(super) fn lower_upper(lower: i16, upper: i16) -> __m512i {
    _mm512_inserti64x4(_mm512_set1_epi16(lower), _mm256_set1_epi16(upper), 1)
}

/// Sets quants `32 · part` to `32 · part + 31`.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn set32(span: &mut Span, part: usize, quants: __m256i) {
    let to: &mut [u8] = &mut span.quants[32 * part..][..32];
    // SAFETY: there are 32 bytes, at a multiple of 32 in what is aligned to 64.
    unsafe { _mm256_store_si256(to.as_mut_ptr().cast(), quants) }
}

/// Sets quants `64 · part` to `64 · part + 63`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(super) fn set64(span: &mut Span, part: usize, quants: __m512i) {
    let to: &mut [u8] = &mut span.quants[64 * part..][..64];
    // SAFETY: there are 64 bytes, at a multiple of 64 in what is aligned to 64.
    unsafe { _mm512_store_si512(to.as_mut_ptr().cast(), quants) }
}

/// Sets the scales and mins of 8 groups of 32.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn set_groups8(span: &mut Span, scales: __m256, mins: __m256) {
    let zero = _mm256_setzero_ps();
    set_groups16(span, [scales, zero], [mins, zero]);
}

/// Sets the scales and mins of 16 groups of 16.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn set_groups16(span: &mut Span, scales: [__m256; 2], mins: [__m256; 2]) {
    // SAFETY: both are 16 numbers, aligned to 64.
    unsafe {
        _mm256_store_ps(span.scales.as_mut_ptr(), scales[0]);
        _mm256_store_ps(span.scales.as_mut_ptr().add(8), scales[1]);
        _mm256_store_ps(span.mins.as_mut_ptr(), mins[0]);
        _mm256_store_ps(span.mins.as_mut_ptr().add(8), mins[1]);
    }
}

/// Sets all scales and mins.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(super) fn set_groups(span: &mut Span, scales: __m512, mins: __m512) {
    // SAFETY: both are 16 numbers, aligned to 64.
    unsafe {
        _mm512_store_ps(span.scales.as_mut_ptr(), scales);
        _mm512_store_ps(span.mins.as_mut_ptr(), mins);
    }
}
