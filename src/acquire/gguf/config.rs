//! GGUF metadata in the words of a `config.json`, so that one reader of specs serves both.
//!
//! Keys are those of `gguf-py/gguf/constants.py`, values as llama.cpp's converters write them.

use serde_json::{Map, Value, json};

use super::{Field, GgufError, GgufFile};

/// Whole numbers: GGUF's key within the architecture, and the config's.
const COUNTS: [(&str, &str); 19] = [
    ("embedding_length", "hidden_size"),
    ("block_count", "num_hidden_layers"),
    ("feed_forward_length", "intermediate_size"),
    ("attention.head_count", "num_attention_heads"),
    ("attention.head_count_kv", "num_key_value_heads"),
    ("attention.key_length", "head_dim"),
    ("attention.sliding_window", "sliding_window"),
    ("context_length", "max_position_embeddings"),
    ("attention.q_lora_rank", "q_lora_rank"),
    ("attention.kv_lora_rank", "kv_lora_rank"),
    ("attention.value_length", "v_head_dim"),
    ("rope.dimension_count", "qk_rope_head_dim"),
    ("expert_count", "n_routed_experts"),
    ("expert_used_count", "num_experts_per_tok"),
    ("expert_shared_count", "n_shared_experts"),
    ("expert_feed_forward_length", "moe_intermediate_size"),
    ("leading_dense_block_count", "first_k_dense_replace"),
    ("expert_group_count", "n_group"),
    ("expert_group_used_count", "topk_group"),
];

/// Other numbers, likewise.
const NUMBERS: [(&str, &str); 7] = [
    ("attention.layer_norm_rms_epsilon", "rms_norm_eps"),
    ("attention.layer_norm_epsilon", "layer_norm_eps"),
    ("rope.freq_base", "rope_theta"),
    ("attn_logit_softcapping", "attn_logit_softcapping"),
    ("final_logit_softcapping", "final_logit_softcapping"),
    ("expert_weights_scale", "routed_scaling_factor"),
    ("rope.local.freq_base", "rope_local_base_freq"),
];

/// Truths, likewise.
const FLAGS: [(&str, &str); 2] =
    [("use_parallel_residual", "use_parallel_residual"), ("expert_weights_norm", "norm_topk_prob")];

/// The config that the file's metadata describes.
///
/// # Errors
/// Metadata that lacks the architecture or has values of a wrong type.
pub fn config(file: &GgufFile) -> Result<Value, GgufError> {
    let architecture =
        file.text("general.architecture")?.ok_or_else(|| GgufError::MissingField("general.architecture".into()))?;
    refuse_parts(file, architecture)?;
    let mut fields = Map::new();
    fields.insert("model_type".into(), json!(architecture));
    if !is_supported(architecture) {
        // Refused as that, whatever else there is of it.
        return Ok(Value::Object(fields));
    }

    let key = |suffix: &str| format!("{architecture}.{suffix}");
    for (suffix, name) in COUNTS {
        if let Some(number) = count(file, &key(suffix))? {
            fields.insert(name.into(), json!(number));
        }
    }
    for (suffix, name) in NUMBERS {
        if let Some(number) = file.float(&key(suffix))? {
            fields.insert(name.into(), json!(number));
        }
    }
    for (suffix, name) in FLAGS {
        if let Some(flag) = file.flag(&key(suffix))? {
            fields.insert(name.into(), json!(flag));
        }
    }
    // Converters write 0 for a window that the config has as `null`.
    if file.unsigned(&key("attention.sliding_window"))? == Some(0) {
        fields.insert("sliding_window".into(), Value::Null);
    }
    sliding_layers(file, &key("attention.sliding_window_pattern"), &mut fields)?;
    refuse_unsupported(file, architecture)?;
    if let Some(scaling) = rope_scaling(file, architecture)? {
        fields.insert("rope_scaling".into(), scaling);
    }
    by_architecture(file, architecture, &mut fields)?;

    let embedding = file.tensors().get("token_embd.weight");
    let embedding = embedding.ok_or_else(|| GgufError::MissingTensor("token_embd.weight".into()))?;
    fields.insert("vocab_size".into(), json!(embedding.shape.first()));
    fields.insert("tie_word_embeddings".into(), json!(!file.tensors().contains_key("output.weight")));
    // Biases are not in the metadata; they are there if their tensors are.
    let biased = ["blk.0.attn_q.bias", "blk.0.attn_qkv.bias"].iter().any(|name| file.tensors().contains_key(*name));
    fields.insert("attention_bias".into(), json!(biased));
    fields.insert("mlp_bias".into(), json!(file.tensors().contains_key("blk.0.ffn_down.bias")));

    for (key, name) in
        [("tokenizer.ggml.bos_token_id", "bos_token_id"), ("tokenizer.ggml.eos_token_id", "eos_token_id")]
    {
        if let Some(Field::Unsigned(id)) = file.fields().get(key) {
            fields.insert(name.into(), json!(id));
        }
    }
    Ok(Value::Object(fields))
}

/// Refuses files that are a part of a model, or something that is made of one: each says so itself.
fn refuse_parts(file: &GgufFile, architecture: &str) -> Result<(), GgufError> {
    match (file.text("general.type")?, architecture) {
        (Some("adapter"), _) => Err(GgufError::NoModel("an adapter (LoRA)")),
        (Some("mmproj"), _) | (_, "clip") => {
            Err(GgufError::NoModel("the part of a model that reads images or sound (mmproj)"))
        }
        (Some("imatrix"), _) | (_, "imatrix") => {
            Err(GgufError::NoModel("an importance matrix, by which files are quantized"))
        }
        _ => Ok(()),
    }
}

fn is_supported(architecture: &str) -> bool {
    let named = crate::spec::Config::new(json!({ "model_type": architecture }));
    let spec = named.and_then(|config| crate::spec::DecoderSpec::from_config(&config));
    !matches!(spec, Err(crate::spec::SpecError::UnsupportedArchitecture(_)))
}

/// A whole number, which may be stated for each layer as long as it is the same for all.
fn count(file: &GgufFile, key: &str) -> Result<Option<u64>, GgufError> {
    let Some(Field::Array(layers)) = file.fields().get(key) else { return file.unsigned(key) };
    match layers.split_first() {
        Some((Field::Unsigned(first), rest)) if rest.iter().all(|layer| *layer == Field::Unsigned(*first)) => {
            Ok(Some(*first))
        }
        Some((Field::Signed(first), rest)) if rest.iter().all(|layer| *layer == Field::Signed(*first)) => {
            Ok(u64::try_from(*first).ok())
        }
        _ => {
            Err(GgufError::UnsupportedField { key: key.into(), value: "a list, another number for each layer".into() })
        }
    }
}

/// Which layers slide: a truth for each, or every how many layers one does not.
fn sliding_layers(file: &GgufFile, key: &str, fields: &mut Map<String, Value>) -> Result<(), GgufError> {
    match file.fields().get(key) {
        None => {}
        Some(Field::Array(_)) => {
            let wrong = || GgufError::WrongField { key: key.into(), expected: "true or false for each layer" };
            let kind = |slides: &Field| match slides {
                Field::Bool(true) => Ok("sliding_attention"),
                Field::Bool(false) => Ok("full_attention"),
                _ => Err(wrong()),
            };
            let kinds: Result<Vec<&str>, GgufError> = file.array(key)?.unwrap_or_default().iter().map(kind).collect();
            fields.insert("layer_types".into(), json!(kinds?));
        }
        Some(_) => {
            fields.insert("sliding_window_pattern".into(), json!(file.unsigned(key)?));
        }
    }
    Ok(())
}

/// Further keys of an architecture that are read here, or that change nothing.
const ALSO_KNOWN: [&str; 12] = [
    "attention.sliding_window_pattern",
    "attention.key_length_mla",
    "attention.value_length_mla",
    "expert_gating_func",
    "rope.scaling.type",
    "rope.scaling.factor",
    "rope.scaling.original_context_length",
    "rope.scaling.attn_factor",
    "rope.scaling.yarn_log_multiplier",
    "rope.scaling.finetuned",
    "tensor_data_layout",
    "vocab_size",
];

/// How experts are weighed, by `llama_expert_gating_func_type`: files from before the key mean softmax.
const SOFTMAX_GATE: u64 = 1;

/// Refuses what changes the computation and is not computed: by key, so that nothing is ignored without a word.
fn refuse_unsupported(file: &GgufFile, architecture: &str) -> Result<(), GgufError> {
    let known = |suffix: &str| {
        let counts = COUNTS.iter().chain(&NUMBERS).chain(&FLAGS);
        counts.map(|(key, _)| *key).chain(ALSO_KNOWN).any(|key| key == suffix)
    };
    let prefix = format!("{architecture}.");
    let unknown = |key: &&String| key.strip_prefix(&prefix).is_some_and(|suffix| !known(suffix));
    if let Some(key) = file.fields().keys().filter(unknown).min() {
        return Err(GgufError::UnknownField(key.clone()));
    }
    let key = format!("{architecture}.expert_gating_func");
    if let Some(gate) = file.unsigned(&key)?.filter(|gate| !matches!(*gate, 0 | SOFTMAX_GATE)) {
        let name = if gate == 2 { "sigmoid".into() } else { gate.to_string() };
        return Err(GgufError::UnsupportedField { key, value: name });
    }
    // Added to the router's scores before experts are chosen.
    match file.tensors().keys().filter(|name| name.contains(".exp_probs_b")).min() {
        Some(name) => Err(GgufError::UnsupportedTensor(name.clone())),
        None => Ok(()),
    }
}

/// What some converters leave out, or write otherwise than the config that they read.
fn by_architecture(file: &GgufFile, architecture: &str, fields: &mut Map<String, Value>) -> Result<(), GgufError> {
    let number = |fields: &Map<String, Value>, name: &str| fields.get(name).and_then(Value::as_u64);
    match architecture {
        // The 27B model alone has another scale than its head's, and no key tells it apart.
        "gemma2" | "gemma3" => {
            let head_dim = number(fields, "head_dim");
            let large = number(fields, "num_hidden_layers") == Some(if architecture == "gemma2" { 46 } else { 62 });
            let scalar = match (number(fields, "hidden_size"), number(fields, "num_attention_heads")) {
                (Some(hidden), Some(heads)) if large && heads > 0 => Some(hidden / heads),
                _ => head_dim,
            };
            fields.insert("query_pre_attn_scalar".into(), json!(scalar));
        }
        // The config states the part of each head that turns, the file how many numbers that is.
        "gptneox" | "phi3" => {
            let (rotary, heads) = (number(fields, "qk_rope_head_dim"), number(fields, "num_attention_heads"));
            if let (Some(rotary), Some(heads), Some(hidden)) = (rotary, heads, number(fields, "hidden_size")) {
                let name = if architecture == "phi3" { "partial_rotary_factor" } else { "rotary_pct" };
                fields.insert(name.into(), json!(rotary as f64 * heads as f64 / hidden as f64));
            }
        }
        "deepseek2" => {
            // llama.cpp leaves the chosen probabilities as they are where the file states 0.
            if fields.get("routed_scaling_factor").and_then(Value::as_f64) == Some(0.0) {
                fields.remove("routed_scaling_factor");
            }
            // A key that is not there means that queries have no latent, where a config's default has one.
            fields.entry("q_lora_rank").or_insert(Value::Null);
            fields.entry("n_shared_experts").or_insert(Value::Null);
            // Files since 2025 state the widths of a head apart from those of the shared latent.
            let mla = |suffix: &str| file.unsigned(&format!("deepseek2.attention.{suffix}_length_mla"));
            if let Some(value) = mla("value")? {
                fields.insert("v_head_dim".into(), json!(value));
            }
            let key = mla("key")?.or(number(fields, "head_dim"));
            if let (Some(key), Some(rope)) = (key, number(fields, "qk_rope_head_dim")) {
                fields.insert("qk_nope_head_dim".into(), json!(key.checked_sub(rope)));
            }
            if fields.contains_key("n_group") {
                fields.insert("topk_method".into(), json!("group_limited_greedy"));
            }
        }
        _ => {}
    }
    Ok(())
}

/// The scaling of the rotary frequencies, by key or by the tensors that hold their divisors.
fn rope_scaling(file: &GgufFile, architecture: &str) -> Result<Option<Value>, GgufError> {
    if let Some(divisors) = floats(file, "rope_freqs.weight")? {
        return Ok(Some(json!({ "rope_type": "divisors", "divisors": divisors })));
    }
    let key = |suffix: &str| format!("{architecture}.rope.scaling.{suffix}");
    let original = file.unsigned(&key("original_context_length"))?;
    if let (Some(long), Some(short)) =
        (floats(file, "rope_factors_long.weight")?, floats(file, "rope_factors_short.weight")?)
    {
        return Ok(Some(json!({
            "rope_type": "longrope", "long_factor": long, "short_factor": short,
            "original_max_position_embeddings": original, "attention_factor": file.float(&key("attn_factor"))?,
        })));
    }
    let Some(kind) = file.text(&key("type"))?.filter(|kind| *kind != "none") else { return Ok(None) };
    // llama.cpp keeps a tenth of DeepSeek's `mscale_all_dim`, which in its configs is `mscale` too.
    let mscale = file.float(&key("yarn_log_multiplier"))?.map(|tenth| tenth * 10.0);
    Ok(Some(json!({
        "rope_type": kind, "factor": file.float(&key("factor"))?, "original_max_position_embeddings": original,
        "mscale": mscale, "mscale_all_dim": mscale,
    })))
}

/// Bytes of the longest list of divisors: one for each two numbers of a head, which has hundreds.
const LARGEST_DIVISORS: usize = 1 << 16;

/// The numbers of a float32 tensor; `None` if it is not there. A header alone lacks the divisors of the rotary frequencies,
/// which change what is computed and not how much.
fn floats(file: &GgufFile, name: &str) -> Result<Option<Vec<f32>>, GgufError> {
    if !file.tensors().contains_key(name) || !file.has_tensors() {
        return Ok(None);
    }
    let (place, bytes) = file.tensor(name)?;
    if place.kind != candle_core::quantized::GgmlDType::F32 || bytes.len() > LARGEST_DIVISORS {
        return Err(GgufError::WrongField { key: name.into(), expected: "a small tensor of float32" });
    }
    Ok(Some(
        bytes.chunks_exact(4).map(|number| f32::from_le_bytes([number[0], number[1], number[2], number[3]])).collect(),
    ))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Value as Is, field, file};
    use super::*;

    fn read(fields: &[(&str, Is)]) -> Result<Value, String> {
        let fields: Vec<Vec<u8>> = fields.iter().map(|(key, value)| field(key, *value)).collect();
        config(&file(&fields)).map_err(|error| error.to_string())
    }

    #[test]
    fn files_that_are_no_model_are_named_for_what_they_are() {
        let of = |fields: &[(&str, Is)]| read(fields).unwrap_err();
        let architecture = |name: &'static str| ("general.architecture", Is::Text(name));
        let kind = |name: &'static str| ("general.type", Is::Text(name));
        assert!(of(&[architecture("llama"), kind("adapter")]).contains("is an adapter (LoRA), and no model"));
        assert!(of(&[architecture("clip")]).contains("(mmproj), and no model"));
        assert!(of(&[architecture("clip"), kind("mmproj")]).contains("(mmproj), and no model"));
        assert!(of(&[architecture("imatrix")]).contains("an importance matrix"));
        let unknown = read(&[architecture("mamba3"), kind("model"), ("mamba3.block_count", Is::Text("many"))]);
        assert_eq!(unknown, Ok(json!({ "model_type": "mamba3" })), "refused later, as that");
    }

    #[test]
    fn a_number_for_each_layer_is_read_where_it_is_one() {
        let of = |heads| {
            read(&[("general.architecture", Is::Text("llama")), ("llama.attention.head_count", Is::Signed(heads))])
        };
        assert_eq!(of(&[4, 4, 4]).unwrap()["num_attention_heads"], 4);
        for heads in [&[4, 4, 8][..], &[], &[4, -4]] {
            let error = of(heads).unwrap_err();
            assert_eq!(
                error,
                "`llama.attention.head_count` = a list, another number for each layer is not supported yet"
            );
        }
    }

    /// As `convert_hf_to_gguf.py` writes `"sliding_window": null` of Phi-4.
    #[test]
    fn a_sliding_window_of_0_is_none() {
        let window = |width| {
            let fields =
                [("general.architecture", Is::Text("phi3")), ("phi3.attention.sliding_window", Is::Unsigned(width))];
            read(&fields).unwrap()["sliding_window"].clone()
        };
        assert_eq!((window(0), window(7)), (Value::Null, json!(7)));
    }

    #[test]
    fn what_changes_the_computation_and_is_not_known_is_refused_by_its_key() {
        let of = |architecture: &'static str, key: &'static str, value| {
            read(&[("general.architecture", Is::Text(architecture)), (key, value)])
        };
        assert_eq!(
            of("llama", "llama.logit_scale", Is::Unsigned(2)).unwrap_err(),
            "`llama.logit_scale` is not supported yet"
        );
        assert_eq!(
            of("deepseek2", "deepseek2.expert_gating_func", Is::Unsigned(2)).unwrap_err(),
            "`deepseek2.expert_gating_func` = sigmoid is not supported yet"
        );
        assert!(of("deepseek2", "deepseek2.expert_gating_func", Is::Unsigned(1)).is_ok());
        assert!(of("llama", "llama.vocab_size", Is::Unsigned(2)).is_ok());
        assert!(of("bert", "bert.pooling_type", Is::Unsigned(2)).is_ok(), "the architecture is refused later, as that");
    }
}
