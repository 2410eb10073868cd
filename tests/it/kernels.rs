//! The kernels of a decode step one by one, against the same in float64.

use bench::cpu::bytes::Buffer;
use bench::cpu::ggml;
use bench::cpu::matrix::{HostMatrix, products};
use bench::cpu::quantized::dequantize::dequantize;
use bench::gpu::Launch;
use bench::gpu::params::{Attend, Embed, Gather, Norm, Pick, Product, Quantized, Residual, Weights};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};
use half::{bf16, f16};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::support::emulator::Emulator;

pub fn run(launches: &[Launch]) {
    // SAFETY: the addresses in this file are of vectors of the lengths that the parameters say.
    unsafe { Emulator::run(launches) };
}

pub fn place<T>(numbers: &[T]) -> u64 {
    numbers.as_ptr().addr() as u64
}

pub fn random(rng: &mut StdRng, count: usize) -> Vec<f32> {
    (0..count).map(|_| rng.random_range(-1.0..1.0)).collect()
}

/// Random weights as they are stored, and what they stand for.
fn weights(rng: &mut StdRng, kind: GgmlDType, count: usize) -> (Vec<u8>, Vec<f32>) {
    let numbers = random(rng, count);
    let dense = |bytes: Vec<Vec<u8>>, values| (bytes.concat(), values);
    match kind {
        GgmlDType::F32 => dense(numbers.iter().map(|x| x.to_le_bytes().to_vec()).collect(), numbers),
        GgmlDType::F16 => {
            let halves: Vec<f16> = numbers.iter().map(|x| f16::from_f32(*x)).collect();
            dense(
                halves.iter().map(|x| x.to_le_bytes().to_vec()).collect(),
                halves.iter().map(|x| x.to_f32()).collect(),
            )
        }
        GgmlDType::BF16 => {
            let halves: Vec<bf16> = numbers.iter().map(|x| bf16::from_f32(*x)).collect();
            dense(
                halves.iter().map(|x| x.to_le_bytes().to_vec()).collect(),
                halves.iter().map(|x| x.to_f32()).collect(),
            )
        }
        block => {
            let numbers = Tensor::from_vec(numbers, count, &Device::Cpu).unwrap();
            let blocks = QTensor::quantize(&numbers, block).unwrap().data().unwrap().into_owned();
            let mut values = vec![0.0; count];
            dequantize(block, &blocks, &mut values).unwrap();
            (blocks, values)
        }
    }
}

/// A row in eight bits, made by the kernel that norms, without a norm.
struct Row {
    numbers: Vec<f32>,
    quants: Vec<i8>,
    scales: Vec<f32>,
    sums: Vec<f32>,
}

impl Row {
    fn empty(columns: usize) -> Self {
        Self {
            numbers: vec![f32::NAN; columns],
            quants: vec![0; columns],
            scales: vec![f32::NAN; columns.div_ceil(32)],
            sums: vec![f32::NAN; columns.div_ceil(16)],
        }
    }

    fn of(x: &[f32]) -> Self {
        let mut row = Self::empty(x.len());
        let quantized = if x.len().is_multiple_of(32) { row.quantized() } else { Quantized::default() };
        run(&[Launch::new(Residual {
            x: place(x),
            out: row.out(),
            quantized,
            columns: x.len() as u32,
            ..Residual::default()
        })]);
        row
    }

    fn out(&mut self) -> u64 {
        self.numbers.as_mut_ptr().addr() as u64
    }

    fn quantized(&mut self) -> Quantized {
        Quantized {
            quants: self.quants.as_mut_ptr().addr() as u64,
            scales: self.scales.as_mut_ptr().addr() as u64,
            sums: self.sums.as_mut_ptr().addr() as u64,
        }
    }

    /// What the eight bits stand for.
    fn rounded(&self) -> Vec<f32> {
        self.quants.iter().enumerate().map(|(at, quant)| f32::from(*quant) * self.scales[at / 32]).collect()
    }
}

#[test]
fn a_row_is_quantized_as_on_the_cpu() {
    let mut rng = StdRng::seed_from_u64(1);
    let mut x = random(&mut rng, 320);
    x[64..96].fill(0.0);
    x[100] = 1000.0;
    x[130] = 1e-42;
    x[131..160].fill(0.0);
    let row = Row::of(&x);
    for (group, numbers) in x.chunks(32).enumerate() {
        let largest = numbers.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
        let scale = largest / 127.0;
        assert_eq!(row.scales[group], scale);
        for (at, number) in numbers.iter().enumerate() {
            let quant = f32::from(row.quants[32 * group + at]);
            assert!((quant * scale - number).abs() <= 0.5001 * scale, "{number} became {quant} times {scale}");
        }
        for half in 0..2 {
            let sum: i32 = row.quants[32 * group + 16 * half..][..16].iter().map(|quant| i32::from(*quant)).sum();
            assert_eq!(row.sums[2 * group + half], sum as f32 * scale);
        }
    }
}

/// The sum, and the sum of magnitudes, which rounding is in proportion to.
fn dot(weights: &[f32], x: &[f32]) -> (f64, f64) {
    let products = || weights.iter().zip(x).map(|(w, x)| f64::from(*w) * f64::from(*x));
    (products().sum(), products().map(f64::abs).sum())
}

#[test]
fn products_with_every_type_of_weight_are_those_of_float64() {
    let mut rng = StdRng::seed_from_u64(2);
    for kind in ggml::WEIGHTS {
        let block = kind.block_size();
        // Fewer groups than lanes, more, odd rows, and widths that are no whole reads.
        let shapes: &[(usize, usize)] = if block == 1 {
            &[(5, 24), (33, 1000), (2, 7), (17, 1036)]
        } else {
            &[(5, block), (33, 5 * block), (4, 1280)]
        };
        for &(rows, columns) in shapes {
            let (bytes, values) = weights(&mut rng, kind, rows * columns);
            let bias = random(&mut rng, rows);
            let mut x = Row::of(&random(&mut rng, columns));
            let mut y = vec![f32::NAN; rows + 1];
            let matrix =
                Weights { bytes: place(&bytes), bias: place(&bias), kind: ggml::number(kind), rows: rows as u32 };
            let product = Product {
                weights: [matrix, Weights::default(), Weights::default()],
                x: place(&x.numbers),
                quantized: x.quantized(),
                y: y.as_mut_ptr().addr() as u64,
                columns: columns as u32,
                count: 1,
                ..Product::default()
            };
            run(&[Launch::new(product)]);
            assert!(y[rows].is_nan(), "{kind:?}: written beyond the end");
            let input = if block == 1 { x.numbers.clone() } else { x.rounded() };
            for row in 0..rows {
                let (exact, size) = dot(&values[row * columns..][..columns], &input);
                let error = (f64::from(y[row]) - f64::from(bias[row]) - exact).abs();
                // The mins of K-quants are taken off at the end, from sums that are larger than what is left.
                assert!(
                    error <= 4e-6 * (size + 1.0),
                    "{kind:?}, {rows} x {columns}: {} for {exact} in row {row}",
                    y[row]
                );
            }
            // And it is what the CPU's kernels make of the same numbers.
            let mut buffer = Buffer::zeroed(bytes.len()).unwrap();
            buffer.copy_from_slice(&bytes);
            let host = HostMatrix::new(kind, rows, columns, buffer.into()).unwrap();
            let theirs = products(&x.numbers, &[&host]).unwrap().swap_remove(0);
            for (row, theirs) in theirs.iter().enumerate() {
                let size = dot(&values[row * columns..][..columns], &input).1;
                let error = f64::from((y[row] - bias[row] - theirs).abs());
                assert!(error <= 1e-5 * (size + 1.0), "{kind:?}: {} for the CPU's {theirs}", y[row]);
            }
        }
    }
}

#[test]
fn results_of_several_matrices_follow_one_another() {
    let mut rng = StdRng::seed_from_u64(3);
    let mut x = Row::of(&random(&mut rng, 256));
    // Odd ones leave half a pair of rows.
    let rows = [37, 3, 50];
    let stored = rows.map(|rows| weights(&mut rng, GgmlDType::Q4K, rows * 256));
    let mut places = stored.iter().zip(rows).map(|((bytes, _), rows)| Weights {
        bytes: place(bytes),
        bias: 0,
        kind: 12,
        rows: rows as u32,
    });
    let weights = [0; 3].map(|_| places.next().unwrap());
    let mut y = vec![f32::NAN; 90];
    let product = Product {
        weights,
        x: place(&x.numbers),
        quantized: x.quantized(),
        y: y.as_mut_ptr().addr() as u64,
        columns: 256,
        count: 3,
        softcap: 5.0,
        ..Product::default()
    };
    run(&[Launch::new(product)]);
    let exact = stored.iter().flat_map(|(_, values)| values.chunks(256)).map(|row| dot(row, &x.rounded()).0);
    let exact: Vec<f64> = exact.map(|dot| 5.0 * (dot / 5.0).tanh()).collect();
    assert_eq!(exact.len(), y.len());
    for (at, (found, exact)) in y.iter().zip(exact).enumerate() {
        assert!((f64::from(*found) - exact).abs() < 1e-4, "{found} for {exact} at {at}");
    }
}

#[test]
fn an_activated_product_is_quantized_for_the_next() {
    let mut rng = StdRng::seed_from_u64(4);
    let (columns, rows) = (64, 96);
    type Function = fn(f64) -> f64;
    let functions: [(u32, Function); 3] = [
        (1, |x| x / (1.0 + (-x).exp())),
        (2, |x| 0.5 * x * (1.0 + erf(x / std::f64::consts::SQRT_2))),
        (3, |x| 0.5 * x * (1.0 + (0.797_884_560_802_865_4 * (x + 0.044_715 * x * x * x)).tanh())),
    ];
    for (activation, function) in functions {
        for count in [1, 2] {
            let ((gate, gates), (up, ups)) =
                (weights(&mut rng, GgmlDType::F16, rows * columns), weights(&mut rng, GgmlDType::F16, rows * columns));
            let x = Row::of(&random(&mut rng, columns));
            let of = |bytes: &[u8]| Weights { bytes: place(bytes), bias: 0, kind: 1, rows: rows as u32 };
            let mut out = Row::empty(rows);
            let product = Product {
                weights: [of(&gate), of(&up), Weights::default()],
                x: place(&x.numbers),
                y: out.out(),
                out: out.quantized(),
                columns: columns as u32,
                count,
                activation,
                ..Product::default()
            };
            run(&[Launch::new(product)]);
            for row in 0..rows {
                let of = |values: &[f32]| dot(&values[row * columns..][..columns], &x.numbers).0;
                let exact = function(of(&gates)) * if count == 2 { of(&ups) } else { 1.0 };
                assert!((f64::from(out.numbers[row]) - exact).abs() < 1e-5 * (1.0 + exact.abs()));
            }
            let again = Row::of(&out.numbers);
            assert_eq!((out.quants, out.scales, out.sums), (again.quants, again.scales, again.sums));
        }
    }
}

/// Abramowitz and Stegun 7.1.5: the series, which converges everywhere.
pub fn erf(x: f64) -> f64 {
    let mut term = x;
    let mut sum = x;
    for n in 1..200 {
        term *= -x * x / f64::from(n);
        sum += term / f64::from(2 * n + 1);
    }
    2.0 / std::f64::consts::PI.sqrt() * sum
}

#[test]
fn what_is_added_to_the_stream_is_normed_before_and_after() {
    let mut rng = StdRng::seed_from_u64(5);
    for columns in [8, 1000, 4096 + 32] {
        for layer in [0, 1] {
            let [before, y, z, post, post_bias, pre, pre_bias] = [0; 7].map(|_| random(&mut rng, columns));
            let mut x = before.clone();
            let mut out = Row::empty(columns);
            let norm = |scale: &[f32], bias: &[f32]| Norm {
                scale: place(scale),
                bias: if layer == 1 { place(bias) } else { 0 },
                epsilon: 1e-5,
                layer,
            };
            let residual = Residual {
                x: x.as_mut_ptr().addr() as u64,
                y: place(&y),
                z: place(&z),
                post: norm(&post, &post_bias),
                pre: norm(&pre, &pre_bias),
                out: out.out(),
                columns: columns as u32,
                ..Residual::default()
            };
            run(&[Launch::new(residual)]);
            let normed = |x: &[f64], scale: &[f32], bias: &[f32]| -> Vec<f64> {
                let mean = if layer == 1 { x.iter().sum::<f64>() / columns as f64 } else { 0.0 };
                let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / columns as f64;
                let one = |(at, x): (usize, &f64)| {
                    (x - mean) / (variance + 1e-5).sqrt() * f64::from(scale[at])
                        + if layer == 1 { f64::from(bias[at]) } else { 0.0 }
                };
                x.iter().enumerate().map(one).collect()
            };
            let wide = |x: &[f32]| -> Vec<f64> { x.iter().map(|x| f64::from(*x)).collect() };
            let branch = normed(&wide(&y), &post, &post_bias);
            let stream: Vec<f64> =
                before.iter().zip(&branch).zip(&z).map(|((x, y), z)| f64::from(*x) + y + f64::from(*z)).collect();
            for (found, expected) in [(&x, stream.clone()), (&out.numbers, normed(&stream, &pre, &pre_bias))] {
                for (found, expected) in found.iter().zip(expected) {
                    assert!((f64::from(*found) - expected).abs() < 1e-5, "{columns}, {layer}: {found} for {expected}");
                }
            }
        }
    }
}

#[test]
fn an_embedding_is_the_row_of_its_token() {
    let mut rng = StdRng::seed_from_u64(6);
    for kind in ggml::WEIGHTS {
        let block = kind.block_size();
        let columns = if block == 1 { 70 } else { 2 * block };
        let (bytes, values) = weights(&mut rng, kind, 5 * columns);
        let state = [3_u32, 0, 0, 0];
        let mut x = vec![f32::NAN; columns];
        let embed = Embed {
            table: place(&bytes),
            state: place(&state),
            x: x.as_mut_ptr().addr() as u64,
            kind: ggml::number(kind),
            columns: columns as u32,
            scale: 2.0,
            unused: 0,
        };
        run(&[Launch::new(embed)]);
        for (found, value) in x.iter().zip(&values[3 * columns..]) {
            assert!((found - 2.0 * value).abs() <= 1e-6, "{kind:?}: {found} for twice {value}");
        }
    }
}

#[test]
fn the_largest_logit_is_picked_and_what_is_no_number_before_it() {
    let pick = |logits: &[f32]| {
        let mut state = [7_u32, 40, 0, 0];
        let pick = Pick {
            logits: place(logits),
            state: state.as_mut_ptr().addr() as u64,
            count: logits.len() as u32,
            unused: 0,
        };
        run(&[Launch::new(pick)]);
        assert_eq!((state[0], state[1]), (state[2], 41));
        (state[2], f32::from_bits(state[3]))
    };
    let mut logits: Vec<f32> = (0..5000).map(|at| ((at * 7919) % 4999) as f32).collect();
    let most = (0..5000).rev().max_by(|a, b| logits[*a].total_cmp(&logits[*b])).unwrap();
    assert_eq!(pick(&logits), (most as u32, 4998.0));
    // Of equals the first, wherever they are.
    for at in [4900, 1030, 33, 6] {
        logits[at] = 9000.0;
        assert_eq!(pick(&logits), (at as u32, 9000.0));
    }
    logits[2000] = f32::NAN;
    let (id, logit) = pick(&logits);
    assert!(id == 2000 && logit.is_nan());
    assert_eq!(pick(&[f32::NEG_INFINITY; 3]), (0, f32::NEG_INFINITY));
    assert_eq!(pick(&[-3.0]), (0, -3.0));
}

/// One token's attention, as its kernels and as float64 have it.
struct Case {
    heads: usize,
    kv_heads: usize,
    dim: usize,
    position: usize,
    window: usize,
    splits: usize,
    softcap: f32,
    half: bool,
}

impl Case {
    fn check(&self, rng: &mut StdRng) {
        let Self { heads, kv_heads, dim, position, .. } = *self;
        let capacity = position + 3;
        let [queries, key, value] = [heads, kv_heads, kv_heads].map(|count| random(rng, count * dim));
        let [past_keys, past_values] = [0; 2].map(|_| random(rng, kv_heads * capacity * dim));
        let narrow = |x: &[f32]| -> Vec<f16> { x.iter().map(|x| f16::from_f32(*x)).collect() };
        let (mut keys, mut values) = (past_keys.clone(), past_values.clone());
        let (mut half_keys, mut half_values) = (narrow(&keys), narrow(&values));
        let caches = if self.half {
            [half_keys.as_mut_ptr().addr(), half_values.as_mut_ptr().addr()]
        } else {
            [keys.as_mut_ptr().addr(), values.as_mut_ptr().addr()]
        };
        let state = [0, position as u32, 0, 0];
        let partial = vec![f32::NAN; heads * self.splits * (dim + 2)];
        let mut out = Row::empty(heads * dim);
        let scale = 1.0 / (dim as f32).sqrt();
        let attend = Attend {
            state: place(&state),
            queries: place(&queries),
            keys: place(&key),
            values: place(&value),
            key_cache: caches[0] as u64,
            value_cache: caches[1] as u64,
            partial: place(&partial),
            heads: heads as u32,
            kv_heads: kv_heads as u32,
            dim: dim as u32,
            capacity: capacity as u32,
            window: self.window as u32,
            splits: self.splits as u32,
            half: u32::from(self.half),
            scale,
            softcap: self.softcap,
            ..Attend::default()
        };
        let gather = Gather {
            partial: place(&partial),
            out: out.out(),
            heads: heads as u32,
            dim: dim as u32,
            splits: self.splits as u32,
            ..Gather::default()
        };
        let group = heads / kv_heads;
        run(&[Launch::new(attend), Launch::new(gather)]);

        let stored = |x: f32| f64::from(if self.half { f16::from_f32(x).to_f32() } else { x });
        let number = |past: &[f32], new: &[f32], head: usize, at: usize, i: usize| {
            stored(if at == position { new[head * dim + i] } else { past[(head * capacity + at) * dim + i] })
        };
        let from = if self.window > 0 { (position + 1).saturating_sub(self.window) } else { 0 };
        for head in 0..heads {
            let kv_head = head / group;
            let score = |at: usize| {
                let dot: f64 = (0..dim)
                    .map(|i| f64::from(queries[head * dim + i]) * number(&past_keys, &key, kv_head, at, i))
                    .sum::<f64>()
                    * f64::from(scale);
                let cap = f64::from(self.softcap);
                if cap > 0.0 { cap * (dot / cap).tanh() } else { dot }
            };
            let weights: Vec<f64> = (from..=position).map(|at| score(at).exp()).collect();
            let sum: f64 = weights.iter().sum();
            for i in 0..dim {
                let of = |(weight, at): (&f64, usize)| weight * number(&past_values, &value, kv_head, at, i);
                let expected = weights.iter().zip(from..).map(of).sum::<f64>() / sum;
                let found = f64::from(out.numbers[head * dim + i]);
                assert!((found - expected).abs() < 2e-6, "{found} for {expected} of head {head}, number {i}");
            }
        }
        // The caches have the new key and value, and are otherwise as they were.
        for head in 0..kv_heads {
            for (at, i) in (0..capacity).flat_map(|at| (0..dim).map(move |i| (at, i))) {
                let place = (head * capacity + at) * dim + i;
                let found = if self.half {
                    [half_keys[place].to_f32(), half_values[place].to_f32()]
                } else {
                    [keys[place], values[place]]
                };
                let expected =
                    [number(&past_keys, &key, head, at, i) as f32, number(&past_values, &value, head, at, i) as f32];
                assert_eq!(found, expected);
            }
        }
    }
}

#[test]
fn attention_is_that_of_float64_whatever_the_heads() {
    let mut rng = StdRng::seed_from_u64(7);
    let plain = Case { heads: 4, kv_heads: 2, dim: 64, position: 70, window: 0, splits: 3, softcap: 0.0, half: false };
    let cases = [
        // Heads of every width that lanes share, and of odd ones.
        Case { dim: 8, ..plain },
        Case { dim: 80, half: true, ..plain },
        Case { dim: 96, ..plain },
        Case { dim: 128, half: true, ..plain },
        Case { dim: 192, ..plain },
        Case { dim: 256, half: true, ..plain },
        // Groups of one, of seven, of more than a block takes.
        Case { heads: 3, kv_heads: 3, ..plain },
        Case { heads: 14, kv_heads: 2, ..plain },
        Case { heads: 18, kv_heads: 2, half: true, dim: 32, ..plain },
        // The first token, fewer positions than shares, and more.
        Case { position: 0, splits: 16, ..plain },
        Case { position: 5, splits: 16, ..plain },
        Case { position: 200, splits: 1, dim: 16, ..plain },
        // Windows that hide something, everything but the token, and nothing.
        Case { window: 33, ..plain },
        Case { window: 1, ..plain },
        Case { window: 500, ..plain },
        Case { softcap: 0.5, window: 20, ..plain },
    ];
    for case in cases {
        case.check(&mut rng);
    }
}
