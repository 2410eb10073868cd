//! Turning queries and keys by their positions.

use super::isa::Isa;
use super::pool::Pool;
use super::share::by_parts;
use super::simd::{Kernel, Number, Simd};

/// Which numbers of a head turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// Numbers of a head.
    pub dim: usize,
    /// The first of them that turns.
    pub first: usize,
    /// How many turn, from `first` on: an even number.
    pub dims: usize,
    /// Neighbours are paired, not halves.
    pub interleaved: bool,
}

/// Turns all heads of each token of `x [tokens, heads, dim]` by `cos` and `sin [tokens, dims / 2]`.
///
/// # Panics
/// If lengths do not match.
pub fn turn(isa: Isa, pool: &Pool, turn: Turn, heads: usize, x: &mut [f32], cos: &[f32], sin: &[f32]) {
    let Turn { dim, first, dims, .. } = turn;
    let (width, half) = (heads * dim, dims / 2);
    if x.is_empty() || half == 0 {
        return;
    }
    assert!(dims.is_multiple_of(2) && first + dims <= dim, "{dims} numbers from {first} of {dim}");
    assert!(x.len().is_multiple_of(width), "tokens of {width}");
    let angles = x.len() / width * half;
    assert!(cos.len() == angles && sin.len() == angles, "{angles} angles");
    by_parts(pool, x, width, &|start, x| {
        let angles = start / width * half..(start + x.len()) / width * half;
        isa.run(Tokens { turn, width, x, cos: &cos[angles.clone()], sin: &sin[angles] });
    });
}

struct Tokens<'a> {
    turn: Turn,
    width: usize,
    x: &'a mut [f32],
    cos: &'a [f32],
    sin: &'a [f32],
}

impl Kernel for Tokens<'_> {
    #[inline(always)]
    fn run(self, simd: impl Simd) {
        let Turn { dim, first, dims, interleaved } = self.turn;
        let angles = self.cos.chunks_exact(dims / 2).zip(self.sin.chunks_exact(dims / 2));
        for (token, (cos, sin)) in self.x.chunks_exact_mut(self.width).zip(angles) {
            for head in token.chunks_exact_mut(dim) {
                let head = &mut head[first..first + dims];
                if interleaved {
                    neighbours(head, cos, sin);
                } else {
                    halves(simd, head, cos, sin);
                }
            }
        }
    }
}

#[inline(always)]
fn neighbours(head: &mut [f32], cos: &[f32], sin: &[f32]) {
    for (pair, (cos, sin)) in head.chunks_exact_mut(2).zip(cos.iter().zip(sin)) {
        let (a, b) = (pair[0], pair[1]);
        (pair[0], pair[1]) = (a * cos - b * sin, a * sin + b * cos);
    }
}

#[inline(always)]
fn halves<S: Simd>(simd: S, head: &mut [f32], cos: &[f32], sin: &[f32]) {
    let (a, b) = head.split_at_mut(cos.len());
    let (a, b, cos, sin, half) = (a.as_mut_ptr(), b.as_mut_ptr(), cos.as_ptr(), sin.as_ptr(), cos.len());
    let turned = |a: S::V, b: S::V, cos: S::V, sin: S::V| {
        (simd.sub(simd.mul(a, cos), simd.mul(b, sin)), simd.fma(a, sin, simd.mul(b, cos)))
    };
    let whole = half - half % S::LANES;
    // SAFETY: all four are as long.
    unsafe {
        for i in (0..whole).step_by(S::LANES) {
            let load = |from: *const f32| simd.load(from.add(i));
            let (x, y) = turned(load(a), load(b), load(cos), load(sin));
            simd.store(a.add(i), x);
            simd.store(b.add(i), y);
        }
        let left = half - whole;
        if left > 0 {
            let load = |from: *const f32| f32::load_part(simd, from.add(whole), left);
            let (x, y) = turned(load(a), load(b), load(cos), load(sin));
            f32::store_part(simd, a.add(whole), x, left);
            f32::store_part(simd, b.add(whole), y, left);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_turned_as_the_definition_says() {
        for (tokens, heads, turn) in [
            (1, 1, Turn { dim: 8, first: 0, dims: 8, interleaved: false }),
            (3, 2, Turn { dim: 20, first: 0, dims: 14, interleaved: false }),
            (5, 3, Turn { dim: 80, first: 16, dims: 64, interleaved: false }),
            (70, 8, Turn { dim: 128, first: 0, dims: 128, interleaved: false }),
            (3, 2, Turn { dim: 20, first: 6, dims: 14, interleaved: true }),
            (70, 8, Turn { dim: 64, first: 0, dims: 64, interleaved: true }),
        ] {
            let Turn { dim, first, dims, interleaved } = turn;
            let half = dims / 2;
            let x: Vec<f32> = (0..tokens * heads * dim).map(|i| (i * 37 % 101) as f32 / 50.0 - 1.0).collect();
            let angle = |token: usize, i: usize| (token * 31 + i * 7) as f32 / 10.0;
            let angles: Vec<f32> = (0..tokens * half).map(|i| angle(i / half, i % half)).collect();
            let cos: Vec<f32> = angles.iter().map(|x| x.cos()).collect();
            let sin: Vec<f32> = angles.iter().map(|x| x.sin()).collect();
            let mut expected: Vec<f64> = x.iter().map(|x| f64::from(*x)).collect();
            for (index, head) in expected.chunks_exact_mut(dim).enumerate() {
                for i in 0..half {
                    let (a, b) = if interleaved { (2 * i, 2 * i + 1) } else { (i, i + half) };
                    let (a, b) = (first + a, first + b);
                    let at = index / heads * half + i;
                    let (cos, sin) = (f64::from(cos[at]), f64::from(sin[at]));
                    (head[a], head[b]) = (head[a] * cos - head[b] * sin, head[a] * sin + head[b] * cos);
                }
            }
            for isa in Isa::all() {
                let mut found = x.clone();
                super::turn(isa, &Pool::new(2), turn, heads, &mut found, &cos, &sin);
                for (found, expected) in found.iter().zip(&expected) {
                    assert!((f64::from(*found) - expected).abs() < 2e-7, "{isa:?}, {turn:?}: {found} for {expected}");
                }
            }
        }
    }
}
