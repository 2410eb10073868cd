//! How fast the host's kernels multiply and quantize: `cargo bench --bench kernels -- [ROWS COLUMNS]`.
//!
//! Weights of 256 MB in all, so that no cache holds them. Each figure is the best of several passes over them: what the
//! kernel does when nobody else uses the machine. All threads take part.

#![allow(
    unreachable_pub,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "no part of the program: what goes wrong here ends it"
)]

use std::hint::black_box;
use std::time::Duration;

use bench::acquire::synthetic;
use bench::clock::{Clock, SystemClock};
use bench::cpu::bytes::Buffer;
use bench::cpu::matrix::{HostMatrix, products};
use bench::cpu::pool::Pool;
use bench::cpu::quantize::{Numbers, quantize};
use candle_core::DType;
use candle_core::quantized::GgmlDType;

const TYPES: [GgmlDType; 8] = [
    GgmlDType::Q4_0,
    GgmlDType::Q8_0,
    GgmlDType::Q4K,
    GgmlDType::Q5K,
    GgmlDType::Q6K,
    GgmlDType::BF16,
    GgmlDType::F16,
    GgmlDType::F32,
];
const TOKENS: [usize; 5] = [1, 4, 32, 128, 512];

/// How much is measured. Quick, to see that it works, unless `cargo bench` asks: `cargo test --all-targets` runs benches
/// too, without `--bench`.
struct Effort {
    bytes: usize,
    passes: usize,
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let numbers: Vec<usize> = args.iter().filter_map(|arg| arg.parse().ok()).collect();
    let (effort, shape) = match (args.iter().any(|arg| arg == "--bench"), numbers.as_slice()) {
        (true, [rows, columns]) => (Effort { bytes: 256 << 20, passes: 5 }, (*rows, *columns)),
        (true, _) => (Effort { bytes: 256 << 20, passes: 5 }, (4096, 4096)),
        (false, _) => (Effort { bytes: 0, passes: 1 }, (32, 256)),
    };
    println!("{} threads, matrices of {} x {}", Pool::global().threads(), shape.0, shape.1);
    println!(
        "\n| type | 1 token, GB/s | 4 tokens, GMAC/s | 32 tokens | 128 tokens | 512 tokens |\n|---|--:|--:|--:|--:|--:|"
    );
    for dtype in TYPES {
        multiply(dtype, shape, &effort);
    }
    println!("\n| from bf16, one thread | million weights a second |\n|---|--:|");
    for dtype in &TYPES[..5] {
        quantizing(*dtype, &effort);
    }
}

fn multiply(dtype: GgmlDType, (rows, columns): (usize, usize), effort: &Effort) {
    let size = rows * columns / dtype.block_size() * dtype.type_size();
    let matrix = |seed| {
        let mut buffer = Buffer::zeroed(size).expect("memory");
        synthetic::fill(dtype, &mut buffer, seed);
        HostMatrix::new(dtype, rows, columns, buffer.into()).expect("a matrix")
    };
    let matrices: Vec<HostMatrix> = (0..(effort.bytes / size).max(1) as u64).map(matrix).collect();
    let figures = TOKENS.map(|tokens| {
        let x: Vec<f32> = (0..tokens * columns).map(|at| (at % 17) as f32 / 8.0 - 1.0).collect();
        let time = best(effort.passes, || {
            for matrix in &matrices {
                black_box(products(&x, &[matrix]).expect("a product"));
            }
        });
        let each = time.as_secs_f64() / matrices.len() as f64;
        let done = if tokens == 1 { size } else { tokens * rows * columns };
        format!("{:.1}", done as f64 / each / 1e9)
    });
    println!("| {dtype:?} | {} |", figures.join(" | "));
}

fn quantizing(dtype: GgmlDType, effort: &Effort) {
    const COUNT: usize = 1 << 17;
    let mut numbers = vec![0; COUNT * 2];
    synthetic::fill(GgmlDType::BF16, &mut numbers, 1);
    let mut blocks = vec![0; COUNT / dtype.block_size() * dtype.type_size()];
    let time = best(20 * effort.passes, || {
        quantize(dtype, Numbers::new(DType::BF16, &numbers).expect("numbers"), black_box(&mut blocks));
    });
    println!("| {dtype:?} | {:.0} |", COUNT as f64 / time.as_secs_f64() / 1e6);
}

fn best(passes: usize, mut pass: impl FnMut()) -> Duration {
    let clock = SystemClock::new();
    let time = |_| {
        let start = clock.now();
        pass();
        clock.now() - start
    };
    (0..passes).map(time).min().unwrap_or_default()
}
