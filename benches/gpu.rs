//! The engine on a GPU beside what the GPU can do at the most, in one command:
//!
//! ```sh
//! cargo bench --features cuda --bench gpu                 # or the built program itself, on another machine
//! cargo bench --features cuda --bench gpu -- llama-3-8b q4_k
//! ```
//!
//! It measures the GPU's bandwidth with a plain copy and its rate of bf16 products with one large one, then models of random
//! weights at their real shapes: loading, a prompt of 2,048 tokens, decoding behind few tokens and behind 900. At last a small
//! model in float32 answers on the GPU and on the CPU. Shares are of what was measured in the same minutes. Every figure is the
//! median of several, and every wait is for the GPU.

#![allow(
    unreachable_pub,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "no part of the program: what goes wrong here ends it"
)]

use std::error::Error;
use std::hint::black_box;
use std::time::Duration;

use bench::acquire::{Checkpoint, Stamps, Weights, synthetic};
use bench::catalog::Quantization;
use bench::clock::{Clock, SystemClock};
use bench::engine::candle::{CandleEngine, Decoder, Logits, device};
use bench::engine::{Engine, Input, Observer, Request, Sampling};
use bench::quantile::median;
use bench::record::CheckpointFacts;
use bench::spec::{Config, Inventory};
use candle_core::{DType, Device, Tensor};
use serde_json::json;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Shapes, and the precisions that each is measured in.
const MODELS: [(&str, &str); 2] =
    [("llama-3-8b", "meta-llama/Meta-Llama-3-8B-Instruct"), ("mistral-7b-v0.3", "mistralai/Mistral-7B-Instruct-v0.3")];
const PRECISIONS: [Quantization; 3] = [Quantization::Bf16, Quantization::Q8_0, Quantization::Q4K];
const PROMPT: usize = 2048;
const DECODED: usize = 64;
const SEED: u64 = 1;

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let clock = SystemClock::new();
    let gpu = device("cuda")?;
    let (bandwidth, rate) = (bandwidth(&clock, &gpu)?, products(&clock, &gpu)?);
    println!("plain copy: {:.2} TB/s; bf16 products: {:.0} TFLOP/s", bandwidth / 1e12, rate / 1e12);
    println!();
    println!(
        "| model | weights | load, s | kernels of a step | prefill of {PROMPT}, tokens/s | of the products' rate | decode, tokens/s | of the bandwidth | decode behind 900 | of the bandwidth |"
    );
    println!("|---|---|--:|--:|--:|--:|--:|--:|--:|--:|");
    for (name, shape) in MODELS {
        for precision in PRECISIONS {
            let wanted = |word: &String| word == name || word == precision.name();
            if words.is_empty() || words.iter().all(wanted) {
                let limits = (bandwidth, rate);
                println!("{}", row(&clock, &gpu, (name, shape), precision, limits)?);
            }
        }
    }
    println!();
    println!("{}", same_answer(&gpu)?);
    Ok(())
}

fn row(
    clock: &SystemClock,
    gpu: &Device,
    (name, shape): (&str, &str),
    precision: Quantization,
    (bandwidth, rate): (f64, f64),
) -> Result<String> {
    let start = clock.now();
    let mut engine = CandleEngine::load(synthetic::open(shape, SEED)?, Some(precision), gpu, &mut |_| {})?;
    let load = seconds(clock, start);
    let spec = engine.spec();
    let (vocabulary, held) = (spec.vocabulary as u32, engine.precision().to_owned());
    // What a token multiplies with, and what is read for it: of the embedding one row.
    let inventory = Inventory::of(spec);
    let embedding = if spec.tied_embeddings { 0 } else { (spec.vocabulary * spec.hidden) as u64 };
    let multiplied = inventory.parameters() - embedding;
    let bytes = engine.weights_bytes() as f64 * multiplied as f64 / inventory.parameters() as f64;
    let cache = engine.kv_bytes_per_token() as f64;
    let distrust = engine.distrust().map(str::to_owned);
    let decoder = engine.decoder();

    let prompt: Vec<u32> = (0..PROMPT as u32).map(|at| (at * 7919 + 13) % vocabulary).collect();
    let prefill = several(5, || {
        decoder.reset(&[PROMPT])?;
        let start = clock.now();
        black_box(decoder.forward(&[&prompt], Logits::Last)?);
        gpu.synchronize()?;
        Ok(seconds(clock, start))
    })?;
    let operations = 2.0 * multiplied as f64 * PROMPT as f64;
    let few = decoded(clock, decoder, &prompt[..8])?;
    let many = decoded(clock, decoder, &prompt[..900])?;
    let share = |seconds: f64, context: f64| (bytes + cache * context) / seconds / bandwidth;
    let kernels = decoder.launches().map_or("candle's".into(), |count| count.to_string());
    let note = distrust.map(|why| format!(" ({why})")).unwrap_or_default();
    Ok(format!(
        "| {name} | {held}{note} | {load:.1} | {kernels} | {:.0} | {:.0} % | {:.1} | {:.0} % | {:.1} | {:.0} % |",
        PROMPT as f64 / prefill,
        100.0 * operations / prefill / rate,
        1.0 / few,
        100.0 * share(few, 8.0 + DECODED as f64 / 2.0),
        1.0 / many,
        100.0 * share(many, 900.0 + DECODED as f64 / 2.0),
    ))
}

/// Seconds of a step behind a prompt, each with the greedy choice known on the host.
fn decoded(clock: &SystemClock, decoder: &mut Decoder, prompt: &[u32]) -> Result<f64> {
    several(5, || {
        decoder.reset(&[prompt.len() + DECODED])?;
        let logits = decoder.forward(&[prompt], Logits::Last)?;
        let mut id = logits.argmax(1)?.to_vec1::<u32>()?[0];
        let start = clock.now();
        for _ in 0..DECODED {
            let next = decoder.next(id)?;
            id = match next.likeliest {
                Some((id, _)) => id,
                None => next.logits.argmax(1)?.to_vec1::<u32>()?[0],
            };
        }
        Ok(seconds(clock, start) / DECODED as f64)
    })
}

/// Bytes a second that a plain copy reads and writes.
fn bandwidth(clock: &SystemClock, gpu: &Device) -> Result<f64> {
    let bytes: usize = 1 << 30;
    // Not zeros.
    let from = Tensor::arange(0u32, (bytes / 4) as u32, gpu)?;
    let to = Tensor::zeros(bytes / 4, DType::U32, gpu)?;
    let seconds = several(20, || {
        gpu.synchronize()?;
        let start = clock.now();
        to.slice_set(&from, 0, 0)?;
        gpu.synchronize()?;
        Ok(seconds(clock, start))
    })?;
    Ok(2.0 * bytes as f64 / seconds)
}

/// Operations a second of a product of two bf16 matrices.
fn products(clock: &SystemClock, gpu: &Device) -> Result<f64> {
    let side: usize = 8192;
    let matrix = || Tensor::randn(0f32, 1.0, (side, side), gpu)?.to_dtype(DType::BF16);
    let (a, b) = (matrix()?, matrix()?);
    let seconds = several(20, || {
        gpu.synchronize()?;
        let start = clock.now();
        black_box(a.matmul(&b.t()?)?);
        gpu.synchronize()?;
        Ok(seconds(clock, start))
    })?;
    Ok(2.0 * (side as f64).powi(3) / seconds)
}

/// The answers of a small model in float32 on the GPU and on the CPU.
fn same_answer(gpu: &Device) -> Result<String> {
    struct Silent;
    impl Observer for Silent {}
    let request = Request {
        input: Input::RandomTokens { count: 64, seed: SEED },
        max_new_tokens: 64,
        ignore_eos: true,
        sampling: Sampling::Greedy,
    };
    let answer = |device: &Device| -> Result<Vec<u32>> {
        let mut engine = CandleEngine::load(small()?, Some(Quantization::F32), device, &mut |_| {})?;
        Ok(engine.generate(&request, &mut Silent)?.token_ids.unwrap_or_default())
    };
    let (here, there) = (answer(&Device::Cpu)?, answer(gpu)?);
    let same = here.iter().zip(&there).take_while(|(a, b)| a == b).count();
    Ok(format!("SmolLM2-135M's shape in f32, greedy: {same} of {} ids are those of the CPU", here.len()))
}

/// Random weights of SmolLM2-135M's shape (<https://huggingface.co/HuggingFaceTB/SmolLM2-135M/blob/main/config.json>).
fn small() -> Result<Checkpoint> {
    let config = json!({
        "model_type": "llama", "num_hidden_layers": 30, "hidden_size": 576, "num_attention_heads": 9,
        "num_key_value_heads": 3, "intermediate_size": 1536, "vocab_size": 49152, "tie_word_embeddings": true,
        "max_position_embeddings": 8192, "rms_norm_eps": 1e-5, "rope_theta": 100_000.0,
    });
    let facts = CheckpointFacts {
        commit: None,
        architecture: "llama".into(),
        parameters: 0,
        files: Vec::new(),
        synthetic: true,
    };
    let weights = Weights::Synthetic { seed: SEED };
    Ok(Checkpoint {
        config: Config::new(config)?,
        text: Ok(None),
        stamps: Stamps::default(),
        adapter: None,
        weights,
        facts,
        warnings: Vec::new(),
    })
}

/// The median of several measurements, after one that is not counted.
fn several(count: usize, mut measure: impl FnMut() -> Result<f64>) -> Result<f64> {
    measure()?;
    let seconds = (0..count).map(|_| measure()).collect::<Result<Vec<f64>>>()?;
    median(&seconds).ok_or_else(|| "nothing was measured".into())
}

fn seconds(clock: &SystemClock, start: Duration) -> f64 {
    (clock.now() - start).as_secs_f64()
}
