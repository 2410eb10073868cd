//! Attention of many rows: products of tiles in registers.
//!
//! A lane is a row, so that a tile of scores lies transposed, `[keys, rows]`: the keys are then read one number at a time,
//! as they lie, softmax goes along the vectors, and nothing is ever summed across lanes. Only queries are transposed as they
//! come, and the result as it goes.

use std::ops::Range;

use super::super::math::{exp, tanh};
use super::super::simd::{Number, Simd, convert};
use super::product::{Left, Right, Sum, product};
use super::work::{ENOUGH_TASKS, Piece, Shape, Work};

/// Keys of a tile.
const TILE: usize = 64;
/// Vectors of rows that a product has side by side: with 8 keys they fill 32 registers.
const VECTORS: usize = 3;
/// Their numbers, at most.
const LANES: usize = VECTORS * 16;
/// Rows of a task: its columns share the tiles of keys and values, which 16-bit caches are widened to.
const TASK_ROWS: usize = 4 * LANES;

/// Rows of a task, of so many in all.
pub(super) fn rows_of_task(rows: usize) -> usize {
    // Of a few rows each column is a task of its own.
    (rows / (2 * ENOUGH_TASKS)).next_multiple_of(LANES).clamp(LANES, TASK_ROWS)
}

/// Up to `VECTORS` vectors of rows, with what they have so far; all lanes beyond the last row are zeros.
struct Column {
    rows: Range<usize>,
    /// The positions that any of them sees, and those that all do.
    seen: Range<usize>,
    by_all: Range<usize>,
    vectors: usize,
    /// `[dim, lanes]`, scaled.
    queries: Vec<f32>,
    /// `[value_dim, lanes]`
    out: Vec<f32>,
    /// The first position that each row sees, and the last.
    first: [f32; LANES],
    last: [f32; LANES],
    largest: [f32; LANES],
    sums: [f32; LANES],
}

/// Does a task.
#[inline(always)]
pub(super) fn run<S: Simd, E: Number>(simd: S, work: &Work<E>, piece: &Piece) {
    let Shape { dim, value_dim, .. } = work.shape;
    // AVX2 has registers for two vectors and 6 keys.
    let step = if S::MANY_REGISTERS { VECTORS } else { 2 } * S::LANES;
    let mut columns = Vec::with_capacity(piece.rows.len().div_ceil(step));
    for start in piece.rows.clone().step_by(step) {
        columns.push(column(simd, work, piece.kv_head, start..piece.rows.end.min(start + step)));
    }
    let mut weights = vec![0.0; TILE * step];
    let mut widened = Widened::new(dim, value_dim, work.cache.values.is_some());
    for start in piece.keys.clone().step_by(TILE) {
        let tile = start..piece.keys.end.min(start + TILE);
        let (keys, values) = (work.keys(piece.kv_head, tile.clone()), work.values(piece.kv_head, tile.clone()));
        let (keys, values) = widened.of(simd, keys, values);
        for column in &mut columns {
            let seen = tile.start.max(column.seen.start)..tile.end.min(column.seen.end);
            if seen.is_empty() {
                continue;
            }
            let step = work.value_step();
            let keys = &keys[(seen.start - start) * dim..];
            let values = Right { at: values[(seen.start - start) * step..].as_ptr(), row: step };
            // SAFETY: keys and values are those from the first seen on, and there is room for the weights of a tile.
            unsafe {
                match column.vectors {
                    1 => add_tile::<S, 1>(simd, &work.shape, column, seen, keys, values, &mut weights),
                    2 => add_tile::<S, 2>(simd, &work.shape, column, seen, keys, values, &mut weights),
                    _ => add_tile::<S, VECTORS>(simd, &work.shape, column, seen, keys, values, &mut weights),
                }
            }
        }
    }
    for column in &mut columns {
        // SAFETY: this task alone has its rows.
        unsafe { finish(simd, work, piece, column) };
    }
}

#[inline(always)]
fn column<S: Simd, E: Number>(simd: S, work: &Work<E>, kv_head: usize, rows: Range<usize>) -> Column {
    let shape = &work.shape;
    let vectors = rows.len().div_ceil(S::LANES);
    let lanes = vectors * S::LANES;
    let (of_first, of_last) = (shape.visible(rows.start), shape.visible(rows.end - 1));
    let mut column = Column {
        rows: rows.clone(),
        seen: of_first.start..of_last.end,
        by_all: of_last.start..of_first.end,
        vectors,
        queries: vec![0.0; shape.dim * lanes],
        out: vec![0.0; shape.value_dim * lanes],
        first: [0.0; LANES],
        last: [f32::INFINITY; LANES],
        largest: [f32::NEG_INFINITY; LANES],
        sums: [0.0; LANES],
    };
    let whole = shape.dim - shape.dim % S::LANES;
    for (lane, row) in rows.clone().enumerate() {
        for (i, number) in work.query(kv_head, row).iter().enumerate().skip(whole) {
            column.queries[i * lanes + lane] = *number;
        }
        let visible = shape.visible(row);
        // Exact up to 16 million tokens.
        (column.first[lane], column.last[lane]) = (visible.start as f32, (visible.end - 1) as f32);
    }
    let none = [0.0; 16];
    for n in 0..vectors {
        let mut rows = rows.clone().skip(n * S::LANES);
        let mut from = [none.as_ptr(); 16];
        for from in &mut from[..S::LANES] {
            *from = rows.next().map_or(none.as_ptr(), |row| work.query(kv_head, row).as_ptr());
        }
        for i in (0..whole).step_by(S::LANES) {
            let mut to = [column.queries.as_mut_ptr(); 16];
            // SAFETY: each row of queries has whole vectors up to `whole`, and what is none is not moved on from.
            unsafe {
                for (j, to) in to[..S::LANES].iter_mut().enumerate() {
                    *to = to.add((i + j) * lanes + n * S::LANES);
                }
                simd.transpose(&from, &to);
                for from in from[..S::LANES].iter_mut().filter(|from| **from != none.as_ptr()) {
                    *from = from.add(S::LANES);
                }
            }
        }
    }
    let scale = simd.splat(shape.scale);
    for numbers in column.queries.chunks_exact_mut(S::LANES) {
        // SAFETY: each is a vector.
        unsafe { simd.store(numbers.as_mut_ptr(), simd.mul(simd.load(numbers.as_ptr()), scale)) };
    }
    column
}

/// Takes the result of a column to its place.
///
/// # Safety
/// Nobody else has these rows of this part.
#[inline(always)]
unsafe fn finish<S: Simd, E: Number>(simd: S, work: &Work<E>, piece: &Piece, column: &mut Column) {
    let (dim, lanes) = (work.shape.value_dim, column.vectors * S::LANES);
    let whole = dim - dim % S::LANES;
    let mut none = [0.0; 16];
    let mut rows = column.rows.clone().enumerate();
    for n in 0..column.vectors {
        let mut places = [none.as_mut_ptr(); 16];
        let mut factors = [0.0; 16];
        for (place, factor) in places.iter_mut().zip(&mut factors).take(S::LANES) {
            let Some((lane, row)) = rows.next() else { break };
            // SAFETY: a place has room for all numbers of a value.
            unsafe {
                (*place, *factor) = work.finish(piece, row, column.largest[lane], column.sums[lane]);
                for i in whole..dim {
                    *place.add(i) = column.out[i * lanes + lane] * *factor;
                }
            }
        }
        for i in (0..whole).step_by(S::LANES) {
            let mut from = [std::ptr::null(); 16];
            // SAFETY: the same, and what is none is not moved on from.
            unsafe {
                for (j, from) in from[..S::LANES].iter_mut().enumerate() {
                    let at = column.out.as_mut_ptr().add((i + j) * lanes + n * S::LANES);
                    simd.store(at, simd.mul(simd.load(at), simd.load(factors.as_ptr())));
                    *from = at.cast_const();
                }
                simd.transpose(&from, &places);
                for place in places[..S::LANES].iter_mut().filter(|place| **place != none.as_mut_ptr()) {
                    *place = place.add(S::LANES);
                }
            }
        }
    }
}

/// A tile of keys and values in float32.
struct Widened {
    keys: Vec<f32>,
    values: Vec<f32>,
    has_values: bool,
}

impl Widened {
    fn new(dim: usize, value_dim: usize, has_values: bool) -> Self {
        Self {
            keys: vec![0.0; TILE * dim],
            values: vec![0.0; if has_values { TILE * value_dim } else { 0 }],
            has_values,
        }
    }

    #[inline(always)]
    fn of<'a, S: Simd, E: Number>(&'a mut self, simd: S, keys: &'a [E], values: &'a [E]) -> (&'a [f32], &'a [f32]) {
        if let (Some(keys), Some(values)) = (E::as_floats(keys), E::as_floats(values)) {
            return (keys, values);
        }
        // SAFETY: there is room for a tile of each.
        unsafe {
            convert(simd, keys.as_ptr(), self.keys.as_mut_ptr(), keys.len());
            if self.has_values {
                convert(simd, values.as_ptr(), self.values.as_mut_ptr(), values.len());
            }
        }
        (&self.keys, if self.has_values { &self.values } else { &self.keys })
    }
}

/// Adds to a column what its rows see of a tile.
///
/// # Safety
/// `keys` and `values` have those of the positions, at most a tile; `weights` has room for a tile of `N` vectors, and the
/// column has as many.
#[inline(always)]
unsafe fn add_tile<S: Simd, const N: usize>(
    simd: S,
    shape: &Shape,
    column: &mut Column,
    positions: Range<usize>,
    keys: &[f32],
    values: Right<f32>,
    weights: &mut [f32],
) {
    let (count, dim) = (positions.len(), shape.dim);
    // SAFETY: as the caller promises.
    unsafe {
        let a = Left { at: keys.as_ptr(), row: dim, column: 1 };
        rows_times::<S, N>(simd, count, dim, a, column.queries.as_ptr(), weights.as_mut_ptr(), false);
        if let Some(cap) = shape.softcap {
            let (cap, inverse) = (simd.splat(cap), simd.splat(1.0 / cap));
            for i in (0..count * N * S::LANES).step_by(S::LANES) {
                let at = weights.as_mut_ptr().add(i);
                simd.store(at, simd.mul(tanh(simd, simd.mul(simd.load(at), inverse)), cap));
            }
        }
        if positions.end > column.by_all.end || positions.start < column.by_all.start {
            hide::<S, N>(simd, column, positions, weights);
        }
        weigh::<S, N>(simd, column, count, shape.value_dim, weights);
        let a = Left { at: values.at, row: 1, column: values.row };
        rows_times::<S, N>(simd, shape.value_dim, count, a, weights.as_ptr(), column.out.as_mut_ptr(), true);
    }
}

/// `c = a · b` or, if it `adds`, `c += a · b`, of `rows` rows.
///
/// # Safety
/// All of these numbers are there: `N` vectors in each row of `b` and `c`.
#[inline(always)]
unsafe fn rows_times<S: Simd, const N: usize>(
    simd: S,
    rows: usize,
    depth: usize,
    a: Left,
    b: *const f32,
    c: *mut f32,
    adds: bool,
) {
    let lanes = N * S::LANES;
    let mut row = 0;
    // SAFETY: as the caller promises, each step going no further than what is left.
    unsafe {
        while row < rows {
            let a = Left { at: a.at.add(row * a.row), ..a };
            let (b, c) = (Right { at: b, row: lanes }, Sum { at: c.add(row * lanes), row: lanes });
            row += match rows - row {
                8.. if S::MANY_REGISTERS => {
                    product::<S, f32, 8, N>(simd, depth, a, b, c, adds);
                    8
                }
                6.. if N == 2 && !S::MANY_REGISTERS => {
                    product::<S, f32, 6, N>(simd, depth, a, b, c, adds);
                    6
                }
                4.. => {
                    product::<S, f32, 4, N>(simd, depth, a, b, c, adds);
                    4
                }
                _ => {
                    product::<S, f32, 1, N>(simd, depth, a, b, c, adds);
                    1
                }
            };
        }
    }
}

/// Takes the scores of what a row does not see to −∞.
///
/// # Safety
/// The weights have `N` vectors for each position.
#[inline(always)]
unsafe fn hide<S: Simd, const N: usize>(simd: S, column: &Column, positions: Range<usize>, weights: &mut [f32]) {
    let hidden = simd.splat(f32::NEG_INFINITY);
    for (row, position) in positions.enumerate() {
        let position = simd.splat(position as f32);
        for n in 0..N {
            // SAFETY: as the caller promises.
            unsafe {
                let at = weights.as_mut_ptr().add((row * N + n) * S::LANES);
                let (first, last) = (
                    simd.load(column.first.as_ptr().add(n * S::LANES)),
                    simd.load(column.last.as_ptr().add(n * S::LANES)),
                );
                let score = simd.if_less(last, position, hidden, simd.load(at));
                simd.store(at, simd.if_less(position, first, hidden, score));
            }
        }
    }
}

/// Makes weights of scores, and fades what came before.
///
/// # Safety
/// The weights have `count` rows of `N` vectors, and the result of the column `value_dim`.
#[inline(always)]
unsafe fn weigh<S: Simd, const N: usize>(
    simd: S,
    column: &mut Column,
    count: usize,
    value_dim: usize,
    weights: &mut [f32],
) {
    // SAFETY: as the caller promises.
    unsafe {
        for n in 0..N {
            let at = |row: usize| (row * N + n) * S::LANES;
            let weights = weights.as_mut_ptr();
            let (largest, sums) =
                (column.largest.as_mut_ptr().add(n * S::LANES), column.sums.as_mut_ptr().add(n * S::LANES));
            let before = simd.load(largest);
            let mut most = before;
            for row in 0..count {
                most = simd.max(simd.load(weights.add(at(row))), most);
            }
            simd.store(largest, most);
            // Where nothing was seen yet.
            let base = simd.if_less(most, simd.splat(f32::MIN), simd.splat(0.0), most);
            let mut added = simd.splat(0.0);
            for row in 0..count {
                let weight = exp(simd, simd.sub(simd.load(weights.add(at(row))), base));
                simd.store(weights.add(at(row)), weight);
                added = simd.add(added, weight);
            }
            let fade = exp(simd, simd.sub(before, base));
            simd.store(sums, simd.fma(simd.load(sums), fade, added));
            for i in 0..value_dim {
                let out = column.out.as_mut_ptr().add(at(i));
                simd.store(out, simd.mul(simd.load(out), fade));
            }
        }
    }
}
