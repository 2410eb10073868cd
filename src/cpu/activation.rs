//! Activations of an MLP, and sums of the stream that goes through the layers: number by number, in place.

use super::isa::Isa;
use super::math::{normal_distribution, sigmoid, tanh};
use super::pool::Pool;
use super::share::by_parts;
use super::simd::{Kernel, Number, Simd};

/// Function between the two products of an MLP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// `x / (1 + e⁻ˣ)`
    Silu,
    /// Exact: `x Φ(x)`.
    Gelu,
    /// Approximated by tanh.
    GeluTanh,
}

/// `x = act(x) · factor`, or without a factor `x = act(x)`.
///
/// # Panics
/// If there are not as many factors.
pub fn activate(isa: Isa, pool: &Pool, activation: Activation, x: &mut [f32], factor: Option<&[f32]>) {
    assert!(factor.is_none_or(|factor| factor.len() == x.len()), "a factor for each");
    by_parts(pool, x, 16, &|first, x| {
        let y = factor.map(|factor| &factor[first..first + x.len()]);
        match activation {
            Activation::Silu => isa.run(Each { x, y, operation: Silu }),
            Activation::Gelu => isa.run(Each { x, y, operation: Gelu }),
            Activation::GeluTanh => isa.run(Each { x, y, operation: GeluTanh }),
        }
    });
}

/// `x += factor · y`
///
/// # Panics
/// If they are not as long.
pub fn add(isa: Isa, pool: &Pool, x: &mut [f32], y: &[f32], factor: f32) {
    assert_eq!(x.len(), y.len(), "a number for each");
    by_parts(pool, x, 16, &|first, x| {
        let y = Some(&y[first..first + x.len()]);
        isa.run(Each { x, y, operation: Add { factor } });
    });
}

/// `x = cap · tanh(x / cap)`
pub fn squash(isa: Isa, pool: &Pool, x: &mut [f32], cap: f32) {
    by_parts(pool, x, 16, &|_, x| isa.run(Each { x, y: None, operation: Squash { cap } }));
}

/// What becomes of a number and another that may stand beside it.
trait Operation: Copy {
    fn apply<S: Simd>(self, simd: S, x: S::V, y: Option<S::V>) -> S::V;
}

#[derive(Clone, Copy)]
struct Silu;
#[derive(Clone, Copy)]
struct Gelu;
#[derive(Clone, Copy)]
struct GeluTanh;
#[derive(Clone, Copy)]
struct Add {
    factor: f32,
}
#[derive(Clone, Copy)]
struct Squash {
    cap: f32,
}

#[inline(always)]
fn times<S: Simd>(simd: S, x: S::V, y: Option<S::V>) -> S::V {
    match y {
        Some(y) => simd.mul(x, y),
        None => x,
    }
}

impl Operation for Silu {
    #[inline(always)]
    fn apply<S: Simd>(self, simd: S, x: S::V, y: Option<S::V>) -> S::V {
        times(simd, simd.mul(x, sigmoid(simd, x)), y)
    }
}

impl Operation for Gelu {
    #[inline(always)]
    fn apply<S: Simd>(self, simd: S, x: S::V, y: Option<S::V>) -> S::V {
        times(simd, simd.mul(x, normal_distribution(simd, x)), y)
    }
}

impl Operation for GeluTanh {
    #[inline(always)]
    fn apply<S: Simd>(self, simd: S, x: S::V, y: Option<S::V>) -> S::V {
        // ½ (1 + tanh u) is the sigmoid of 2u, with u = √(2/π) (x + 0.044715 x³).
        let factor = 2.0 * (2.0 * std::f32::consts::FRAC_1_PI).sqrt();
        let inner = simd.fma(simd.mul(x, x), simd.splat(0.044_715 * factor), simd.splat(factor));
        times(simd, simd.mul(x, sigmoid(simd, simd.mul(x, inner))), y)
    }
}

impl Operation for Add {
    #[inline(always)]
    fn apply<S: Simd>(self, simd: S, x: S::V, y: Option<S::V>) -> S::V {
        match y {
            Some(y) => simd.fma(y, simd.splat(self.factor), x),
            None => x,
        }
    }
}

impl Operation for Squash {
    #[inline(always)]
    fn apply<S: Simd>(self, simd: S, x: S::V, _: Option<S::V>) -> S::V {
        simd.mul(tanh(simd, simd.mul(x, simd.splat(1.0 / self.cap))), simd.splat(self.cap))
    }
}

struct Each<'a, O> {
    x: &'a mut [f32],
    y: Option<&'a [f32]>,
    operation: O,
}

impl<O: Operation> Kernel for Each<'_, O> {
    #[inline(always)]
    fn run(self, simd: impl Simd) {
        each(simd, self);
    }
}

#[inline(always)]
fn each<S: Simd, O: Operation>(simd: S, each: Each<O>) {
    let count = each.x.len();
    let (x, y) = (each.x.as_mut_ptr(), each.y.map(<[f32]>::as_ptr));
    let whole = count - count % S::LANES;
    let left = count - whole;
    // SAFETY: both are as long.
    unsafe {
        for at in (0..whole).step_by(S::LANES) {
            let y = y.map(|y| simd.load(y.add(at)));
            simd.store(x.add(at), each.operation.apply(simd, simd.load(x.add(at)), y));
        }
        if left > 0 {
            let load = |from: *const f32| f32::load_part(simd, from.add(whole), left);
            f32::store_part(simd, x.add(whole), each.operation.apply(simd, load(x), y.map(load)), left);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(count: usize) -> Vec<f32> {
        (0..count).map(|i| (i * 37 % 10_007) as f32 / 500.0 - 10.0).collect()
    }

    /// `½ + ½ erf(x / √2)` by a series of positive terms.
    fn normal(x: f64) -> f64 {
        let terms = std::iter::successors(Some((x, 1.0)), |(term, n)| Some((term * x * x / (n + 2.0), n + 2.0)));
        let sum: f64 = terms.take(500).map(|(term, _)| term).sum();
        0.5 + sum * (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt()
    }

    fn plain(activation: Activation, x: f64) -> f64 {
        match activation {
            Activation::Silu => x / (1.0 + (-x).exp()),
            Activation::Gelu => x * normal(x),
            Activation::GeluTanh => {
                let u = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3));
                0.5 * x * (1.0 + u.tanh())
            }
        }
    }

    #[test]
    fn activations_are_what_the_definition_says() {
        for activation in [Activation::Silu, Activation::Gelu, Activation::GeluTanh] {
            for count in [1, 15, 40, 33_000] {
                let (x, y) = (numbers(count), numbers(2 * count).split_off(count));
                for isa in Isa::all() {
                    let (mut gated, mut bare) = (x.clone(), x.clone());
                    activate(isa, &Pool::new(2), activation, &mut gated, Some(&y));
                    activate(isa, &Pool::new(2), activation, &mut bare, None);
                    for i in 0..count {
                        let expected = plain(activation, f64::from(x[i]));
                        let error = (f64::from(bare[i]) - expected).abs();
                        assert!(error < 2e-6, "{isa:?}, {activation:?} of {}: {} for {expected}", x[i], bare[i]);
                        assert_eq!(gated[i], bare[i] * y[i], "{isa:?}, {activation:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_not_a_number_stays_so() {
        for activation in [Activation::Silu, Activation::Gelu, Activation::GeluTanh] {
            for isa in Isa::all() {
                let mut x = [f32::NAN, 1.0];
                activate(isa, &Pool::new(1), activation, &mut x, None);
                assert!(x[0].is_nan() && x[1].is_finite(), "{isa:?}, {activation:?}");
            }
        }
    }

    #[test]
    fn squashed_numbers_stay_within_the_cap() {
        for isa in Isa::all() {
            let x = numbers(40_000);
            let mut squashed = x.clone();
            squash(isa, &Pool::new(2), &mut squashed, 5.0);
            for (x, squashed) in x.iter().zip(squashed) {
                let expected = 5.0 * (f64::from(*x) / 5.0).tanh();
                assert!((f64::from(squashed) - expected).abs() < 1e-6, "{isa:?}: {squashed} for {x}");
            }
        }
    }

    #[test]
    fn numbers_are_added_by_a_factor() {
        for count in [1, 16, 33_001] {
            for isa in Isa::all() {
                let (mut x, y) = (numbers(count), numbers(count));
                add(isa, &Pool::new(2), &mut x, &y, 0.5);
                assert!(x.iter().zip(&y).all(|(x, y)| *x == 1.5 * y || (x - 1.5 * y).abs() < 1e-6), "{isa:?}");
            }
        }
    }
}
