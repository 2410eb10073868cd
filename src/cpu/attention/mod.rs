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

use std::mem::MaybeUninit;
use std::ops::Range;

use half::f16;

use super::isa::Isa;
use super::pool::Pool;
use super::simd::{Kernel, Number, Simd};

use append::append;

/// What attends to what.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shape {
    /// New tokens, the first of which stands at `position`; all of them are in the cache.
    pub tokens: usize,
    pub position: usize,
    /// How many of the latest positions (its own included) a query sees; `None` for all.
    pub window: Option<usize>,
    /// Query heads, and key heads, which divide them.
    pub heads: usize,
    pub kv_heads: usize,
    /// Numbers of a key, and of a value.
    pub dim: usize,
    pub value_dim: usize,
    /// Tokens that the cache has room for.
    pub capacity: usize,
    /// Scores are multiplied by this.
    pub scale: f32,
    /// And then squashed to within ± this.
    pub softcap: Option<f32>,
}

impl Shape {
    /// Query heads that share a key head.
    fn group(&self) -> usize {
        self.heads / self.kv_heads
    }

    /// Query heads of all tokens that share a key head, those of a token beside each other.
    fn rows(&self) -> usize {
        self.tokens * self.group()
    }

    /// The positions that a row sees.
    fn visible(&self, row: usize) -> Range<usize> {
        let position = self.position + row / self.group();
        self.window.map_or(0, |window| (position + 1).saturating_sub(window))..position + 1
    }

    /// The positions that any of some rows sees.
    fn visible_to_any(&self, rows: &Range<usize>) -> Range<usize> {
        self.visible(rows.start).start..self.visible(rows.end - 1).end
    }
}

/// A cache: `[kv_heads, capacity, dim]` of keys, and of values the same.
#[derive(Clone, Copy)]
pub struct Cache<'a, E> {
    pub keys: &'a [E],
    /// `None` where a value is the first numbers of its key.
    pub values: Option<&'a [E]>,
}

/// One task: some rows of a key head, and the positions of the cache that it goes through.
struct Piece {
    kv_head: usize,
    rows: Range<usize>,
    keys: Range<usize>,
    /// Which part of the result it is.
    part: usize,
}

/// What all tasks share.
struct Work<'a, E> {
    shape: Shape,
    queries: &'a [f32],
    cache: Cache<'a, E>,
    /// `[tokens, heads, value_dim]`
    out: *mut f32,
    /// Where the cache is split `[parts, kv_heads, rows, value_dim + 2]`: not yet divided by the sum of the weights, with the
    /// largest score and that sum behind.
    parts: Option<*mut f32>,
}

// SAFETY: tasks write different rows or parts of what the pointers lead to.
unsafe impl<E: Sync> Sync for Work<'_, E> {}

/// Rows up to which the lanes of a vector are better filled by the numbers of a key.
const FEW_ROWS: usize = 8;
/// As many tasks keep all threads busy; fewer are split into parts of so many positions.
const ENOUGH_TASKS: usize = 32;
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

impl<E: Number> Work<'_, E> {
    /// The query of a row.
    fn query(&self, kv_head: usize, row: usize) -> &[f32] {
        let (group, dim) = (self.shape.group(), self.shape.dim);
        let head = row / group * self.shape.heads + kv_head * group + row % group;
        &self.queries[head * dim..(head + 1) * dim]
    }

    /// The keys at some positions, one after another.
    fn keys(&self, kv_head: usize, positions: Range<usize>) -> &[E] {
        let (first, dim) = (kv_head * self.shape.capacity, self.shape.dim);
        &self.cache.keys[(first + positions.start) * dim..(first + positions.end) * dim]
    }

    /// Numbers from one value to the next.
    fn value_step(&self) -> usize {
        if self.cache.values.is_some() { self.shape.value_dim } else { self.shape.dim }
    }

    /// The values at some positions, [`Work::value_step`] apart.
    fn values(&self, kv_head: usize, positions: Range<usize>) -> &[E] {
        let Some(values) = self.cache.values else { return self.keys(kv_head, positions) };
        let (first, dim) = (kv_head * self.shape.capacity, self.shape.value_dim);
        &values[(first + positions.start) * dim..(first + positions.end) * dim]
    }

    /// Where a row of the result goes.
    fn place(&self, kv_head: usize, row: usize) -> *mut f32 {
        let group = self.shape.group();
        let head = row / group * self.shape.heads + kv_head * group + row % group;
        // SAFETY: `out` has as many rows.
        unsafe { self.out.add(head * self.shape.value_dim) }
    }

    /// Takes what a task made of a row: where its numbers go, and the factor that they are to be multiplied with.
    ///
    /// # Safety
    /// Only one thread has this row of this part.
    unsafe fn finish(&self, piece: &Piece, row: usize, largest: f32, sum: f32) -> (*mut f32, f32) {
        let Some(parts) = self.parts else { return (self.place(piece.kv_head, row), 1.0 / sum) };
        let Shape { kv_heads, value_dim, .. } = self.shape;
        let index = (piece.part * kv_heads + piece.kv_head) * self.shape.rows() + row;
        // SAFETY: `parts` has as many rows.
        unsafe {
            let at = parts.add(index * (value_dim + 2));
            *at.add(value_dim) = largest;
            *at.add(value_dim + 1) = sum;
            (at, 1.0)
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
