//! The decoder against Hugging Face transformers, on tiny checkpoints made by `tests/fixtures/generate.py`.

use std::path::Path;

use bench::acquire::adapter::Adapter;
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

/// One test a checkpoint, named by what it is there for.
macro_rules! agree_with_transformers {
    ($($test:ident: $name:literal,)*) => {
        $(
            #[test]
            fn $test() {
                agrees_with_transformers($name);
            }
        )*

        const NAMES: &[&str] = &[$($name),*];
    };
}

agree_with_transformers! {
    grouped_queries_and_tied_embeddings: "llama-gqa",
    an_old_config_in_two_half_precision_shards: "llama-old-config",
    explicit_head_dim_and_biases_everywhere: "llama-head-dim-bias",
    bfloat16_weights_widened: "llama-wide",
    linear_rope_scaling: "llama-rope-linear",
    llama3_rope_scaling: "llama-rope-llama3",
    the_newer_dialect_of_configs: "llama-rope-parameters",
    pytorch_shards: "llama-bin-shards",
    a_pytorch_file_from_before_archives: "llama-bin-legacy",
    a_sentencepiece_vocabulary: "llama-sentencepiece",
    mistral_slides_its_window_in_prefill_and_decode: "mistral-window",
    mistral_without_a_window: "mistral-no-window",
    qwen2_ignores_a_window_it_does_not_use: "qwen2-tied",
    qwen2_windows_its_upper_layers: "qwen2-window",
    yarn_rope_scaling: "qwen2-rope-yarn",
    qwen3_norms_queries_and_keys: "qwen3",
    qwen3_windows_by_layer_types: "qwen3-layer-types",
    phi3_fused_matrices_and_longrope: "phi3-longrope",
    phi3_turns_a_part_of_each_head_within_a_window: "phi3-partial-window",
    gemma_scales_embeddings_and_norms_by_one_more: "gemma",
    gemma2_caps_scores_and_logits_and_slides_every_other_layer: "gemma2",
    gemma3_turns_local_and_global_layers_apart: "gemma3",
    gemma3_windows_by_pattern: "gemma3-pattern",
    gemma3_in_the_newer_dialect: "gemma3-rope-parameters",
    gpt_neox_in_parallel: "gpt-neox-parallel",
    gpt_neox_in_sequence: "gpt-neox-sequential",
    exaone: "exaone",
    exaone4_hybrid: "exaone4",
    exaone4_without_windows: "exaone4-full",
    deepseek_v2_routes_greedily: "deepseek-v2-greedy",
    deepseek_v2_routes_within_groups: "deepseek-v2-grouped",
    deepseek_v2_normalizes_its_choice: "deepseek-v2-normalized",
}

/// The references are of PEFT's own merge, on the checkpoint whose name the adapter begins with.
#[test]
fn adapters_are_merged_while_loading() {
    for name in ["llama-gqa-lora", "llama-gqa-rslora"] {
        let directory = fixture("adapters").join(name);
        let reference = reference(&directory.join("reference.json"));
        let mut checkpoint = local::open(&fixture("checkpoints/llama-gqa")).unwrap();
        let mut plain = load(&fixture("checkpoints/llama-gqa"), Some(Quantization::F32));
        let without = worst_difference(&log_probs(&mut plain, &reference.ids), &reference.log_probs);
        assert!(without > 0.05, "{name}: the adapter changes nothing");
        checkpoint.adapter = Some(Adapter::open(&directory).unwrap());
        let f32 = Some(Quantization::F32);
        let mut engine = CandleEngine::load(checkpoint, f32, &Device::Cpu, &mut |_| {}).unwrap();
        agrees(name, &mut engine, &reference, TOLERANCE);
    }
}

#[test]
fn every_checkpoint_of_the_fixtures_is_tested() {
    let folders = std::fs::read_dir(fixture("checkpoints")).unwrap();
    let mut folders: Vec<String> = folders.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    folders.sort();
    let mut names = NAMES.to_vec();
    names.sort_unstable();
    assert_eq!(folders, names);
}

#[test]
fn weights_kept_at_sixteen_bits_compute_the_same() {
    let directory = fixture("checkpoints/llama-wide");
    let reference = reference(&directory.join("reference.json"));
    let mut engine = load(&directory, None);
    assert_eq!(engine.precision(), "bf16");
    agrees("llama-wide in bf16", &mut engine, &reference, TOLERANCE);
}

/// Six hundred tokens: rotary tables in a lower precision than float32, or a window that is off by one, show there.
#[test]
fn long_texts_agree_too() {
    let mut tested = 0;
    for name in NAMES {
        let directory = fixture("checkpoints").join(name);
        let Ok(file) = std::fs::read(directory.join("reference_long.json")) else { continue };
        let reference: Long = serde_json::from_slice(&file).unwrap();
        let mut engine = load(&directory, Some(Quantization::F32));
        let worst = worst_difference(&log_probs(&mut engine, &reference.ids), &reference.log_probs);
        assert!(worst < TOLERANCE, "{name}: log-probabilities differ by up to {worst}");
        tested += 1;
    }
    assert!(tested > 20, "{tested} checkpoints have a long reference");
}

#[derive(Deserialize)]
struct Long {
    ids: Vec<u32>,
    log_probs: Vec<f64>,
}

#[test]
fn gguf_in_float32_equals_its_checkpoint() {
    let mut wrong = Vec::new();
    for entry in std::fs::read_dir(fixture("gguf")).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        // `CHECKPOINT.f32.gguf`, or another form of it: `CHECKPOINT.halved.f32.gguf`.
        let Some(form) = file.strip_suffix(".f32.gguf") else { continue };
        let name = form.split('.').next().unwrap();
        // Where a file cannot say all that the config does, it has a reference of its own.
        let own = fixture("gguf").join(format!("{form}.f32.reference.json"));
        let reference =
            reference(&if own.exists() { own } else { fixture("checkpoints").join(name).join("reference.json") });
        let agreed = std::panic::catch_unwind(|| {
            let mut engine = load(&path, None);
            assert_eq!(engine.precision(), "f32");
            agrees(name, &mut engine, &reference, TOLERANCE);
        });
        if let Err(panic) = agreed {
            wrong.push(format!("{file}: {:?}", panic.downcast_ref::<String>()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
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

/// Every type of block that GGUF has and candle knows, each in a matrix of one small model.
#[test]
fn gguf_of_all_types_is_near_its_dequantized_self() {
    let reference = reference(&fixture("gguf/llama.mixed.reference.json"));
    let mut engine = load(&fixture("gguf/llama.mixed.gguf"), None);
    for kind in ["q4_0", "q4_1", "q5_0", "q5_1", "q8_0", "q2_k", "q3_k", "q4_k", "q5_k", "q6_k", "f16", "bf16"] {
        assert!(engine.precision().contains(kind), "{kind} is not in {}", engine.precision());
    }
    let mean = mean_difference(&mut engine, &reference);
    assert!(mean < 0.25, "off by {mean} on average");
}

#[test]
fn quantizing_while_loading_stays_near_and_fewer_bits_lose_more() {
    let directory = fixture("checkpoints/llama-wide");
    let reference = reference(&directory.join("reference.json"));
    let mean = |quantization| mean_difference(&mut load(&directory, Some(quantization)), &reference);
    let finer_first = [Quantization::Q8_0, Quantization::Q6K, Quantization::Q5K, Quantization::Q4K, Quantization::Q4_0];
    let means = finer_first.map(mean);
    // A random model amplifies rounding, which bounds what can be asked of it.
    assert!(means[0] < 0.35 && means[4] < 2.5, "off by {means:?} on average");
    assert!(means[0] < means[2] && means[2] < means[3], "off by {means:?} on average");
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
