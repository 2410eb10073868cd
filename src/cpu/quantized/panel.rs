//! Products of many tokens, with AVX-512: rows of weights side by side in a register.
//!
//! Weights are unpacked to panels of 16 rows × 256, once for many tokens, and laid out so that a register holds four
//! neighbours of each of the 16 rows: four values of a token, repeated in all lanes, are multiplied with them at once, and a
//! lane sums up a row.

use std::arch::x86_64::*;
use std::mem::MaybeUninit;

use super::activations::QuantizedSpan;
use super::part::Part;
use super::{Format, SPAN, Span};

/// Rows of a panel: 32-bit lanes of a register.
pub const ROWS: usize = 16;

/// Panels that share the reads of a token's values.
pub const PANELS: usize = 2;

/// Tokens that are multiplied while weights lie in registers. Their sums, of integers and of floats, for all panels take
/// 24 registers of 32.
const TOKENS: usize = 6;

/// Most tokens of a part: their sums then take 32 KiB.
pub const MOST_TOKENS: usize = 256;

/// A span of 16 rows, each entry for all of them.
#[repr(C, align(64))]
struct Panel {
    /// Weights `4i` to `4i + 3`.
    quants: [[[u8; 4]; ROWS]; SPAN / 4],
    /// Of groups.
    scales: [[f32; ROWS]; 16],
    mins: [[f32; ROWS]; 16],
}

/// Sums of a token for each row.
#[repr(C, align(64))]
#[derive(Clone, Copy)]
struct Sums([[f32; ROWS]; PANELS]);

/// # Safety
/// As for a [`Kernel`](super::kernels::Kernel).
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
pub unsafe fn multiply<F: Format>(part: &Part) {
    for start in part.tokens.clone().step_by(MOST_TOKENS) {
        let tokens = start..part.tokens.end.min(start + MOST_TOKENS);
        for row in part.rows.clone().step_by(ROWS * PANELS) {
            let rows = row..part.rows.end.min(row + ROWS * PANELS);
            let part = Part { rows, tokens: tokens.clone(), ..*part };
            unsafe { if part.rows.len() > ROWS { strip::<F, PANELS>(&part) } else { strip::<F, 1>(&part) } }
        }
    }
}

/// At most [`ROWS`] rows for each of the panels, and [`MOST_TOKENS`] tokens.
///
/// # Safety
/// As for a [`Kernel`](super::kernels::Kernel).
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
unsafe fn strip<F: Format, const COUNT: usize>(part: &Part) {
    let mut sums = [const { MaybeUninit::uninit() }; MOST_TOKENS];
    let sums = &mut sums[..part.tokens.len()];
    for sums in &mut *sums {
        sums.write(Sums([[0.0; ROWS]; PANELS]));
    }
    // SAFETY: all of them have just been written.
    let sums = unsafe { &mut *(std::ptr::from_mut(sums) as *mut [Sums]) };
    let mut panels = [const { MaybeUninit::uninit() }; COUNT];
    let span_bytes = F::BYTES * (SPAN / F::BLOCK);
    for number in 0..part.row_bytes.div_ceil(span_bytes) {
        for (panel, first) in panels.iter_mut().zip(part.rows.clone().step_by(ROWS)) {
            let mut spans = [const { Span::ZERO }; ROWS];
            for (span, row) in spans.iter_mut().zip(first..part.rows.end) {
                let row = part.row(row);
                let blocks = &row[number * span_bytes..];
                // SAFETY: the caller's promise.
                unsafe { F::unpack_avx512(&blocks[..blocks.len().min(span_bytes)], span) };
            }
            interleave::<F>(&spans, panel);
        }
        // SAFETY: there are as many panels as steps of rows, and each has just been written.
        let panels = unsafe { &*std::ptr::from_ref(&panels).cast::<[Panel; COUNT]>() };
        let values = &part.activations.span(number)[part.tokens.clone()];
        for (values, sums) in values.chunks(TOKENS).zip(sums.chunks_mut(TOKENS)) {
            match values.len() {
                1 => tile::<F, COUNT, 1>(panels, values, sums),
                2 => tile::<F, COUNT, 2>(panels, values, sums),
                3 => tile::<F, COUNT, 3>(panels, values, sums),
                4 => tile::<F, COUNT, 4>(panels, values, sums),
                5 => tile::<F, COUNT, 5>(panels, values, sums),
                _ => tile::<F, COUNT, TOKENS>(panels, values, sums),
            }
        }
    }
    for (token, sums) in part.tokens.clone().zip(sums) {
        // SAFETY: they are of this part.
        unsafe { part.set(token, part.rows.start, &sums.0.as_flattened()[..part.rows.len()]) };
    }
}

/// Adds the products of a span of the panels' rows and of some tokens.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
#[inline]
fn tile<F: Format, const COUNT: usize, const TOKENS: usize>(
    panels: &[Panel; COUNT],
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
    for group in 0..SPAN / F::GROUP {
        let mut integers = [[_mm512_setzero_si512(); COUNT]; TOKENS];
        for four in group * F::GROUP / 4..(group + 1) * F::GROUP / 4 {
            let weights = panels.each_ref().map(|panel| {
                // SAFETY: they are 64 bytes, aligned to as many.
                unsafe { _mm512_load_si512(panel.quants[four].as_ptr().cast()) }
            });
            for (integers, values) in integers.iter_mut().zip(values) {
                let values = _mm512_set1_epi32(values.four(four));
                for (integer, weights) in integers.iter_mut().zip(&weights) {
                    *integer = _mm512_dpbusd_epi32(*integer, *weights, values);
                }
            }
        }
        for (i, panel) in panels.iter().enumerate() {
            let (scales, mins) = (load(&panel.scales[group]), load(&panel.mins[group]));
            for ((values, floats), integers) in values.iter().zip(&mut floats).zip(&integers) {
                let scale = _mm512_set1_ps(values.scales[group * F::GROUP / 32]);
                let sum = _mm512_set1_ps(if F::GROUP == 16 { values.half_sums[group] } else { values.sums[group] });
                let products =
                    _mm512_fmadd_ps(_mm512_cvtepi32_ps(integers[i]), _mm512_mul_ps(scales, scale), floats[i]);
                floats[i] = _mm512_fnmadd_ps(mins, sum, products);
            }
        }
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
fn interleave<F: Format>(spans: &[Span; ROWS], panel: &mut MaybeUninit<Panel>) {
    let panel = panel.as_mut_ptr();
    // SAFETY: 64 bytes of each span's quants, scales or mins are read at a time, and 16 rows of the panel are written.
    unsafe {
        for i in 0..SPAN / 64 {
            let lines = spans.each_ref().map(|span| span.quants.as_ptr().add(64 * i));
            transpose(lines, (&raw mut (*panel).quants[16 * i]).cast());
        }
        transpose(spans.each_ref().map(|span| span.scales.as_ptr().cast()), (&raw mut (*panel).scales).cast());
        transpose(spans.each_ref().map(|span| span.mins.as_ptr().cast()), (&raw mut (*panel).mins).cast());
    }
}

/// Writes the 32-bit columns of 16 rows of 64 bytes as rows.
///
/// # Safety
/// Each row has 64 bytes to read, and `columns`, aligned to 64 bytes, has 1024 to write.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
#[inline]
unsafe fn transpose(rows: [*const u8; 16], columns: *mut u8) {
    // Four lines of 128 bits of rows i, 4 + i, 8 + i and 12 + i make a register, whose 128-bit lanes are then transposed in
    // fours.
    for four in 0..4 {
        // SAFETY: the caller's promise.
        let part = |row: usize| unsafe { _mm_loadu_si128(rows[row].add(16 * four).cast()) };
        let gather = |row: usize| {
            let lines = _mm512_castsi128_si512(part(row));
            let lines = _mm512_inserti32x4::<1>(lines, part(row + 4));
            let lines = _mm512_inserti32x4::<2>(lines, part(row + 8));
            _mm512_inserti32x4::<3>(lines, part(row + 12))
        };
        let [a, b, c, d] = [gather(0), gather(1), gather(2), gather(3)];
        let (ab_low, ab_high) = (_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
        let (cd_low, cd_high) = (_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
        // SAFETY: the caller's promise.
        unsafe {
            let columns = columns.add(256 * four).cast::<__m512i>();
            _mm512_store_si512(columns, _mm512_unpacklo_epi64(ab_low, cd_low));
            _mm512_store_si512(columns.add(1), _mm512_unpackhi_epi64(ab_low, cd_low));
            _mm512_store_si512(columns.add(2), _mm512_unpacklo_epi64(ab_high, cd_high));
            _mm512_store_si512(columns.add(3), _mm512_unpackhi_epi64(ab_high, cd_high));
        }
    }
}
