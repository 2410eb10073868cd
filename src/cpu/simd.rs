//! Vectors of float32, so that a kernel is written once for all instruction sets.
//!
//! A value of a type that is [`Simd`] is the proof that the processor has its instructions: there is none but what
//! [`Isa::run`] gives to a [`Kernel`]. So the methods are safe, but for those that follow pointers.
//!
//! Everything between [`Isa::run`] and the instructions must be inlined into it, for only there may the compiler use them:
//! hence `#[inline(always)]` on whatever takes a [`Simd`].

use half::f16;

use super::isa::Isa;

/// Instructions on vectors of [`Simd::LANES`] numbers.
pub trait Simd: Copy + Send + Sync {
    /// Numbers of a vector: 8 or 16.
    const LANES: usize;
    /// Whether there are 32 registers for vectors, not 16.
    const MANY_REGISTERS: bool;
    /// A vector in registers.
    type V: Copy;

    /// `x` in every lane.
    fn splat(self, x: f32) -> Self::V;
    /// `a + b`, lane by lane, and so in what follows.
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a − b`
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a · b`
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a / b`, correctly rounded.
    fn div(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a · b + c`
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// The larger; `b` where either is not a number.
    fn max(self, a: Self::V, b: Self::V) -> Self::V;
    /// The smaller; `b` where either is not a number.
    fn min(self, a: Self::V, b: Self::V) -> Self::V;
    /// `then` where `a < b`, else `otherwise`: as well where either is not a number.
    fn if_less(self, a: Self::V, b: Self::V, then: Self::V, otherwise: Self::V) -> Self::V;
    /// `a · 2ⁿ`, `n` whole and within ±250.
    fn scale(self, a: Self::V, n: Self::V) -> Self::V;
    /// The sum of each vector.
    fn sums(self, v: [Self::V; 8]) -> [f32; 8];

    /// # Safety
    /// There are [`Simd::LANES`] numbers at `at`.
    unsafe fn load(self, at: *const f32) -> Self::V;
    /// # Safety
    /// There is room for [`Simd::LANES`] numbers at `at`.
    unsafe fn store(self, at: *mut f32, v: Self::V);
    /// # Safety
    /// There are [`Simd::LANES`] numbers at `at`.
    unsafe fn load_half(self, at: *const f16) -> Self::V;
    /// Rounds to the nearest, of two equally near the even one.
    ///
    /// # Safety
    /// There is room for [`Simd::LANES`] numbers at `at`.
    unsafe fn store_half(self, at: *mut f16, v: Self::V);

    /// Makes rows of columns: number `j` of row `i` of `from` becomes number `i` of row `j` of `to`, of as many rows as a
    /// vector has lanes.
    ///
    /// # Safety
    /// There are [`Simd::LANES`] numbers at each of the first [`Simd::LANES`] of `from`, and room for them at those of `to`.
    unsafe fn transpose(self, from: &[*const f32; 16], to: &[*mut f32; 16]);

    /// The lanes one by one.
    #[inline(always)]
    fn lanes(self, v: Self::V) -> [f32; 16] {
        let mut lanes = [0.0; 16];
        // SAFETY: no vector has more than 16 lanes.
        unsafe { self.store(lanes.as_mut_ptr(), v) };
        lanes
    }

    /// The sum of all lanes, added pairwise.
    #[inline(always)]
    fn sum(self, v: Self::V) -> f32 {
        let zero = self.splat(0.0);
        self.sums([v, zero, zero, zero, zero, zero, zero, zero])[0]
    }
}

/// What is computed by vectors, of whichever instruction set.
pub trait Kernel {
    /// To be marked `#[inline(always)]`.
    fn run(self, simd: impl Simd);
}

impl Isa {
    /// Runs a kernel by this instruction set, or by the best that the processor has if it is less.
    #[inline]
    pub fn run(self, kernel: impl Kernel) {
        match self.min(Self::best()) {
            // SAFETY: the processor has it.
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 | Self::Avx512Bf16 => unsafe { x86::avx512(kernel) },
            // SAFETY: the processor has it.
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => unsafe { x86::avx2(kernel) },
            _ => kernel.run(Portable(())),
        }
    }
}

/// A type of numbers that are computed with in float32.
pub trait Number: Copy + Send + Sync {
    /// 0 as such a number, what a part of a vector is filled up with.
    const ZERO: Self;

    /// The numbers themselves, where they are float32.
    fn as_floats(numbers: &[Self]) -> Option<&[f32]>;

    /// # Safety
    /// There are [`Simd::LANES`] numbers at `at`.
    unsafe fn load<S: Simd>(simd: S, at: *const Self) -> S::V;
    /// # Safety
    /// There is room for [`Simd::LANES`] numbers at `at`.
    unsafe fn store<S: Simd>(simd: S, at: *mut Self, v: S::V);

    /// The first `count` numbers at `at`, fewer than a vector has, and zeros.
    ///
    /// # Safety
    /// There are `count` numbers at `at`.
    #[inline(always)]
    unsafe fn load_part<S: Simd>(simd: S, at: *const Self, count: usize) -> S::V {
        let mut part = [Self::ZERO; 16];
        // SAFETY: as the caller promises; no vector has more than 16 lanes.
        unsafe {
            part[..count].copy_from_slice(std::slice::from_raw_parts(at, count));
            Self::load(simd, part.as_ptr())
        }
    }

    /// Stores the first `count` lanes, fewer than there are.
    ///
    /// # Safety
    /// There is room for `count` numbers at `at`.
    #[inline(always)]
    unsafe fn store_part<S: Simd>(simd: S, at: *mut Self, v: S::V, count: usize) {
        let mut part = [Self::ZERO; 16];
        // SAFETY: as the caller promises; no vector has more than 16 lanes.
        unsafe {
            Self::store(simd, part.as_mut_ptr(), v);
            at.copy_from_nonoverlapping(part[..count].as_ptr(), count);
        }
    }
}

impl Number for f32 {
    const ZERO: Self = 0.0;

    #[inline(always)]
    fn as_floats(numbers: &[Self]) -> Option<&[f32]> {
        Some(numbers)
    }

    #[inline(always)]
    unsafe fn load<S: Simd>(simd: S, at: *const Self) -> S::V {
        // SAFETY: as the caller promises.
        unsafe { simd.load(at) }
    }

    #[inline(always)]
    unsafe fn store<S: Simd>(simd: S, at: *mut Self, v: S::V) {
        // SAFETY: as the caller promises.
        unsafe { simd.store(at, v) }
    }
}

impl Number for f16 {
    const ZERO: Self = f16::ZERO;

    #[inline(always)]
    fn as_floats(_: &[Self]) -> Option<&[f32]> {
        None
    }

    #[inline(always)]
    unsafe fn load<S: Simd>(simd: S, at: *const Self) -> S::V {
        // SAFETY: as the caller promises.
        unsafe { simd.load_half(at) }
    }

    #[inline(always)]
    unsafe fn store<S: Simd>(simd: S, at: *mut Self, v: S::V) {
        // SAFETY: as the caller promises.
        unsafe { simd.store_half(at, v) }
    }
}

/// Copies numbers of one type to as many of another.
///
/// # Safety
/// There are `count` numbers at `from`, and room for as many at `to`, elsewhere.
#[inline(always)]
pub unsafe fn convert<S: Simd, A: Number, B: Number>(simd: S, from: *const A, to: *mut B, count: usize) {
    let whole = count - count % S::LANES;
    // SAFETY: `whole` and what is left are `count`.
    unsafe {
        for at in (0..whole).step_by(S::LANES) {
            B::store(simd, to.add(at), A::load(simd, from.add(at)));
        }
        if whole < count {
            let left = count - whole;
            B::store_part(simd, to.add(whole), A::load_part(simd, from.add(whole), left), left);
        }
    }
}

/// Plain loops over arrays, which a compiler makes the vectors of any processor of.
#[derive(Clone, Copy)]
pub struct Portable(());

#[inline(always)]
fn zip(a: [f32; 8], b: [f32; 8], f: impl Fn(f32, f32) -> f32) -> [f32; 8] {
    std::array::from_fn(|i| f(a[i], b[i]))
}

impl Simd for Portable {
    const LANES: usize = 8;
    const MANY_REGISTERS: bool = false;
    type V = [f32; 8];

    #[inline(always)]
    fn splat(self, x: f32) -> [f32; 8] {
        [x; 8]
    }

    #[inline(always)]
    fn add(self, a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        zip(a, b, |a, b| a + b)
    }

    #[inline(always)]
    fn sub(self, a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        zip(a, b, |a, b| a - b)
    }

    #[inline(always)]
    fn mul(self, a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        zip(a, b, |a, b| a * b)
    }

    #[inline(always)]
    fn div(self, a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        zip(a, b, |a, b| a / b)
    }

    #[inline(always)]
    fn fma(self, a: [f32; 8], b: [f32; 8], c: [f32; 8]) -> [f32; 8] {
        // Rounded twice: `mul_add` is a call where there is no instruction.
        std::array::from_fn(|i| a[i] * b[i] + c[i])
    }

    #[inline(always)]
    fn max(self, a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        zip(a, b, |a, b| if a > b { a } else { b })
    }

    #[inline(always)]
    fn min(self, a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        zip(a, b, |a, b| if a < b { a } else { b })
    }

    #[inline(always)]
    fn if_less(self, a: [f32; 8], b: [f32; 8], then: [f32; 8], otherwise: [f32; 8]) -> [f32; 8] {
        std::array::from_fn(|i| if a[i] < b[i] { then[i] } else { otherwise[i] })
    }

    #[inline(always)]
    fn scale(self, a: [f32; 8], n: [f32; 8]) -> [f32; 8] {
        // In two steps, each of which is a normal number.
        let power = |n: i32| f32::from_bits(((n + 127) << 23) as u32);
        zip(a, n, |a, n| {
            let n = n as i32;
            a * power(n >> 1) * power(n - (n >> 1))
        })
    }

    #[inline(always)]
    fn sums(self, v: [[f32; 8]; 8]) -> [f32; 8] {
        v.map(|v| ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7])))
    }

    #[inline(always)]
    unsafe fn load(self, at: *const f32) -> [f32; 8] {
        // SAFETY: as the caller promises.
        unsafe { at.cast::<[f32; 8]>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn store(self, at: *mut f32, v: [f32; 8]) {
        // SAFETY: as the caller promises.
        unsafe { at.cast::<[f32; 8]>().write_unaligned(v) }
    }

    #[inline(always)]
    unsafe fn transpose(self, from: &[*const f32; 16], to: &[*mut f32; 16]) {
        for (i, from) in from[..8].iter().enumerate() {
            for (j, to) in to[..8].iter().enumerate() {
                // SAFETY: as the caller promises.
                unsafe { *to.add(i) = *from.add(j) };
            }
        }
    }

    #[inline(always)]
    unsafe fn load_half(self, at: *const f16) -> [f32; 8] {
        // SAFETY: as the caller promises.
        unsafe { at.cast::<[f16; 8]>().read_unaligned() }.map(f16::to_f32)
    }

    #[inline(always)]
    unsafe fn store_half(self, at: *mut f16, v: [f32; 8]) {
        // SAFETY: as the caller promises.
        unsafe { at.cast::<[f16; 8]>().write_unaligned(v.map(f16::from_f32)) }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use half::f16;

    use super::{Kernel, Simd};

    /// # Safety
    /// The processor has AVX2, FMA and F16C.
    #[target_feature(enable = "avx2,fma,f16c")]
    pub(super) unsafe fn avx2(kernel: impl Kernel) {
        kernel.run(Avx2(()));
    }

    /// # Safety
    /// The processor has all of those, and AVX-512 F, BW, DQ and VL.
    #[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl")]
    pub(super) unsafe fn avx512(kernel: impl Kernel) {
        kernel.run(Avx512(()));
    }

    #[derive(Clone, Copy)]
    pub(super) struct Avx2(());

    #[derive(Clone, Copy)]
    pub(super) struct Avx512(());

    impl Simd for Avx2 {
        const LANES: usize = 8;
        const MANY_REGISTERS: bool = false;
        type V = __m256;

        #[inline(always)]
        fn splat(self, x: f32) -> __m256 {
            // SAFETY: `self` is there, so the instructions are.
            unsafe { _mm256_set1_ps(x) }
        }

        #[inline(always)]
        fn add(self, a: __m256, b: __m256) -> __m256 {
            // SAFETY: `self` is there, so the instructions are.
            unsafe { _mm256_add_ps(a, b) }
        }

        #[inline(always)]
        fn sub(self, a: __m256, b: __m256) -> __m256 {
            // SAFETY: `self` is there, so the instructions are.
            unsafe { _mm256_sub_ps(a, b) }
        }

        #[inline(always)]
        fn mul(self, a: __m256, b: __m256) -> __m256 {
            // SAFETY: `self` is there, so the instructions are.
            unsafe { _mm256_mul_ps(a, b) }
        }

        #[inline(always)]
        fn div(self, a: __m256, b: __m256) -> __m256 {
            // SAFETY: `self` is there, so the instructions are.
            unsafe { _mm256_div_ps(a, b) }
        }

        #[inline(always)]
        fn fma(self, a: __m256, b: __m256, c: __m256) -> __m256 {
            // SAFETY: `self` is there, so the instructions are.
            unsafe { _mm256_fmadd_ps(a, b, c) }
        }

        #[inline(always)]
        fn max(self, a: __m256, b: __m256) -> __m256 {
            // SAFETY: `self` is there, so the instructions are.
            unsafe { _mm256_max_ps(a, b) }
        }

        #[inline(always)]
        fn min(self, a: __m256, b: __m256) -> __m256 {
            // SAFETY: `self` is there, so the instructions are.
            unsafe { _mm256_min_ps(a, b) }
        }

        #[inline(always)]
        fn if_less(self, a: __m256, b: __m256, then: __m256, otherwise: __m256) -> __m256 {
            // SAFETY: `self` is there, so the instructions are.
            unsafe { _mm256_blendv_ps(otherwise, then, _mm256_cmp_ps::<_CMP_LT_OQ>(a, b)) }
        }

        #[inline(always)]
        fn scale(self, a: __m256, n: __m256) -> __m256 {
            // In two steps, each of which is a normal number.
            // SAFETY: `self` is there, so the instructions are.
            unsafe {
                let n = _mm256_cvtps_epi32(n);
                let half = _mm256_srai_epi32::<1>(n);
                let bias = _mm256_set1_epi32(127);
                let low = _mm256_slli_epi32::<23>(_mm256_add_epi32(half, bias));
                let high = _mm256_slli_epi32::<23>(_mm256_add_epi32(_mm256_sub_epi32(n, half), bias));
                _mm256_mul_ps(_mm256_mul_ps(a, _mm256_castsi256_ps(low)), _mm256_castsi256_ps(high))
            }
        }

        #[inline(always)]
        fn sums(self, v: [__m256; 8]) -> [f32; 8] {
            let mut sums = [0.0; 8];
            // SAFETY: `self` is there, so the instructions are; `sums` has room for the eight.
            unsafe {
                let low = _mm256_hadd_ps(_mm256_hadd_ps(v[0], v[1]), _mm256_hadd_ps(v[2], v[3]));
                let high = _mm256_hadd_ps(_mm256_hadd_ps(v[4], v[5]), _mm256_hadd_ps(v[6], v[7]));
                let sum =
                    _mm256_add_ps(_mm256_permute2f128_ps::<0x20>(low, high), _mm256_permute2f128_ps::<0x31>(low, high));
                _mm256_storeu_ps(sums.as_mut_ptr(), sum);
            }
            sums
        }

        #[inline(always)]
        unsafe fn load(self, at: *const f32) -> __m256 {
            // SAFETY: `self` is there, so the instructions are; the numbers are as the caller promises.
            unsafe { _mm256_loadu_ps(at) }
        }

        #[inline(always)]
        unsafe fn store(self, at: *mut f32, v: __m256) {
            // SAFETY: `self` is there, so the instructions are; the room is as the caller promises.
            unsafe { _mm256_storeu_ps(at, v) }
        }

        #[inline(always)]
        unsafe fn transpose(self, from: &[*const f32; 16], to: &[*mut f32; 16]) {
            // SAFETY: `self` is there, so the instructions are; the rows are as the caller promises.
            unsafe {
                let mut fours = [_mm256_setzero_ps(); 8];
                for i in [0, 4] {
                    let (a, b) = (_mm256_loadu_ps(from[i]), _mm256_loadu_ps(from[i + 1]));
                    let (c, d) = (_mm256_loadu_ps(from[i + 2]), _mm256_loadu_ps(from[i + 3]));
                    let [low, high, low2, high2] = [
                        _mm256_unpacklo_ps(a, b),
                        _mm256_unpackhi_ps(a, b),
                        _mm256_unpacklo_ps(c, d),
                        _mm256_unpackhi_ps(c, d),
                    ]
                    .map(|v| _mm256_castps_pd(v));
                    fours[i] = _mm256_castpd_ps(_mm256_unpacklo_pd(low, low2));
                    fours[i + 1] = _mm256_castpd_ps(_mm256_unpackhi_pd(low, low2));
                    fours[i + 2] = _mm256_castpd_ps(_mm256_unpacklo_pd(high, high2));
                    fours[i + 3] = _mm256_castpd_ps(_mm256_unpackhi_pd(high, high2));
                }
                for i in 0..4 {
                    let (a, b) = (fours[i], fours[i + 4]);
                    _mm256_storeu_ps(to[i], _mm256_permute2f128_ps::<0x20>(a, b));
                    _mm256_storeu_ps(to[i + 4], _mm256_permute2f128_ps::<0x31>(a, b));
                }
            }
        }

        #[inline(always)]
        unsafe fn load_half(self, at: *const f16) -> __m256 {
            // SAFETY: `self` is there, so the instructions are; the numbers are as the caller promises.
            unsafe { _mm256_cvtph_ps(_mm_loadu_si128(at.cast())) }
        }

        #[inline(always)]
        unsafe fn store_half(self, at: *mut f16, v: __m256) {
            // SAFETY: `self` is there, so the instructions are; the room is as the caller promises.
            unsafe { _mm_storeu_si128(at.cast(), _mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(v)) }
        }
    }

    impl Simd for Avx512 {
        const LANES: usize = 16;
        const MANY_REGISTERS: bool = true;
        type V = __m512;

        #[inline(always)]
        fn splat(self, x: f32) -> __m512 {
            // SAFETY: `self` is there, so the instructions are.
            unsafe { _mm512_set1_ps(x) }
        }

        #[inline(always)]
        fn add(self, a: __m512, b: __m512) -> __m512 {
            // SAFETY: `self` is there, so the instructions are.
            unsafe { _mm512_add_ps(a, b) }
        }

        #[inline(always)]
        fn sub(self, a: __m512, b: __m512) -> __m512 {
            // SAFETY: `self` is there, so the instructions are.
            unsafe { _mm512_sub_ps(a, b) }
        }

        #[inline(always)]
        fn mul(self, a: __m512, b: __m512) -> __m512 {
            // SAFETY: `self` is there, so the instructions are.
            unsafe { _mm512_mul_ps(a, b) }
        }

        #[inline(always)]
        fn div(self, a: __m512, b: __m512) -> __m512 {
            // SAFETY: `self` is there, so the instructions are.
            unsafe { _mm512_div_ps(a, b) }
        }

        #[inline(always)]
        fn fma(self, a: __m512, b: __m512, c: __m512) -> __m512 {
            // SAFETY: `self` is there, so the instructions are.
            unsafe { _mm512_fmadd_ps(a, b, c) }
        }

        #[inline(always)]
        fn max(self, a: __m512, b: __m512) -> __m512 {
            // SAFETY: `self` is there, so the instructions are.
            unsafe { _mm512_max_ps(a, b) }
        }

        #[inline(always)]
        fn min(self, a: __m512, b: __m512) -> __m512 {
            // SAFETY: `self` is there, so the instructions are.
            unsafe { _mm512_min_ps(a, b) }
        }

        #[inline(always)]
        fn if_less(self, a: __m512, b: __m512, then: __m512, otherwise: __m512) -> __m512 {
            // SAFETY: `self` is there, so the instructions are.
            unsafe { _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_LT_OQ>(a, b), otherwise, then) }
        }

        #[inline(always)]
        fn scale(self, a: __m512, n: __m512) -> __m512 {
            // SAFETY: `self` is there, so the instructions are.
            unsafe { _mm512_scalef_ps(a, n) }
        }

        #[inline(always)]
        fn sums(self, v: [__m512; 8]) -> [f32; 8] {
            /// Of each 128 bits the sums of halves, of `a` and `b` by turns.
            ///
            /// # Safety
            /// The processor has AVX-512 F.
            #[inline(always)]
            unsafe fn pairs(a: __m512, b: __m512) -> __m512 {
                // SAFETY: as the caller promises.
                unsafe { _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b)) }
            }
            /// Of each 128 bits the sums of the four vectors that `a` and `b` are the pairs of.
            ///
            /// # Safety
            /// The processor has AVX-512 F and DQ.
            #[inline(always)]
            unsafe fn fours(a: __m512, b: __m512) -> __m512 {
                // SAFETY: as the caller promises.
                unsafe {
                    let (a, b) = (_mm512_castps_pd(a), _mm512_castps_pd(b));
                    _mm512_add_ps(
                        _mm512_castpd_ps(_mm512_unpacklo_pd(a, b)),
                        _mm512_castpd_ps(_mm512_unpackhi_pd(a, b)),
                    )
                }
            }
            let mut sums = [0.0; 8];
            // SAFETY: `self` is there, so the instructions are; `sums` has room for the eight.
            unsafe {
                let low = fours(pairs(v[0], v[1]), pairs(v[2], v[3]));
                let high = fours(pairs(v[4], v[5]), pairs(v[6], v[7]));
                let halves = _mm512_add_ps(
                    _mm512_shuffle_f32x4::<0b10_00_10_00>(low, high),
                    _mm512_shuffle_f32x4::<0b11_01_11_01>(low, high),
                );
                let sum = _mm512_add_ps(
                    _mm512_shuffle_f32x4::<0b10_00_10_00>(halves, halves),
                    _mm512_shuffle_f32x4::<0b11_01_11_01>(halves, halves),
                );
                _mm256_storeu_ps(sums.as_mut_ptr(), _mm512_castps512_ps256(sum));
            }
            sums
        }

        #[inline(always)]
        unsafe fn load(self, at: *const f32) -> __m512 {
            // SAFETY: `self` is there, so the instructions are; the numbers are as the caller promises.
            unsafe { _mm512_loadu_ps(at) }
        }

        #[inline(always)]
        unsafe fn store(self, at: *mut f32, v: __m512) {
            // SAFETY: `self` is there, so the instructions are; the room is as the caller promises.
            unsafe { _mm512_storeu_ps(at, v) }
        }

        #[inline(always)]
        unsafe fn transpose(self, from: &[*const f32; 16], to: &[*mut f32; 16]) {
            const EVEN: i32 = 0b10_00_10_00;
            const ODD: i32 = 0b11_01_11_01;
            // SAFETY: `self` is there, so the instructions are; the rows are as the caller promises.
            unsafe {
                // Of each four rows, in each 128 bits, one column.
                let mut fours = [_mm512_setzero_ps(); 16];
                for i in [0, 4, 8, 12] {
                    let (a, b) = (_mm512_loadu_ps(from[i]), _mm512_loadu_ps(from[i + 1]));
                    let (c, d) = (_mm512_loadu_ps(from[i + 2]), _mm512_loadu_ps(from[i + 3]));
                    let [low, high, low2, high2] = [
                        _mm512_unpacklo_ps(a, b),
                        _mm512_unpackhi_ps(a, b),
                        _mm512_unpacklo_ps(c, d),
                        _mm512_unpackhi_ps(c, d),
                    ]
                    .map(|v| _mm512_castps_pd(v));
                    fours[i] = _mm512_castpd_ps(_mm512_unpacklo_pd(low, low2));
                    fours[i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low, low2));
                    fours[i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(high, high2));
                    fours[i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(high, high2));
                }
                for i in 0..4 {
                    let (a, b, c, d) = (fours[i], fours[i + 4], fours[i + 8], fours[i + 12]);
                    let (even, even2) = (_mm512_shuffle_f32x4::<EVEN>(a, b), _mm512_shuffle_f32x4::<EVEN>(c, d));
                    let (odd, odd2) = (_mm512_shuffle_f32x4::<ODD>(a, b), _mm512_shuffle_f32x4::<ODD>(c, d));
                    _mm512_storeu_ps(to[i], _mm512_shuffle_f32x4::<EVEN>(even, even2));
                    _mm512_storeu_ps(to[i + 4], _mm512_shuffle_f32x4::<EVEN>(odd, odd2));
                    _mm512_storeu_ps(to[i + 8], _mm512_shuffle_f32x4::<ODD>(even, even2));
                    _mm512_storeu_ps(to[i + 12], _mm512_shuffle_f32x4::<ODD>(odd, odd2));
                }
            }
        }

        #[inline(always)]
        unsafe fn load_half(self, at: *const f16) -> __m512 {
            // SAFETY: `self` is there, so the instructions are; the numbers are as the caller promises.
            unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(at.cast())) }
        }

        #[inline(always)]
        unsafe fn store_half(self, at: *mut f16, v: __m512) {
            // SAFETY: `self` is there, so the instructions are; the room is as the caller promises.
            unsafe { _mm256_storeu_si256(at.cast(), _mm512_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(v)) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sums<'a>(&'a mut [f32; 8]);

    impl Kernel for Sums<'_> {
        #[inline(always)]
        fn run(self, simd: impl Simd) {
            let numbers: Vec<f32> = (0..128).map(|i| (i * i % 31) as f32).collect();
            // SAFETY: eight vectors of at most 16 lanes.
            *self.0 = simd.sums(std::array::from_fn(|i| unsafe { simd.load(numbers[16 * i..].as_ptr()) }));
            let lanes = |i: usize| -> f32 { numbers[16 * i..].iter().take(lanes_of(simd)).sum() };
            assert_eq!(*self.0, std::array::from_fn(lanes));
        }
    }

    fn lanes_of<S: Simd>(_: S) -> usize {
        S::LANES
    }

    #[test]
    fn eight_vectors_are_summed_each() {
        for isa in Isa::all() {
            let mut sums = [0.0; 8];
            isa.run(Sums(&mut sums));
            assert!(sums.iter().all(|sum| *sum > 0.0), "{isa:?} ran");
        }
    }

    struct Transposed<'a>(&'a [f32], &'a mut [f32]);

    impl Kernel for Transposed<'_> {
        #[inline(always)]
        fn run(self, simd: impl Simd) {
            let lanes = lanes_of(simd);
            let from = std::array::from_fn(|i| self.0[16 * i..].as_ptr());
            let to: [*mut f32; 16] = std::array::from_fn(|i| self.1[16 * i..].as_mut_ptr());
            // SAFETY: each row has 16 numbers.
            unsafe { simd.transpose(&from, &to) };
            for (i, j) in (0..lanes).flat_map(|i| (0..lanes).map(move |j| (i, j))) {
                assert_eq!(self.1[16 * j + i], self.0[16 * i + j], "{lanes} lanes: {i}, {j}");
            }
        }
    }

    #[test]
    fn rows_become_columns() {
        let numbers: Vec<f32> = (1..=256).map(|i| i as f32).collect();
        for isa in Isa::all() {
            let mut columns = vec![0.0; 256];
            isa.run(Transposed(&numbers, &mut columns));
            assert_eq!(columns[1], 17.0, "{isa:?} ran");
        }
    }

    struct Halves<'a>(&'a [f32], &'a mut [f16]);

    impl Kernel for Halves<'_> {
        #[inline(always)]
        fn run(self, simd: impl Simd) {
            // SAFETY: both have as many.
            unsafe { convert(simd, self.0.as_ptr(), self.1.as_mut_ptr(), self.0.len()) }
        }
    }

    #[test]
    fn halves_are_rounded_alike_by_all() {
        let numbers: Vec<f32> = (0..1000).map(|i| (i as f32 - 500.0).powi(3) * 1.234e-4).collect();
        for isa in Isa::all() {
            for count in [1, 7, 8, 15, 16, 17, 1000] {
                let mut halves = vec![f16::ZERO; count];
                isa.run(Halves(&numbers[..count], &mut halves));
                let expected: Vec<f16> = numbers[..count].iter().map(|x| f16::from_f32(*x)).collect();
                assert_eq!(halves, expected, "{isa:?}");
            }
        }
    }
}
