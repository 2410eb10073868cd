//! The small products that attention is made of.

use super::super::simd::{Number, Simd};

/// Numbers of `a`: where they begin, and how far the next row and the next column are.
#[derive(Clone, Copy)]
pub(super) struct Left {
    pub at: *const f32,
    pub row: usize,
    pub column: usize,
}

/// Rows of vectors: where they begin, and how far the next row is.
#[derive(Clone, Copy)]
pub(super) struct Right<E> {
    pub at: *const E,
    pub row: usize,
}

/// Where products go, in rows of whole vectors, and how far the next row is.
#[derive(Clone, Copy)]
pub(super) struct Sum {
    pub at: *mut f32,
    pub row: usize,
}

/// `c += a · b`, or `c = a · b` unless it `adds`, of `M` rows, `depth` columns of `a`, and `N` vectors a row of `b` and `c`.
///
/// # Safety
/// All of these numbers are there, and nobody else has those of `c`.
#[inline(always)]
pub(super) unsafe fn product<S: Simd, E: Number, const M: usize, const N: usize>(
    simd: S,
    depth: usize,
    a: Left,
    b: Right<E>,
    c: Sum,
    adds: bool,
) {
    // SAFETY: as the caller promises.
    unsafe {
        let mut sums = [[simd.splat(0.0); N]; M];
        if adds {
            for (m, sums) in sums.iter_mut().enumerate() {
                for (n, sum) in sums.iter_mut().enumerate() {
                    *sum = simd.load(c.at.add(m * c.row + n * S::LANES));
                }
            }
        }
        for k in 0..depth {
            let mut row = [simd.splat(0.0); N];
            for (n, vector) in row.iter_mut().enumerate() {
                *vector = E::load(simd, b.at.add(k * b.row + n * S::LANES));
            }
            for (m, sums) in sums.iter_mut().enumerate() {
                let a = simd.splat(*a.at.add(m * a.row + k * a.column));
                for (sum, b) in sums.iter_mut().zip(row) {
                    *sum = simd.fma(a, b, *sum);
                }
            }
        }
        for (m, sums) in sums.iter().enumerate() {
            for (n, sum) in sums.iter().enumerate() {
                simd.store(c.at.add(m * c.row + n * S::LANES), *sum);
            }
        }
    }
}

/// `c += a · b` of one row and its last numbers, fewer than a vector has.
///
/// # Safety
/// As there.
#[inline(always)]
pub(super) unsafe fn product_of_rest<S: Simd, E: Number>(
    simd: S,
    rest: usize,
    depth: usize,
    a: Left,
    b: Right<E>,
    c: Sum,
) {
    // SAFETY: as the caller promises.
    unsafe {
        let mut sum = simd.load(c.at);
        for k in 0..depth {
            let a = simd.splat(*a.at.add(k * a.column));
            sum = simd.fma(a, E::load_part(simd, b.at.add(k * b.row), rest), sum);
        }
        simd.store(c.at, sum);
    }
}

/// The products of `R` vectors with `K` others, 8 in all, summed: of the first with each, then of the second, and so on.
///
/// # Safety
/// There are `length` numbers at each of `keys`, and at each row of `queries`, which are padded by zeros to whole vectors.
#[inline(always)]
pub(super) unsafe fn dots<S: Simd, E: Number, const R: usize, const K: usize>(
    simd: S,
    length: usize,
    queries: *const f32,
    query_row: usize,
    keys: [*const E; K],
) -> [f32; 8] {
    const { assert!(R * K == 8) };
    // SAFETY: as the caller promises.
    unsafe {
        let mut sums = [simd.splat(0.0); 8];
        let whole = length - length % S::LANES;
        for at in (0..whole).step_by(S::LANES) {
            let mut vectors = [simd.splat(0.0); K];
            for (vector, key) in vectors.iter_mut().zip(keys) {
                *vector = E::load(simd, key.add(at));
            }
            for r in 0..R {
                let query = simd.load(queries.add(r * query_row + at));
                for k in 0..K {
                    sums[r * K + k] = simd.fma(query, vectors[k], sums[r * K + k]);
                }
            }
        }
        if whole < length {
            for k in 0..K {
                let vector = E::load_part(simd, keys[k].add(whole), length - whole);
                for r in 0..R {
                    let query = simd.load(queries.add(r * query_row + whole));
                    sums[r * K + k] = simd.fma(query, vector, sums[r * K + k]);
                }
            }
        }
        simd.sums(sums)
    }
}
