//! Exponential, hyperbolic tangent and error function of vectors.
//!
//! Polynomials are those of the Cephes library (<https://www.netlib.org/cephes/>, `expf.c`, `tanhf.c`, `ndtrf.c`). What is
//! not a number stays so.

use std::f32::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI, LOG2_E};

use super::simd::Simd;

/// `x · coefficients[0] + coefficients[1]`, and so on to the last.
#[inline(always)]
fn polynomial<S: Simd, const N: usize>(simd: S, x: S::V, coefficients: [f32; N]) -> S::V {
    let mut sum = simd.splat(coefficients[0]);
    for coefficient in &coefficients[1..] {
        sum = simd.fma(sum, x, simd.splat(*coefficient));
    }
    sum
}

/// `eˣ`, within 2 units in the last place where it is a normal number.
#[inline(always)]
pub fn exp<S: Simd>(simd: S, x: S::V) -> S::V {
    // Beyond these it is 0 or infinite. That they come first keeps what is not a number.
    let x = simd.min(simd.splat(89.0), simd.max(simd.splat(-105.0), x));
    // Adding it rounds to a whole number.
    let shift = simd.splat(12_582_912.0);
    let n = simd.sub(simd.fma(x, simd.splat(LOG2_E), shift), shift);
    // ln 2 in two parts, the first of which times n is exact.
    let x = simd.fma(n, simd.splat(-355.0 / 512.0), x);
    let x = simd.fma(n, simd.splat(2.121_944_4e-4), x);
    let above =
        polynomial(simd, x, [1.987_569_1e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 5e-1]);
    let power = simd.add(simd.fma(above, simd.mul(x, x), x), simd.splat(1.0));
    simd.scale(power, n)
}

/// `tanh x`, within 3 units in the last place.
#[inline(always)]
pub fn tanh<S: Simd>(simd: S, x: S::V) -> S::V {
    let zero = simd.splat(0.0);
    let size = simd.if_less(x, zero, simd.sub(zero, x), x);
    let one = simd.splat(1.0);
    // 1 − 2 / (e²ˣ + 1)
    let far = simd.sub(one, simd.div(simd.splat(2.0), simd.add(exp(simd, simd.add(size, size)), one)));
    let far = simd.if_less(x, zero, simd.sub(zero, far), far);
    let square = simd.mul(x, x);
    let above =
        polynomial(simd, square, [-5.704_988_7e-3, 2.063_909e-2, -5.373_971_6e-2, 1.333_144_2e-1, -3.333_328e-1]);
    let near = simd.fma(simd.mul(above, square), x, x);
    simd.if_less(size, simd.splat(0.625), near, far)
}

/// `1 / (1 + e⁻ˣ)`
#[inline(always)]
pub fn sigmoid<S: Simd>(simd: S, x: S::V) -> S::V {
    let one = simd.splat(1.0);
    simd.div(one, simd.add(one, exp(simd, simd.sub(simd.splat(0.0), x))))
}

/// The distribution function of the normal distribution, `½ erfc(−x / √2)`, within 2e-7.
#[inline(always)]
pub fn normal_distribution<S: Simd>(simd: S, x: S::V) -> S::V {
    let (zero, half, one) = (simd.splat(0.0), simd.splat(0.5), simd.splat(1.0));
    let x = simd.mul(x, simd.splat(FRAC_1_SQRT_2));
    let size = simd.if_less(x, zero, simd.sub(zero, x), x);
    let square = simd.mul(x, x);
    // Near zero ½ + ½ erf(x).
    let erf = polynomial(
        simd,
        square,
        [
            7.853_861_4e-5,
            -8.010_194e-4,
            5.188_327_7e-3,
            -2.685_381_2e-2,
            1.128_358_5e-1,
            -3.761_262_6e-1,
            FRAC_2_SQRT_PI,
        ],
    );
    let near = simd.fma(simd.mul(erf, x), half, half);
    // Farther off ½ erfc of the size, on the left as it is and on the right from 1.
    let inverse = simd.div(one, size);
    let y = simd.mul(inverse, inverse);
    let middle = polynomial(
        simd,
        y,
        [
            2.326_82e-2,
            -1.387_039_4e-1,
            3.687_424_7e-1,
            -5.824_733e-1,
            6.210_004_6e-1,
            -4.944_515_3e-1,
            3.404_88e-1,
            -2.741_127e-1,
            5.638_259_4e-1,
        ],
    );
    let far = polynomial(
        simd,
        y,
        [
            -1.047_766_4e1,
            1.297_72e1,
            -7.495_518_7,
            2.921_019,
            -1.015_265_3,
            4.218_463_4e-1,
            -2.820_767_4e-1,
            5.641_895e-1,
        ],
    );
    let factor = simd.if_less(size, simd.splat(2.0), middle, far);
    let tail = simd.mul(simd.mul(exp(simd, simd.sub(zero, square)), inverse), simd.mul(factor, half));
    let outer = simd.if_less(x, zero, tail, simd.sub(one, tail));
    simd.if_less(size, one, near, outer)
}

#[cfg(test)]
mod tests {
    use super::super::isa::Isa;
    use super::super::simd::Kernel;
    use super::*;

    #[derive(Clone, Copy)]
    enum Function {
        Exp,
        Tanh,
        Normal,
    }

    struct Each<'a>(Function, &'a [f32], &'a mut [f32]);

    impl Kernel for Each<'_> {
        #[inline(always)]
        fn run(self, simd: impl Simd) {
            for (x, y) in self.1.chunks(16).zip(self.2.chunks_mut(16)) {
                for (x, y) in x.iter().zip(y) {
                    let v = simd.splat(*x);
                    let v = match self.0 {
                        Function::Exp => exp(simd, v),
                        Function::Tanh => tanh(simd, v),
                        Function::Normal => normal_distribution(simd, v),
                    };
                    *y = simd.lanes(v)[0];
                }
            }
        }
    }

    fn each(isa: Isa, function: Function, x: &[f32]) -> Vec<f32> {
        let mut y = vec![0.0; x.len()];
        isa.run(Each(function, x, &mut y));
        y
    }

    /// Numbers all over a range, and their negatives.
    fn spread(from: f32, to: f32) -> Vec<f32> {
        let ratio = (to / from).powf(1.0 / 20_000.0);
        let sizes = std::iter::successors(Some(from), |x| Some(x * ratio)).take_while(|x| *x < to);
        sizes.flat_map(|x| [x, -x]).chain([0.0]).collect()
    }

    /// The distance in units of the last place of what is expected.
    fn units(found: f32, expected: f64) -> f64 {
        let nearest = expected as f32;
        let unit = f64::from(f32::from_bits(nearest.abs().to_bits() + 1)) - f64::from(nearest.abs());
        (f64::from(found) - expected).abs() / unit
    }

    #[test]
    fn exp_is_exact_to_two_units() {
        for isa in Isa::all() {
            let x: Vec<f32> = spread(1e-9, 88.7).into_iter().filter(|x| *x > -87.0).collect();
            for (x, y) in x.iter().zip(each(isa, Function::Exp, &x)) {
                assert!(units(y, f64::from(*x).exp()) <= 2.0, "{isa:?}: exp({x}) = {y}");
            }
            let ends = each(isa, Function::Exp, &[f32::NEG_INFINITY, -1e30, -106.0, 89.0, 1e30, f32::INFINITY]);
            assert_eq!(ends, [0.0, 0.0, 0.0, f32::INFINITY, f32::INFINITY, f32::INFINITY], "{isa:?}");
            // Where it is no normal number any more, its digits run out.
            let small = each(isa, Function::Exp, &[-88.0, -95.0, -100.0]);
            for (x, y) in [-88f64, -95.0, -100.0].iter().zip(small) {
                assert!((f64::from(y) - x.exp()).abs() < 3e-45, "{isa:?}: exp({x}) = {y}");
            }
        }
    }

    #[test]
    fn tanh_is_exact_to_three_units() {
        for isa in Isa::all() {
            let x = spread(1e-9, 100.0);
            for (x, y) in x.iter().zip(each(isa, Function::Tanh, &x)) {
                assert!(units(y, f64::from(*x).tanh()) <= 3.0, "{isa:?}: tanh({x}) = {y}");
            }
            assert_eq!(each(isa, Function::Tanh, &[f32::NEG_INFINITY, f32::INFINITY]), [-1.0, 1.0], "{isa:?}");
        }
    }

    /// `½ + ½ erf(x / √2)` by a series of positive terms; far out on the left by symmetry.
    fn normal(x: f64) -> f64 {
        let (mut term, mut sum) = (x, 0.0);
        for n in 1..1000 {
            sum += term;
            term *= x * x / f64::from(2 * n + 1);
        }
        0.5 + sum * (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt()
    }

    #[test]
    fn the_normal_distribution_is_exact_to_seven_digits() {
        for isa in Isa::all() {
            let x = spread(1e-9, 20.0);
            for (x, y) in x.iter().zip(each(isa, Function::Normal, &x)) {
                assert!((f64::from(y) - normal(f64::from(*x))).abs() < 2e-7, "{isa:?}: Φ({x}) = {y}");
            }
            assert_eq!(each(isa, Function::Normal, &[f32::NEG_INFINITY, f32::INFINITY]), [0.0, 1.0], "{isa:?}");
        }
    }

    #[test]
    fn what_is_not_a_number_stays_so() {
        for isa in Isa::all() {
            for function in [Function::Exp, Function::Tanh, Function::Normal] {
                assert!(each(isa, function, &[f32::NAN])[0].is_nan(), "{isa:?}");
            }
        }
    }
}
