//! Norms of rows.

use std::mem::MaybeUninit;

use super::isa::Isa;
use super::pool::Pool;
use super::share::by_parts;
use super::simd::{Kernel, Number, Simd};

/// What a norm does to a row.
#[derive(Debug, Clone, Copy)]
pub struct Norm<'a> {
    /// What a row is divided by, and whether it is centred first.
    pub kind: Kind,
    /// Added to what the root is taken of.
    pub epsilon: f32,
    /// What each number of a row is multiplied with at last.
    pub scale: &'a [f32],
    /// Added to each number after that; `None` adds nothing.
    pub bias: Option<&'a [f32]>,
}

/// Which norm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Divides by the root of the mean square.
    Rms,
    /// Subtracts the mean first.
    Layer,
}

/// Norms each row of `x`, which is as wide as the scale.
///
/// # Panics
/// If lengths do not match.
pub fn norm(isa: Isa, pool: &Pool, norm: Norm, x: &[f32], out: &mut [MaybeUninit<f32>]) {
    let width = norm.scale.len();
    assert!(x.len() == out.len() && (x.is_empty() || x.len().is_multiple_of(width)), "rows of {width}");
    assert!(norm.bias.is_none_or(|bias| bias.len() == width), "a bias for each of {width}");
    by_parts(pool, out, width, &|first, out| isa.run(Rows { norm, x: &x[first..first + out.len()], out }));
}

struct Rows<'a> {
    norm: Norm<'a>,
    x: &'a [f32],
    out: &'a mut [MaybeUninit<f32>],
}

impl Kernel for Rows<'_> {
    #[inline(always)]
    fn run(self, simd: impl Simd) {
        let width = self.norm.scale.len();
        for (x, out) in self.x.chunks_exact(width).zip(self.out.chunks_exact_mut(width)) {
            row(simd, &self.norm, x, out);
        }
    }
}

#[inline(always)]
fn row<S: Simd>(simd: S, norm: &Norm, x: &[f32], out: &mut [MaybeUninit<f32>]) {
    let count = x.len() as f32;
    let zero = simd.splat(0.0);
    let mean = match norm.kind {
        Kind::Rms => 0.0,
        Kind::Layer => sum_of(simd, x, zero, |simd, sum, x| simd.add(sum, x)) / count,
    };
    let middle = simd.splat(mean);
    // What is beyond the end is the mean, and adds nothing.
    let square = sum_of(simd, x, middle, |simd, sum, x| {
        let x = simd.sub(x, middle);
        simd.fma(x, x, sum)
    });
    let factor = simd.splat(1.0 / (square / count + norm.epsilon).sqrt());
    let (from, scale, to) = (x.as_ptr(), norm.scale.as_ptr(), out.as_mut_ptr().cast::<f32>());
    let normed = |x: S::V, scale: S::V, bias: S::V| simd.fma(simd.mul(simd.sub(x, middle), factor), scale, bias);
    let whole = x.len() - x.len() % S::LANES;
    let left = x.len() - whole;
    // SAFETY: all of them are as long.
    unsafe {
        for at in (0..whole).step_by(S::LANES) {
            let bias = norm.bias.map_or(zero, |bias| simd.load(bias.as_ptr().add(at)));
            simd.store(to.add(at), normed(simd.load(from.add(at)), simd.load(scale.add(at)), bias));
        }
        if left > 0 {
            let part = |from: *const f32| f32::load_part(simd, from.add(whole), left);
            let bias = norm.bias.map_or(zero, |bias| part(bias.as_ptr()));
            f32::store_part(simd, to.add(whole), normed(part(from), part(scale), bias), left);
        }
    }
}

/// Adds up a row by four sums side by side; the last vector is filled up with `filler`.
#[inline(always)]
fn sum_of<S: Simd>(simd: S, x: &[f32], filler: S::V, add: impl Fn(S, S::V, S::V) -> S::V) -> f32 {
    let mut sums = [simd.splat(0.0); 4];
    let mut blocks = x.chunks_exact(4 * S::LANES);
    // SAFETY: a block is four vectors, a vector one, and what is left is loaded from a copy.
    unsafe {
        for block in &mut blocks {
            for (i, sum) in sums.iter_mut().enumerate() {
                *sum = add(simd, *sum, simd.load(block.as_ptr().add(i * S::LANES)));
            }
        }
        let mut vectors = blocks.remainder().chunks_exact(S::LANES);
        for vector in &mut vectors {
            sums[0] = add(simd, sums[0], simd.load(vector.as_ptr()));
        }
        let rest = vectors.remainder();
        if !rest.is_empty() {
            let mut last = simd.lanes(filler);
            last[..rest.len()].copy_from_slice(rest);
            sums[0] = add(simd, sums[0], simd.load(last.as_ptr()));
        }
    }
    simd.sum(simd.add(simd.add(sums[0], sums[1]), simd.add(sums[2], sums[3])))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normed(isa: Isa, of: Norm, x: &[f32]) -> Vec<f32> {
        let mut out = vec![MaybeUninit::new(f32::NAN); x.len()];
        norm(isa, &Pool::new(2), of, x, &mut out);
        // SAFETY: initialized from the start.
        out.into_iter().map(|x| unsafe { x.assume_init() }).collect()
    }

    fn plain(norm: Norm, x: &[f32]) -> Vec<f64> {
        let width = norm.scale.len();
        let row = |x: &[f32]| -> Vec<f64> {
            let x: Vec<f64> = x.iter().map(|x| f64::from(*x)).collect();
            let mean = if norm.kind == Kind::Layer { x.iter().sum::<f64>() / width as f64 } else { 0.0 };
            let square = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / width as f64;
            let root = (square + f64::from(norm.epsilon)).sqrt();
            let bias = |i: usize| norm.bias.map_or(0.0, |bias| f64::from(bias[i]));
            (0..width).map(|i| (x[i] - mean) / root * f64::from(norm.scale[i]) + bias(i)).collect()
        };
        x.chunks_exact(width).flat_map(row).collect()
    }

    #[test]
    fn rows_are_normed_as_the_definition_says() {
        for (rows, width) in [(1, 5), (3, 16), (7, 64), (2, 75), (40, 2048), (1, 4099)] {
            let numbers = |count: usize, step: usize| -> Vec<f32> {
                (0..count).map(|i| (i * step % 1009) as f32 / 300.0 - 1.0).collect()
            };
            let (x, scale, bias) = (numbers(rows * width, 17), numbers(width, 29), numbers(width, 31));
            for isa in Isa::all() {
                for kind in [Kind::Rms, Kind::Layer] {
                    for bias in [None, Some(&bias[..])] {
                        let norm = Norm { kind, epsilon: 1e-5, scale: &scale, bias };
                        for (found, expected) in normed(isa, norm, &x).iter().zip(plain(norm, &x)) {
                            let error = (f64::from(*found) - expected).abs();
                            assert!(error < 4e-6, "{isa:?}, {kind:?}, {rows} x {width}: {found} for {expected}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_not_a_number_spoils_its_row_only() {
        let scale = [1.0; 70];
        let mut x = vec![0.5; 140];
        x[69] = f32::NAN;
        for isa in Isa::all() {
            for kind in [Kind::Rms, Kind::Layer] {
                let out = normed(isa, Norm { kind, epsilon: 1e-5, scale: &scale, bias: None }, &x);
                assert!((0..140).all(|i| out[i].is_nan() == (i < 70)), "{isa:?}, {kind:?}");
            }
        }
    }
}
