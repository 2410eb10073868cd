//! The decoder against Hugging Face transformers, on tiny checkpoints made by `tests/fixtures/generate.py`.

use std::path::Path;

use bench::acquire::adapter::Adapter;
use bench::acquire::{Checkpoint, local};
use bench::catalog::Quantization;
use bench::engine::candle::CandleEngine;
use bench::engine::{Completion, Engine, Input, Request, Sampling};
use serde::Deserialize;

use crate::support::decoder::{self, TOLERANCE, checkpoint, checkpoints, load};
use crate::support::{Silent, fixture};

/// What transformers computed in float32, of a text and in answer to a prompt.
#[derive(Deserialize)]
pub struct Reference {
    #[serde(flatten)]
    pub text: decoder::Reference,
    greedy: Greedy,
}

#[derive(Deserialize)]
struct Greedy {
    prompt_ids: Vec<u32>,
    ids: Vec<u32>,
    #[serde(default)]
    text: Option<String>,
}

pub fn reference(path: &Path) -> Reference {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

pub fn mean(engine: &mut CandleEngine, reference: &decoder::Reference) -> f64 {
    let differences = reference.differences(engine);
    differences.iter().sum::<f64>() / differences.len() as f64
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
    let reference = reference(&fixture("checkpoints").join(name).join("reference.json"));
    let mut engine = load(checkpoint(name), Some(Quantization::F32));
    agrees(name, &mut engine, &reference, TOLERANCE);
}

/// Whether a checkpoint predicts its reference and answers as it does.
pub fn agrees(name: &str, engine: &mut CandleEngine, reference: &Reference, tolerance: f64) {
    let worst = reference.text.worst(engine);
    assert!(worst < tolerance, "{name}: log-probabilities differ by up to {worst}");
    let answer = greedy(engine, &reference.greedy.prompt_ids, reference.greedy.ids.len());
    assert_eq!(answer.token_ids.as_ref(), Some(&reference.greedy.ids), "{name}: greedy continuation");
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
        let mut checkpoint = checkpoint("llama-gqa");
        let mut plain = load(decoder::checkpoint("llama-gqa"), Some(Quantization::F32));
        let without = reference.text.worst(&mut plain);
        assert!(without > 0.05, "{name}: the adapter changes nothing");
        checkpoint.adapter = Some(Adapter::open(&directory).unwrap());
        let mut engine = load(checkpoint, Some(Quantization::F32));
        agrees(name, &mut engine, &reference, TOLERANCE);
    }
}

#[test]
fn every_checkpoint_of_the_fixtures_is_tested() {
    let mut names = NAMES.to_vec();
    names.sort_unstable();
    assert_eq!(checkpoints(), names);
}

/// Six hundred tokens: rotary tables in a lower precision than float32, or a window that is off by one, show there.
#[test]
fn long_texts_agree_too() {
    let mut tested = 0;
    for name in NAMES {
        let Some(reference) = decoder::Reference::long(name) else { continue };
        let worst = reference.worst(&mut load(checkpoint(name), Some(Quantization::F32)));
        assert!(worst < TOLERANCE, "{name}: log-probabilities differ by up to {worst}");
        tested += 1;
    }
    assert!(tested > 20, "{tested} checkpoints have a long reference");
}

fn gguf(file: &str) -> Checkpoint {
    local::open(&fixture("gguf").join(file)).unwrap()
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
            let mut engine = load(gguf(&file), None);
            assert_eq!(engine.precision().to_string(), "f32");
            agrees(name, &mut engine, &reference, TOLERANCE);
        });
        if let Err(panic) = agreed {
            wrong.push(format!("{file}: {:?}", panic.downcast_ref::<String>()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Files that gguf-py split, one of them with a first part that holds no tensor.
#[test]
fn a_split_gguf_equals_its_checkpoint_from_any_of_its_parts() {
    for (name, parts) in [("qwen2-tied", 2), ("llama-rope-linear", 4)] {
        let reference = reference(&fixture("checkpoints").join(name).join("reference.json"));
        for part in 1..=parts {
            let checkpoint = gguf(&format!("{name}.split.f32-{part:05}-of-{parts:05}.gguf"));
            assert_eq!(checkpoint.facts.files.len(), parts);
            assert_eq!(checkpoint.facts.parameters, gguf(&format!("{name}.f32.gguf")).facts.parameters);
            agrees(name, &mut load(checkpoint, None), &reference, TOLERANCE);
        }
    }
}

/// The reference multiplies the dequantized weights in float32. The kernels round activations to 8 bits too, which
/// moves a product by about 0.7 % and a log-probability of this random model by 0.1 on average.
#[test]
fn gguf_in_q8_0_is_near_its_dequantized_self() {
    let reference = reference(&fixture("gguf/llama-wide.q8_0.reference.json"));
    let mut engine = load(gguf("llama-wide.q8_0.gguf"), None);
    assert_eq!(engine.precision().to_string(), "q8_0");
    let mean = mean(&mut engine, &reference.text);
    assert!(mean < 0.25, "q8_0 is off by {mean} on average");
    let answer = greedy(&mut engine, &reference.greedy.prompt_ids, reference.greedy.ids.len());
    assert_eq!(answer.token_ids, Some(reference.greedy.ids));
}

/// The types whose numbers stand in a table are held as the blocks of 8 bits that hold the same numbers.
#[test]
fn gguf_of_table_types_is_near_its_dequantized_self() {
    let reference = reference(&fixture("gguf/llama-table.mixed.reference.json"));
    let mut engine = load(gguf("llama-table.mixed.gguf"), None);
    assert!(engine.precision().to_string().starts_with("q8_0"), "{}", engine.precision());
    let mean = mean(&mut engine, &reference.text);
    assert!(mean < 0.25, "off by {mean} on average");
}

/// Every type of block that GGUF has and candle knows, each in a matrix of one small model.
#[test]
fn gguf_of_all_types_is_near_its_dequantized_self() {
    let reference = reference(&fixture("gguf/llama.mixed.reference.json"));
    let mut engine = load(gguf("llama.mixed.gguf"), None);
    for kind in ["q4_0", "q4_1", "q5_0", "q5_1", "q8_0", "q2_k", "q3_k", "q4_k", "q5_k", "q6_k", "f16", "bf16"] {
        assert!(engine.precision().to_string().contains(kind), "{kind} is not in {}", engine.precision());
    }
    let mean = mean(&mut engine, &reference.text);
    assert!(mean < 0.25, "off by {mean} on average");
}
