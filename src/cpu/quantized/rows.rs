//! Products of few tokens: each weight is unpacked once, in registers, and used for all of them.
//!
//! With one token a product is as fast as memory gives the weights. What has to be done for a span is little enough to be
//! done in that time: four dot products of 64 quants, and a multiplication of each by its groups' scales.

use super::activations::QuantizedSpan;
use super::part::Part;
use super::{Format, SPAN, Span};

/// Products of a span, in one set of instructions: each function may be called only where the processor has them.
trait Dot {
    /// Partial sums of a row.
    type Sums: Copy;

    unsafe fn zero() -> Self::Sums;
    unsafe fn unpack<F: Format>(blocks: &[u8], span: &mut Span);
    /// Adds the products of a span's weights and a token's values.
    unsafe fn add<F: Format>(sums: &mut Self::Sums, span: &Span, values: &QuantizedSpan);
    unsafe fn total(sums: Self::Sums) -> f32;
    /// Asks memory for what is to come.
    fn prefetch(bytes: *const u8, len: usize);
}

/// # Safety
/// As for a [`Kernel`](super::kernels::Kernel).
pub(super) unsafe fn portable<F: Format>(part: &Part) {
    // SAFETY: the caller's promise.
    unsafe { tiles::<Portable, F>(part) }
}

/// # Safety
/// As for a [`Kernel`](super::kernels::Kernel).
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) unsafe fn avx2<F: Format>(part: &Part) {
    // SAFETY: the caller's promise.
    unsafe { tiles::<Avx2, F>(part) }
}

/// # Safety
/// As for a [`Kernel`](super::kernels::Kernel).
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(super) unsafe fn avx512<F: Format>(part: &Part) {
    // SAFETY: the caller's promise.
    unsafe { tiles::<Avx512, F>(part) }
}

/// Tokens four at a time: with more, their sums no longer fit in registers.
///
/// This and the next are inlined into functions that have the instructions of `D`.
///
/// # Safety
/// The processor has them too; else as for a [`Kernel`](super::kernels::Kernel).
#[inline(always)]
unsafe fn tiles<D: Dot, F: Format>(part: &Part) {
    // What lies before was another thread's: nobody has asked for the first rows.
    D::prefetch(part.row(part.rows.start).as_ptr(), PREFETCH);
    let mut token = part.tokens.start;
    while token < part.tokens.end {
        let tokens = (part.tokens.end - token).min(4);
        // SAFETY: the caller's promise.
        unsafe {
            match tokens {
                1 => tile::<D, F, 1>(part, token),
                2 => tile::<D, F, 2>(part, token),
                3 => tile::<D, F, 3>(part, token),
                _ => tile::<D, F, 4>(part, token),
            }
        }
        token += tokens;
    }
}

/// # Safety
/// As for [`tiles`].
#[inline(always)]
unsafe fn tile<D: Dot, F: Format, const TOKENS: usize>(part: &Part, token: usize) {
    let span_bytes = SPAN / F::BLOCK * F::BYTES;
    for row in part.rows.clone() {
        // Whole spans first: that their length is known makes their unpacking short.
        let (whole, rest) = part.row(row).split_at(part.row_bytes / span_bytes * span_bytes);
        // SAFETY: the caller's promise.
        let totals = unsafe {
            let (mut sums, mut span) = ([D::zero(); TOKENS], Span::ZERO);
            let mut add = |span: &Span, number: usize| {
                let values = &part.activations.span(number)[token..][..TOKENS];
                for (sums, values) in sums.iter_mut().zip(values) {
                    D::add::<F>(sums, span, values);
                }
            };
            for (number, blocks) in whole.chunks_exact(span_bytes).enumerate() {
                D::prefetch(blocks.as_ptr().wrapping_add(PREFETCH), span_bytes);
                D::unpack::<F>(blocks, &mut span);
                add(&span, number);
            }
            if !rest.is_empty() {
                D::unpack::<F>(rest, &mut span);
                add(&span, whole.len() / span_bytes);
            }
            sums.map(|sums| D::total(sums))
        };
        for (i, total) in totals.into_iter().enumerate() {
            // SAFETY: it is of this part.
            unsafe { part.set(token + i, row, &[total]) };
        }
    }
}

/// How far ahead of its use memory is asked for weights, in bytes: two pages, since processors do not read ahead across
/// the end of one.
const PREFETCH: usize = 8192;

struct Portable;

impl Dot for Portable {
    type Sums = f32;

    unsafe fn zero() -> f32 {
        0.0
    }

    unsafe fn unpack<F: Format>(blocks: &[u8], span: &mut Span) {
        F::unpack(blocks, span);
    }

    #[inline]
    unsafe fn add<F: Format>(sum: &mut f32, span: &Span, values: &QuantizedSpan) {
        let groups = span.quants.chunks_exact(F::GROUP).zip(values.quants.chunks_exact(F::GROUP));
        for (group, (weights, quants)) in groups.enumerate() {
            let dot: i32 = weights.iter().zip(quants).map(|(w, x)| i32::from(*w) * i32::from(*x)).sum();
            let scale = values.scales[group * F::GROUP / 32];
            *sum += scale * (span.scales[group] * dot as f32 - span.mins[group] * values.sum::<F>(group) as f32);
        }
    }

    unsafe fn total(sum: f32) -> f32 {
        sum
    }

    fn prefetch(_: *const u8, _: usize) {}
}

#[cfg(target_arch = "x86_64")]
pub(super) use x86::prefetch;
#[cfg(target_arch = "x86_64")]
use x86::{Avx2, Avx512};

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{Dot, Format, QuantizedSpan, Span};

    pub(super) struct Avx2;

    impl Dot for Avx2 {
        type Sums = __m256;

        #[target_feature(enable = "avx2,fma,f16c")]
        #[inline]
        unsafe fn zero() -> __m256 {
            _mm256_setzero_ps()
        }

        #[target_feature(enable = "avx2,fma,f16c")]
        #[inline]
        unsafe fn unpack<F: Format>(blocks: &[u8], span: &mut Span) {
            // SAFETY: the processor has AVX2.
            unsafe { F::unpack_avx2(blocks, span) }
        }

        #[target_feature(enable = "avx2,fma,f16c")]
        #[inline]
        unsafe fn add<F: Format>(sums: &mut __m256, span: &Span, values: &QuantizedSpan) {
            // SAFETY: all reads are within the two spans.
            unsafe {
                let of_values = _mm256_loadu_ps(values.scales.as_ptr());
                // Of 16 groups, or twice of 8.
                let [low, high] = if F::GROUP == 16 {
                    let low = _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3);
                    let high = _mm256_add_epi32(low, _mm256_set1_epi32(4));
                    [_mm256_permutevar8x32_ps(of_values, low), _mm256_permutevar8x32_ps(of_values, high)]
                } else {
                    [of_values; 2]
                };
                let first = _mm256_mul_ps(_mm256_loadu_ps(span.scales.as_ptr()), low);
                let second = if F::GROUP == 16 {
                    _mm256_mul_ps(_mm256_loadu_ps(span.scales.as_ptr().add(8)), high)
                } else {
                    first
                };
                let mut sum = *sums;
                for i in 0..8 {
                    let weights = _mm256_loadu_si256(span.quants.as_ptr().add(32 * i).cast());
                    let values = _mm256_loadu_si256(values.quants.as_ptr().add(32 * i).cast());
                    let dot = if F::WIDE {
                        // Low and high halves of each 128 bits: a group of 16 stays in its half.
                        let zero = _mm256_setzero_si256();
                        let sign = _mm256_cmpgt_epi8(zero, values);
                        let low =
                            _mm256_madd_epi16(_mm256_unpacklo_epi8(weights, zero), _mm256_unpacklo_epi8(values, sign));
                        let high =
                            _mm256_madd_epi16(_mm256_unpackhi_epi8(weights, zero), _mm256_unpackhi_epi8(values, sign));
                        _mm256_add_epi32(low, high)
                    } else {
                        _mm256_madd_epi16(_mm256_maddubs_epi16(weights, values), _mm256_set1_epi16(1))
                    };
                    let scale = if F::GROUP == 16 {
                        let at = 2 * (i as i32 % 4);
                        let lanes = _mm256_setr_epi32(at, at, at, at, at + 1, at + 1, at + 1, at + 1);
                        _mm256_permutevar8x32_ps(if i < 4 { first } else { second }, lanes)
                    } else {
                        _mm256_permutevar8x32_ps(first, _mm256_set1_epi32(i as i32))
                    };
                    sum = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dot), scale, sum);
                }
                let mins = |half: usize, of_values: __m256, sums: *const i32| {
                    let sums = _mm256_cvtepi32_ps(_mm256_loadu_si256(sums.cast()));
                    let mins = _mm256_mul_ps(_mm256_loadu_ps(span.mins.as_ptr().add(8 * half)), of_values);
                    _mm256_mul_ps(mins, sums)
                };
                if F::GROUP == 16 {
                    sum = _mm256_sub_ps(sum, mins(0, low, values.half_sums.as_ptr()));
                    sum = _mm256_sub_ps(sum, mins(1, high, values.half_sums.as_ptr().add(8)));
                } else {
                    sum = _mm256_sub_ps(sum, mins(0, low, values.sums.as_ptr()));
                }
                *sums = sum;
            }
        }

        #[target_feature(enable = "avx2,fma,f16c")]
        #[inline]
        unsafe fn total(sums: __m256) -> f32 {
            let four = _mm_add_ps(_mm256_castps256_ps128(sums), _mm256_extractf128_ps(sums, 1));
            let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
        }

        #[inline(always)]
        fn prefetch(bytes: *const u8, len: usize) {
            prefetch(bytes, len);
        }
    }

    pub(super) struct Avx512;

    impl Dot for Avx512 {
        type Sums = [__m512; 2];

        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
        #[inline]
        unsafe fn zero() -> [__m512; 2] {
            [_mm512_setzero_ps(); 2]
        }

        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
        #[inline]
        unsafe fn unpack<F: Format>(blocks: &[u8], span: &mut Span) {
            // SAFETY: the processor has AVX-512.
            unsafe { F::unpack_avx512(blocks, span) }
        }

        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
        #[inline]
        unsafe fn add<F: Format>(sums: &mut [__m512; 2], span: &Span, values: &QuantizedSpan) {
            // SAFETY: all reads are within the two spans.
            unsafe {
                let mut of_values = _mm512_zextps256_ps512(_mm256_loadu_ps(values.scales.as_ptr()));
                let sums_of_values = if F::GROUP == 16 {
                    let twice = _mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
                    of_values = _mm512_permutexvar_ps(twice, of_values);
                    _mm512_loadu_si512(values.half_sums.as_ptr().cast())
                } else {
                    _mm512_zextsi256_si512(_mm256_loadu_si256(values.sums.as_ptr().cast()))
                };
                let scales = _mm512_mul_ps(_mm512_loadu_ps(span.scales.as_ptr()), of_values);
                let mins = _mm512_mul_ps(_mm512_loadu_ps(span.mins.as_ptr()), of_values);
                sums[1] = _mm512_fnmadd_ps(mins, _mm512_cvtepi32_ps(sums_of_values), sums[1]);
                for i in 0..4 {
                    let weights = _mm512_loadu_si512(span.quants.as_ptr().add(64 * i).cast());
                    let values = _mm512_loadu_si512(values.quants.as_ptr().add(64 * i).cast());
                    let dot = _mm512_dpbusd_epi32(_mm512_setzero_si512(), weights, values);
                    // A lane has the sum of four products.
                    let lanes = if F::GROUP == 16 {
                        let at = _mm512_set1_epi32(4 * i as i32);
                        let lanes = _mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
                        _mm512_add_epi32(lanes, at)
                    } else {
                        let at = _mm512_set1_epi32(2 * i as i32);
                        let lanes = _mm512_setr_epi32(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
                        _mm512_add_epi32(lanes, at)
                    };
                    let scale = _mm512_permutexvar_ps(lanes, scales);
                    sums[i % 2] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot), scale, sums[i % 2]);
                }
            }
        }

        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
        #[inline]
        unsafe fn total(sums: [__m512; 2]) -> f32 {
            _mm512_reduce_add_ps(_mm512_add_ps(sums[0], sums[1]))
        }

        #[inline(always)]
        fn prefetch(bytes: *const u8, len: usize) {
            prefetch(bytes, len);
        }
    }

    #[inline(always)]
    pub(crate) fn prefetch(bytes: *const u8, len: usize) {
        for line in (0..len).step_by(64) {
            // SAFETY: it reads nothing.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(bytes.wrapping_add(line).cast()) };
        }
    }
}
