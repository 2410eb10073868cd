//! Products of activations and weights, shared out to threads.

use half::bf16;

use super::Dense;
use super::part::{Kernel, Part, ROWS, kernel, kernel_of_rounded};
use super::round::{round, rounds};
use crate::disjoint::Disjoint;
use crate::isa::Isa;
use crate::pool::Pool;

/// A product to compute: `y[token][row] = Σ x[token][column] · weights[row][column]`.
pub struct Job<'a> {
    /// `[rows, columns]`
    pub weights: Dense<'a>,
    /// `[tokens, rows]`, overwritten.
    pub y: &'a mut [f32],
}

/// Tasks for each thread, so that one that is held up is not waited for long.
const TASKS: usize = 8;

/// Rows of a task at the most: over the columns that are multiplied at a time they stay in the second cache.
const MOST_ROWS: usize = 192;

/// Tokens that a task has at the least where a job's tokens are shared out, too: each task reads all of its weights.
const LEAST_TOKENS: usize = 48;

/// Computes the products of the same `x` with several matrices in one operation of the pool, since each costs the time that
/// it takes all threads to meet.
///
/// The results do not depend on the number of threads, and on the other tokens only as far as these make more than
/// [`ROUNDED_TOKENS`](super::ROUNDED_TOKENS) or fewer.
///
/// # Panics
/// If `x` or a job's `y` has another size than the product.
pub fn product(pool: &Pool, isa: Isa, x: &[f32], tokens: usize, jobs: &mut [Job]) {
    for Job { weights, y } in &*jobs {
        assert_eq!(x.len(), tokens * weights.columns, "{tokens} tokens of {} columns", weights.columns);
        assert_eq!(y.len(), tokens * weights.rows, "results of {} rows for {tokens} tokens", weights.rows);
    }
    let isa = isa.min(Isa::best());
    let rounded =
        if jobs.iter().any(|job| rounds(isa, job.weights.kind, tokens)) { round(pool, x) } else { Vec::new() };
    let work: usize = jobs.iter().map(|job| job.weights.rows * work_of_row(job.weights.columns, tokens)).sum();
    let of_task = work / (TASKS * pool.threads());
    // By all tokens, however many of them a task has.
    let values = |kind| match rounds(isa, kind, tokens) {
        true => Values::Rounded(&rounded, kernel_of_rounded(isa)),
        false => Values::Exact(x, kernel(isa, kind)),
    };
    let tilings: Vec<Tiling> =
        jobs.iter_mut().map(|job| Tiling::new(values(job.weights.kind), job, tokens, of_task)).collect();
    let counts: Vec<usize> = tilings.iter().map(Tiling::tasks).collect();
    // SAFETY: this processor has the instructions, and each task is done once.
    pool.run_lists(&counts, &|list, task| unsafe { tilings[list].run(task) });
}

/// A weight that is multiplied with few tokens takes as long to come from memory as 8 products.
fn work_of_row(columns: usize, tokens: usize) -> usize {
    columns * tokens.max(8)
}

/// What is multiplied with, and by what.
enum Values<'a> {
    Exact(&'a [f32], Kernel<f32>),
    Rounded(&'a [bf16], Kernel<bf16>),
}

/// How a job is cut into tasks.
struct Tiling<'a> {
    values: Values<'a>,
    y: Disjoint<'a, f32>,
    weights: Dense<'a>,
    token_count: usize,
    /// Of a task.
    rows: usize,
    tokens: usize,
}

impl<'a> Tiling<'a> {
    fn new(values: Values<'a>, job: &'a mut Job, token_count: usize, of_task: usize) -> Self {
        let Dense { rows, columns, .. } = job.weights;
        // Rows of all tokens; where that is few, rather more rows of fewer tokens.
        let fair = of_task / work_of_row(columns, token_count).max(1);
        let parts = MOST_ROWS.div_ceil(fair.max(1)).clamp(1, (token_count / LEAST_TOKENS).max(1));
        let rows_of_task = (fair * parts).next_multiple_of(ROWS).clamp(ROWS, MOST_ROWS).min(rows.max(1));
        Self {
            values,
            y: Disjoint::new(job.y),
            weights: job.weights,
            token_count,
            rows: rows_of_task,
            tokens: token_count.div_ceil(parts).max(1),
        }
    }

    fn tasks(&self) -> usize {
        self.weights.rows.div_ceil(self.rows) * self.token_count.div_ceil(self.tokens)
    }

    /// # Safety
    /// The processor has the kernel's instructions, and each task is done once.
    unsafe fn run(&self, task: usize) {
        let parts = self.token_count.div_ceil(self.tokens);
        let (row, token) = (task / parts * self.rows, task % parts * self.tokens);
        let rows = row..self.weights.rows.min(row + self.rows);
        let tokens = token..self.token_count.min(token + self.tokens);
        let (weights, y) = (self.weights, &self.y);
        // SAFETY: tasks' rows or tokens differ; the rest is the caller's promise.
        unsafe {
            match self.values {
                Values::Exact(x, kernel) => kernel(&Part { weights, x, y, rows, tokens }),
                Values::Rounded(x, kernel) => kernel(&Part { weights, x, y, rows, tokens }),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ops::RangeInclusive;

    use half::{bf16, f16};
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::*;
    use crate::dense::{Kind, ROUNDED_TOKENS};

    const KINDS: [Kind; 3] = [Kind::Bf16, Kind::F16, Kind::F32];

    /// Weights as they are stored, and what they stand for.
    fn stored(kind: Kind, weights: &[f32]) -> (Vec<u8>, Vec<f32>) {
        let one = |weight: f32| match kind {
            Kind::Bf16 => (bf16::from_f32(weight).to_le_bytes().to_vec(), bf16::from_f32(weight).to_f32()),
            Kind::F16 => (f16::from_f32(weight).to_le_bytes().to_vec(), f16::from_f32(weight).to_f32()),
            Kind::F32 => (weight.to_le_bytes().to_vec(), weight),
        };
        let (bytes, values): (Vec<_>, Vec<_>) = weights.iter().map(|weight| one(*weight)).unzip();
        (bytes.concat(), values)
    }

    fn random(rng: &mut StdRng, count: usize) -> Vec<f32> {
        (0..count).map(|_| rng.random_range(-1.0..1.0)).collect()
    }

    fn multiplied(pool: &Pool, isa: Isa, x: &[f32], weights: Dense) -> Vec<f32> {
        let tokens = x.len() / weights.columns();
        // What was there before does not matter.
        let mut y = vec![f32::NAN; tokens * weights.rows()];
        product(pool, isa, x, tokens, &mut [Job { weights, y: &mut y }]);
        y
    }

    /// Holds a product against float64. Rounding 700 additions of lanes gives far less than a millionth of the sum of absolute
    /// products; 3000 columns are several blocks. Where activations are rounded, that is so with rounded ones, and the result is
    /// as near to the one without as 8 bits are.
    fn check(rng: &mut StdRng, pool: &Pool, isa: Isa, kind: Kind, [tokens, rows, columns]: [usize; 3]) {
        let x = random(rng, tokens * columns);
        let (mut bytes, values) = stored(kind, &random(rng, rows * columns));
        let offset = rng.random_range(0..64);
        bytes.splice(..0, vec![0xff; offset]);
        let y = multiplied(pool, isa, &x, Dense::new(kind, rows, columns, &bytes[offset..]).unwrap());
        for token in 0..tokens {
            for row in 0..rows {
                let (x, weights) = (&x[token * columns..][..columns], &values[row * columns..][..columns]);
                let result = f64::from(y[token * rows + row]);
                let near = |of: fn(f32) -> f32, bound: f64| {
                    let products = || x.iter().zip(weights).map(|(x, weight)| f64::from(of(*x)) * f64::from(*weight));
                    let (expected, size) = (products().sum::<f64>(), products().map(f64::abs).sum::<f64>());
                    assert!(
                        (result - expected).abs() <= bound * size,
                        "{isa:?} {kind:?}: {tokens} tokens, {rows} rows, {columns} columns: {result} for {expected} at {token}, {row}"
                    );
                };
                if rounds(isa, kind, tokens) {
                    near(|x| bf16::from_f32(x).to_f32(), 1e-6);
                    near(|x| x, 1.0 / 256.0);
                } else {
                    near(|x| x, 1e-6);
                }
            }
        }
    }

    #[test]
    fn products_are_those_of_float64() {
        let (mut rng, pool) = (StdRng::seed_from_u64(1), Pool::new(2));
        let mut any = |range: RangeInclusive<usize>| rng.random_range(range);
        let mut shapes: Vec<[usize; 3]> = (0..8).map(|_| [any(1..=40), any(1..=70), any(1..=700)]).collect();
        // Every width of a tile, and several blocks of columns.
        shapes.extend((1..=20).map(|tokens| [tokens, any(1..=12), any(1..=70)]));
        shapes.extend([[1, 25, 3000], [7, 9, 2048], [14, 5, 1025]]);
        // As many tokens as are rounded, and odd numbers of columns.
        shapes.extend([[127, 3, 64], [128, 9, 33], [128, 1, 1], [130, 30, 65], [199, 2, 2049], [140, 5, 4133]]);
        for isa in Isa::all() {
            for kind in KINDS {
                for shape in &shapes {
                    check(&mut rng, &pool, isa, kind, *shape);
                }
            }
        }
    }

    #[test]
    fn a_result_depends_on_threads_not_at_all_and_on_other_tokens_by_whether_they_are_many() {
        let mut rng = StdRng::seed_from_u64(2);
        let (pool, alone) = (Pool::new(4), Pool::new(1));
        let (rows, columns) = (26, 1030);
        let x = random(&mut rng, (ROUNDED_TOKENS + 70) * columns);
        let weights = random(&mut rng, rows * columns);
        for isa in Isa::all() {
            for kind in KINDS {
                let (bytes, _) = stored(kind, &weights);
                let weights = Dense::new(kind, rows, columns, &bytes).unwrap();
                let many = multiplied(&pool, isa, &x, weights);
                let few = multiplied(&pool, isa, &x[..(ROUNDED_TOKENS - 1) * columns], weights);
                for count in [1, 2, 3, 5, 7, 8, 9, 127, 128, 129, 130, 198] {
                    let of_count = multiplied(&alone, isa, &x[..count * columns], weights);
                    let all = if count < ROUNDED_TOKENS { &few } else { &many };
                    assert_eq!(of_count, all[..count * rows], "{isa:?} {kind:?}: {count} tokens");
                }
                let rounded = isa == Isa::Avx512Bf16 && kind == Kind::Bf16;
                assert_eq!(few != many[..few.len()], rounded, "{isa:?} {kind:?}");
            }
        }
    }

    #[test]
    fn jobs_are_computed_together_as_alone() {
        let (mut rng, pool, columns) = (StdRng::seed_from_u64(3), Pool::new(3), 500);
        let matrices = [(Kind::Bf16, 300), (Kind::F32, 1), (Kind::F16, 33), (Kind::Bf16, 0), (Kind::Bf16, 25)]
            .map(|(kind, rows)| (kind, rows, stored(kind, &random(&mut rng, rows * columns)).0));
        let weights = matrices.each_ref().map(|(kind, rows, bytes)| Dense::new(*kind, *rows, columns, bytes).unwrap());
        for tokens in [0, 1, 20, 150] {
            let x = random(&mut rng, tokens * columns);
            let mut together = weights.map(|weights| vec![f32::NAN; tokens * weights.rows()]);
            let mut jobs: Vec<Job> =
                weights.into_iter().zip(&mut together).map(|(weights, y)| Job { weights, y }).collect();
            product(&pool, Isa::best(), &x, tokens, &mut jobs);
            for (weights, y) in weights.into_iter().zip(together) {
                assert_eq!(
                    multiplied(&pool, Isa::best(), &x, weights),
                    y,
                    "{:?}, {} rows, {tokens} tokens",
                    weights.kind,
                    weights.rows
                );
            }
        }
    }

    #[test]
    fn what_is_no_number_stays_in_its_row_and_token() {
        let (rows, columns) = (30, 37);
        for isa in Isa::all() {
            for (kind, tokens) in KINDS.into_iter().flat_map(|kind| [(kind, 11), (kind, ROUNDED_TOKENS)]) {
                let (mut x, mut weights) = (vec![1.0; tokens * columns], vec![0.5; rows * columns]);
                (x[2 * columns + 36], x[3 * columns]) = (f32::NAN, f32::NEG_INFINITY);
                (weights[4 * columns + 36], weights[5 * columns + 1]) = (f32::INFINITY, f32::NAN);
                let (bytes, _) = stored(kind, &weights);
                let y = multiplied(&Pool::new(1), isa, &x, Dense::new(kind, rows, columns, &bytes).unwrap());
                for (at, y) in y.into_iter().enumerate() {
                    let what = format!("{isa:?} {kind:?}: {y} of token {}, row {}", at / rows, at % rows);
                    match (at / rows, at % rows) {
                        (2, _) | (_, 5) | (3, 4) => assert!(y.is_nan(), "{what}"),
                        (3, _) => assert_eq!(y, f32::NEG_INFINITY, "{what}"),
                        (_, 4) => assert_eq!(y, f32::INFINITY, "{what}"),
                        _ => assert_eq!(y, 18.5, "{what}"),
                    }
                }
            }
        }
    }

    #[test]
    fn no_columns_sum_up_to_zero() {
        for isa in Isa::all() {
            for tokens in [3, ROUNDED_TOKENS] {
                let mut y = vec![1.0; 2 * tokens];
                let weights = Dense::new(Kind::Bf16, 2, 0, &[]).unwrap();
                product(&Pool::new(1), isa, &[], tokens, &mut [Job { weights, y: &mut y }]);
                assert_eq!(y, vec![0.0; 2 * tokens]);
            }
        }
    }

    #[test]
    fn bytes_of_another_size_are_no_matrix() {
        assert_eq!(
            Dense::new(Kind::F16, 2, 3, &[0; 13]).unwrap_err().to_string(),
            "13 bytes are not 2 rows of 3 weights"
        );
        assert!(Dense::new(Kind::F32, usize::MAX, 3, &[0; 12]).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn nothing_is_read_beyond_the_weights() {
        let mut rng = StdRng::seed_from_u64(4);
        let mut guarded = crate::guarded::Guarded::new(1);
        for isa in Isa::all() {
            for kind in KINDS {
                for tokens in (1..=9).chain([ROUNDED_TOKENS]) {
                    for (rows, columns) in [(1, 1), (3, 17), (7, 31), (8, 33), (25, 40), (4, 64)] {
                        let (bytes, _) = stored(kind, &random(&mut rng, rows * columns));
                        let x = random(&mut rng, tokens * columns);
                        let [here, there] = [guarded.at_end(&bytes), &bytes].map(|bytes| {
                            multiplied(&Pool::new(1), isa, &x, Dense::new(kind, rows, columns, bytes).unwrap())
                        });
                        assert_eq!(here, there);
                    }
                }
            }
        }
    }
}
