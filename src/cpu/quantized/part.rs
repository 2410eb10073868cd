//! What one task multiplies.

use std::ops::Range;

use super::activations::Activations;
use crate::disjoint::Disjoint;

/// Rows of weights, the tokens to multiply them with, and where the results belong.
pub(super) struct Part<'a> {
    /// All rows of the matrix.
    pub weights: &'a [u8],
    pub row_bytes: usize,
    pub activations: &'a Activations,
    /// Rows of `output`: one a token, with a result for each row of weights.
    pub output: &'a Disjoint<'a, f32>,
    pub row_count: usize,
    pub rows: Range<usize>,
    pub tokens: Range<usize>,
}

impl Part<'_> {
    #[inline]
    pub(super) fn row(&self, row: usize) -> &[u8] {
        &self.weights[row * self.row_bytes..][..self.row_bytes]
    }

    /// Sets the results of a token for the rows from `row` on.
    ///
    /// # Safety
    /// They are of this part, and no two threads have the same part.
    #[inline]
    pub(super) unsafe fn set(&self, token: usize, row: usize, results: &[f32]) {
        let start = token * self.row_count + row;
        // SAFETY: no other part has these rows and tokens, and the slice is gone at once.
        unsafe { self.output.part(start..start + results.len()) }.copy_from_slice(results);
    }
}
