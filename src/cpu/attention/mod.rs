//! Attention of queries over a cache of keys and values, without a matrix of scores.
//!
//! Scores are made by tiles of keys, and each tile's share is added to the result at once, which is scaled down whenever a
//! larger score comes (<https://arxiv.org/abs/2205.14135>). All query heads of a group read each key once. There is no mask:
//! what a query may see is a range of positions.
//!
//! | module | for | lanes of a vector are |
//! |---|---|---|
//! | `tiles` | many rows: a prefill | rows, each a query head of a token |
//! | `stream` | up to 8 rows: a decode step, which waits for the memory | numbers of a key or value |
//!
//! Long caches are split, and the parts of the result merged. How is decided by the shape alone, so that a result does not
//! depend on the number of threads.

mod append;
mod product;
mod stream;
mod tiles;
mod work;

use std::mem::MaybeUninit;
use std::ops::Range;

use half::f16;

use super::isa::Isa;
use super::pool::Pool;
use super::simd::{Kernel, Number, Simd};

use append::append;
use work::{ENOUGH_TASKS, FEW_ROWS, Piece, Work};

pub use work::{Cache, Shape};

/// Positions of a part, where there are fewer tasks than keep all threads busy.
const PART: usize = 512;

/// Numbers that a cache may hold. What is done with them is compiled here, with the optimization of this package, and not
/// where it is called from.
pub trait Cached: Number {
    /// Attends with `queries [tokens, heads, dim]`; gives `[tokens, heads, value_dim]`.
    ///
    /// # Panics
    /// If a slice does not have the numbers that the shape says.
    fn attend(isa: Isa, pool: &Pool, shape: Shape, queries: &[f32], cache: Cache<Self>, out: &mut [MaybeUninit<f32>]);

    /// Writes `new [tokens, heads, dim]` at these positions of `cached [heads, capacity, dim]`.
    ///
    /// # Panics
    /// If lengths do not match.
    fn append(isa: Isa, new: &[f32], cached: &mut [Self], heads: usize, dim: usize, positions: Range<usize>);
}

macro_rules! cached {
    ($($number:ty),*) => {$(
        impl Cached for $number {
            fn attend(
                isa: Isa,
                pool: &Pool,
                shape: Shape,
                queries: &[f32],
                cache: Cache<Self>,
                out: &mut [MaybeUninit<f32>],
            ) {
                attend(isa, pool, shape, queries, cache, out);
            }

            fn append(isa: Isa, new: &[f32], cached: &mut [Self], heads: usize, dim: usize, positions: Range<usize>) {
                append(isa, new, cached, heads, dim, positions);
            }
        }
    )*};
}

cached!(f32, f16);

/// Attends with `queries [tokens, heads, dim]`; gives `[tokens, heads, value_dim]`.
///
/// # Panics
/// If a slice does not have the numbers that the shape says.
fn attend<E: Number>(
    isa: Isa,
    pool: &Pool,
    shape: Shape,
    queries: &[f32],
    cache: Cache<E>,
    out: &mut [MaybeUninit<f32>],
) {
    let Shape { tokens, position, heads, kv_heads, dim, value_dim, capacity, .. } = shape;
    assert!(kv_heads > 0 && heads.is_multiple_of(kv_heads), "{kv_heads} key heads for {heads} heads");
    assert!(position + tokens <= capacity, "{tokens} tokens at {position} in a cache of {capacity}");
    assert_eq!(queries.len(), tokens * heads * dim, "queries");
    assert_eq!(cache.keys.len(), kv_heads * capacity * dim, "keys");
    match cache.values {
        Some(values) => assert_eq!(values.len(), kv_heads * capacity * value_dim, "values"),
        None => assert!(value_dim <= dim, "values of {value_dim} in keys of {dim}"),
    }
    assert_eq!(out.len(), tokens * heads * value_dim, "out");
    if out.is_empty() {
        return;
    }
    let rows = shape.rows();
    let block = if rows <= FEW_ROWS { rows } else { tiles::rows_of_task(rows * kv_heads) };
    let blocks = rows.div_ceil(block);
    let parts =
        if blocks * kv_heads < ENOUGH_TASKS { shape.visible_to_any(&(0..rows)).len().div_ceil(PART) } else { 1 };
    let mut partial = Vec::new();
    if parts > 1 {
        partial.resize(parts * kv_heads * rows * (value_dim + 2), 0.0);
    }
    let work = Work {
        shape,
        queries,
        cache,
        out: out.as_mut_ptr().cast(),
        parts: (parts > 1).then_some(partial.as_mut_ptr()),
    };
    pool.run(kv_heads * blocks * parts, &|task| {
        // The last rows see most: theirs come first.
        let (at, part) = (blocks - 1 - task / parts / kv_heads, task % parts);
        let rows = at * block..rows.min((at + 1) * block);
        let visible = shape.visible_to_any(&rows);
        let step = visible.len().div_ceil(parts);
        let start = (visible.start + part * step).min(visible.end);
        let keys = start..(start + step).min(visible.end);
        isa.run(Task { work: &work, piece: Piece { kv_head: task / parts % kv_heads, rows, keys, part } });
    });
    if parts > 1 {
        let rows = kv_heads * rows;
        pool.run(rows.div_ceil(FEW_ROWS), &|task| {
            for row in task * FEW_ROWS..rows.min((task + 1) * FEW_ROWS) {
                merge(&work, parts, row);
            }
        });
    }
}

struct Task<'a, E> {
    work: &'a Work<'a, E>,
    piece: Piece,
}

impl<E: Number> Kernel for Task<'_, E> {
    #[inline(always)]
    fn run(self, simd: impl Simd) {
        if self.work.shape.rows() <= FEW_ROWS {
            stream::run(simd, self.work, &self.piece);
        } else {
            tiles::run(simd, self.work, &self.piece);
        }
    }
}

/// Puts the parts of a row together, `row` being counted through all key heads.
fn merge<E: Number>(work: &Work<E>, parts: usize, row: usize) {
    let Some(partial) = work.parts else { return };
    let (rows, dim) = (work.shape.rows(), work.shape.value_dim);
    // SAFETY: there are as many rows in each part, all of them written, and only this call writes this row of the result.
    unsafe {
        let part = |part: usize| partial.add((part * work.shape.kv_heads * rows + row) * (dim + 2)).cast_const();
        let largest = (0..parts).map(|index| *part(index).add(dim)).fold(f32::NEG_INFINITY, f32::max);
        let out = work.place(row / rows, row % rows);
        let mut sum = 0.0;
        for index in 0..parts {
            let part = part(index);
            let weight = (*part.add(dim) - largest).exp();
            sum += weight * *part.add(dim + 1);
            for i in 0..dim {
                let before = if index == 0 { 0.0 } else { *out.add(i) };
                *out.add(i) = before + weight * *part.add(i);
            }
        }
        for i in 0..dim {
            *out.add(i) /= sum;
        }
    }
}

#[cfg(test)]
mod tests;
