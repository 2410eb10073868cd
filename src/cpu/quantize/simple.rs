//! Blocks of 32 numbers with one scale, found from the largest of them.

use half::f16;

use super::blocks::{Batch, Blocks, groups_of_32, inverse_or_zero};
use super::lanes::{LANES, Lanes};

/// `quantize_row_q8_0_ref`: a scale in float16, and 32 signed bytes.
pub(super) struct Q8_0;

impl Blocks<34> for Q8_0 {
    const NUMBERS: usize = 32;

    #[inline(always)]
    fn quantize<V: Lanes>(batch: &Batch, blocks: &mut [[u8; 34]]) {
        let mut largest = V::splat(0.0);
        for numbers in groups_of_32::<V>(batch) {
            largest = largest.max(numbers.abs());
        }
        let scale = largest.div(V::splat(127.0));
        let (mut scales, mut inverses) = ([0.0; LANES], [0.0; LANES]);
        scale.store(&mut scales);
        inverse_or_zero(scale).store(&mut inverses);
        for (group, block) in blocks.iter_mut().enumerate() {
            let (head, codes) = block.split_at_mut(2);
            head.copy_from_slice(&f16::from_f32(scales[group]).to_le_bytes());
            for (numbers, codes) in batch[2 * group..].iter().zip(codes.as_chunks_mut().0) {
                let scaled = V::load(numbers).mul(V::splat(inverses[group]));
                let scaled = scaled.max(V::splat(-127.0)).min(V::splat(127.0));
                // Adding the largest number under 1/2 before what is behind the point is cut off rounds from the middle
                // away from zero, as `roundf` does.
                let half = V::splat(0.5 - f32::EPSILON / 4.0);
                let away = V::select(scaled.less(V::splat(0.0)), scaled.sub(half), scaled.add(half));
                away.store_bytes(codes);
            }
        }
    }
}

/// `quantize_row_q4_0_ref`: a scale in float16, and 32 codes of 4 bits, the second half of them above the first. The
/// largest number, whichever sign it has, becomes −8.
pub(super) struct Q4_0;

impl Blocks<18> for Q4_0 {
    const NUMBERS: usize = 32;

    #[inline(always)]
    fn quantize<V: Lanes>(batch: &Batch, blocks: &mut [[u8; 18]]) {
        let (mut largest, mut signed) = (V::splat(0.0), V::splat(0.0));
        for numbers in groups_of_32::<V>(batch) {
            let larger = largest.less(numbers.abs());
            largest = V::select(larger, numbers.abs(), largest);
            signed = V::select(larger, numbers, signed);
        }
        let scale = signed.div(V::splat(-8.0));
        let (mut scales, mut inverses) = ([0.0; LANES], [0.0; LANES]);
        scale.store(&mut scales);
        inverse_or_zero(scale).store(&mut inverses);
        for (group, block) in blocks.iter_mut().enumerate() {
            block[..2].copy_from_slice(&f16::from_f32(scales[group]).to_le_bytes());
            let mut codes = [[0; LANES]; 2];
            for (numbers, codes) in batch[2 * group..].iter().zip(&mut codes) {
                let scaled = V::load(numbers).mul(V::splat(inverses[group])).add(V::splat(8.5));
                scaled.max(V::splat(0.0)).min(V::splat(15.0)).store_bytes(codes);
            }
            for (byte, (low, high)) in block[2..].iter_mut().zip(codes[0].iter().zip(&codes[1])) {
                *byte = low | high << 4;
            }
        }
    }
}
