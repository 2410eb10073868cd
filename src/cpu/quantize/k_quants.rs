//! Blocks of 256 numbers in groups, each with a scale that is itself quantized: scales are searched for that make the
//! weighted square of the error smallest.

use half::f16;

use super::blocks::{Batch, Blocks, groups_of_32};
use super::lanes::{LANES, Lanes};

/// `quantize_row_q4_K_ref`: 8 groups of 32 codes of 4 bits, each with a scale and a minimum of 6 bits.
pub(super) struct Q4K;

impl Blocks<144> for Q4K {
    const NUMBERS: usize = 256;

    #[inline(always)]
    fn quantize<V: Lanes>(batch: &Batch, blocks: &mut [[u8; 144]]) {
        let groups = scales_and_minima::<V>(&groups_of_32(batch), 15.0, -1.0, 20);
        for (at, block) in blocks.iter_mut().enumerate() {
            let (head, codes) = block.split_at_mut(16);
            let all = codes_above_minima::<V>(batch, &groups, at, 15.0, head);
            pack_nibbles(&all, codes);
        }
    }
}

/// `quantize_row_q5_K_ref`: as [`Q4K`] with codes of 5 bits, whose highest lie before the others.
pub(super) struct Q5K;

impl Blocks<176> for Q5K {
    const NUMBERS: usize = 256;

    #[inline(always)]
    fn quantize<V: Lanes>(batch: &Batch, blocks: &mut [[u8; 176]]) {
        let groups = scales_and_minima::<V>(&groups_of_32(batch), 31.0, -0.5, 15);
        for (at, block) in blocks.iter_mut().enumerate() {
            let (head, codes) = block.split_at_mut(16);
            let all = codes_above_minima::<V>(batch, &groups, at, 31.0, head);
            let (high, low) = codes.split_at_mut(32);
            high.fill(0);
            for (group, codes) in all.as_chunks::<32>().0.iter().enumerate() {
                for (bits, code) in high.iter_mut().zip(codes) {
                    *bits |= code >> 4 << group;
                }
            }
            pack_nibbles(&all, low);
        }
    }
}

/// Lower four bits of codes: of each 64 the second half lies above the first.
#[inline(always)]
fn pack_nibbles(codes: &[u8; 256], bytes: &mut [u8]) {
    for (codes, bytes) in codes.as_chunks::<64>().0.iter().zip(bytes.as_chunks_mut::<32>().0) {
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = codes[at] & 15 | codes[at + 32] << 4;
        }
    }
}

/// Scale and negated minimum of each of a batch's groups.
struct Groups {
    scales: [f32; LANES],
    minima: [f32; LANES],
}

/// `make_qkx2_quants`, with the weights that `q4_k` and `q5_k` give it: the scale and the minimum by which codes from 0 to
/// `most` have the smallest error. Tries scales that spread a group over `most + first`, by steps of a tenth, and takes for
/// the codes of each the scale and minimum that are best for them.
#[inline(always)]
fn scales_and_minima<V: Lanes>(numbers: &[V; 32], most: f32, first: f32, steps: usize) -> Groups {
    let zero = V::splat(0.0);
    let mut squares = zero;
    for x in numbers {
        squares = squares.add(x.mul(*x));
    }
    let usual = squares.div(V::splat(32.0)).sqrt();
    let mut weights = [zero; 32];
    for (weight, x) in weights.iter_mut().zip(numbers) {
        *weight = usual.add(x.abs());
    }

    let (mut minimum, mut maximum) = (numbers[0], numbers[0]);
    let (mut sum_w, mut sum_x) = (weights[0], weights[0].mul(numbers[0]));
    for (x, w) in numbers.iter().zip(&weights).skip(1) {
        minimum = x.min(minimum);
        maximum = x.max(maximum);
        sum_w = sum_w.add(*w);
        sum_x = sum_x.add(w.mul(*x));
    }
    minimum = minimum.min(zero);
    // Of a group of one number below zero nothing is left to spread: its codes come out as 0, and its scale too.
    let mut codes = [zero; 32];
    let inverse = V::splat(most).div(maximum.sub(minimum));
    spread_codes(numbers, minimum, inverse, most, &mut codes);
    let mut scale = V::splat(1.0).div(inverse);
    let mut smallest = error(numbers, &weights, &codes, scale, minimum);
    for step in 0..=steps {
        // From the best minimum so far, as ggml does.
        let inverse = V::splat(first + 0.1 * step as f32 + most).div(maximum.sub(minimum));
        spread_codes(numbers, minimum, inverse, most, &mut codes);
        let (mut sum_l, mut sum_ll, mut sum_xl) = (zero, zero, zero);
        for ((x, w), l) in numbers.iter().zip(&weights).zip(&codes) {
            let wl = w.mul(*l);
            sum_l = sum_l.add(wl);
            sum_ll = sum_ll.add(wl.mul(*l));
            sum_xl = sum_xl.add(wl.mul(*x));
        }
        let determinant = sum_w.mul(sum_ll).sub(sum_l.mul(sum_l));
        let own_scale = sum_w.mul(sum_xl).sub(sum_x.mul(sum_l)).div(determinant);
        let own_minimum = sum_ll.mul(sum_x).sub(sum_l.mul(sum_xl)).div(determinant);
        let above = zero.less(own_minimum);
        let own_scale = V::select(above, sum_xl.div(sum_ll), own_scale);
        let own_minimum = V::select(above, zero, own_minimum);
        let own_error = error(numbers, &weights, &codes, own_scale, own_minimum);
        let better = V::both(zero.less(determinant), own_error.less(smallest));
        smallest = V::select(better, own_error, smallest);
        scale = V::select(better, own_scale, scale);
        minimum = V::select(better, own_minimum, minimum);
    }
    let mut groups = Groups { scales: [0.0; LANES], minima: [0.0; LANES] };
    scale.store(&mut groups.scales);
    zero.sub(minimum).store(&mut groups.minima);
    groups
}

/// Codes from 0 to `most` of numbers from the minimum on.
#[inline(always)]
fn spread_codes<V: Lanes>(numbers: &[V; 32], minimum: V, inverse: V, most: f32, codes: &mut [V; 32]) {
    let (zero, most) = (V::splat(0.0), V::splat(most));
    for (x, code) in numbers.iter().zip(codes) {
        *code = inverse.mul(x.sub(minimum)).max(zero).min(most).round();
    }
}

/// Weighted square of what is between numbers and their codes.
#[inline(always)]
fn error<V: Lanes>(numbers: &[V; 32], weights: &[V; 32], codes: &[V; 32], scale: V, minimum: V) -> V {
    let mut sum = V::splat(0.0);
    for ((x, w), l) in numbers.iter().zip(weights).zip(codes) {
        let off = scale.mul(*l).add(minimum).sub(*x);
        sum = sum.add(w.mul(off.mul(off)));
    }
    sum
}

/// Writes the scales of the block at this place of the batch, and gives the codes that are best with what is left of them:
/// the head of `q4_k` and `q5_k` has two scales in float16 and eight pairs of 6 bits.
#[inline(always)]
fn codes_above_minima<V: Lanes>(batch: &Batch, groups: &Groups, block: usize, most: f32, head: &mut [u8]) -> [u8; 256] {
    let scales = &groups.scales[8 * block..][..8];
    let minima = &groups.minima[8 * block..][..8];
    let (scale, scales) = six_bits(scales);
    let (minimum, minima) = six_bits(minima);
    head[..2].copy_from_slice(&scale.to_le_bytes());
    head[2..4].copy_from_slice(&minimum.to_le_bytes());
    for group in 0..4 {
        let (s, m) = (scales[group + 4], minima[group + 4]);
        head[4 + group] = scales[group] | s >> 4 << 6;
        head[8 + group] = minima[group] | m >> 4 << 6;
        head[12 + group] = s & 15 | m << 4;
    }
    let mut all = [0; 256];
    let rows = &batch[16 * block..][..16];
    for (group, (rows, codes)) in rows.as_chunks::<2>().0.iter().zip(all.as_chunks_mut::<32>().0).enumerate() {
        let scale = scale.to_f32() * f32::from(scales[group]);
        // Codes mean nothing then. ggml leaves those that it found before; here they stay 0.
        if scale == 0.0 {
            continue;
        }
        let minimum = minimum.to_f32() * f32::from(minima[group]);
        for (numbers, codes) in rows.iter().zip(codes.as_chunks_mut().0) {
            let code = V::load(numbers).add(V::splat(minimum)).div(V::splat(scale));
            code.max(V::splat(0.0)).min(V::splat(most)).round().store_bytes(codes);
        }
    }
    all
}

/// A scale of which the numbers, none below 0, are multiples by 0 to 63, and those.
#[inline(always)]
fn six_bits(numbers: &[f32]) -> (f16, [u8; 8]) {
    let largest = numbers.iter().fold(0.0, |largest: f32, number| if *number > largest { *number } else { largest });
    let inverse = if largest > 0.0 { 63.0 / largest } else { 0.0 };
    let mut multiples = [0; 8];
    for (multiple, number) in multiples.iter_mut().zip(numbers) {
        *multiple = ((inverse * number).round_ties_even() as u8).min(63);
    }
    (f16::from_f32(largest / 63.0), multiples)
}

/// `quantize_row_q6_K_ref`: 16 groups of 16 codes of 6 bits around zero, each with a scale of 8 bits.
pub(super) struct Q6K;

impl Blocks<210> for Q6K {
    const NUMBERS: usize = 256;

    #[inline(always)]
    fn quantize<V: Lanes>(batch: &Batch, blocks: &mut [[u8; 210]]) {
        for (rows, block) in batch.as_chunks::<16>().0.iter().zip(blocks) {
            quantize_q6_k::<V>(rows, block);
        }
    }
}

/// Under this nothing is left of a group: `GROUP_MAX_EPS`.
const NOTHING: f32 = 1e-15;

#[inline(always)]
fn quantize_q6_k<V: Lanes>(rows: &[[f32; LANES]; 16], block: &mut [u8; 210]) {
    let mut numbers = [V::splat(0.0); LANES];
    for (numbers, row) in numbers.iter_mut().zip(rows) {
        *numbers = V::load(row);
    }
    let scales = scales_around_zero(&V::transpose(numbers));
    let mut largest = 0.0;
    for scale in scales {
        if scale.abs() > f32::abs(largest) {
            largest = scale;
        }
    }
    block.fill(0);
    if largest.abs() < NOTHING {
        return;
    }
    let inverse = -128.0 / largest;
    let scale = f16::from_f32(1.0 / inverse);
    block[208..].copy_from_slice(&scale.to_le_bytes());
    let mut codes = [32; 256];
    for (group, (row, codes)) in rows.iter().zip(codes.as_chunks_mut().0).enumerate() {
        let multiple = (inverse * scales[group]).round_ties_even().min(127.0) as i8;
        block[192 + group] = multiple as u8;
        let scale = scale.to_f32() * f32::from(multiple);
        if scale != 0.0 {
            let code = V::load(row).div(V::splat(scale)).max(V::splat(-32.0)).min(V::splat(31.0)).round();
            code.add(V::splat(32.0)).store_bytes(codes);
        }
    }
    let (low, high) = block.split_at_mut(128);
    for (half, codes) in codes.as_chunks::<128>().0.iter().enumerate() {
        for at in 0..32 {
            let [a, b, c, d] = [codes[at], codes[at + 32], codes[at + 64], codes[at + 96]];
            low[64 * half + at] = a & 15 | c << 4;
            low[64 * half + at + 32] = b & 15 | d << 4;
            high[32 * half + at] = a >> 4 | b >> 4 << 2 | c >> 4 << 4 | d >> 4 << 6;
        }
    }
}

/// `make_qx_quants` of 32 steps to each side, with the square of a number as its weight: the scale by which codes from −32
/// to 31 have the smallest error. Tries scales that make the largest number, whichever sign it has, one of −31.1 to −32.9.
#[inline(always)]
fn scales_around_zero<V: Lanes>(numbers: &[V; 16]) -> [f32; LANES] {
    let zero = V::splat(0.0);
    let (mut largest, mut signed) = (zero, zero);
    for x in numbers {
        let larger = largest.less(x.abs());
        largest = V::select(larger, x.abs(), largest);
        signed = V::select(larger, *x, signed);
    }
    let (mut weights, mut weighted) = ([zero; 16], [zero; 16]);
    for (at, x) in numbers.iter().enumerate() {
        weights[at] = x.mul(*x);
        weighted[at] = weights[at].mul(*x);
    }
    let sums = sums_of_codes(numbers, &weights, &weighted, V::splat(-32.0).div(signed));
    let mut scale = V::select(zero.less(sums.ll), sums.xl.div(sums.ll), zero);
    let mut best = scale.mul(sums.xl);
    for step in -9..=9 {
        if step == 0 {
            continue;
        }
        let inverse = V::splat(-(32.0 + 0.1 * step as f32)).div(signed);
        let sums = sums_of_codes(numbers, &weights, &weighted, inverse);
        let better = V::both(zero.less(sums.ll), best.mul(sums.ll).less(sums.xl.mul(sums.xl)));
        let own_scale = sums.xl.div(sums.ll);
        scale = V::select(better, own_scale, scale);
        best = V::select(better, own_scale.mul(sums.xl), best);
    }
    let mut scales = [0.0; LANES];
    V::select(largest.less(V::splat(NOTHING)), zero, scale).store(&mut scales);
    scales
}

/// Weighted sums over codes `l` of numbers `x`.
struct Sums<V> {
    xl: V,
    ll: V,
}

#[inline(always)]
fn sums_of_codes<V: Lanes>(numbers: &[V; 16], weights: &[V; 16], weighted: &[V; 16], inverse: V) -> Sums<V> {
    let mut sums = Sums { xl: V::splat(0.0), ll: V::splat(0.0) };
    for ((x, w), wx) in numbers.iter().zip(weights).zip(weighted) {
        let l = inverse.mul(*x).max(V::splat(-32.0)).min(V::splat(31.0)).round();
        sums.xl = sums.xl.add(wx.mul(l));
        sums.ll = sums.ll.add(w.mul(l).mul(l));
    }
    sums
}
