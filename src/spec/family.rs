//! Families: each architecture's `config.json` as a [`DecoderSpec`].

use cpu::activation::Activation;

use super::config::{Config, Heads, shown};
use super::decoder::{Attention, DecoderSpec, Experts, FusedQkv, Latent, Layer, Mlp, Norm, NormKind, Residual};
use super::error::SpecError;
use super::names::Naming;
use super::rope::{RopeKeys, RopeSpec, rope};
use super::scaled::ScaledWeights;

impl DecoderSpec {
    /// Reads the spec out of a `config.json`, with the defaults that Hugging Face's own config classes have.
    ///
    /// # Errors
    /// A key that is missing, out of bounds, or asks for something that the decoder does not do.
    pub fn from_config(config: &Config) -> Result<Self, SpecError> {
        read(config)
    }
}

/// Reads the spec of any supported family.
fn read(config: &Config) -> Result<DecoderSpec, SpecError> {
    // What the weights need before they are computed with, no decoder does.
    ScaledWeights::of(config)?;
    match config.model_type()? {
        "llama" | "mistral" | "qwen2" | "qwen3" => llama_like(config),
        "phi3" => phi3(config),
        "exaone" => exaone(config),
        "exaone4" => exaone4(config),
        "gemma" => gemma(config),
        "gemma2" => gemma2(config),
        "gemma3_text" | "gemma3" => gemma3(config),
        "gpt_neox" | "gptneox" => gpt_neox(config),
        "deepseek_v2" | "deepseek2" => deepseek_v2(config),
        other => Err(SpecError::UnsupportedArchitecture(shown(other))),
    }
}

/// A pre-norm decoder with RMS norms and a gated SiLU MLP, to which the families state their differences.
fn base(config: &Config, heads: Heads, layers: usize, rope: RopeSpec) -> Result<DecoderSpec, SpecError> {
    Ok(DecoderSpec {
        naming: Naming::Llama,
        vocabulary: config.count("vocab_size")?,
        hidden: config.count("hidden_size")?,
        max_positions: config.optional_count("max_position_embeddings")?.unwrap_or(2048),
        embedding_scale: 1.0,
        norm: Norm { kind: NormKind::Rms, epsilon: config.positive("rms_norm_eps")?.unwrap_or(1e-6) },
        residual: Residual::PreNorm,
        attention: Attention {
            heads,
            scale: 1.0 / (heads.dim as f64).sqrt(),
            softcap: None,
            qkv_bias: false,
            output_bias: false,
            qk_norm: false,
            fused: FusedQkv::No,
            latent: None,
        },
        ropes: vec![rope],
        layers: vec![Layer { window: None, rope: Some(0), experts: false }; layers],
        mlp: Mlp {
            intermediate: config.count("intermediate_size")?,
            activation: Activation::Silu,
            gated: true,
            bias: false,
            fused: false,
            experts: None,
        },
        final_softcap: None,
        tied_embeddings: config.flag("tie_word_embeddings")?.unwrap_or(false),
    })
}

/// The rotary embedding of whole heads, and the only one.
fn whole_heads(config: &Config, heads: Heads) -> Result<RopeSpec, SpecError> {
    Ok(rope(config, &RopeKeys::of(config, "full_attention")?, heads.dim, 10_000.0, false)?.0)
}

fn layer_count(config: &Config) -> Result<usize, SpecError> {
    config.repetitions("num_hidden_layers")
}

/// The MLP's activation under any of the keys that configs have for it.
fn activation(config: &Config, default: Activation) -> Result<Activation, SpecError> {
    for key in ["hidden_activation", "hidden_act", "activation_function"] {
        match config.text(key)? {
            None => {}
            Some("silu" | "swish") => return Ok(Activation::Silu),
            Some("gelu") => return Ok(Activation::Gelu),
            Some("gelu_pytorch_tanh" | "gelu_new" | "gelu_fast") => return Ok(Activation::GeluTanh),
            Some(other) => return Err(SpecError::UnsupportedKey { key: key.into(), value: shown(other) }),
        }
    }
    Ok(default)
}

/// Which layers slide: by `layer_types` where the config has them, else by the family's own rule.
fn sliding(config: &Config, layers: usize, rule: impl Fn(usize) -> bool) -> Result<Vec<bool>, SpecError> {
    let Some(types) = config.get("layer_types") else { return Ok((0..layers).map(rule).collect()) };
    let wrong = |found: String| SpecError::Invalid {
        key: "layer_types".into(),
        found,
        expected: format!("{layers} of `full_attention` and `sliding_attention`"),
    };
    let types = types.as_array().filter(|types| types.len() == layers).ok_or_else(|| wrong("another list".into()))?;
    let slides = |kind: &serde_json::Value| match kind.as_str() {
        Some("full_attention") => Ok(false),
        Some("sliding_attention") => Ok(true),
        _ => Err(wrong(shown(&kind.to_string()))),
    };
    types.iter().map(slides).collect()
}

fn set_windows(spec: &mut DecoderSpec, window: Option<usize>, sliding: &[bool]) {
    for (layer, slides) in spec.layers.iter_mut().zip(sliding) {
        layer.window = window.filter(|_| *slides);
    }
}

/// Llama, Mistral, Qwen2 and Qwen3.
fn llama_like(config: &Config) -> Result<DecoderSpec, SpecError> {
    let family = config.model_type()?;
    let layers = layer_count(config)?;
    let heads = config.heads()?;
    let mut spec = base(config, heads, layers, whole_heads(config, heads)?)?;
    spec.mlp.activation = activation(config, Activation::Silu)?;
    let attention_bias = config.flag("attention_bias")?.unwrap_or(false);
    spec.attention.qkv_bias = family == "qwen2" || attention_bias;
    spec.attention.output_bias = matches!(family, "llama" | "qwen3") && attention_bias;
    spec.attention.qk_norm = family == "qwen3";
    spec.mlp.bias = config.flag("mlp_bias")?.unwrap_or(false);
    // MistralConfig, Qwen2Config and Qwen3Config assume 4096 where the key is absent; `null` is none.
    let window = if config.states("sliding_window") { config.optional_count("sliding_window")? } else { Some(4096) };
    let first = match family {
        "mistral" => 0,
        "qwen2" | "qwen3" if config.flag("use_sliding_window")?.unwrap_or(false) => {
            match config.get("max_window_layers") {
                Some(value) if value.as_u64() == Some(0) => 0,
                _ => config.optional_count("max_window_layers")?.unwrap_or(28),
            }
        }
        _ => layers,
    };
    // Mistral has no layer types: its window, if any, is every layer's.
    let slides = if family == "llama" { vec![false; layers] } else { sliding(config, layers, |layer| layer >= first)? };
    set_windows(&mut spec, window, &slides);
    Ok(spec)
}

fn phi3(config: &Config) -> Result<DecoderSpec, SpecError> {
    let layers = layer_count(config)?;
    let heads = config.heads()?;
    let keys = RopeKeys::of(config, "full_attention")?;
    let share = match config.positive("partial_rotary_factor")? {
        Some(share) => share,
        None => keys.share()?.unwrap_or(1.0),
    };
    let turned = rope(config, &keys, rotary_dims(heads.dim, share)?, 10_000.0, false)?.0;
    let mut spec = base(config, heads, layers, turned)?;
    spec.mlp.activation = activation(config, Activation::Silu)?;
    spec.norm.epsilon = config.positive("rms_norm_eps")?.unwrap_or(1e-5);
    spec.attention.fused = FusedQkv::Concatenated;
    spec.mlp.fused = true;
    set_windows(&mut spec, config.optional_count("sliding_window")?, &vec![true; layers]);
    Ok(spec)
}

/// The first so many numbers of a head, an even number.
fn rotary_dims(head_dim: usize, share: f64) -> Result<usize, SpecError> {
    let dims = (head_dim as f64 * share) as usize;
    if dims == 0 || dims > head_dim || !dims.is_multiple_of(2) {
        let found = format!("{share}");
        let expected = format!("an even part of head_dim = {head_dim}");
        return Err(SpecError::Invalid { key: "partial_rotary_factor".into(), found, expected });
    }
    Ok(dims)
}

/// EXAONE 3.5: Llama under other names.
fn exaone(config: &Config) -> Result<DecoderSpec, SpecError> {
    let layers = match config.get("num_layers") {
        Some(_) => config.repetitions("num_layers")?,
        None => layer_count(config)?,
    };
    let heads = config.heads()?;
    let mut spec = base(config, heads, layers, whole_heads(config, heads)?)?;
    spec.naming = Naming::Exaone;
    spec.mlp.activation = activation(config, Activation::Silu)?;
    spec.norm.epsilon = match config.positive("layer_norm_epsilon")? {
        Some(epsilon) => epsilon,
        None => config.positive("rms_norm_eps")?.unwrap_or(1e-5),
    };
    Ok(spec)
}

/// EXAONE 4: norms behind attention and MLP, normed queries and keys; in its hybrid form the global layers have no
/// positions at all.
fn exaone4(config: &Config) -> Result<DecoderSpec, SpecError> {
    let layers = layer_count(config)?;
    let heads = config.heads()?;
    let mut spec = base(config, heads, layers, whole_heads(config, heads)?)?;
    spec.norm.epsilon = config.positive("rms_norm_eps")?.unwrap_or(1e-5);
    spec.naming = Naming::PostNorm;
    spec.residual = Residual::PostNorm;
    spec.attention.qk_norm = true;
    spec.mlp.activation = activation(config, Activation::Silu)?;
    let window = config.optional_count("sliding_window")?;
    let every = match config.get("sliding_window_pattern") {
        // "LLLG" is one global layer in four.
        Some(serde_json::Value::String(pattern)) => pattern.len().max(1),
        Some(_) => config.count("sliding_window_pattern")?,
        None => 4,
    };
    let slides = sliding(config, layers, |layer| !(layer + 1).is_multiple_of(every) && layer + 1 < layers)?;
    set_windows(&mut spec, window, &slides);
    if window.is_some() {
        spec.layers.iter_mut().for_each(|layer| layer.rope = layer.window.map(|_| 0));
    }
    Ok(spec)
}

/// What all Gemmas share.
fn gemma(config: &Config) -> Result<DecoderSpec, SpecError> {
    let layers = layer_count(config)?;
    let hidden = config.count("hidden_size")?;
    let heads = config.heads_of(Some(256))?;
    let mut spec = base(config, heads, layers, whole_heads(config, heads)?)?;
    spec.embedding_scale = (hidden as f64).sqrt();
    spec.norm.kind = NormKind::RmsPlusOne;
    let bias = config.flag("attention_bias")?.unwrap_or(false);
    (spec.attention.qkv_bias, spec.attention.output_bias) = (bias, bias);
    // Older configs say `gelu` where the released weights were trained with its approximation by tanh; transformers
    // takes it so too.
    spec.mlp.activation = match activation(config, Activation::GeluTanh)? {
        Activation::Silu => Activation::Silu,
        Activation::Gelu | Activation::GeluTanh => Activation::GeluTanh,
    };
    spec.tied_embeddings = config.flag("tie_word_embeddings")?.unwrap_or(true);
    Ok(spec)
}

fn gemma2(config: &Config) -> Result<DecoderSpec, SpecError> {
    let mut spec = gemma(config)?;
    sandwich(config, &mut spec)?;
    let cap = |key: &str, default: f64| {
        if config.states(key) { config.positive(key) } else { Ok(Some(default)) }
    };
    spec.attention.softcap = cap("attn_logit_softcapping", 50.0)?;
    spec.final_softcap = cap("final_logit_softcapping", 30.0)?;
    let slides = sliding(config, spec.layers.len(), |layer| layer.is_multiple_of(2))?;
    let window = if config.states("sliding_window") { config.optional_count("sliding_window")? } else { Some(4096) };
    set_windows(&mut spec, window, &slides);
    Ok(spec)
}

fn gemma3(config: &Config) -> Result<DecoderSpec, SpecError> {
    let mut spec = gemma(config)?;
    sandwich(config, &mut spec)?;
    spec.attention.qk_norm = true;
    // transformers ignores it.
    if let Some(cap) = config.get("attn_logit_softcapping") {
        return Err(SpecError::UnsupportedKey { key: "attn_logit_softcapping".into(), value: shown(&cap.to_string()) });
    }
    if config.flag("use_bidirectional_attention")?.unwrap_or(false) {
        return Err(SpecError::UnsupportedKey { key: "use_bidirectional_attention".into(), value: "true".into() });
    }
    spec.final_softcap = config.positive("final_logit_softcapping")?;
    let every = config.optional_count("sliding_window_pattern")?.unwrap_or(6);
    let slides = sliding(config, spec.layers.len(), |layer| !(layer + 1).is_multiple_of(every))?;
    let window = if config.states("sliding_window") { config.optional_count("sliding_window")? } else { Some(4096) };
    set_windows(&mut spec, window, &slides);

    let dims = spec.attention.heads.dim;
    let local_theta = serde_json::json!(config.positive("rope_local_base_freq")?.unwrap_or(10_000.0));
    let local = match config.get("rope_parameters") {
        Some(_) => RopeKeys::of(config, "sliding_attention")?,
        None => RopeKeys::unscaled(&local_theta),
    };
    let global = RopeKeys::of(config, "full_attention")?;
    spec.ropes =
        vec![rope(config, &global, dims, 1_000_000.0, false)?.0, rope(config, &local, dims, 10_000.0, false)?.0];
    for (layer, slides) in spec.layers.iter_mut().zip(&slides) {
        layer.rope = Some(usize::from(*slides));
    }
    Ok(spec)
}

fn sandwich(config: &Config, spec: &mut DecoderSpec) -> Result<(), SpecError> {
    spec.naming = Naming::Sandwich;
    spec.residual = Residual::Sandwich;
    spec.attention.scale = 1.0 / config.positive("query_pre_attn_scalar")?.unwrap_or(256.0).sqrt();
    Ok(())
}

fn gpt_neox(config: &Config) -> Result<DecoderSpec, SpecError> {
    let layers = layer_count(config)?;
    let hidden = config.count("hidden_size")?;
    let heads = config.heads()?;
    let keys = RopeKeys::of(config, "full_attention")?;
    let share = match config.positive("rotary_pct")? {
        Some(share) => share,
        None => keys.share()?.unwrap_or(0.25),
    };
    let theta = config.positive("rotary_emb_base")?.unwrap_or(10_000.0);
    let turned = rope(config, &keys, rotary_dims(heads.dim, share)?, theta, false)?.0;
    let mut spec = base(config, heads, layers, turned)?;
    spec.naming = Naming::GptNeox;
    spec.norm = Norm { kind: NormKind::Layer, epsilon: config.positive("layer_norm_eps")?.unwrap_or(1e-5) };
    let parallel = config.flag("use_parallel_residual")?.unwrap_or(true);
    spec.residual = if parallel { Residual::Parallel } else { Residual::PreNorm };
    let bias = config.flag("attention_bias")?.unwrap_or(true);
    (spec.attention.qkv_bias, spec.attention.output_bias) = (bias, bias);
    spec.attention.fused = FusedQkv::PerHead;
    spec.mlp = Mlp {
        intermediate: config.optional_count("intermediate_size")?.unwrap_or(4 * hidden),
        activation: activation(config, Activation::Gelu)?,
        gated: false,
        bias: true,
        fused: false,
        experts: None,
    };
    Ok(spec)
}

fn deepseek_v2(config: &Config) -> Result<DecoderSpec, SpecError> {
    let layers = layer_count(config)?;
    let latent = Latent {
        // What DeepseekV2Config assumes; `null` is none.
        query_rank: if config.states("q_lora_rank") { config.optional_count("q_lora_rank")? } else { Some(1536) },
        kv_rank: config.count("kv_lora_rank")?,
        nope: config.count("qk_nope_head_dim")?,
        rope: config.count("qk_rope_head_dim")?,
        value: config.count("v_head_dim")?,
    };
    let queries = config.count("num_attention_heads")?;
    let heads = Heads { queries, keys: queries, dim: latent.nope + latent.rope };
    let keys = RopeKeys::of(config, "full_attention")?;
    if !latent.rope.is_multiple_of(2) {
        let found = latent.rope.to_string();
        return Err(SpecError::Invalid { key: "qk_rope_head_dim".into(), found, expected: "an even number".into() });
    }
    let (turned, softmax_factor) = rope(config, &keys, latent.rope, 10_000.0, true)?;
    let mut spec = base(config, heads, layers, turned)?;
    spec.attention.scale *= softmax_factor;
    spec.attention.latent = Some(latent);
    spec.mlp.activation = activation(config, Activation::Silu)?;
    let bias = config.flag("attention_bias")?.unwrap_or(false);
    if bias {
        return Err(SpecError::UnsupportedKey { key: "attention_bias".into(), value: "true".into() });
    }
    let experts = experts(config)?;
    if layers * experts.count > MOST_EXPERTS {
        let expected = format!("at most {MOST_EXPERTS} in all layers together");
        return Err(SpecError::Invalid { key: "n_routed_experts".into(), found: experts.count.to_string(), expected });
    }
    spec.mlp.experts = Some(experts);
    let dense = match config.get("first_k_dense_replace") {
        Some(value) if value.as_u64() == Some(0) => 0,
        _ => config.optional_count("first_k_dense_replace")?.unwrap_or(0),
    };
    if let Some(every) = config.optional_count("moe_layer_freq")?.filter(|every| *every != 1) {
        return Err(SpecError::UnsupportedKey { key: "moe_layer_freq".into(), value: every.to_string() });
    }
    spec.layers.iter_mut().enumerate().for_each(|(index, layer)| layer.experts = index >= dense);
    Ok(spec)
}

/// Most experts of all layers together: DeepSeek-V2 has 9,600. Each takes three entries of the inventory.
const MOST_EXPERTS: usize = 1 << 17;

fn experts(config: &Config) -> Result<Experts, SpecError> {
    let count = config.repetitions("n_routed_experts")?;
    let chosen = config.count("num_experts_per_tok")?;
    let intermediate = config.count("moe_intermediate_size")?;
    let refused = |key: &str, value: &str| Err(SpecError::UnsupportedKey { key: key.into(), value: shown(value) });
    if let Some(function) = config.text("scoring_func")?.filter(|function| *function != "softmax") {
        return refused("scoring_func", function);
    }
    let groups = match config.text("topk_method")?.unwrap_or("greedy") {
        "greedy" => None,
        "group_limited_greedy" => Some((config.count("n_group")?, config.count("topk_group")?)),
        other => return refused("topk_method", other),
    };
    let usable = match groups {
        Some((groups, best)) => count.is_multiple_of(groups) && best <= groups && chosen <= best * (count / groups),
        None => chosen <= count,
    };
    if !usable {
        let expected = format!("at most the experts to choose from (of {count})");
        return Err(SpecError::Invalid { key: "num_experts_per_tok".into(), found: chosen.to_string(), expected });
    }
    let shared =
        if config.states("n_shared_experts") { config.optional_count("n_shared_experts")?.unwrap_or(0) } else { 2 };
    let normalized = config.flag("norm_topk_prob")?.unwrap_or(false);
    Ok(Experts {
        count,
        chosen,
        intermediate,
        shared_intermediate: shared * intermediate,
        groups,
        normalized,
        scale: config.positive("routed_scaling_factor")?.unwrap_or(1.0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::error::SUPPORTED;
    use serde_json::{Value, json};

    fn spec(change: Value) -> Result<DecoderSpec, SpecError> {
        let mut base = json!({
            "model_type": "llama", "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 4,
            "num_attention_heads": 8, "vocab_size": 100,
        });
        for (key, value) in change.as_object().unwrap() {
            base[key] = value.clone();
        }
        DecoderSpec::from_config(&Config::new(base).unwrap())
    }

    fn windows(spec: &DecoderSpec) -> Vec<Option<usize>> {
        spec.layers.iter().map(|layer| layer.window).collect()
    }

    #[test]
    fn an_old_config_gets_the_defaults_of_its_time() {
        let spec = spec(json!({})).unwrap();
        let heads = spec.attention.heads;
        assert_eq!((heads.keys, heads.dim), (8, 8));
        assert_eq!(spec.ropes[0].frequencies, [1.0, 0.1, 0.01, 0.001]);
        assert!(!spec.tied_embeddings && !spec.attention.qkv_bias && !spec.mlp.bias);
    }

    #[test]
    fn qwen2_windows_only_when_told_to_and_only_the_later_layers() {
        let qwen2 = |used| {
            let change = json!({
                "model_type": "qwen2", "num_key_value_heads": 2, "sliding_window": 12, "max_window_layers": 2,
                "use_sliding_window": used,
            });
            spec(change).unwrap()
        };
        assert_eq!(windows(&qwen2(false)), [None; 4]);
        assert_eq!(windows(&qwen2(true)), [None, None, Some(12), Some(12)]);
        assert!(qwen2(false).attention.qkv_bias && !qwen2(false).attention.output_bias);
    }

    #[test]
    fn mistral_windows_every_layer_and_null_means_none() {
        let mistral =
            |window: Value| windows(&spec(json!({"model_type": "mistral", "sliding_window": window})).unwrap());
        assert_eq!(mistral(json!(12)), [Some(12); 4]);
        assert_eq!(mistral(Value::Null), [None; 4]);
    }

    #[test]
    fn gemma2_slides_in_every_other_layer_and_gemma3_in_five_of_six() {
        let gemma2 = spec(json!({"model_type": "gemma2", "sliding_window": 6, "head_dim": 8})).unwrap();
        assert_eq!(windows(&gemma2), [Some(6), None, Some(6), None]);
        let change = json!({"model_type": "gemma3_text", "sliding_window": 6, "head_dim": 8, "num_hidden_layers": 7});
        let gemma3 = spec(change).unwrap();
        let ropes: Vec<Option<usize>> = gemma3.layers.iter().map(|layer| layer.rope).collect();
        assert_eq!(ropes, [1, 1, 1, 1, 1, 0, 1].map(Some));
    }

    #[test]
    fn both_dialects_of_the_rotary_keys_say_the_same() {
        let scaling = json!({"rope_type": "linear", "factor": 4.0});
        let old = spec(json!({"rope_theta": 5e5, "rope_scaling": scaling})).unwrap();
        let new = spec(json!({"rope_parameters": {"rope_theta": 5e5, "rope_type": "linear", "factor": 4.0}})).unwrap();
        let type_key = spec(json!({"rope_theta": 5e5, "rope_scaling": {"type": "linear", "factor": 4.0}})).unwrap();
        assert_eq!((&old, &old), (&new, &type_key));
        assert_eq!(old.ropes[0].frequencies[0], 0.25);
    }

    #[test]
    fn what_the_decoder_does_not_do_is_an_error_that_names_the_key() {
        let cases = [
            (json!({"model_type": "mamba"}), "architecture `mamba` is not supported yet"),
            (json!({"rope_scaling": {"type": "dynamic"}}), "`rope_scaling.rope_type` = dynamic is not supported yet"),
            (json!({"rope_scaling": {"type": "linear"}}), "the config lacks `rope_scaling.factor`"),
            (json!({"rope_scaling": 8}), "`rope_scaling` is 8, expected an object"),
            (json!({"hidden_act": "relu"}), "`hidden_act` = relu is not supported yet"),
            (
                json!({"quantization_config": {"quant_method": "gptq"}}),
                "`quantization_config` = gptq is not supported yet",
            ),
            (
                json!({"num_key_value_heads": 3}),
                "`num_key_value_heads` is 3, expected a divisor of num_attention_heads = 8",
            ),
            (json!({"head_dim": 7}), "`head_dim` is 7, expected an even number, which rotary positions need"),
            (json!({"num_attention_heads": 7}), "`num_attention_heads` is 7, expected a divisor of hidden_size = 64"),
        ];
        for (change, message) in cases {
            assert_eq!(spec(change).unwrap_err().to_string(), message);
        }
    }

    /// Whatever the numbers, the spec is refused by the key that is wrong, before anything is computed or allocated.
    #[test]
    fn hostile_numbers_are_refused_by_key() {
        let scaled = |scaling: Value| json!({"rope_scaling": scaling, "max_position_embeddings": 64});
        let experts = |change: Value| {
            let mut config = json!({
                "model_type": "deepseek_v2", "kv_lora_rank": 8, "qk_nope_head_dim": 8, "qk_rope_head_dim": 8,
                "v_head_dim": 8, "n_routed_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 8,
            });
            change.as_object().unwrap().iter().for_each(|(key, value)| config[key] = value.clone());
            config
        };
        let grouped = |groups: u64, best: u64| {
            experts(json!({"topk_method": "group_limited_greedy", "n_group": groups, "topk_group": best}))
        };
        for (change, key) in [
            (json!({"num_attention_heads": 0}), "num_attention_heads"),
            (json!({"num_key_value_heads": 0}), "num_key_value_heads"),
            (json!({"num_key_value_heads": 16}), "num_key_value_heads"),
            (json!({"num_hidden_layers": 0}), "num_hidden_layers"),
            (json!({"num_hidden_layers": 1_000_000}), "num_hidden_layers"),
            (json!({"num_hidden_layers": 4.5}), "num_hidden_layers"),
            (json!({"vocab_size": 1_u64 << 40}), "vocab_size"),
            (json!({"hidden_size": 1_u64 << 63}), "hidden_size"),
            (json!({"hidden_size": -64}), "hidden_size"),
            (json!({"hidden_size": 64.0}), "hidden_size"),
            (json!({"intermediate_size": 1e308}), "intermediate_size"),
            (json!({"max_position_embeddings": 0}), "max_position_embeddings"),
            (json!({"max_position_embeddings": 1e18}), "max_position_embeddings"),
            (
                json!({"model_type": "mistral", "num_key_value_heads": 8, "sliding_window": 1_u64 << 60}),
                "sliding_window",
            ),
            (json!({"model_type": "gemma3", "head_dim": 8, "sliding_window_pattern": 0}), "sliding_window_pattern"),
            (json!({"rms_norm_eps": 1e300}), "rms_norm_eps"),
            (json!({"rms_norm_eps": 1e-300}), "rms_norm_eps"),
            (json!({"rms_norm_eps": -1e-6}), "rms_norm_eps"),
            (json!({"rope_theta": 0}), "rope_theta"),
            (json!({"rope_theta": 1e-300}), "rope_theta"),
            (scaled(json!({"type": "linear", "factor": 0})), "rope_scaling.factor"),
            (scaled(json!({"type": "linear", "factor": -2.0})), "rope_scaling.factor"),
            (scaled(json!({"type": "linear", "factor": 1e-30})), "rope_scaling"),
            (
                scaled(json!({"type": "llama3", "factor": 1e-30, "low_freq_factor": 1.0, "high_freq_factor": 1.0})),
                "rope_scaling",
            ),
            (scaled(json!({"type": "longrope", "short_factor": [], "long_factor": []})), "rope_scaling.short_factor"),
            (
                scaled(json!({"type": "longrope", "short_factor": [1, 1, 1, 0], "long_factor": [1, 1, 1, 1]})),
                "rope_scaling.short_factor",
            ),
            (
                scaled(json!({
                    "type": "longrope", "short_factor": [1, 1, 1, 1], "long_factor": [1, 1, 1, 1],
                    "original_max_position_embeddings": 1,
                })),
                "rope_scaling",
            ),
            (json!({"model_type": "phi3", "partial_rotary_factor": 1e30}), "partial_rotary_factor"),
            (json!({"model_type": "gpt_neox", "rotary_pct": 1e-30}), "partial_rotary_factor"),
            (
                json!({"layer_types": ["full_attention"], "model_type": "qwen3", "num_key_value_heads": 8}),
                "layer_types",
            ),
            (experts(json!({"n_routed_experts": 0})), "n_routed_experts"),
            (experts(json!({"n_routed_experts": 1024, "num_hidden_layers": 1024})), "n_routed_experts"),
            (experts(json!({"num_experts_per_tok": 9})), "num_experts_per_tok"),
            (grouped(3, 1), "num_experts_per_tok"),
            (grouped(4, 5), "num_experts_per_tok"),
            (grouped(8, 1), "num_experts_per_tok"),
            (grouped(0, 1), "n_group"),
            (experts(json!({"qk_rope_head_dim": 7})), "qk_rope_head_dim"),
        ] {
            let error = spec(change.clone()).unwrap_err();
            assert!(matches!(&error, SpecError::Invalid { key: named, .. } if named == key), "{change}: {error}");
        }
    }

    /// Where all numbers are as large as they may be, nothing that is computed from them overflows.
    #[test]
    fn the_largest_numbers_together_overflow_nothing() {
        const MOST: u64 = 1 << 20;
        let change = json!({
            "hidden_size": MOST, "intermediate_size": MOST, "vocab_size": MOST, "num_hidden_layers": 1024,
            "num_attention_heads": MOST, "num_key_value_heads": MOST, "head_dim": MOST, "max_position_embeddings": MOST,
        });
        for family in ["llama", "qwen3", "phi3", "exaone4", "gemma2", "gpt_neox"] {
            let mut change = change.clone();
            change["model_type"] = family.into();
            let spec = spec(change).unwrap();
            let inventory = crate::spec::Inventory::of(&spec);
            assert!(inventory.parameters() > 1 << 60, "{family}");
            assert!(inventory.bytes(crate::catalog::Quantization::F32) > 1 << 62, "{family}");
        }
    }

    #[test]
    fn messages_show_a_long_value_shortened() {
        let long = "x".repeat(1 << 20);
        for change in [
            json!({"model_type": long}),
            json!({"hidden_act": long}),
            json!({"hidden_size": long}),
            json!({"quantization_config": {"quant_method": long}}),
            json!({"rope_scaling": {"type": long}}),
        ] {
            assert!(spec(change).unwrap_err().to_string().len() < 200);
        }
    }

    #[test]
    fn the_families_that_are_named_are_supported() {
        for name in SUPPORTED.split(", ") {
            let read = read(&Config::new(serde_json::json!({ "model_type": name })).unwrap());
            assert!(!matches!(read, Err(SpecError::UnsupportedArchitecture(_))), "{name}");
        }
    }
}
