//! What the types of block have in common: the batch that their numbers come in, and its groups of 32.

use super::lanes::{LANES, Lanes};

/// Numbers that are quantized at a time: sixteen groups of 32.
pub(super) const BATCH: usize = 512;

/// A batch in its order, by sixteens.
pub(super) type Batch = [[f32; LANES]; BATCH / LANES];

/// A type of block, of so many bytes.
pub(super) trait Blocks<const BYTES: usize> {
    /// Numbers of a block.
    const NUMBERS: usize;

    /// Makes the blocks of a batch, or the first of them.
    fn quantize<V: Lanes>(batch: &Batch, blocks: &mut [[u8; BYTES]]);
}

/// Number `i` of each group of 32, a group a lane.
#[inline(always)]
pub(super) fn groups_of_32<V: Lanes>(batch: &Batch) -> [V; 32] {
    let mut columns = [V::splat(0.0); 32];
    let mut half = 0;
    while half < 2 {
        let mut rows = [V::splat(0.0); LANES];
        let mut group = 0;
        while group < LANES {
            rows[group] = V::load(&batch[2 * group + half]);
            group += 1;
        }
        columns[LANES * half..][..LANES].copy_from_slice(&V::transpose(rows));
        half += 1;
    }
    columns
}

/// `1 / x`, and 0 of 0.
#[inline(always)]
pub(super) fn inverse_or_zero<V: Lanes>(number: V) -> V {
    let zero = V::splat(0.0);
    V::select(zero.less(number.abs()), V::splat(1.0).div(number), zero)
}
