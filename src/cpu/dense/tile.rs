//! The sums of some rows with some tokens: as many at a time as there are registers for.
//!
//! Lanes are columns. A step of `R` rows and `T` tokens loads `R + T` registers for `R · T` multiplications, so that the
//! processor is busy with these; lanes are added up once at the end. Weights lie where they lie, and
//! nothing is transposed: that one way does for decoding and for prompts is after llamafile's <https://justine.lol/matmul/>.
//!
//! A sum is made of the same additions in tiles of any size: a token's results do not depend on those beside it.

use super::lanes::{Load, Weight};

/// Sums of `R` rows with `T` tokens over some columns, `[token][row]`.
///
/// The tokens' values lie step by step, `L::COUNT` of each token in turn; beyond the last column they are 0. Of weights
/// nothing beyond the last column is read. While these rows are multiplied, those `ahead` bytes further on are fetched, where
/// that is not 0.
///
/// # Safety
/// The processor has the instructions of `L`; `columns` weights can be read from each of `rows`, and the steps that they make
/// from `x`.
#[inline(always)]
pub(super) unsafe fn tile<L: Load<W>, W: Weight, const R: usize, const T: usize>(
    rows: [*const u8; R],
    x: *const L::Value,
    columns: usize,
    ahead: usize,
) -> [[f32; R]; T] {
    let (steps, rest) = (columns / L::COUNT, columns % L::COUNT);
    // SAFETY: of the last step, which can be a part of one, a copy is read.
    unsafe {
        let mut sums = [[L::zero(); R]; T];
        for step in 0..steps {
            let at = step * L::COUNT;
            if ahead > 0 {
                for row in rows {
                    L::prefetch(row.wrapping_add(at * W::SIZE + ahead));
                }
            }
            add_step::<L, W, R, T>(&mut sums, &rows, at * W::SIZE, x.add(at * T));
        }
        if rest > 0 {
            let at = steps * L::COUNT;
            let mut copies = [[0u8; 64]; R];
            let mut starts = rows;
            for row in 0..R {
                copies[row].as_mut_ptr().copy_from_nonoverlapping(rows[row].add(at * W::SIZE), rest * W::SIZE);
                starts[row] = copies[row].as_ptr();
            }
            add_step::<L, W, R, T>(&mut sums, &starts, 0, x.add(at * T));
        }
        let mut totals = [[0.0; R]; T];
        for start in (0..R * T).step_by(4) {
            let mut four = [L::zero(); 4];
            for at in start..(R * T).min(start + 4) {
                four[at - start] = sums[at / R][at % R];
            }
            let four = L::sums(four);
            for at in start..(R * T).min(start + 4) {
                totals[at / R][at % R] = four[at - start];
            }
        }
        totals
    }
}

/// Adds the products of one step.
///
/// # Safety
/// The processor has the instructions of `L`; `L::COUNT` weights can be read `offset` bytes into each row, and as many values
/// of each token from `x`.
#[inline(always)]
unsafe fn add_step<L: Load<W>, W: Weight, const R: usize, const T: usize>(
    sums: &mut [[L; R]; T],
    rows: &[*const u8; R],
    offset: usize,
    x: *const L::Value,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut weights = [L::zero(); R];
        for (weights, row) in weights.iter_mut().zip(rows) {
            *weights = L::load_weights(row.add(offset));
        }
        for (token, sums) in sums.iter_mut().enumerate() {
            let x = L::load(x.add(token * L::COUNT));
            for (sum, weights) in sums.iter_mut().zip(weights) {
                *sum = sum.add_product(weights, x);
            }
        }
    }
}
