//! Products of activations and weights, shared out to threads.

use super::activations::Activations;
use super::kernels::{Kernel, Kernels};
use super::part::Part;
use crate::disjoint::Disjoint;
use crate::isa::Isa;
use crate::pool::Pool;
use candle_core::quantized::GgmlDType;

/// A matrix of weights in ggml's blocks: rows of whole blocks, one after another.
#[derive(Debug, Clone, Copy)]
pub struct Blocks<'a> {
    kernels: &'static Kernels,
    rows: usize,
    columns: usize,
    bytes: &'a [u8],
}

/// Why bytes are no matrix that can be multiplied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BlocksError {
    /// No kernel here unpacks the type.
    #[error("there are no products with weights of type {0:?}")]
    Type(GgmlDType),
    /// A row would end within a block, or has nothing in it.
    #[error("{columns} columns are not whole blocks of {block}")]
    Columns {
        /// Weights of a row.
        columns: usize,
        /// Weights of a block of the type.
        block: usize,
    },
    /// More or fewer than the rows take.
    #[error("{bytes} bytes are not {rows} rows of {columns} weights")]
    Bytes {
        /// Bytes given.
        bytes: usize,
        /// Rows that they should be.
        rows: usize,
        /// Weights of a row.
        columns: usize,
    },
}

impl<'a> Blocks<'a> {
    /// Weights `[rows, columns]` as they lie.
    ///
    /// # Errors
    /// A type without a kernel, or bytes that are not so many whole rows of it.
    pub fn new(dtype: GgmlDType, rows: usize, columns: usize, bytes: &'a [u8]) -> Result<Self, BlocksError> {
        Self::with(Kernels::of_dtype(dtype).ok_or(BlocksError::Type(dtype))?, rows, columns, bytes)
    }

    fn with(kernels: &'static Kernels, rows: usize, columns: usize, bytes: &'a [u8]) -> Result<Self, BlocksError> {
        if columns == 0 || !columns.is_multiple_of(kernels.block) {
            return Err(BlocksError::Columns { columns, block: kernels.block });
        }
        let needed = (columns / kernels.block).checked_mul(kernels.bytes).and_then(|row| row.checked_mul(rows));
        if needed != Some(bytes.len()) {
            return Err(BlocksError::Bytes { bytes: bytes.len(), rows, columns });
        }
        Ok(Self { kernels, rows, columns, bytes })
    }

    /// Results for a token.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Values of a token.
    pub fn columns(&self) -> usize {
        self.columns
    }

    fn row_bytes(&self) -> usize {
        self.columns / self.kernels.block * self.kernels.bytes
    }
}

/// A product to compute.
pub struct Job<'a> {
    /// Tokens, each of as many values as the weights have columns.
    pub activations: &'a Activations,
    /// `[rows, columns]`
    pub weights: Blocks<'a>,
    /// For each token, a result for each row of weights.
    pub output: &'a mut [f32],
}

/// Computes several products in one operation of the pool, since each costs the time that it takes all threads to meet.
///
/// The results do not depend on the number of threads: one of them sums up a row, always in the same order. A token's depend
/// on how many it is among only in how they are rounded.
///
/// # Panics
/// If the widths of a job's activations and weights differ, its output has another size than the product, or the processor
/// has not these instructions.
pub fn product(pool: &Pool, isa: Isa, jobs: &mut [Job]) {
    assert!(isa <= Isa::best(), "this processor has no {isa:?}");
    for job in &*jobs {
        let (tokens, rows, columns) = (job.activations.tokens(), job.weights.rows, job.weights.columns);
        assert_eq!(job.activations.columns(), columns, "widths of activations and weights");
        assert_eq!(job.output.len(), tokens * rows, "results of {rows} rows for {tokens} tokens");
    }
    let work: usize = jobs.iter().map(|job| job.weights.rows * work_of_row(job)).sum();
    let of_task = (work / (TASKS * pool.threads())).clamp(LEAST_WORK, MOST_WORK);
    let plans: Vec<Tasks> = jobs.iter_mut().map(|job| Tasks::new(job, isa, of_task, pool.threads())).collect();
    let counts: Vec<usize> = plans.iter().map(Tasks::tasks).collect();
    // SAFETY: the processor has the instructions, and each task is done once.
    pool.run_lists(&counts, &|plan, task| unsafe { plans[plan].run(task) });
}

/// Tasks for each thread, so that one that is held up is not waited for long.
const TASKS: usize = 8;

/// Work of a task, in weights × tokens that AVX-512 does in 2 and 40 microseconds: less would be spent on handing out tasks
/// and on memory, which takes a microsecond to be read at its full rate wherever a thread goes on elsewhere; more gains
/// nothing.
const LEAST_WORK: usize = 800_000;
const MOST_WORK: usize = 16_000_000;

/// To unpack a weight takes as long as about 8 products with it.
fn work_of_row(job: &Job) -> usize {
    job.weights.columns * (job.activations.tokens() + 8)
}

/// How a job is cut into tasks.
struct Tasks<'a> {
    kernel: Kernel,
    activations: &'a Activations,
    weights: Blocks<'a>,
    output: Disjoint<'a, f32>,
    /// Of a task.
    rows: usize,
    tokens: usize,
}

impl<'a> Tasks<'a> {
    fn new(job: &'a mut Job, isa: Isa, of_task: usize, threads: usize) -> Self {
        let tokens = job.activations.tokens();
        let (kernel, step) = job.weights.kernels.choose(isa, tokens);
        let rows = (of_task / work_of_row(job)).max(1).next_multiple_of(step.rows);
        let mut parts = tokens.div_ceil(step.most_tokens).max(1);
        // Few rows and many threads: weights are then unpacked by several.
        while job.weights.rows.div_ceil(rows) * parts < 2 * threads && tokens / parts >= 2 * LEAST_TOKENS {
            parts += 1;
        }
        let tokens = tokens.div_ceil(parts).max(1);
        Self {
            kernel,
            activations: job.activations,
            weights: job.weights,
            output: Disjoint::new(job.output),
            rows,
            tokens,
        }
    }

    fn tasks(&self) -> usize {
        self.weights.rows.div_ceil(self.rows) * self.activations.tokens().div_ceil(self.tokens)
    }

    /// # Safety
    /// Each task is done once, on a processor that the kernel is for.
    unsafe fn run(&self, task: usize) {
        let parts = self.activations.tokens().div_ceil(self.tokens);
        let (row, token) = (task / parts * self.rows, task % parts * self.tokens);
        let part = Part {
            weights: self.weights.bytes,
            row_bytes: self.weights.row_bytes(),
            activations: self.activations,
            output: &self.output,
            row_count: self.weights.rows,
            rows: row..self.weights.rows.min(row + self.rows),
            tokens: token..self.activations.tokens().min(token + self.tokens),
        };
        // SAFETY: tasks' rows or tokens differ; the rest is the caller's promise.
        unsafe { (self.kernel)(&part) };
    }
}

/// Tokens for which weights are unpacked by more than one thread at the least.
const LEAST_TOKENS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quantized::dequantize::dequantize;
    use crate::quantized::dtype::types;
    use crate::quantized::{Format, SPAN, Span};
    use candle_core::quantized::QTensor;
    use candle_core::{Device, Tensor};
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    /// A block of `BLOCK` bytes of quants, and for each group a scale and a min of 32 bits; the latter only if there is no
    /// offset.
    struct Plain<const BLOCK: usize, const GROUP: usize, const WIDE: bool, const OFFSET: i32>;

    impl<const BLOCK: usize, const GROUP: usize, const WIDE: bool, const OFFSET: i32> Format
        for Plain<BLOCK, GROUP, WIDE, OFFSET>
    {
        const BLOCK: usize = BLOCK;
        const BYTES: usize = BLOCK + BLOCK / GROUP * 8;
        const GROUP: usize = GROUP;
        const WIDE: bool = WIDE;
        const OFFSET: Option<i32> = if OFFSET == 0 { None } else { Some(OFFSET) };

        fn unpack(blocks: &[u8], span: &mut Span) {
            assert!(!blocks.is_empty() && blocks.len().is_multiple_of(Self::BYTES));
            assert!(blocks.len() / Self::BYTES <= SPAN / BLOCK);
            *span = Span::ZERO;
            let mut group = 0;
            for (block, quants) in blocks.chunks_exact(Self::BYTES).zip(span.quants.chunks_exact_mut(BLOCK)) {
                quants.copy_from_slice(&block[..BLOCK]);
                for floats in block[BLOCK..].as_chunks().0.as_chunks::<2>().0 {
                    let [scale, min] = floats.map(f32::from_le_bytes);
                    span.scales[group] = scale;
                    span.mins[group] = if OFFSET == 0 { min } else { OFFSET as f32 * scale };
                    group += 1;
                }
            }
        }

        #[cfg(target_arch = "x86_64")]
        unsafe fn unpack_avx2(blocks: &[u8], span: &mut Span) {
            Self::unpack(blocks, span);
        }

        #[cfg(target_arch = "x86_64")]
        unsafe fn unpack_avx512(blocks: &[u8], span: &mut Span) {
            Self::unpack(blocks, span);
        }
    }

    /// A type, with a way to make blocks of it and to read them.
    struct Kind {
        kernels: Kernels,
        group: usize,
        most: u8,
        unpack: fn(&[u8], &mut Span),
    }

    impl Kind {
        const fn of<F: Format>() -> Self {
            Self {
                kernels: Kernels::of::<F>(),
                group: F::GROUP,
                most: if F::WIDE { 255 } else { 127 },
                unpack: F::unpack,
            }
        }

        fn random(&self, rng: &mut StdRng, rows: usize, columns: usize) -> Vec<u8> {
            let mut bytes = Vec::new();
            for _ in 0..rows * columns / self.kernels.block {
                bytes.extend((0..self.kernels.block).map(|_| rng.random_range(0..=self.most)));
                for _ in 0..self.kernels.block / self.group {
                    bytes.extend(rng.random_range(0.0..0.1_f32).to_le_bytes());
                    bytes.extend(rng.random_range(-1.0..10.0_f32).to_le_bytes());
                }
            }
            bytes
        }

        /// The weights of a row.
        fn row(&self, bytes: &[u8]) -> Vec<f64> {
            let mut weights = Vec::new();
            for blocks in bytes.chunks(SPAN / self.kernels.block * self.kernels.bytes) {
                let mut span = Span::ZERO;
                (self.unpack)(blocks, &mut span);
                let count = blocks.len() / self.kernels.bytes * self.kernels.block;
                weights.extend((0..count).map(|i| {
                    let (scale, min) = (span.scales[i / self.group], span.mins[i / self.group]);
                    f64::from(scale) * f64::from(span.quants[i]) - f64::from(min)
                }));
            }
            weights
        }
    }

    static KINDS: [Kind; 5] = [
        Kind::of::<Plain<32, 32, true, 0>>(),
        Kind::of::<Plain<32, 16, false, 0>>(),
        Kind::of::<Plain<256, 32, false, 16>>(),
        Kind::of::<Plain<256, 16, true, 128>>(),
        Kind::of::<Plain<256, 16, true, 0>>(),
    ];

    struct Case {
        kind: &'static Kind,
        tokens: usize,
        rows: usize,
        columns: usize,
        values: Vec<f32>,
        bytes: Vec<u8>,
    }

    impl Case {
        fn random(rng: &mut StdRng, kind: &'static Kind, tokens: usize) -> Self {
            let rows = rng.random_range(1..70);
            let block = kind.kernels.block;
            let columns = block * rng.random_range(1..=1100 / block);
            Self::new(rng, kind, tokens, rows, columns)
        }

        fn new(rng: &mut StdRng, kind: &'static Kind, tokens: usize, rows: usize, columns: usize) -> Self {
            let values = (0..tokens * columns).map(|_| rng.random_range(-1.0..1.0_f32)).collect();
            Self { kind, tokens, rows, columns, values, bytes: kind.random(rng, rows, columns) }
        }

        fn blocks(&self) -> Blocks<'_> {
            Blocks::with(&self.kind.kernels, self.rows, self.columns, &self.bytes).unwrap()
        }

        fn activations(&self, pool: &Pool, isa: Isa) -> Activations {
            let mut activations = Activations::new();
            activations.quantize(pool, isa, &self.values, self.columns);
            activations
        }

        fn product(&self, pool: &Pool, isa: Isa) -> Vec<f32> {
            let mut output = vec![f32::NAN; self.tokens * self.rows];
            let activations = self.activations(pool, isa);
            product(pool, isa, &mut [Job { activations: &activations, weights: self.blocks(), output: &mut output }]);
            output
        }

        /// Holds results against those of 64-bit floats: as close to those with the quantized values as 32-bit sums are, and
        /// to those with the values themselves as 8 bits are.
        fn check(&self, results: &[f32], activations: &Activations, context: &str) {
            let row_bytes = self.bytes.len() / self.rows;
            for (row, bytes) in self.bytes.chunks(row_bytes).enumerate() {
                let weights = self.kind.row(bytes);
                for token in 0..self.tokens {
                    let values = &self.values[token * self.columns..][..self.columns];
                    let (mut quantized, mut exact, mut size) = (0.0, 0.0, 0.0);
                    for (i, (weight, value)) in weights.iter().zip(values).enumerate() {
                        let span = &activations.span(i / SPAN)[token];
                        let rounded = f64::from(span.scales[i % SPAN / 32]) * f64::from(span.quants[i % SPAN]);
                        quantized += weight * rounded;
                        exact += weight * f64::from(*value);
                        // The terms that are added are those of scales and those of mins.
                        size += (weight.abs() + 10.0) * rounded.abs();
                    }
                    let result = f64::from(results[token * self.rows + row]);
                    let what = format!("{context}: row {row} of {}, token {token} of {}", self.rows, self.tokens);
                    assert!((result - quantized).abs() <= 2e-6 * size, "{what}: {result} for {quantized} ± {size}");
                    assert!((result - exact).abs() <= 5e-3 * size, "{what}: {result} for {exact} ± {size}");
                }
            }
        }
    }

    #[test]
    fn every_isa_multiplies_every_shape() {
        let (pool, mut rng) = (Pool::new(2), StdRng::seed_from_u64(1));
        for kind in &KINDS {
            for tokens in (1..10).chain([12, 13, 31, 40]) {
                let case = Case::random(&mut rng, kind, tokens);
                for isa in Isa::all() {
                    let results = case.product(&pool, isa);
                    let context = format!("{isa:?}, {} columns", case.columns);
                    case.check(&results, &case.activations(&pool, isa), &context);
                }
            }
        }
    }

    #[test]
    fn a_product_does_not_depend_on_threads_or_on_company() {
        let mut rng = StdRng::seed_from_u64(2);
        let pools = [Pool::new(1), Pool::new(2), Pool::new(3)];
        for isa in Isa::all() {
            // More rows and tokens than one task takes.
            let cases = [
                Case::new(&mut rng, &KINDS[0], 1, 700, 96),
                Case::new(&mut rng, &KINDS[1], 300, 33, 64),
                Case::new(&mut rng, &KINDS[2], 11, 70, 512),
                Case::new(&mut rng, &KINDS[3], 2, 1, 256),
            ];
            let results = pools.each_ref().map(|pool| {
                let activations = cases.each_ref().map(|case| case.activations(pool, isa));
                let mut outputs = cases.each_ref().map(|case| vec![f32::NAN; case.tokens * case.rows]);
                let mut jobs: Vec<Job> = cases
                    .iter()
                    .zip(&activations)
                    .zip(&mut outputs)
                    .map(|((case, activations), output)| Job { activations, weights: case.blocks(), output })
                    .collect();
                product(pool, isa, &mut jobs);
                outputs
            });
            assert_eq!(results[0], results[1], "{isa:?}");
            assert_eq!(results[0], results[2], "{isa:?}");
            for (case, results) in cases.iter().zip(&results[0]) {
                assert_eq!(*results, case.product(&pools[0], isa), "{isa:?}: alone and with other jobs");
            }
        }
    }

    #[test]
    fn a_token_is_multiplied_alike_in_every_batch() {
        let (pool, mut rng) = (Pool::new(2), StdRng::seed_from_u64(3));
        for kind in &KINDS {
            let batch = Case::new(&mut rng, kind, 13, 37, 768);
            for isa in Isa::all() {
                let together = batch.product(&pool, isa);
                for tokens in 1..batch.tokens {
                    let values = batch.values[..tokens * batch.columns].to_vec();
                    let case = Case { tokens, values, bytes: batch.bytes.clone(), ..batch };
                    case.check(&together[..tokens * batch.rows], &case.activations(&pool, isa), "of a batch");
                    for (some, all) in case.product(&pool, isa).iter().zip(&together) {
                        assert!((some - all).abs() <= 1e-5 * 768.0 * 10.0, "{isa:?}, {tokens} tokens: {some}, {all}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_no_number_gives_none() {
        let (pool, mut rng) = (Pool::new(1), StdRng::seed_from_u64(4));
        for (bad, tokens) in [(f32::NAN, 1), (f32::INFINITY, 3), (f32::NEG_INFINITY, 9), (-f32::NAN, 30)] {
            for kind in &KINDS {
                let mut case = Case::random(&mut rng, kind, tokens);
                let at = rng.random_range(0..case.values.len());
                case.values[at] = bad;
                for isa in Isa::all() {
                    for (i, result) in case.product(&pool, isa).iter().enumerate() {
                        let poisoned = i / case.rows == at / case.columns;
                        assert_eq!(result.is_nan(), poisoned, "{isa:?}, {bad}: {result}");
                    }
                }
            }
        }
    }

    #[test]
    fn every_type_of_block_is_multiplied() {
        let (pool, mut rng) = (Pool::new(2), StdRng::seed_from_u64(5));
        for dtype in types() {
            let tail = dtype.block_size() % SPAN;
            for (tokens, rows, columns) in [(1, 5, SPAN), (3, 18, 4 * SPAN + tail), (17, 35, 2 * SPAN + tail)] {
                let mut floats = |count| (0..count).map(|_| rng.random_range(-1.0..1.0)).collect::<Vec<f32>>();
                let weights = Tensor::from_vec(floats(rows * columns), (rows, columns), &Device::Cpu).unwrap();
                let weights = QTensor::quantize(&weights, dtype).unwrap().data().unwrap().into_owned();
                let values = floats(tokens * columns);
                let mut unpacked = vec![0.0; rows * columns];
                for (blocks, weights) in weights.chunks(weights.len() / rows).zip(unpacked.chunks_mut(columns)) {
                    dequantize(dtype, blocks, weights).unwrap();
                }
                for isa in Isa::all() {
                    let mut activations = Activations::new();
                    activations.quantize(&pool, isa, &values, columns);
                    let mut output = vec![f32::NAN; tokens * rows];
                    let weights = Blocks::new(dtype, rows, columns, &weights).unwrap();
                    product(&pool, isa, &mut [Job { activations: &activations, weights, output: &mut output }]);
                    for (results, values) in output.chunks(rows).zip(values.chunks(columns)) {
                        for (result, weights) in results.iter().zip(unpacked.chunks(columns)) {
                            let terms = weights.iter().zip(values).map(|(w, x)| f64::from(*w) * f64::from(*x));
                            let (sum, size) = terms.fold((0.0, 0.0), |(sum, size), x| (sum + x, size + x.abs()));
                            assert!(
                                (f64::from(*result) - sum).abs() <= 5e-3 * size,
                                "{dtype:?}, {isa:?}: {result}, {sum}"
                            );
                        }
                    }
                }
            }
        }
    }

    #[cfg(unix)]
    #[test]
    fn nothing_behind_the_weights_is_read() {
        use crate::guarded::Guarded;
        let (pool, mut rng) = (Pool::new(2), StdRng::seed_from_u64(6));
        for kind in &KINDS {
            for tokens in [1, 3, 20] {
                let case = Case::random(&mut rng, kind, tokens);
                let expected = Isa::all().map(|isa| case.product(&pool, isa));
                let mut guarded = Guarded::new(case.bytes.len());
                let bytes = guarded.at_end(&case.bytes);
                for (isa, expected) in Isa::all().zip(expected) {
                    let weights = Blocks::with(&case.kind.kernels, case.rows, case.columns, bytes).unwrap();
                    let activations = case.activations(&pool, isa);
                    let mut output = vec![f32::NAN; case.tokens * case.rows];
                    product(&pool, isa, &mut [Job { activations: &activations, weights, output: &mut output }]);
                    assert_eq!(output, expected, "{isa:?}");
                }
            }
        }
    }

    #[test]
    fn bytes_that_are_no_matrix_are_refused() {
        let refused = |dtype, rows, columns, bytes| Blocks::new(dtype, rows, columns, &vec![0; bytes]).unwrap_err();
        assert_eq!(refused(GgmlDType::F16, 1, 32, 64), BlocksError::Type(GgmlDType::F16));
        assert_eq!(refused(GgmlDType::Q4K, 1, 128, 72), BlocksError::Columns { columns: 128, block: 256 });
        assert_eq!(refused(GgmlDType::Q8_0, 1, 0, 0), BlocksError::Columns { columns: 0, block: 32 });
        assert_eq!(refused(GgmlDType::Q8_0, 2, 32, 67), BlocksError::Bytes { bytes: 67, rows: 2, columns: 32 });
        let most = usize::MAX / 32 * 32;
        assert_eq!(refused(GgmlDType::Q8_0, 9, most, 0), BlocksError::Bytes { bytes: 0, rows: 9, columns: most });
    }

    #[test]
    fn nothing_is_multiplied_where_there_is_nothing() {
        let pool = Pool::new(2);
        let mut activations = Activations::new();
        product(&pool, Isa::best(), &mut []);
        activations.quantize(&pool, Isa::best(), &[], 32);
        let weights = Blocks::new(GgmlDType::Q8_0, 1, 32, &[0; 34]).unwrap();
        product(&pool, Isa::best(), &mut [Job { activations: &activations, weights, output: &mut [] }]);
        activations.quantize(&pool, Isa::best(), &[1.0; 32], 32);
        let weights = Blocks::new(GgmlDType::Q8_0, 0, 32, &[]).unwrap();
        product(&pool, Isa::best(), &mut [Job { activations: &activations, weights, output: &mut [] }]);
    }
}
