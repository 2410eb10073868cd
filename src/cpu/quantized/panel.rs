//! Products of many tokens, with AVX-512: rows of weights side by side in a register.
//!
//! Weights are unpacked to panels of 16 rows × 256, once for many tokens, and laid out so that a register holds four
//! neighbours of each of the 16 rows: four values of a token, repeated in all lanes, are multiplied with them at once, and a
//! lane sums up a row.

use std::arch::x86_64::*;
use std::hint::black_box;
use std::mem::{MaybeUninit, offset_of};

use super::activations::QuantizedSpan;
use super::part::Part;
use super::rows::prefetch;
use super::{Format, SPAN, Span};

/// Rows of a panel: 32-bit lanes of a register.
const ROWS: usize = 16;

/// Panels that share the reads of a token's values.
const PANELS: usize = 2;

/// Tokens that are multiplied while weights lie in registers. Their sums, of integers and of floats, for all panels take
/// 24 registers of 32.
const TOKENS: usize = 6;

/// Rows that are multiplied at a time.
pub(super) const STRIP: usize = ROWS * PANELS;

/// Most tokens of a strip: their values of a span then take 97 KiB, and their sums 32.
pub(super) const MOST_TOKENS: usize = 43 * TOKENS;

/// A span of 16 rows, each entry for all of them.
#[repr(C, align(64))]
struct Panel {
    /// Weights `4i` to `4i + 3`.
    quants: [[[u8; 4]; ROWS]; SPAN / 4],
    /// Of groups.
    scales: [[f32; ROWS]; 16],
    mins: [[f32; ROWS]; 16],
}

impl Panel {
    const ZERO: Self = Self { quants: [[[0; 4]; ROWS]; SPAN / 4], scales: [[0.0; ROWS]; 16], mins: [[0.0; ROWS]; 16] };
}

/// Sums of a token for each row.
#[repr(C, align(64))]
#[derive(Clone, Copy)]
struct Sums([[f32; ROWS]; PANELS]);

/// # Safety
/// As for a [`Kernel`](super::kernels::Kernel).
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(super) unsafe fn multiply<F: Format>(part: &Part) {
    for token in part.tokens.clone().step_by(MOST_TOKENS) {
        let tokens = token..part.tokens.end.min(token + MOST_TOKENS);
        for row in part.rows.clone().step_by(STRIP) {
            let rows = row..part.rows.end.min(row + STRIP);
            let strip = Part { rows, tokens: tokens.clone(), ..*part };
            // SAFETY: the caller's promise.
            unsafe {
                if strip.rows.len() > ROWS { multiply_strip::<F, 2>(&strip) } else { multiply_strip::<F, 1>(&strip) }
            }
        }
    }
}

/// The rows of so many panels, of which the last may have fewer, and at most [`MOST_TOKENS`].
///
/// # Safety
/// As for a [`Kernel`](super::kernels::Kernel).
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
unsafe fn multiply_strip<F: Format, const COUNT: usize>(part: &Part) {
    let mut sums = [const { MaybeUninit::uninit() }; MOST_TOKENS];
    let sums = &mut sums[..part.tokens.len()];
    for sums in &mut *sums {
        sums.write(Sums([[0.0; ROWS]; PANELS]));
    }
    // SAFETY: all of them have just been written.
    let sums = unsafe { &mut *(std::ptr::from_mut(sums) as *mut [Sums]) };
    let mut panels = [const { Panel::ZERO }; COUNT];
    // Where a panel has no rows, those of another are multiplied in vain.
    let mut spans = [const { Span::ZERO }; ROWS];
    let span_bytes = SPAN / F::BLOCK * F::BYTES;
    for number in 0..part.row_bytes.div_ceil(span_bytes) {
        for (panel, first) in panels.iter_mut().zip(part.rows.clone().step_by(ROWS)) {
            for (span, row) in spans.iter_mut().zip(first..part.rows.end) {
                let blocks = &part.row(row)[number * span_bytes..];
                // So many rows are more than the processor reads ahead by itself.
                prefetch(blocks.as_ptr().wrapping_add(span_bytes), span_bytes);
                // SAFETY: the caller's promise.
                unsafe { F::unpack_avx512(&blocks[..blocks.len().min(span_bytes)], span) };
            }
            interleave::<F>(&spans, panel);
        }
        let values = &part.activations.span(number)[part.tokens.clone()];
        // Of 896 columns, the last span has only half.
        let bytes = span_bytes.min(part.row_bytes - number * span_bytes);
        let groups = bytes / F::BYTES * F::BLOCK / F::GROUP;
        let (mut values, mut sums) = (values, &mut *sums);
        while !values.is_empty() {
            // Tiles of about the same size: those of a token or two leave the processor waiting for its sums.
            let count = values.len().div_ceil(values.len().div_ceil(TOKENS));
            let (of_tile, more) = values.split_at(count);
            let (sums_of_tile, more_sums) = sums.split_at_mut(count);
            match count {
                1 => tile::<F, COUNT, 1>(&panels, groups, of_tile, sums_of_tile),
                2 => tile::<F, COUNT, 2>(&panels, groups, of_tile, sums_of_tile),
                3 => tile::<F, COUNT, 3>(&panels, groups, of_tile, sums_of_tile),
                4 => tile::<F, COUNT, 4>(&panels, groups, of_tile, sums_of_tile),
                5 => tile::<F, COUNT, 5>(&panels, groups, of_tile, sums_of_tile),
                _ => tile::<F, COUNT, TOKENS>(&panels, groups, of_tile, sums_of_tile),
            }
            (values, sums) = (more, more_sums);
        }
    }
    for (token, sums) in part.tokens.clone().zip(sums) {
        // SAFETY: they are of this part.
        unsafe { part.set(token, part.rows.start, &sums.0.as_flattened()[..part.rows.len()]) };
    }
}

/// Adds the products of so many groups of the panels' rows and of some tokens.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
#[inline]
#[expect(clippy::expect_used, reason = "the only caller gives what `TOKENS` tokens have")]
fn tile<F: Format, const COUNT: usize, const TOKENS: usize>(
    panels: &[Panel; COUNT],
    groups: usize,
    values: &[QuantizedSpan],
    sums: &mut [Sums],
) {
    let values = values.first_chunk::<TOKENS>().expect("as many tokens as the tile has");
    let sums = sums.first_chunk_mut::<TOKENS>().expect("as many tokens as the tile has");
    let mut floats = [[_mm512_setzero_ps(); COUNT]; TOKENS];
    for (floats, sums) in floats.iter_mut().zip(&*sums) {
        for (float, sums) in floats.iter_mut().zip(&sums.0) {
            *float = load(sums);
        }
    }
    let mut group = 0;
    while group < groups {
        let mut integers = [[_mm512_setzero_si512(); COUNT]; TOKENS];
        if let Some(offset) = F::OFFSET {
            for (integers, values) in integers.iter_mut().zip(values) {
                *integers = [_mm512_set1_epi32(-offset * values.sum::<F>(group)); COUNT];
            }
        }
        for four in group * F::GROUP / 4..(group + 1) * F::GROUP / 4 {
            let weights = panels.each_ref().map(|panel| {
                // SAFETY: they are 64 bytes.
                unsafe { _mm512_loadu_si512(panel.quants[four].as_ptr().cast()) }
            });
            for (integers, values) in integers.iter_mut().zip(values) {
                let values = _mm512_set1_epi32(values.four(four));
                for (integer, weights) in integers.iter_mut().zip(&weights) {
                    *integer = _mm512_dpbusd_epi32(*integer, *weights, values);
                }
            }
        }
        for ((values, floats), integers) in values.iter().zip(&mut floats).zip(&integers) {
            let scale = _mm512_set1_ps(values.scales[group * F::GROUP / 32]);
            let sum = _mm512_cvtepi32_ps(_mm512_set1_epi32(values.sum::<F>(group)));
            for ((panel, float), integer) in panels.iter().zip(floats).zip(integers) {
                let mut products = _mm512_mul_ps(load(&panel.scales[group]), _mm512_cvtepi32_ps(*integer));
                if F::OFFSET.is_none() {
                    products = _mm512_fnmadd_ps(load(&panel.mins[group]), sum, products);
                }
                *float = _mm512_fmadd_ps(products, scale, *float);
            }
        }
        // Compilers must not know how often: of several groups at a time, sums do not stay in registers.
        group = black_box(group + 1);
    }
    for (floats, sums) in floats.iter().zip(sums) {
        for (float, sums) in floats.iter().zip(&mut sums.0) {
            // SAFETY: they are 64 bytes.
            unsafe { _mm512_storeu_ps(sums.as_mut_ptr(), *float) };
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
#[inline]
fn load(floats: &[f32; ROWS]) -> __m512 {
    // SAFETY: they are 64 bytes.
    unsafe { _mm512_loadu_ps(floats.as_ptr()) }
}

/// Lays 16 rows' spans side by side.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
#[inline]
fn interleave<F: Format>(spans: &[Span; ROWS], panel: &mut Panel) {
    let spans = spans.as_ptr();
    // SAFETY: 64 bytes of each span's quants, scales or mins are read at a time, and 16 rows of the panel are written.
    unsafe {
        for i in 0..SPAN / 64 {
            transpose(
                spans.byte_add(offset_of!(Span, quants) + 64 * i).cast(),
                panel.quants[16 * i..][..16].as_mut_ptr().cast(),
            );
        }
        transpose(spans.byte_add(offset_of!(Span, scales)).cast(), panel.scales.as_mut_ptr().cast());
        if F::OFFSET.is_none() {
            transpose(spans.byte_add(offset_of!(Span, mins)).cast(), panel.mins.as_mut_ptr().cast());
        }
    }
}

/// Writes 16 32-bit columns of 16 rows as rows.
///
/// # Safety
/// `rows` is within the first of 16 spans, and from there on each has 64 bytes to read; `columns` has 1024 to write.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
#[inline]
unsafe fn transpose(rows: *const __m512i, columns: *mut __m512i) {
    // In each 128 bits, a column of four rows. Register c of four rows has columns c, 4 + c, 8 + c and 12 + c.
    let fours = [0, 4, 8, 12].map(|first| {
        // SAFETY: the caller's promise.
        let row = |i: usize| unsafe { _mm512_loadu_si512(rows.byte_add(size_of::<Span>() * (first + i))) };
        let (a, b, c, d) = (row(0), row(1), row(2), row(3));
        let (ab_low, ab_high) = (_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
        let (cd_low, cd_high) = (_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
        [
            _mm512_unpacklo_epi64(ab_low, cd_low),
            _mm512_unpackhi_epi64(ab_low, cd_low),
            _mm512_unpacklo_epi64(ab_high, cd_high),
            _mm512_unpackhi_epi64(ab_high, cd_high),
        ]
    });
    for column in 0..4 {
        let [a, b, c, d] = fours.map(|registers| registers[column]);
        // The 128 bits with even and with odd numbers.
        let (ab_even, ab_odd) = (_mm512_shuffle_i32x4::<0x88>(a, b), _mm512_shuffle_i32x4::<0xdd>(a, b));
        let (cd_even, cd_odd) = (_mm512_shuffle_i32x4::<0x88>(c, d), _mm512_shuffle_i32x4::<0xdd>(c, d));
        // SAFETY: the caller's promise.
        unsafe {
            _mm512_storeu_si512(columns.add(column), _mm512_shuffle_i32x4::<0x88>(ab_even, cd_even));
            _mm512_storeu_si512(columns.add(4 + column), _mm512_shuffle_i32x4::<0x88>(ab_odd, cd_odd));
            _mm512_storeu_si512(columns.add(8 + column), _mm512_shuffle_i32x4::<0xdd>(ab_even, cd_even));
            _mm512_storeu_si512(columns.add(12 + column), _mm512_shuffle_i32x4::<0xdd>(ab_odd, cd_odd));
        }
    }
}
