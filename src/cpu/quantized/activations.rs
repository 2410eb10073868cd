//! What weights are multiplied with, in eight bits.
//!
//! One scale for 32 values, as in ggml's Q8_0. One for 256, as ggml has for its K-quants, would save little, and where one
//! value is far larger than the others, as often in a model's residual stream, round eight times as many by its size.

use super::{Format, SPAN};
use crate::disjoint::Disjoint;
use crate::isa::Isa;
use crate::pool::Pool;

/// Values that share a scale.
pub const GROUP: usize = 32;

/// 256 consecutive values of a token: value `i` of group `g` is about `scales[g] · quants[i]`.
#[repr(C, align(64))]
#[derive(Debug, Clone, PartialEq)]
pub struct QuantizedSpan {
    /// −127 to 127.
    pub quants: [i8; SPAN],
    /// Of each 32; NaN where a value is not finite, so that every product with them is NaN.
    pub scales: [f32; SPAN / GROUP],
    /// Sums of each 32 quants, for the weights' mins.
    pub sums: [i32; SPAN / GROUP],
    /// And of each 16.
    pub half_sums: [i32; SPAN / 16],
}

impl QuantizedSpan {
    const ZERO: Self =
        Self { quants: [0; SPAN], scales: [0.0; SPAN / GROUP], sums: [0; SPAN / GROUP], half_sums: [0; SPAN / 16] };

    /// The sum of the quants that meet a group of weights.
    #[inline]
    pub fn sum<F: Format>(&self, group: usize) -> i32 {
        if F::GROUP == 16 { self.half_sums[group] } else { self.sums[group] }
    }

    /// Quants `4i` to `4i + 3`, the first in the lowest bits.
    #[inline]
    pub fn four(&self, i: usize) -> i32 {
        let [a, b, c, d] = self.quants.as_chunks().0[i];
        i32::from_le_bytes([a as u8, b as u8, c as u8, d as u8])
    }
}

/// Rows of values, a row a token. Its memory serves one product after another.
#[derive(Debug, Default)]
pub struct Activations {
    tokens: usize,
    columns: usize,
    /// All tokens' first spans, then all tokens' second ones: those that meet the same weights lie together, whatever the
    /// width.
    spans: Vec<QuantizedSpan>,
}

/// Spans that a thread quantizes at a time: about two microseconds.
const TASK: usize = 64;

impl Activations {
    /// None yet: [`Self::quantize`] takes them up.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes up `values`, rows of `columns` each.
    ///
    /// # Panics
    /// If the values are not whole rows, or the processor has not these instructions.
    pub fn quantize(&mut self, pool: &Pool, isa: Isa, values: &[f32], columns: usize) {
        assert!(columns > 0 && values.len().is_multiple_of(columns), "{} values in rows of {columns}", values.len());
        assert!(isa <= Isa::best(), "this processor has no {isa:?}");
        let tokens = values.len() / columns;
        (self.tokens, self.columns) = (tokens, columns);
        self.spans.resize(tokens * columns.div_ceil(SPAN), QuantizedSpan::ZERO);
        let quantize = match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 | Isa::Avx512Bf16 => {
                // SAFETY: the processor has it.
                |values: &[f32], span: &mut QuantizedSpan| unsafe { quantize_avx512(values, span) }
            }
            // SAFETY: the processor has it.
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => |values: &[f32], span: &mut QuantizedSpan| unsafe { quantize_avx2(values, span) },
            _ => quantize_portable,
        };
        let count = self.spans.len();
        let spans = Disjoint::new(&mut self.spans);
        pool.run(count.div_ceil(TASK), &|task| {
            let range = task * TASK..count.min((task + 1) * TASK);
            // SAFETY: tasks' ranges do not overlap.
            let spans = unsafe { spans.part(range.clone()) };
            for (at, span) in range.zip(spans) {
                let (span_of_row, token) = (at / tokens, at % tokens);
                let row = &values[token * columns..][..columns];
                let start = span_of_row * SPAN;
                quantize(&row[start..columns.min(start + SPAN)], span);
            }
        });
    }

    /// Rows that were taken up last.
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// Values of a token.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// All tokens' spans of this number.
    #[inline]
    pub(super) fn span(&self, number: usize) -> &[QuantizedSpan] {
        &self.spans[number * self.tokens..][..self.tokens]
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,f16c")]
fn quantize_avx2(values: &[f32], span: &mut QuantizedSpan) {
    quantize(values, span);
}

fn quantize_portable(values: &[f32], span: &mut QuantizedSpan) {
    quantize(values, span);
}

/// Plain loops that compilers turn into vectors of 128 and 256 bits.
#[inline(always)]
fn quantize(values: &[f32], span: &mut QuantizedSpan) {
    let mut padded = [0.0; SPAN];
    padded[..values.len()].copy_from_slice(values);
    for (group, values) in padded.as_chunks::<GROUP>().0.iter().enumerate() {
        // As bits, magnitudes are in order, then infinity, then NaN.
        let mut lanes = [0; 8];
        for values in values.as_chunks::<8>().0 {
            for (most, value) in lanes.iter_mut().zip(values) {
                *most = (value.to_bits() & 0x7fff_ffff).max(*most);
            }
        }
        let largest = f32::from_bits(lanes.into_iter().fold(0, u32::max));
        let (scale, inverse) = if !largest.is_finite() {
            (f32::NAN, 0.0)
        } else if largest < SMALLEST {
            (0.0, 0.0)
        } else {
            (largest / 127.0, 127.0 / largest)
        };
        let mut halves = [0; 2];
        let quants = &mut span.quants.as_chunks_mut::<GROUP>().0[group];
        for ((quants, values), sum) in quants.chunks_mut(16).zip(values.chunks(16)).zip(&mut halves) {
            for (quant, value) in quants.iter_mut().zip(values) {
                // Adding 1.5 · 2²³ leaves the nearest integer in the lowest bits of the sum.
                let integer = (value * inverse + 12_582_912.0).to_bits() as i8;
                *quant = integer;
                *sum += i32::from(integer);
            }
        }
        span.scales[group] = scale;
        span.sums[group] = halves[0] + halves[1];
        span.half_sums.as_chunks_mut().0[group] = halves;
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
fn quantize_avx512(values: &[f32], span: &mut QuantizedSpan) {
    use std::arch::x86_64::*;

    let mut padded;
    let values = if let Ok(values) = <&[f32; SPAN]>::try_from(values) {
        values
    } else {
        padded = [0.0; SPAN];
        padded[..values.len()].copy_from_slice(values);
        &padded
    };
    // SAFETY: 16 values.
    let load = |i: usize| unsafe { _mm512_loadu_ps(values.as_ptr().add(16 * i)) };
    // As bits, magnitudes are in order, then infinity, then NaN.
    let of_group = |group: usize| {
        let magnitude = |i| _mm512_and_si512(_mm512_castps_si512(load(i)), _mm512_set1_epi32(0x7fff_ffff));
        let most = _mm512_max_epu32(magnitude(2 * group), magnitude(2 * group + 1));
        _mm256_max_epu32(_mm512_castsi512_si256(most), _mm512_extracti64x4_epi64(most, 1))
    };
    let of_two = |a, b| _mm256_max_epu32(_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b));
    let of_four = |group: usize| {
        let a = of_two(of_group(group), of_group(group + 1));
        let b = of_two(of_group(group + 2), of_group(group + 3));
        _mm256_max_epu32(_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b))
    };
    let (a, b) = (of_four(0), of_four(4));
    let most = _mm256_max_epu32(_mm256_permute2x128_si256(a, b, 0x20), _mm256_permute2x128_si256(a, b, 0x31));
    // Groups 0, 1, 2, 3 and so on: each stage has put its first half in front.
    let largest = _mm256_castsi256_ps(most);
    let infinite = _mm256_cmp_ps_mask::<_CMP_NLT_UQ>(largest, _mm256_set1_ps(f32::INFINITY));
    let usual = _mm256_cmp_ps_mask::<_CMP_GE_OQ>(largest, _mm256_set1_ps(SMALLEST)) & !infinite;
    let scales = _mm256_maskz_div_ps(usual, largest, _mm256_set1_ps(127.0));
    let inverses = _mm512_zextps256_ps512(_mm256_maskz_div_ps(usual, _mm256_set1_ps(127.0), largest));
    let scales = _mm256_mask_mov_ps(scales, infinite, _mm256_set1_ps(f32::NAN));
    for group in 0..8 {
        let inverse = _mm512_permutexvar_ps(_mm512_set1_epi32(group as i32), inverses);
        for half in [2 * group, 2 * group + 1] {
            let integers = _mm512_cvtps_epi32(_mm512_mul_ps(load(half), inverse));
            // SAFETY: 16 quants.
            unsafe {
                _mm_storeu_si128(span.quants.as_mut_ptr().add(16 * half).cast(), _mm512_cvtepi32_epi8(integers));
            }
        }
    }
    // Sums of four, then of 16 in each 128 bits: of 128-bit part p of register r, group 4r + p.
    let fours = |i: usize| {
        // SAFETY: 64 quants.
        let quants = unsafe { _mm512_loadu_si512(span.quants.as_ptr().add(64 * i).cast()) };
        _mm512_dpbusd_epi32(_mm512_setzero_si512(), _mm512_set1_epi8(1), quants)
    };
    let eights = |i| {
        let (a, b) = (fours(i), fours(i + 1));
        _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b))
    };
    let (a, b) = (eights(0), eights(2));
    let sums = _mm512_add_epi32(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
    let order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    let halves = _mm512_permutexvar_epi32(order, sums);
    // A group's two halves are neighbours, as the halves of 64 bits.
    let wholes = _mm512_cvtepi64_epi32(_mm512_add_epi32(halves, _mm512_srli_epi64(halves, 32)));
    // SAFETY: 8, 8 and 16 numbers.
    unsafe {
        _mm256_storeu_ps(span.scales.as_mut_ptr(), scales);
        _mm256_storeu_si256(span.sums.as_mut_ptr().cast(), wholes);
        _mm512_storeu_si512(span.half_sums.as_mut_ptr().cast(), halves);
    }
}

/// What is smaller than this counts as 0: the inverse of its scale might be infinite.
const SMALLEST: f32 = 1e-35;

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    fn quantized(isa: Isa, values: &[f32], columns: usize) -> Activations {
        let mut activations = Activations::new();
        activations.quantize(&Pool::new(2), isa, values, columns);
        activations
    }

    #[test]
    fn a_value_is_off_by_half_a_step_at_most() {
        let mut rng = StdRng::seed_from_u64(1);
        for (tokens, columns) in [(1, 32), (3, 1), (7, 300), (2, 512), (33, 96)] {
            let values: Vec<f32> = (0..tokens * columns).map(|_| rng.random_range(-9.0..9.0)).collect();
            let portable = quantized(Isa::Portable, &values, columns);
            for (token, values) in values.chunks(columns).enumerate() {
                for (i, value) in values.iter().enumerate() {
                    let (span, at) = (&portable.span(i / SPAN)[token], i % SPAN);
                    let step = span.scales[at / GROUP];
                    assert!((f32::from(span.quants[at]) * step - value).abs() <= 0.5001 * step);
                }
                for start in (0..columns.next_multiple_of(SPAN)).step_by(16) {
                    let (span, at) = (&portable.span(start / SPAN)[token], start % SPAN);
                    let sum: i32 = span.quants[at..at + 16].iter().map(|quant| i32::from(*quant)).sum();
                    assert_eq!(span.half_sums[at / 16], sum);
                    assert!(start < columns || span.quants[at..at + 16] == [0; 16], "padding");
                }
                for span in (0..columns.div_ceil(SPAN)).map(|number| &portable.span(number)[token]) {
                    for (sum, halves) in span.sums.iter().zip(span.half_sums.as_chunks::<2>().0) {
                        assert_eq!(*sum, halves[0] + halves[1]);
                    }
                }
            }
            for isa in Isa::all() {
                assert_eq!(quantized(isa, &values, columns).spans, portable.spans, "{isa:?}");
            }
        }
    }

    #[test]
    fn extremes_are_quantized() {
        for isa in Isa::all() {
            let of = |value: f32| quantized(isa, &[value, 0.0, -value], 3).spans[0].clone();
            for value in [1e-30, 1.0, 127.0, f32::MAX] {
                let span = of(value);
                assert_eq!(span.quants[..4], [127, 0, -127, 0], "{value}");
                assert!(span.scales[0] > 0.0 && span.scales[1..] == [0.0; 7], "{value}");
            }
            for value in [0.0, -0.0, 1e-36, f32::MIN_POSITIVE, 1e-45] {
                assert_eq!(of(value), QuantizedSpan::ZERO, "{value}");
            }
            for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -f32::NAN] {
                let span = of(value);
                assert!(span.scales[0].is_nan() && span.scales[1..] == [0.0; 7], "{value}");
            }
        }
    }

    #[test]
    fn memory_is_used_again() {
        let (pool, mut activations) = (Pool::new(1), Activations::new());
        activations.quantize(&pool, Isa::best(), &[1.0; 4 * 300], 300);
        activations.quantize(&pool, Isa::best(), &[2.0; 40], 40);
        let fresh = quantized(Isa::best(), &[2.0; 40], 40);
        assert_eq!((activations.tokens(), activations.columns()), (1, 40));
        assert_eq!(activations.spans, fresh.spans);
    }
}
