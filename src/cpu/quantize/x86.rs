//! Lanes in registers of x86: one of AVX-512, or two of AVX2.

use std::arch::x86_64::*;

use super::lanes::{LANES, Lanes};

/// One register of AVX-512.
#[derive(Clone, Copy)]
pub(super) struct Avx512(__m512);

/// Defines operations of two values that are an instruction for each register.
macro_rules! instructions {
    ($($name:ident: $instruction:ident($($register:tt)*);)*) => {
        $(
            #[inline(always)]
            fn $name(self, other: Self) -> Self {
                // SAFETY: a value is there, so the instructions are.
                unsafe { Self($($instruction(self.$register, other.$register)),*) }
            }
        )*
    };
}

// SAFETY: made only beneath functions that enable AVX-512 F, BW, DQ and VL.
unsafe impl Lanes for Avx512 {
    type Mask = __mmask16;

    #[inline(always)]
    fn splat(number: f32) -> Self {
        // SAFETY: as the trait says; and so in what follows.
        Self(unsafe { _mm512_set1_ps(number) })
    }

    #[inline(always)]
    fn load(numbers: &[f32; LANES]) -> Self {
        // SAFETY: reads the 64 bytes of the array.
        Self(unsafe { _mm512_loadu_ps(numbers.as_ptr()) })
    }

    #[inline(always)]
    fn of_f32(bytes: &[u8; 64]) -> Self {
        // SAFETY: reads the 64 bytes of the array, on any boundary.
        Self(unsafe { _mm512_loadu_ps(bytes.as_ptr().cast()) })
    }

    #[inline(always)]
    fn of_f16(bytes: &[u8; 32]) -> Self {
        // SAFETY: reads the 32 bytes of the array, on any boundary.
        Self(unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(bytes.as_ptr().cast())) })
    }

    #[inline(always)]
    fn of_bf16(bytes: &[u8; 32]) -> Self {
        // SAFETY: reads the 32 bytes of the array, on any boundary.
        unsafe {
            let wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(bytes.as_ptr().cast()));
            Self(_mm512_castsi512_ps(_mm512_slli_epi32::<16>(wide)))
        }
    }

    #[inline(always)]
    fn store(self, numbers: &mut [f32; LANES]) {
        // SAFETY: writes the 64 bytes of the array.
        unsafe { _mm512_storeu_ps(numbers.as_mut_ptr(), self.0) }
    }

    #[inline(always)]
    fn store_bytes(self, bytes: &mut [u8; LANES]) {
        // SAFETY: writes the 16 bytes of the array, on any boundary.
        unsafe { _mm_storeu_si128(bytes.as_mut_ptr().cast(), _mm512_cvtepi32_epi8(_mm512_cvttps_epi32(self.0))) }
    }

    instructions! {
        add: _mm512_add_ps(0);
        sub: _mm512_sub_ps(0);
        mul: _mm512_mul_ps(0);
        div: _mm512_div_ps(0);
        max: _mm512_max_ps(0);
        min: _mm512_min_ps(0);
    }

    #[inline(always)]
    fn abs(self) -> Self {
        // SAFETY: a value is there, so the instructions are; and so in what follows.
        Self(unsafe { _mm512_abs_ps(self.0) })
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        // SAFETY: see `abs`.
        Self(unsafe { _mm512_sqrt_ps(self.0) })
    }

    #[inline(always)]
    fn round(self) -> Self {
        const NEAREST: i32 = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
        // SAFETY: see `abs`.
        Self(unsafe { _mm512_roundscale_ps::<NEAREST>(self.0) })
    }

    #[inline(always)]
    fn less(self, other: Self) -> Self::Mask {
        // SAFETY: a value is there, so the instructions are.
        unsafe { _mm512_cmp_ps_mask::<_CMP_LT_OQ>(self.0, other.0) }
    }

    #[inline(always)]
    fn both(a: Self::Mask, b: Self::Mask) -> Self::Mask {
        a & b
    }

    #[inline(always)]
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self {
        // SAFETY: a value is there, so the instructions are.
        Self(unsafe { _mm512_mask_blend_ps(mask, no.0, yes.0) })
    }

    #[inline(always)]
    fn transpose(mut rows: [Self; LANES]) -> [Self; LANES] {
        // SAFETY: values are there, so the instructions are.
        unsafe {
            // Within each quarter of the registers, 4 rows by 4.
            for four in rows.as_chunks_mut::<4>().0 {
                let [Self(a), Self(b), Self(c), Self(d)] = *four;
                let (ab, cd) = (_mm512_unpacklo_ps(a, b), _mm512_unpacklo_ps(c, d));
                let (ab_high, cd_high) = (_mm512_unpackhi_ps(a, b), _mm512_unpackhi_ps(c, d));
                *four = [
                    Self(_mm512_shuffle_ps::<0b01_00_01_00>(ab, cd)),
                    Self(_mm512_shuffle_ps::<0b11_10_11_10>(ab, cd)),
                    Self(_mm512_shuffle_ps::<0b01_00_01_00>(ab_high, cd_high)),
                    Self(_mm512_shuffle_ps::<0b11_10_11_10>(ab_high, cd_high)),
                ];
            }
            // Then the quarters.
            let mut columns = rows;
            let mut at = 0;
            while at < 4 {
                let (a, b, c, d) = (rows[at].0, rows[at + 4].0, rows[at + 8].0, rows[at + 12].0);
                let (ab, cd) =
                    (_mm512_shuffle_f32x4::<0b10_00_10_00>(a, b), _mm512_shuffle_f32x4::<0b10_00_10_00>(c, d));
                columns[at] = Self(_mm512_shuffle_f32x4::<0b10_00_10_00>(ab, cd));
                columns[at + 8] = Self(_mm512_shuffle_f32x4::<0b11_01_11_01>(ab, cd));
                let (ab, cd) =
                    (_mm512_shuffle_f32x4::<0b11_01_11_01>(a, b), _mm512_shuffle_f32x4::<0b11_01_11_01>(c, d));
                columns[at + 4] = Self(_mm512_shuffle_f32x4::<0b10_00_10_00>(ab, cd));
                columns[at + 12] = Self(_mm512_shuffle_f32x4::<0b11_01_11_01>(ab, cd));
                at += 1;
            }
            columns
        }
    }
}

/// Two registers of AVX2.
#[derive(Clone, Copy)]
pub(super) struct Avx2(__m256, __m256);

// SAFETY: made only beneath functions that enable AVX2 and F16C.
unsafe impl Lanes for Avx2 {
    type Mask = (__m256, __m256);

    #[inline(always)]
    fn splat(number: f32) -> Self {
        // SAFETY: as the trait says; and so in what follows.
        unsafe { Self(_mm256_set1_ps(number), _mm256_set1_ps(number)) }
    }

    #[inline(always)]
    fn load(numbers: &[f32; LANES]) -> Self {
        let numbers = numbers.as_ptr();
        // SAFETY: reads the 64 bytes of the array.
        unsafe { Self(_mm256_loadu_ps(numbers), _mm256_loadu_ps(numbers.add(8))) }
    }

    #[inline(always)]
    fn of_f32(bytes: &[u8; 64]) -> Self {
        let numbers = bytes.as_ptr().cast::<f32>();
        // SAFETY: reads the 64 bytes of the array, on any boundary.
        unsafe { Self(_mm256_loadu_ps(numbers), _mm256_loadu_ps(numbers.byte_add(32))) }
    }

    #[inline(always)]
    fn of_f16(bytes: &[u8; 32]) -> Self {
        let numbers = bytes.as_ptr().cast::<__m128i>();
        // SAFETY: reads the 32 bytes of the array, on any boundary.
        unsafe { Self(_mm256_cvtph_ps(_mm_loadu_si128(numbers)), _mm256_cvtph_ps(_mm_loadu_si128(numbers.add(1)))) }
    }

    #[inline(always)]
    fn of_bf16(bytes: &[u8; 32]) -> Self {
        let numbers = bytes.as_ptr().cast::<__m128i>();
        // SAFETY: reads the 32 bytes of the array, on any boundary.
        unsafe {
            let low = _mm256_slli_epi32::<16>(_mm256_cvtepu16_epi32(_mm_loadu_si128(numbers)));
            let high = _mm256_slli_epi32::<16>(_mm256_cvtepu16_epi32(_mm_loadu_si128(numbers.add(1))));
            Self(_mm256_castsi256_ps(low), _mm256_castsi256_ps(high))
        }
    }

    #[inline(always)]
    fn store(self, numbers: &mut [f32; LANES]) {
        let numbers = numbers.as_mut_ptr();
        // SAFETY: writes the 64 bytes of the array.
        unsafe {
            _mm256_storeu_ps(numbers, self.0);
            _mm256_storeu_ps(numbers.add(8), self.1);
        }
    }

    #[inline(always)]
    fn store_bytes(self, bytes: &mut [u8; LANES]) {
        // SAFETY: writes the 16 bytes of the array, on any boundary.
        unsafe {
            // 0-3 8-11 4-7 12-15, put in order.
            let words = _mm256_packs_epi32(_mm256_cvttps_epi32(self.0), _mm256_cvttps_epi32(self.1));
            let words = _mm256_permute4x64_epi64::<0b11_01_10_00>(words);
            let packed = _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256::<1>(words));
            _mm_storeu_si128(bytes.as_mut_ptr().cast(), packed);
        }
    }

    instructions! {
        add: _mm256_add_ps(0 1);
        sub: _mm256_sub_ps(0 1);
        mul: _mm256_mul_ps(0 1);
        div: _mm256_div_ps(0 1);
        max: _mm256_max_ps(0 1);
        min: _mm256_min_ps(0 1);
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        // SAFETY: a value is there, so the instructions are.
        unsafe { Self(_mm256_sqrt_ps(self.0), _mm256_sqrt_ps(self.1)) }
    }

    #[inline(always)]
    fn abs(self) -> Self {
        // SAFETY: a value is there, so the instructions are; and so in what follows.
        unsafe {
            let sign = _mm256_set1_ps(-0.0);
            Self(_mm256_andnot_ps(sign, self.0), _mm256_andnot_ps(sign, self.1))
        }
    }

    #[inline(always)]
    fn round(self) -> Self {
        const NEAREST: i32 = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
        // SAFETY: see `abs`.
        unsafe { Self(_mm256_round_ps::<NEAREST>(self.0), _mm256_round_ps::<NEAREST>(self.1)) }
    }

    #[inline(always)]
    fn less(self, other: Self) -> Self::Mask {
        // SAFETY: see `abs`.
        unsafe { (_mm256_cmp_ps::<_CMP_LT_OQ>(self.0, other.0), _mm256_cmp_ps::<_CMP_LT_OQ>(self.1, other.1)) }
    }

    #[inline(always)]
    fn both(a: Self::Mask, b: Self::Mask) -> Self::Mask {
        // SAFETY: see `abs`.
        unsafe { (_mm256_and_ps(a.0, b.0), _mm256_and_ps(a.1, b.1)) }
    }

    #[inline(always)]
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self {
        // SAFETY: see `abs`.
        unsafe { Self(_mm256_blendv_ps(no.0, yes.0, mask.0), _mm256_blendv_ps(no.1, yes.1, mask.1)) }
    }

    #[inline(always)]
    fn transpose(rows: [Self; LANES]) -> [Self; LANES] {
        let mut columns = rows;
        let mut half = 0;
        while half < LANES {
            let eight = &rows[half..];
            let mut row = 0;
            let (mut left, mut right) = ([rows[0].0; 8], [rows[0].0; 8]);
            while row < 8 {
                (left[row], right[row]) = (eight[row].0, eight[row].1);
                row += 1;
            }
            // SAFETY: values are there, so the instructions are.
            let (left, right) = unsafe { (transpose_eight(left), transpose_eight(right)) };
            let mut at = 0;
            while at < 8 {
                if half == 0 {
                    (columns[at].0, columns[at + 8].0) = (left[at], right[at]);
                } else {
                    (columns[at].1, columns[at + 8].1) = (left[at], right[at]);
                }
                at += 1;
            }
            half += 8;
        }
        columns
    }
}

/// Rows become columns, 8 by 8.
///
/// # Safety
/// The processor has AVX2.
#[inline(always)]
unsafe fn transpose_eight(mut rows: [__m256; 8]) -> [__m256; 8] {
    // SAFETY: the caller has seen to it.
    unsafe {
        // Within each half of the registers, 4 rows by 4.
        for four in rows.as_chunks_mut::<4>().0 {
            let [a, b, c, d] = *four;
            let (ab, cd) = (_mm256_unpacklo_ps(a, b), _mm256_unpacklo_ps(c, d));
            let (ab_high, cd_high) = (_mm256_unpackhi_ps(a, b), _mm256_unpackhi_ps(c, d));
            *four = [
                _mm256_shuffle_ps::<0b01_00_01_00>(ab, cd),
                _mm256_shuffle_ps::<0b11_10_11_10>(ab, cd),
                _mm256_shuffle_ps::<0b01_00_01_00>(ab_high, cd_high),
                _mm256_shuffle_ps::<0b11_10_11_10>(ab_high, cd_high),
            ];
        }
        // Then the halves.
        let mut columns = rows;
        let mut at = 0;
        while at < 4 {
            columns[at] = _mm256_permute2f128_ps::<0x20>(rows[at], rows[at + 4]);
            columns[at + 4] = _mm256_permute2f128_ps::<0x31>(rows[at], rows[at + 4]);
            at += 1;
        }
        columns
    }
}
