//! Registers of AVX2 and AVX-512.

use std::arch::x86_64::*;

use half::bf16;

use super::lanes::{Bf16, F16, Lanes, Load};

#[derive(Clone, Copy)]
pub(super) struct Avx2(__m256);

// SAFETY: it reads 32 bytes.
unsafe impl Lanes for Avx2 {
    const COUNT: usize = 8;
    type Value = f32;

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: the caller's promise.
        Self(unsafe { _mm256_setzero_ps() })
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller's promise.
        Self(unsafe { _mm256_loadu_ps(from) })
    }

    #[inline(always)]
    unsafe fn add_product(self, weights: Self, values: Self) -> Self {
        // SAFETY: the caller's promise.
        Self(unsafe { _mm256_fmadd_ps(weights.0, values.0, self.0) })
    }

    #[inline(always)]
    unsafe fn sums([a, b, c, d]: [Self; 4]) -> [f32; 4] {
        // SAFETY: the caller's promise.
        unsafe {
            // Of each half: a b a b, c d c d, a b c d.
            let ab = _mm256_add_ps(_mm256_unpacklo_ps(a.0, b.0), _mm256_unpackhi_ps(a.0, b.0));
            let cd = _mm256_add_ps(_mm256_unpacklo_ps(c.0, d.0), _mm256_unpackhi_ps(c.0, d.0));
            let abcd =
                _mm256_add_ps(_mm256_shuffle_ps::<0b01_00_01_00>(ab, cd), _mm256_shuffle_ps::<0b11_10_11_10>(ab, cd));
            let sums = _mm_add_ps(_mm256_castps256_ps128(abcd), _mm256_extractf128_ps::<1>(abcd));
            std::mem::transmute::<__m128, [f32; 4]>(sums)
        }
    }

    #[inline(always)]
    fn prefetch(at: *const u8) {
        // SAFETY: every x86-64 has it, and it touches nothing.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) };
    }
}

// SAFETY: it reads 16 bytes.
unsafe impl Load<Bf16> for Avx2 {
    #[inline(always)]
    unsafe fn load_weights(from: *const u8) -> Self {
        // SAFETY: the caller's promise.
        unsafe {
            let wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(from.cast()));
            Self(_mm256_castsi256_ps(_mm256_slli_epi32::<16>(wide)))
        }
    }
}

// SAFETY: it reads 16 bytes.
unsafe impl Load<F16> for Avx2 {
    #[inline(always)]
    unsafe fn load_weights(from: *const u8) -> Self {
        // SAFETY: the caller's promise.
        Self(unsafe { _mm256_cvtph_ps(_mm_loadu_si128(from.cast())) })
    }
}

#[derive(Clone, Copy)]
pub(super) struct Avx512(__m512);

// SAFETY: it reads 64 bytes.
unsafe impl Lanes for Avx512 {
    const COUNT: usize = 16;
    type Value = f32;

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: the caller's promise.
        Self(unsafe { _mm512_setzero_ps() })
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller's promise.
        Self(unsafe { _mm512_loadu_ps(from) })
    }

    #[inline(always)]
    unsafe fn add_product(self, weights: Self, values: Self) -> Self {
        // SAFETY: the caller's promise.
        Self(unsafe { _mm512_fmadd_ps(weights.0, values.0, self.0) })
    }

    #[inline(always)]
    unsafe fn sums([a, b, c, d]: [Self; 4]) -> [f32; 4] {
        // SAFETY: the caller's promise.
        unsafe {
            // Of each quarter: a b a b, c d c d, a b c d.
            let ab = _mm512_add_ps(_mm512_unpacklo_ps(a.0, b.0), _mm512_unpackhi_ps(a.0, b.0));
            let cd = _mm512_add_ps(_mm512_unpacklo_ps(c.0, d.0), _mm512_unpackhi_ps(c.0, d.0));
            let abcd =
                _mm512_add_ps(_mm512_shuffle_ps::<0b01_00_01_00>(ab, cd), _mm512_shuffle_ps::<0b11_10_11_10>(ab, cd));
            let half = _mm256_add_ps(_mm512_castps512_ps256(abcd), _mm512_extractf32x8_ps::<1>(abcd));
            let sums = _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps::<1>(half));
            std::mem::transmute::<__m128, [f32; 4]>(sums)
        }
    }

    #[inline(always)]
    fn prefetch(at: *const u8) {
        Avx2::prefetch(at);
    }
}

// SAFETY: it reads 32 bytes.
unsafe impl Load<Bf16> for Avx512 {
    #[inline(always)]
    unsafe fn load_weights(from: *const u8) -> Self {
        // SAFETY: the caller's promise.
        unsafe {
            let wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(from.cast()));
            Self(_mm512_castsi512_ps(_mm512_slli_epi32::<16>(wide)))
        }
    }
}

// SAFETY: it reads 32 bytes.
unsafe impl Load<F16> for Avx512 {
    #[inline(always)]
    unsafe fn load_weights(from: *const u8) -> Self {
        // SAFETY: the caller's promise.
        Self(unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(from.cast())) })
    }
}

/// Columns in pairs, whose products `vdpbf16ps` adds up: twice as many as there are lanes. Values are rounded to bfloat16.
///
/// The instruction takes denormal numbers, of weights, values and sums, for 0.
#[derive(Clone, Copy)]
pub(super) struct Pairs(__m512);

impl Pairs {
    #[inline(always)]
    fn numbers(self) -> __m512bh {
        // SAFETY: both are 64 bytes, any bits of which are numbers.
        unsafe { std::mem::transmute::<__m512, __m512bh>(self.0) }
    }
}

// SAFETY: it reads 64 bytes.
unsafe impl Lanes for Pairs {
    const COUNT: usize = 32;
    type Value = bf16;

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: the caller's promise.
        Self(unsafe { _mm512_setzero_ps() })
    }

    #[inline(always)]
    unsafe fn load(from: *const bf16) -> Self {
        // SAFETY: the caller's promise.
        Self(unsafe { _mm512_loadu_ps(from.cast()) })
    }

    #[inline(always)]
    unsafe fn add_product(self, weights: Self, values: Self) -> Self {
        // SAFETY: the caller's promise.
        Self(unsafe { _mm512_dpbf16_ps(self.0, weights.numbers(), values.numbers()) })
    }

    #[inline(always)]
    unsafe fn sums(four: [Self; 4]) -> [f32; 4] {
        // SAFETY: the caller's promise.
        unsafe { Avx512::sums(four.map(|lanes| Avx512(lanes.0))) }
    }

    #[inline(always)]
    fn prefetch(at: *const u8) {
        Avx2::prefetch(at);
    }
}

// SAFETY: it reads 64 bytes.
unsafe impl Load<Bf16> for Pairs {
    #[inline(always)]
    unsafe fn load_weights(from: *const u8) -> Self {
        // SAFETY: the caller's promise.
        Self(unsafe { _mm512_loadu_ps(from.cast()) })
    }
}
