//! Attention of a few rows: keys and values are read once, as they lie.

use super::super::math::{exp, tanh};
use super::super::simd::{Number, Simd};
use super::product::{Left, Right, Sum, dots, product, product_of_rest};
use super::work::{FEW_ROWS, Piece, Work};

/// Keys of a tile.
const TILE: usize = 128;

/// Does a task.
#[inline(always)]
pub(super) fn run<S: Simd, E: Number>(simd: S, work: &Work<E>, piece: &Piece) {
    let shape = &work.shape;
    let rows = piece.rows.len();
    let (query_row, out_row) = (shape.dim.next_multiple_of(S::LANES), shape.value_dim.next_multiple_of(S::LANES));
    let mut scratch = vec![0.0; rows * (query_row + TILE + out_row)];
    let (queries, rest) = scratch.split_at_mut(rows * query_row);
    let (weights, out) = rest.split_at_mut(rows * TILE);
    for (row, query) in piece.rows.clone().zip(queries.chunks_mut(query_row)) {
        for (to, from) in query.iter_mut().zip(work.query(piece.kv_head, row)) {
            *to = from * shape.scale;
        }
    }
    let (mut largest, mut sums) = ([f32::NEG_INFINITY; FEW_ROWS], [0.0; FEW_ROWS]);
    for start in piece.keys.clone().step_by(TILE) {
        let tile = start..piece.keys.end.min(start + TILE);
        let (keys, values) = (work.keys(piece.kv_head, tile.clone()), work.values(piece.kv_head, tile.clone()));
        // SAFETY: queries are padded by zeros, and weights have a row for each.
        unsafe { scores(simd, shape.dim, queries, query_row, keys, weights) };
        for (at, row) in piece.rows.clone().enumerate() {
            let (weights, out) = (&mut weights[at * TILE..][..TILE], &mut out[at * out_row..][..out_row]);
            let visible = shape.visible(row);
            weights[..visible.start.clamp(start, start + TILE) - start].fill(f32::NEG_INFINITY);
            weights[visible.end.clamp(start, tile.end) - start..].fill(f32::NEG_INFINITY);
            let fade = weigh(simd, weights, shape.softcap, &mut largest[at], &mut sums[at]);
            if fade != 1.0 {
                let fade = simd.splat(fade);
                for out in out.chunks_exact_mut(S::LANES) {
                    // SAFETY: each is a vector.
                    unsafe { simd.store(out.as_mut_ptr(), simd.mul(simd.load(out.as_ptr()), fade)) };
                }
            }
        }
        let values = Right { at: values.as_ptr(), row: work.value_step() };
        // SAFETY: there is a value for each weight of the tile, and room for whole vectors of the result.
        unsafe {
            add_values(simd, tile.len(), shape.value_dim, weights, values, Sum { at: out.as_mut_ptr(), row: out_row })
        };
    }
    for (at, row) in piece.rows.clone().enumerate() {
        let out = &out[at * out_row..][..shape.value_dim];
        // SAFETY: this task alone has the row, and the place has room for all of its numbers.
        unsafe {
            let (place, factor) = work.finish(piece, row, largest[at], sums[at]);
            for (i, number) in out.iter().enumerate() {
                *place.add(i) = number * factor;
            }
        }
    }
}

/// The products of all queries and keys.
///
/// # Safety
/// Queries have rows of whole vectors, padded by zeros, and `weights` a row of a tile for each.
#[inline(always)]
unsafe fn scores<S: Simd, E: Number>(
    simd: S,
    dim: usize,
    queries: &[f32],
    query_row: usize,
    keys: &[E],
    weights: &mut [f32],
) {
    let rows = queries.len() / query_row;
    let mut row = 0;
    // SAFETY: `row` and those after it are there, each step going no further than what is left.
    unsafe {
        while row < rows {
            let (queries, weights) = (queries.as_ptr().add(row * query_row), weights.as_mut_ptr().add(row * TILE));
            row += match rows - row {
                4.. => scores_of_rows::<S, E, 4, 2>(simd, dim, queries, query_row, keys, weights),
                2.. => scores_of_rows::<S, E, 2, 4>(simd, dim, queries, query_row, keys, weights),
                _ => scores_of_rows::<S, E, 1, 8>(simd, dim, queries, query_row, keys, weights),
            };
        }
    }
}

/// The same of `R` rows, so many keys at a time; gives the number of rows.
///
/// # Safety
/// As there.
#[inline(always)]
unsafe fn scores_of_rows<S: Simd, E: Number, const R: usize, const K: usize>(
    simd: S,
    dim: usize,
    queries: *const f32,
    query_row: usize,
    keys: &[E],
    weights: *mut f32,
) -> usize {
    let count = keys.len() / dim;
    for first in (0..count).step_by(K) {
        let mut pointers = [keys.as_ptr(); K];
        for (k, pointer) in pointers.iter_mut().enumerate() {
            // Beyond the last it is the last once more, and what comes out of it is hidden.
            *pointer = keys[(first + k).min(count - 1) * dim..].as_ptr();
        }
        // SAFETY: a key has `dim` numbers; the caller promises the rest.
        unsafe {
            let found = dots::<S, E, R, K>(simd, dim, queries, query_row, pointers);
            for r in 0..R {
                // A tile is a multiple of them, so there is room for all.
                weights.add(r * TILE + first).copy_from_nonoverlapping(found.as_ptr().add(r * K), K);
            }
        }
    }
    R
}

/// Makes weights of a row's scores; gives the factor for what came before.
#[inline(always)]
fn weigh<S: Simd>(simd: S, weights: &mut [f32], softcap: Option<f32>, largest: &mut f32, sum: &mut f32) -> f32 {
    let vectors = || (0..TILE).step_by(S::LANES);
    let at = weights.as_mut_ptr();
    // SAFETY: a tile is whole vectors.
    unsafe {
        if let Some(cap) = softcap {
            let (cap, inverse) = (simd.splat(cap), simd.splat(1.0 / cap));
            for i in vectors() {
                let score = simd.load(at.add(i));
                let squashed = simd.mul(tanh(simd, simd.mul(score, inverse)), cap);
                // What is hidden stays so.
                let hidden = simd.splat(f32::MIN);
                simd.store(at.add(i), simd.if_less(score, hidden, score, squashed));
            }
        }
        let mut most = simd.splat(f32::NEG_INFINITY);
        for i in vectors() {
            most = simd.max(simd.load(at.add(i)), most);
        }
        let before = *largest;
        *largest = simd.lanes(most)[..S::LANES].iter().copied().fold(before, f32::max);
        // Where nothing was seen yet.
        let base = if *largest == f32::NEG_INFINITY { 0.0 } else { *largest };
        let mut added = simd.splat(0.0);
        for i in vectors() {
            let weight = exp(simd, simd.sub(simd.load(at.add(i)), simd.splat(base)));
            simd.store(at.add(i), weight);
            added = simd.add(added, weight);
        }
        let fade = if before == *largest { 1.0 } else { (before - base).exp() };
        *sum = *sum * fade + simd.sum(added);
        fade
    }
}

/// Adds to each row of `out` the values by their weights.
///
/// # Safety
/// There are `count` values, a tile of weights for each row of `out`, and that is whole vectors.
#[inline(always)]
unsafe fn add_values<S: Simd, E: Number>(
    simd: S,
    count: usize,
    dim: usize,
    weights: &[f32],
    values: Right<E>,
    out: Sum,
) {
    let rows = weights.len() / TILE;
    let mut row = 0;
    // SAFETY: `row` and those after it are there, each step going no further than what is left.
    unsafe {
        while row < rows {
            let a = Left { at: weights.as_ptr().add(row * TILE), row: TILE, column: 1 };
            let c = Sum { at: out.at.add(row * out.row), ..out };
            row += match rows - row {
                4.. => add_to_rows::<S, E, 4>(simd, count, dim, a, values, c),
                2.. => add_to_rows::<S, E, 2>(simd, count, dim, a, values, c),
                _ => add_to_rows::<S, E, 1>(simd, count, dim, a, values, c),
            };
        }
    }
}

/// The same for `M` rows; gives their number.
///
/// # Safety
/// As there.
#[inline(always)]
unsafe fn add_to_rows<S: Simd, E: Number, const M: usize>(
    simd: S,
    count: usize,
    dim: usize,
    a: Left,
    values: Right<E>,
    out: Sum,
) -> usize {
    let mut at = 0;
    // SAFETY: as the caller promises, each step going no further than what is left.
    unsafe {
        while at < dim {
            let (b, c) = (Right { at: values.at.add(at), ..values }, Sum { at: out.at.add(at), ..out });
            at += match (dim - at) / S::LANES {
                4.. if S::MANY_REGISTERS => {
                    product::<S, E, M, 4>(simd, count, a, b, c, true);
                    4 * S::LANES
                }
                2.. => {
                    product::<S, E, M, 2>(simd, count, a, b, c, true);
                    2 * S::LANES
                }
                1 => {
                    product::<S, E, M, 1>(simd, count, a, b, c, true);
                    S::LANES
                }
                _ => {
                    for m in 0..M {
                        let a = Left { at: a.at.add(m * a.row), ..a };
                        let c = Sum { at: c.at.add(m * c.row), ..c };
                        product_of_rest(simd, dim - at, count, a, b, c);
                    }
                    S::LANES
                }
            };
        }
    }
    M
}
