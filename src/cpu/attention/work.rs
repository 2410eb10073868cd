//! What attention works on: the shape, the cache, and where each task finds and puts the numbers of its rows.

use std::ops::Range;

use super::super::simd::Number;

/// What attends to what.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shape {
    /// New tokens, the first of which stands at `position`; all of them are in the cache.
    pub tokens: usize,
    /// Tokens that were in the cache before them.
    pub position: usize,
    /// How many of the latest positions (its own included) a query sees; `None` for all.
    pub window: Option<usize>,
    /// Query heads, a multiple of `kv_heads`.
    pub heads: usize,
    /// Heads of keys and values in the cache.
    pub kv_heads: usize,
    /// Numbers of a query, and of a key.
    pub dim: usize,
    /// Numbers of a value, and so of a head's result.
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
    pub(super) fn group(&self) -> usize {
        self.heads / self.kv_heads
    }

    /// Query heads of all tokens that share a key head, those of a token beside each other.
    pub(super) fn rows(&self) -> usize {
        self.tokens * self.group()
    }

    /// The positions that a row sees.
    pub(super) fn visible(&self, row: usize) -> Range<usize> {
        let position = self.position + row / self.group();
        self.window.map_or(0, |window| (position + 1).saturating_sub(window))..position + 1
    }

    /// The positions that any of some rows sees.
    pub(super) fn visible_to_any(&self, rows: &Range<usize>) -> Range<usize> {
        self.visible(rows.start).start..self.visible(rows.end - 1).end
    }
}

/// A cache: `[kv_heads, capacity, dim]` of keys, and of values the same.
#[derive(Clone, Copy)]
pub struct Cache<'a, E> {
    /// `[kv_heads, capacity, dim]`
    pub keys: &'a [E],
    /// `None` where a value is the first numbers of its key.
    pub values: Option<&'a [E]>,
}

/// One task: some rows of a key head, and the positions of the cache that it goes through.
pub(super) struct Piece {
    pub kv_head: usize,
    pub rows: Range<usize>,
    pub keys: Range<usize>,
    /// Which part of the result it is.
    pub part: usize,
}

/// What all tasks share.
pub(super) struct Work<'a, E> {
    pub shape: Shape,
    pub queries: &'a [f32],
    pub cache: Cache<'a, E>,
    /// `[tokens, heads, value_dim]`
    pub out: *mut f32,
    /// Where the cache is split `[parts, kv_heads, rows, value_dim + 2]`: not yet divided by the sum of the weights, with the
    /// largest score and that sum behind.
    pub parts: Option<*mut f32>,
}

// SAFETY: tasks write different rows or parts of what the pointers lead to.
unsafe impl<E: Sync> Sync for Work<'_, E> {}

/// Rows up to which the lanes of a vector are better filled by the numbers of a key.
pub(super) const FEW_ROWS: usize = 8;
/// As many tasks keep all threads busy; fewer are split into parts of the cache.
pub(super) const ENOUGH_TASKS: usize = 32;

impl<E: Number> Work<'_, E> {
    /// The query of a row.
    pub(super) fn query(&self, kv_head: usize, row: usize) -> &[f32] {
        let (group, dim) = (self.shape.group(), self.shape.dim);
        let head = row / group * self.shape.heads + kv_head * group + row % group;
        &self.queries[head * dim..(head + 1) * dim]
    }

    /// The keys at some positions, one after another.
    pub(super) fn keys(&self, kv_head: usize, positions: Range<usize>) -> &[E] {
        let (first, dim) = (kv_head * self.shape.capacity, self.shape.dim);
        &self.cache.keys[(first + positions.start) * dim..(first + positions.end) * dim]
    }

    /// Numbers from one value to the next.
    pub(super) fn value_step(&self) -> usize {
        if self.cache.values.is_some() { self.shape.value_dim } else { self.shape.dim }
    }

    /// The values at some positions, [`Work::value_step`] apart.
    pub(super) fn values(&self, kv_head: usize, positions: Range<usize>) -> &[E] {
        let Some(values) = self.cache.values else { return self.keys(kv_head, positions) };
        let (first, dim) = (kv_head * self.shape.capacity, self.shape.value_dim);
        &values[(first + positions.start) * dim..(first + positions.end) * dim]
    }

    /// Where a row of the result goes.
    pub(super) fn place(&self, kv_head: usize, row: usize) -> *mut f32 {
        let group = self.shape.group();
        let head = row / group * self.shape.heads + kv_head * group + row % group;
        // SAFETY: `out` has as many rows.
        unsafe { self.out.add(head * self.shape.value_dim) }
    }

    /// Takes what a task made of a row: where its numbers go, and the factor that they are to be multiplied with.
    ///
    /// # Safety
    /// Only one thread has this row of this part.
    pub(super) unsafe fn finish(&self, piece: &Piece, row: usize, largest: f32, sum: f32) -> (*mut f32, f32) {
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
