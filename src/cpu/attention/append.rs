//! Putting new keys and values into a cache.

use std::ops::Range;

use super::super::isa::Isa;
use super::super::simd::{Kernel, Number, Simd, convert};

/// Writes `new [tokens, heads, dim]` at these positions of `cached [heads, capacity, dim]`.
///
/// # Panics
/// If lengths do not match.
pub(super) fn append<E: Number>(
    isa: Isa,
    new: &[f32],
    cached: &mut [E],
    heads: usize,
    dim: usize,
    positions: Range<usize>,
) {
    if new.is_empty() {
        return;
    }
    let capacity = cached.len() / (heads * dim);
    assert_eq!(cached.len(), heads * capacity * dim, "a cache of {heads} heads");
    assert!(positions.end <= capacity, "{positions:?} in a cache of {capacity}");
    assert_eq!(new.len(), positions.len() * heads * dim, "{positions:?} for {heads} heads");
    isa.run(Rows { new, cached, heads, dim, capacity, first: positions.start });
}

struct Rows<'a, E> {
    new: &'a [f32],
    cached: &'a mut [E],
    heads: usize,
    dim: usize,
    capacity: usize,
    first: usize,
}

impl<E: Number> Kernel for Rows<'_, E> {
    #[inline(always)]
    fn run(self, simd: impl Simd) {
        for (index, row) in self.new.chunks_exact(self.dim).enumerate() {
            let (token, head) = (index / self.heads, index % self.heads);
            let at = (head * self.capacity + self.first + token) * self.dim;
            let place = &mut self.cached[at..at + self.dim];
            // SAFETY: both are as long.
            unsafe { convert(simd, row.as_ptr(), place.as_mut_ptr(), self.dim) };
        }
    }
}

#[cfg(test)]
mod tests {
    use half::f16;

    use super::*;

    #[test]
    fn tokens_lie_by_head_and_position() {
        let (heads, capacity, dim) = (3, 7, 20);
        let new: Vec<f32> = (0..2 * heads * dim).map(|i| i as f32 + 1.0).collect();
        for isa in Isa::all() {
            let mut cached = vec![f16::ZERO; heads * capacity * dim];
            append(isa, &new, &mut cached, heads, dim, 4..6);
            for (i, number) in cached.iter().enumerate() {
                let (head, position, at) = (i / dim / capacity, i / dim % capacity, i % dim);
                let expected = match position {
                    4 | 5 => new[((position - 4) * heads + head) * dim + at],
                    _ => 0.0,
                };
                assert_eq!(number.to_f32(), expected, "{isa:?}: {i}");
            }
        }
    }
}
