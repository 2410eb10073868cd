//! What one task multiplies: some rows with some tokens, tile by tile.
//!
//! The values of a tile's tokens are copied to where they lie side by side and stay in the first cache while all of the
//! part's rows go by; those stay in the second one for the next tile.

use std::mem::MaybeUninit;
use std::ops::Range;

use half::bf16;

use super::lanes::{Bf16, F16, F32, Lanes, Load, Plain, Weight};
use super::tile::tile;
#[cfg(target_arch = "x86_64")]
use super::x86::{Avx2, Avx512, Pairs};
use super::{Dense, Kind};
use crate::disjoint::Disjoint;
use crate::isa::Isa;

/// Bytes of a token's values that are multiplied at a time: 1024 columns, or 2048 of rounded ones. With half of them it takes
/// 7 % longer, since lanes are added up twice as often; with twice as many the values of a tile do not fit in the first cache.
const STRETCH: usize = 4096;

/// Tokens of the widest tile.
const WIDEST: usize = 8;

/// Tokens of a tile where there are more than fit one: those that take the fewest loads a product.
const BEST: usize = 6;

/// With values as they are, or rounded.
pub(super) struct Part<'a, V> {
    pub weights: Dense<'a>,
    /// Of all tokens, as many as the weights have columns.
    pub x: &'a [V],
    /// Of all tokens, as many as the weights have rows.
    pub y: &'a Disjoint<'a, f32>,
    pub rows: Range<usize>,
    pub tokens: Range<usize>,
}

/// Computes a part's results.
///
/// # Safety
/// The processor has the instructions; the part lies within its matrix and values, and no other has the same rows and tokens.
pub(super) type Kernel<V> = unsafe fn(&Part<V>);

/// That of values as they are.
pub(super) fn kernel(isa: Isa, kind: Kind) -> Kernel<f32> {
    macro_rules! of_kind {
        ($kernel:ident) => {
            match kind {
                Kind::Bf16 => $kernel::<Bf16>,
                Kind::F16 => $kernel::<F16>,
                Kind::F32 => $kernel::<F32>,
            }
        };
    }
    match isa {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 | Isa::Avx512Bf16 => of_kind!(avx512),
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => of_kind!(avx2),
        _ => of_kind!(portable),
    }
}

/// That of values rounded to bfloat16, with weights that are.
///
/// # Panics
/// If they are not rounded by these instructions: see [`rounds`](super::round::rounds).
pub(super) fn kernel_of_rounded(isa: Isa) -> Kernel<bf16> {
    match isa {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512Bf16 => avx512_bf16,
        other => unreachable!("nothing is rounded with {other:?}"),
    }
}

/// Rows of a part are best a multiple of this, which those of every tile divide.
pub(super) const ROWS: usize = 24;

/// How far ahead of those that are multiplied with one token weights are asked for, in bytes: the processor's own reading ahead
/// ends with a page of 4 KiB.
const AHEAD: usize = 8192;

/// Goes through a part in tiles of so many rows by 1, 2, … tokens.
macro_rules! tiles {
    ($lanes:ty, $weight:ty, $part:ident, [$alone:literal by 1, $($rows:literal by $tokens:literal),+]) => {{
        // One for all: without optimization each would have a place of its own on the stack.
        let mut values = Values(MaybeUninit::uninit());
        if $part.tokens.len() == 1 {
            return $part.multiply_one::<$lanes, $weight, $alone>(&mut values);
        }
        for (columns, tokens) in $part.blocks([1, $($tokens),+].len()) {
            match tokens.len() {
                $($tokens => $part.multiply::<$lanes, $weight, $rows, $tokens>(columns, tokens.start, &mut values),)+
                count => unreachable!("{count} tokens in a tile"),
            }
        }
    }};
}

/// # Safety
/// As of every [`Kernel`].
unsafe fn portable<W: Weight>(part: &Part<f32>)
where
    Plain: Load<W>,
{
    // SAFETY: the caller's promise.
    unsafe { tiles!(Plain, W, part, [8 by 1, 4 by 2, 4 by 3, 3 by 4, 2 by 5, 2 by 6]) }
}

/// 16 registers: at most 12 sums.
///
/// # Safety
/// As of every [`Kernel`].
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn avx2<W: Weight>(part: &Part<f32>)
where
    Avx2: Load<W>,
{
    // SAFETY: the caller's promise.
    unsafe { tiles!(Avx2, W, part, [2 by 1, 4 by 2, 4 by 3, 3 by 4, 2 by 5, 2 by 6]) }
}

/// 32 registers: at most 24 sums.
///
/// # Safety
/// As of every [`Kernel`].
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn avx512<W: Weight>(part: &Part<f32>)
where
    Avx512: Load<W>,
{
    // SAFETY: the caller's promise.
    unsafe { tiles!(Avx512, W, part, [1 by 1, 8 by 2, 6 by 3, 6 by 4, 4 by 5, 4 by 6, 3 by 7, 3 by 8]) }
}

/// # Safety
/// As of every [`Kernel`].
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
unsafe fn avx512_bf16(part: &Part<bf16>) {
    // SAFETY: the caller's promise.
    unsafe { tiles!(Pairs, Bf16, part, [1 by 1, 8 by 2, 6 by 3, 6 by 4, 4 by 5, 4 by 6, 3 by 7, 3 by 8]) }
}

/// The values of a tile's tokens, as [`tile`] takes them.
#[repr(align(64))]
struct Values(MaybeUninit<[u8; WIDEST * STRETCH]>);

impl<V: Copy> Part<'_, V> {
    /// Columns that are multiplied at a time: a multiple of any register's.
    const COLUMNS: usize = STRETCH / size_of::<V>();

    /// Columns and tokens of the tiles, of which those with the same columns follow each other and are about as wide.
    fn blocks(&self, widest: usize) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
        let (columns, tokens) = (self.weights.columns, self.tokens.clone());
        let tiles = if tokens.len() <= widest { 1 } else { tokens.len().div_ceil(BEST) };
        let bound = move |tile: usize| tokens.start + tile * tokens.len() / tiles;
        // No columns are a block, too: one with sums of 0.
        (0..columns.max(1)).step_by(Self::COLUMNS).flat_map(move |start| {
            let bound = bound.clone();
            (0..tiles).map(move |tile| (start..columns.min(start + Self::COLUMNS), bound(tile)..bound(tile + 1)))
        })
    }

    /// Multiplies all rows with the part's only token, `R` at a time, all columns of these before the next ones: memory is
    /// fastest where it is read from one place on.
    ///
    /// # Safety
    /// As of every [`Kernel`], with the instructions of `L`.
    #[inline(always)]
    unsafe fn multiply_one<L: Load<W, Value = V>, W: Weight, const R: usize>(&self, values: &mut Values) {
        let Dense { rows: row_count, columns: width, .. } = self.weights;
        let x = self.x[self.tokens.start * width..][..width].as_ptr();
        let to: *mut V = values.0.as_mut_ptr().cast();
        // Of the last columns, which a register may be too wide for, a copy is read.
        let whole = width / Self::COLUMNS * Self::COLUMNS;
        // SAFETY: fewer than `COLUMNS` of one token.
        unsafe { gather::<L, 1>(x.add(whole), width, width - whole, to) };
        for row in self.rows.clone().step_by(R) {
            let mut sums = [0.0; R];
            for column in (0..width).step_by(Self::COLUMNS) {
                let (count, x) = if column < whole {
                    (Self::COLUMNS, x.wrapping_add(column))
                } else {
                    (width - whole, to.cast_const())
                };
                // SAFETY: the rows and columns lie within the matrix; the rest is the caller's promise.
                let [of_columns] = unsafe { tile::<L, W, R, 1>(self.starts::<W, R>(row, column), x, count, AHEAD) };
                put(&mut sums, &of_columns, column);
            }
            let start = self.tokens.start * row_count + row;
            // SAFETY: of this part, and gone at once.
            let y = unsafe { self.y.part(start..start + R.min(self.rows.end - row)) };
            put(y, &sums, 0);
        }
    }

    /// Where `R` rows have the weights of a column; beyond the last row it is that one again.
    #[inline(always)]
    fn starts<W: Weight, const R: usize>(&self, row: usize, column: usize) -> [*const u8; R] {
        let Dense { columns: width, bytes, .. } = self.weights;
        let mut starts = [bytes.as_ptr(); R];
        for (at, start) in starts.iter_mut().enumerate() {
            let row = (row + at).min(self.rows.end - 1);
            *start = start.wrapping_add((row * width + column) * W::SIZE);
        }
        starts
    }

    /// Multiplies all rows with `T` tokens over some columns.
    ///
    /// # Safety
    /// As of every [`Kernel`], with the instructions of `L`; there are so many tokens, and at most `COLUMNS` columns.
    #[inline(always)]
    unsafe fn multiply<L: Load<W, Value = V>, W: Weight, const R: usize, const T: usize>(
        &self,
        columns: Range<usize>,
        token: usize,
        values: &mut Values,
    ) {
        let Dense { rows: row_count, columns: width, .. } = self.weights;
        let to: *mut V = values.0.as_mut_ptr().cast();
        // SAFETY: all tokens have `width` values; 8 tokens at most, and `COLUMNS`, a multiple of `L::COUNT`.
        unsafe { gather::<L, T>(self.x.as_ptr().add(token * width + columns.start), width, columns.len(), to) };
        // Only the first tile has to wait for memory.
        let ahead = if token == self.tokens.start { R * width * W::SIZE } else { 0 };
        for row in self.rows.clone().step_by(R) {
            // SAFETY: the rows and columns lie within the matrix; the rest is the caller's promise.
            let sums = unsafe { tile::<L, W, R, T>(self.starts::<W, R>(row, columns.start), to, columns.len(), ahead) };
            let count = R.min(self.rows.end - row);
            for (at, sums) in sums.iter().enumerate() {
                let start = (token + at) * row_count + row;
                // SAFETY: of this part, and gone at once.
                let y = unsafe { self.y.part(start..start + count) };
                // Nearly always all of them: then their number is known to the compiler.
                match y.first_chunk_mut::<R>() {
                    Some(y) => put(y, sums, columns.start),
                    None => put(y, sums, columns.start),
                }
            }
        }
    }
}

/// Sets sums over the first columns, and adds those over others.
#[inline(always)]
fn put(y: &mut [f32], sums: &[f32], column: usize) {
    for (y, sum) in y.iter_mut().zip(sums) {
        *y = if column == 0 { *sum } else { *y + sum };
    }
}

/// Copies values of `T` tokens, `L::COUNT` of each in turn, and then 0 up to that.
///
/// # Safety
/// The processor has the instructions of `L`; each token has `count` values, `width` after those of the one before, and `to`
/// has room.
#[inline(always)]
unsafe fn gather<L: Lanes, const T: usize>(from: *const L::Value, width: usize, count: usize, to: *mut L::Value) {
    let rest = count % L::COUNT;
    // SAFETY: the caller's promise.
    unsafe {
        for at in (0..count - rest).step_by(L::COUNT) {
            for token in 0..T {
                to.add(at * T + token * L::COUNT).copy_from_nonoverlapping(from.add(token * width + at), L::COUNT);
            }
        }
        if rest > 0 {
            let (from, to) = (from.add(count - rest), to.add((count - rest) * T));
            to.write_bytes(0, T * L::COUNT);
            for token in 0..T {
                to.add(token * L::COUNT).copy_from_nonoverlapping(from.add(token * width), rest);
            }
        }
    }
}
