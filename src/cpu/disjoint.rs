//! A slice whose parts are written by different threads.

use std::marker::PhantomData;
use std::ops::Range;

/// A slice that tasks of a [`Pool`](super::pool::Pool) write, each its own parts.
pub struct Disjoint<'a, T> {
    start: *mut T,
    len: usize,
    slice: PhantomData<&'a mut [T]>,
}

// SAFETY: it gives out nothing but exclusive slices of `T`, whose caller promises that no two overlap.
unsafe impl<T: Send> Sync for Disjoint<'_, T> {}
// SAFETY: as a `&mut [T]`.
unsafe impl<T: Send> Send for Disjoint<'_, T> {}

impl<'a, T> Disjoint<'a, T> {
    /// Takes the slice for as long as its parts are given out.
    pub fn new(slice: &'a mut [T]) -> Self {
        Self { start: slice.as_mut_ptr(), len: slice.len(), slice: PhantomData }
    }

    /// A part.
    ///
    /// # Panics
    /// If it lies outside the slice.
    ///
    /// # Safety
    /// No other part that overlaps with it is alive.
    #[inline]
    #[allow(clippy::mut_from_ref)]
    pub unsafe fn part(&self, range: Range<usize>) -> &mut [T] {
        assert!(range.start <= range.end && range.end <= self.len, "a part outside its slice");
        // SAFETY: within the slice, which is borrowed exclusively for 'a; that parts do not overlap is the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(range.start), range.end - range.start) }
    }
}
