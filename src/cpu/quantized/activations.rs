//! What weights are multiplied with, in eight bits.
//!
//! One scale for 32 values, as in ggml's Q8_0: its K-quants' one for 256 would save one multiplication in eleven, at more
//! than twice the error where one value of the 256 is far larger than the rest, as in the residual stream it often is.

use super::SPAN;
use crate::cpu::disjoint::Disjoint;
use crate::cpu::isa::Isa;
use crate::cpu::pool::Pool;

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
    /// Sums of each 32 `scale · quant`, for the weights' mins.
    pub sums: [f32; SPAN / GROUP],
    /// And of each 16.
    pub half_sums: [f32; SPAN / 16],
}

impl QuantizedSpan {
    const ZERO: Self =
        Self { quants: [0; SPAN], scales: [0.0; SPAN / GROUP], sums: [0.0; SPAN / GROUP], half_sums: [0.0; SPAN / 16] };

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
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes up `values`, rows of `columns` each.
    ///
    /// # Panics
    /// If the values are not whole rows.
    pub fn quantize(&mut self, pool: &Pool, isa: Isa, values: &[f32], columns: usize) {
        assert!(columns > 0 && values.len().is_multiple_of(columns), "{} values in rows of {columns}", values.len());
        let tokens = values.len() / columns;
        (self.tokens, self.columns) = (tokens, columns);
        self.spans.resize(tokens * columns.div_ceil(SPAN), QuantizedSpan::ZERO);
        let quantize = match isa {
            // SAFETY: the processor has what the variant says; see `Isa`.
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => |values: &[f32], span: &mut QuantizedSpan| unsafe { quantize_avx512(values, span) },
            // SAFETY: as above.
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
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
fn quantize_avx512(values: &[f32], span: &mut QuantizedSpan) {
    quantize(values, span);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,f16c")]
fn quantize_avx2(values: &[f32], span: &mut QuantizedSpan) {
    quantize(values, span);
}

fn quantize_portable(values: &[f32], span: &mut QuantizedSpan) {
    quantize(values, span);
}

/// Plain loops that compilers turn into any processor's vectors.
#[inline(always)]
fn quantize(values: &[f32], span: &mut QuantizedSpan) {
    if let Ok(values) = <&[f32; SPAN]>::try_from(values) {
        for (group, values) in values.as_chunks::<GROUP>().0.iter().enumerate() {
            quantize_group(values, group, span);
        }
    } else {
        let mut padded = [0.0; SPAN];
        padded[..values.len()].copy_from_slice(values);
        for (group, values) in padded.as_chunks::<GROUP>().0.iter().enumerate() {
            quantize_group(values, group, span);
        }
    }
}

#[inline(always)]
fn quantize_group(values: &[f32; GROUP], group: usize, span: &mut QuantizedSpan) {
    // As bits, magnitudes are in order, then infinity, then NaN.
    let bits = values.iter().fold(0, |most, value| most.max(value.to_bits() & 0x7fff_ffff));
    let largest = f32::from_bits(bits);
    let (scale, inverse) = if !largest.is_finite() {
        (f32::NAN, 0.0)
    } else if largest < SMALLEST {
        (0.0, 0.0)
    } else {
        (largest / 127.0, 127.0 / largest)
    };
    let quants: &mut [i8; GROUP] = (&mut span.quants[group * GROUP..][..GROUP]).try_into().expect("32 of 256");
    let (mut first, mut second) = (0, 0);
    for i in 0..GROUP {
        // Adding 1.5 · 2²³ leaves the nearest integer in the lowest bits of the sum.
        quants[i] = (values[i] * inverse + 12_582_912.0).to_bits() as i8;
    }
    for i in 0..GROUP / 2 {
        first += i32::from(quants[i]);
        second += i32::from(quants[GROUP / 2 + i]);
    }
    span.scales[group] = scale;
    span.sums[group] = scale * (first + second) as f32;
    span.half_sums[2 * group] = scale * first as f32;
    span.half_sums[2 * group + 1] = scale * second as f32;
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
                    assert_eq!(span.half_sums[at / 16], span.scales[at / GROUP] * sum as f32);
                    assert!(start < columns || span.quants[at..at + 16] == [0; 16], "padding");
                }
                for span in (0..columns.div_ceil(SPAN)).map(|number| &portable.span(number)[token]) {
                    for (sum, halves) in span.sums.iter().zip(span.half_sums.as_chunks::<2>().0) {
                        assert!((sum - halves[0] - halves[1]).abs() <= 1e-5 * (halves[0].abs() + halves[1].abs()));
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
                assert!(span.scales[0].is_nan() && span.sums[0].is_nan() && span.half_sums[1].is_nan(), "{value}");
                assert!(span.scales[1..] == [0.0; 7], "{value}");
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
