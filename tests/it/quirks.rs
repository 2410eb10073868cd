//! Every key of a config that changes the computation does so: under another value, the same weights are far from what
//! transformers computes of them. So no reference of `checkpoints.rs` agrees by itself.

use std::iter;

use bench::catalog::Quantization;
use bench::engine::EngineError;
use bench::engine::candle::CandleEngine;
use bench::spec::Config;
use candle_core::Device;
use serde_json::{Value, json};

use crate::support::decoder::{Reference, TOLERANCE, checkpoint, checkpoints};
use crate::support::fixture;

/// A difference that no reference allows, by far.
const MISSED: f64 = 100.0 * TOLERANCE;

/// Loads a checkpoint under a config with some keys changed.
fn edited(name: &str, edit: &Value) -> Result<CandleEngine, EngineError> {
    let mut checkpoint = checkpoint(name);
    let path = fixture("checkpoints").join(name).join("config.json");
    let mut config: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    merge(&mut config, edit);
    checkpoint.config = Config::new(config).unwrap();
    CandleEngine::load(checkpoint, Some(Quantization::F32), &Device::Cpu, &mut |_| {})
}

/// Sets keys, inner ones within the objects that are there, where the edit is an object too.
fn merge(config: &mut Value, edit: &Value) {
    match (config, edit) {
        (Value::Object(config), Value::Object(edit)) => {
            for (key, value) in edit {
                merge(config.entry(key).or_insert(Value::Null), value);
            }
        }
        (config, edit) => *config = edit.clone(),
    }
}

/// What the config says, the checkpoint in which it says so, and another value.
fn quirks() -> Vec<(&'static str, &'static str, Value)> {
    let layers = |kinds: &str| -> Vec<&str> {
        kinds.chars().map(|kind| if kind == 's' { "sliding_attention" } else { "full_attention" }).collect()
    };
    vec![
        // Windows.
        ("a window", "mistral-window", json!({"sliding_window": null})),
        ("a window one longer", "mistral-window", json!({"sliding_window": 13})),
        ("a window one shorter", "mistral-window", json!({"sliding_window": 11})),
        ("no window", "mistral-no-window", json!({"sliding_window": 12})),
        ("a window that is not used", "qwen2-tied", json!({"use_sliding_window": true})),
        ("a window that is used", "qwen2-window", json!({"use_sliding_window": false})),
        ("max_window_layers", "qwen2-window", json!({"max_window_layers": 1})),
        ("max_window_layers", "qwen2-window", json!({"max_window_layers": 3})),
        ("layer_types", "qwen3-layer-types", json!({"layer_types": layers("fff")})),
        ("layer_types", "qwen3-layer-types", json!({"layer_types": layers("sss")})),
        ("a window by layer_types", "qwen3-layer-types", json!({"sliding_window": 9})),
        ("a window of every layer", "phi3-partial-window", json!({"sliding_window": 13})),
        ("a window of every other layer", "gemma2", json!({"sliding_window": 7})),
        ("which of every two layers slides", "gemma2", json!({"layer_types": layers("fsfs")})),
        ("a window of five layers in six", "gemma3", json!({"sliding_window": 9})),
        ("the pattern that gemma3 has by default", "gemma3", json!({"sliding_window_pattern": 2})),
        ("sliding_window_pattern", "gemma3-pattern", json!({"sliding_window_pattern": 3})),
        ("layer_types, local theta included", "gemma3-rope-parameters", json!({"layer_types": layers("sff")})),
        ("a window of three layers in four", "exaone4", json!({"sliding_window": 11})),
        ("no positions in the global layer", "exaone4", json!({"layer_types": layers("ssss")})),
        ("which layer is global", "exaone4", json!({"layer_types": layers("fsss")})),
        ("positions in every layer without windows", "exaone4-full", json!({"sliding_window": 1024})),
        // Scores and logits.
        ("soft cap of scores", "gemma2", json!({"attn_logit_softcapping": null})),
        ("soft cap of logits", "gemma2", json!({"final_logit_softcapping": null})),
        ("soft cap of logits", "gemma3-pattern", json!({"final_logit_softcapping": null})),
        ("query_pre_attn_scalar", "gemma2", json!({"query_pre_attn_scalar": 12})),
        ("query_pre_attn_scalar", "gemma3", json!({"query_pre_attn_scalar": 256})),
        ("query_pre_attn_scalar", "gemma3-pattern", json!({"query_pre_attn_scalar": 16})),
        // Norms, residuals, embeddings, activations. What a family has without a key for it, another family has not: the
        // generator of the fixtures tests such things one by one.
        (
            "scaled embeddings and norms of one more",
            "gemma",
            json!({"model_type": "llama", "tie_word_embeddings": true, "hidden_act": "gelu_pytorch_tanh"}),
        ),
        ("norms on both sides, caps and windows", "gemma2", json!({"model_type": "gemma"})),
        ("norms on both sides, normed queries and keys", "gemma3", json!({"model_type": "gemma"})),
        ("normed queries and keys", "qwen3", json!({"model_type": "llama"})),
        ("normed queries and keys", "qwen3-layer-types", json!({"model_type": "qwen2", "attention_bias": null})),
        ("epsilon", "llama-head-dim-bias", json!({"rms_norm_eps": 1e-5})),
        ("epsilon under another name", "exaone", json!({"layer_norm_epsilon": 0.1})),
        ("epsilon of layer norms", "gpt-neox-sequential", json!({"layer_norm_eps": 1e-5})),
        ("layers in parallel", "gpt-neox-parallel", json!({"use_parallel_residual": false})),
        ("layers in sequence", "gpt-neox-sequential", json!({"use_parallel_residual": true})),
        ("an output head of its own", "mistral-no-window", json!({"tie_word_embeddings": true})),
        ("activation", "gemma", json!({"hidden_act": "silu"})),
        ("activation, by gemma's name for it", "gemma2", json!({"hidden_activation": "silu"})),
        ("activation", "gpt-neox-parallel", json!({"hidden_act": "silu"})),
        ("activation", "llama-wide", json!({"hidden_act": "gelu"})),
        ("activation, by exaone's name for it", "exaone", json!({"activation_function": "gelu"})),
        // Biases.
        ("biases of attention", "llama-head-dim-bias", json!({"attention_bias": false})),
        ("biases of the MLP", "llama-head-dim-bias", json!({"mlp_bias": false})),
        ("biases of attention", "qwen3-layer-types", json!({"attention_bias": false})),
        (
            "biases of qwen2's queries, keys and values",
            "qwen2-tied",
            json!({"model_type": "mistral", "sliding_window": null}),
        ),
        ("biases of attention", "gpt-neox-parallel", json!({"attention_bias": false})),
        // Rotary positions.
        ("rope_theta", "llama-gqa", json!({"rope_theta": 500000.0})),
        ("rope_theta", "llama-sentencepiece", json!({"rope_theta": 500000.0})),
        ("rope_theta", "llama-bin-shards", json!({"rope_theta": 500000.0})),
        ("rope_theta", "llama-bin-legacy", json!({"rope_theta": 500000.0})),
        ("rope_theta where the config leaves it out", "llama-old-config", json!({"rope_theta": 500000.0})),
        ("rope_theta", "exaone4-full", json!({"rope_theta": 10000.0})),
        ("rope_theta in rope_parameters", "qwen3-layer-types", json!({"rope_parameters": {"rope_theta": 10000.0}})),
        ("rotary_emb_base", "gpt-neox-parallel", json!({"rotary_emb_base": 100})),
        ("rotary_pct", "gpt-neox-parallel", json!({"rotary_pct": 0.5})),
        ("rotary_pct", "gpt-neox-sequential", json!({"rotary_pct": 1.0})),
        ("partial_rotary_factor", "phi3-partial-window", json!({"partial_rotary_factor": 1.0})),
        ("rope_theta of global layers", "gemma3", json!({"rope_theta": 10000.0})),
        ("rope_local_base_freq by default", "gemma3", json!({"rope_local_base_freq": 100.0})),
        ("rope_local_base_freq", "gemma3-pattern", json!({"rope_local_base_freq": 10000.0})),
        (
            "theta of layers that slide",
            "gemma3-rope-parameters",
            json!({"rope_parameters": {"sliding_attention": {"rope_theta": 10000.0}}}),
        ),
        ("scaling of global layers only", "gemma3", json!({"rope_scaling": null})),
        (
            "scaling of layers by their type",
            "gemma3-rope-parameters",
            json!({"rope_parameters": {"full_attention": {"rope_type": "default"}}}),
        ),
        ("linear", "llama-rope-linear", json!({"rope_scaling": null})),
        ("linear factor", "llama-rope-linear", json!({"rope_scaling": {"factor": 2.0}})),
        ("llama3", "llama-rope-llama3", json!({"rope_scaling": {"rope_type": "linear"}})),
        ("llama3 high_freq_factor", "llama-rope-llama3", json!({"rope_scaling": {"high_freq_factor": 2.0}})),
        ("llama3 low_freq_factor", "llama-rope-llama3", json!({"rope_scaling": {"low_freq_factor": 2.0}})),
        (
            "llama3 original positions",
            "llama-rope-llama3",
            json!({"rope_scaling": {"original_max_position_embeddings": 64}}),
        ),
        ("llama3", "exaone", json!({"rope_scaling": null})),
        ("llama3", "exaone4", json!({"rope_scaling": null})),
        ("yarn", "qwen2-rope-yarn", json!({"rope_scaling": {"type": "linear"}})),
        ("yarn's own attention factor", "qwen2-rope-yarn", json!({"rope_scaling": {"attention_factor": 1.0}})),
        ("yarn attention_factor", "llama-rope-parameters", json!({"rope_parameters": {"attention_factor": 1.0}})),
        ("yarn beta_fast", "llama-rope-parameters", json!({"rope_parameters": {"beta_fast": 32.0}})),
        ("yarn beta_slow", "llama-rope-parameters", json!({"rope_parameters": {"beta_slow": 1.0}})),
        ("yarn truncate", "llama-rope-parameters", json!({"rope_parameters": {"truncate": true}})),
        (
            "yarn original positions",
            "llama-rope-parameters",
            json!({"rope_parameters": {"original_max_position_embeddings": 1024}}),
        ),
        ("longrope", "phi3-longrope", json!({"rope_scaling": null})),
        (
            "longrope short_factor",
            "phi3-longrope",
            json!({"rope_scaling": {"short_factor": [1.0, 1.0, 1.0, 1.0, 1.0, 1.0]}}),
        ),
        (
            "longrope long_factor",
            "phi3-longrope",
            json!({"rope_scaling": {"long_factor": [1.0, 1.0, 1.0, 1.0, 1.0, 1.0]}}),
        ),
        ("longrope's limit", "phi3-longrope", json!({"original_max_position_embeddings": 64})),
        ("longrope's own attention factor", "phi3-longrope", json!({"max_position_embeddings": 4096})),
        // Latent attention and experts.
        ("yarn of deepseek", "deepseek-v2-greedy", json!({"rope_scaling": null})),
        ("mscale_all_dim", "deepseek-v2-greedy", json!({"rope_scaling": {"mscale_all_dim": 0}})),
        ("mscale", "deepseek-v2-grouped", json!({"rope_scaling": {"mscale": 0.5}})),
        ("experts of a token", "deepseek-v2-greedy", json!({"num_experts_per_tok": 3})),
        ("shared experts", "deepseek-v2-greedy", json!({"n_shared_experts": null})),
        ("scale of experts that is 1", "deepseek-v2-greedy", json!({"routed_scaling_factor": 2.0})),
        ("scale of experts", "deepseek-v2-grouped", json!({"routed_scaling_factor": 1.0})),
        ("groups of experts", "deepseek-v2-grouped", json!({"topk_method": "greedy"})),
        ("groups of a token", "deepseek-v2-grouped", json!({"topk_group": 3})),
        ("experts whose weights are normalized", "deepseek-v2-normalized", json!({"norm_topk_prob": false})),
    ]
}

#[test]
fn another_value_misses_the_reference() {
    let quirks = quirks();
    let mut unmoved = Vec::new();
    for name in checkpoints() {
        let references = || iter::once(Reference::of(&name)).chain(Reference::long(&name));
        let mut own = quirks.iter().filter(|(_, checkpoint, _)| *checkpoint == name).peekable();
        assert!(own.peek().is_some(), "{name} has no quirk");
        for (what, _, edit) in own {
            let mut engine = edited(&name, edit).unwrap();
            if !references().any(|reference| reference.worst(&mut engine) > MISSED) {
                unmoved.push(format!("{name}: {what} ({edit})"));
            }
        }
    }
    assert!(unmoved.is_empty(), "predict the same:\n{}", unmoved.join("\n"));
}

/// Keys that decide which weights there are, and of what shape: under another value the checkpoint is refused.
#[test]
fn another_value_misses_the_weights() {
    for (name, edit) in [
        ("llama-head-dim-bias", json!({"head_dim": 16})),
        ("llama-gqa", json!({"num_key_value_heads": 4})),
        ("llama-gqa", json!({"intermediate_size": 48})),
        ("llama-gqa", json!({"tie_word_embeddings": false})),
        ("mistral-window", json!({"model_type": "qwen2"})),
        ("gemma2", json!({"model_type": "gemma3_text", "attn_logit_softcapping": null})),
        ("deepseek-v2-greedy", json!({"first_k_dense_replace": 0})),
        ("deepseek-v2-greedy", json!({"first_k_dense_replace": 2})),
        ("deepseek-v2-greedy", json!({"n_routed_experts": 5})),
        ("deepseek-v2-greedy", json!({"n_shared_experts": 1})),
        ("deepseek-v2-greedy", json!({"moe_intermediate_size": 16})),
        ("deepseek-v2-greedy", json!({"kv_lora_rank": 12})),
        ("deepseek-v2-greedy", json!({"v_head_dim": 8})),
        ("deepseek-v2-grouped", json!({"q_lora_rank": null})),
    ] {
        let refused = edited(name, &edit).err();
        let by_weight = matches!(refused, Some(EngineError::WrongShape { .. } | EngineError::MissingWeight { .. }));
        assert!(by_weight, "{name} with {edit}: {refused:?}");
    }
}
