//! The decoder against Hugging Face transformers, on tiny checkpoints made by `tests/fixtures/generate.py`.

use std::path::Path;

use bench::acquire::local;
use bench::catalog::Quantization;
use bench::engine::candle::CandleEngine;
use bench::engine::{Completion, Engine, Input, Request, Sampling};
use candle_core::{D, Device};
use serde::Deserialize;

use crate::support::{Silent, fixture};

/// What transformers computed in float32.
#[derive(Deserialize)]
struct Reference {
    ids: Vec<u32>,
    log_probs: Vec<f64>,
    greedy: Greedy,
}

#[derive(Deserialize)]
struct Greedy {
    prompt_ids: Vec<u32>,
    ids: Vec<u32>,
    #[serde(default)]
    text: Option<String>,
}

/// Largest difference of a log-probability that float32 arithmetic in another order explains.
const TOLERANCE: f64 = 1e-3;

fn reference(path: &Path) -> Reference {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn load(path: &Path, quantization: Option<Quantization>) -> CandleEngine {
    let checkpoint = local::open(path).unwrap();
    CandleEngine::load(checkpoint, quantization, &Device::Cpu, &mut |_| {}).unwrap()
}

/// Log-probability of each token after the first.
fn log_probs(engine: &mut CandleEngine, ids: &[u32]) -> Vec<f64> {
    let logits = engine.logits(ids).unwrap();
    let log_probs = candle_nn::ops::log_softmax(&logits, D::Minus1).unwrap().to_vec2::<f32>().unwrap();
    ids[1..].iter().zip(&log_probs).map(|(id, row)| f64::from(row[*id as usize])).collect()
}

fn worst_difference(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

fn greedy(engine: &mut CandleEngine, prompt_ids: &[u32], tokens: usize) -> Completion {
    let request = Request {
        input: Input::Tokens(prompt_ids.to_vec()),
        max_new_tokens: tokens,
        ignore_eos: true,
        sampling: Sampling::Greedy,
    };
    engine.generate(&request, &mut Silent).unwrap()
}

fn agrees_with_transformers(name: &str) {
    let directory = fixture("checkpoints").join(name);
    let reference = reference(&directory.join("reference.json"));
    let mut engine = load(&directory, Some(Quantization::F32));
    agrees(name, &mut engine, &reference, TOLERANCE);
}

fn agrees(name: &str, engine: &mut CandleEngine, reference: &Reference, tolerance: f64) {
    let worst = worst_difference(&log_probs(engine, &reference.ids), &reference.log_probs);
    assert!(worst < tolerance, "{name}: log-probabilities differ by up to {worst}");
    let answer = greedy(engine, &reference.greedy.prompt_ids, reference.greedy.ids.len());
    assert_eq!(answer.token_ids, reference.greedy.ids, "{name}: greedy continuation");
    if let Some(text) = &reference.greedy.text {
        assert_eq!(answer.text.as_ref(), Some(text), "{name}: text");
    }
}

#[test]
fn grouped_queries_and_tied_embeddings() {
    agrees_with_transformers("llama-gqa");
}

#[test]
fn an_old_config_in_two_half_precision_shards() {
    agrees_with_transformers("llama-old-config");
}

#[test]
fn explicit_head_dim_and_biases_everywhere() {
    agrees_with_transformers("llama-head-dim-bias");
}

#[test]
fn bfloat16_weights_widened() {
    agrees_with_transformers("llama-wide");
}

#[test]
fn mistral_slides_its_window_in_prefill_and_decode() {
    agrees_with_transformers("mistral-window");
}

#[test]
fn mistral_without_a_window() {
    agrees_with_transformers("mistral-no-window");
}

#[test]
fn qwen2_ignores_a_window_it_does_not_use() {
    agrees_with_transformers("qwen2-tied");
}

#[test]
fn qwen2_windows_its_upper_layers() {
    agrees_with_transformers("qwen2-window");
}

#[test]
fn weights_kept_at_sixteen_bits_compute_the_same() {
    let directory = fixture("checkpoints/llama-wide");
    let reference = reference(&directory.join("reference.json"));
    let mut engine = load(&directory, None);
    assert_eq!(engine.precision(), "bf16");
    agrees("llama-wide in bf16", &mut engine, &reference, TOLERANCE);
}

#[test]
fn gguf_in_float32_equals_its_checkpoint() {
    for name in ["llama-gqa", "qwen2-tied"] {
        let reference = reference(&fixture("checkpoints").join(name).join("reference.json"));
        let mut engine = load(&fixture("gguf").join(format!("{name}.f32.gguf")), None);
        assert_eq!(engine.precision(), "f32");
        agrees(name, &mut engine, &reference, TOLERANCE);
    }
}

fn mean_difference(engine: &mut CandleEngine, reference: &Reference) -> f64 {
    let log_probs = log_probs(engine, &reference.ids);
    let differences = log_probs.iter().zip(&reference.log_probs).map(|(a, b)| (a - b).abs());
    differences.sum::<f64>() / log_probs.len() as f64
}

/// The reference multiplies the dequantized weights in float32. The kernels round activations to 8 bits too, which
/// moves a product by about 0.7 % and a log-probability of this random model by 0.1 on average.
#[test]
fn gguf_in_q8_0_is_near_its_dequantized_self() {
    let reference = reference(&fixture("gguf/llama-wide.q8_0.reference.json"));
    let mut engine = load(&fixture("gguf/llama-wide.q8_0.gguf"), None);
    assert_eq!(engine.precision(), "q8_0");
    let mean = mean_difference(&mut engine, &reference);
    assert!(mean < 0.25, "q8_0 is off by {mean} on average");
    let answer = greedy(&mut engine, &reference.greedy.prompt_ids, reference.greedy.ids.len());
    assert_eq!(answer.token_ids, reference.greedy.ids);
}

#[test]
fn quantizing_while_loading_stays_near_and_four_bits_lose_more_than_eight() {
    let directory = fixture("checkpoints/llama-wide");
    let reference = reference(&directory.join("reference.json"));
    let mean = |quantization| mean_difference(&mut load(&directory, Some(quantization)), &reference);
    let (eight, four) = (mean(Quantization::Q8_0), mean(Quantization::Q4K));
    // A random model amplifies rounding: the bounds are twice what was measured (0.17 and 1.05).
    assert!(eight < 0.35, "q8_0 is off by {eight} on average");
    assert!(four < 2.0, "q4_k is off by {four} on average");
    assert!(eight < four, "q8_0 is off by {eight}, q4_k by {four}");
}

#[test]
fn prefill_then_decode_equals_one_forward_pass() {
    for name in ["llama-gqa", "mistral-window", "qwen2-window"] {
        let directory = fixture("checkpoints").join(name);
        let ids = reference(&directory.join("reference.json")).ids;
        let mut engine = load(&directory, Some(Quantization::F32));
        let whole = engine.logits(&ids).unwrap().to_vec2::<f32>().unwrap();
        engine.make_room(ids.len()).unwrap();
        let mut stepwise = engine.append(&ids[..20]).unwrap().to_vec2::<f32>().unwrap();
        for id in &ids[20..] {
            stepwise.extend(engine.append(&[*id]).unwrap().to_vec2::<f32>().unwrap());
        }
        for (position, (a, b)) in whole.iter().zip(&stepwise).enumerate() {
            let worst = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst < 1e-4, "{name}: position {position} differs by {worst}");
        }
    }
}
