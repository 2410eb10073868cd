//! Configs of models with several kinds of input: the part that is a decoder of text stands in `text_config`.

use serde_json::{Map, Value};

/// Keys that a wrapper states for its decoder too.
const SHARED: [&str; 6] =
    ["tie_word_embeddings", "bos_token_id", "eos_token_id", "quantization_config", "torch_dtype", "dtype"];

/// What `Gemma3TextConfig` assumes where a published config of gemma-3 leaves it out: those of 4B and larger state only what
/// differs.
const GEMMA3: [(&str, u64); 8] = [
    ("vocab_size", 262_208),
    ("hidden_size", 2304),
    ("intermediate_size", 9216),
    ("num_hidden_layers", 26),
    ("num_attention_heads", 8),
    ("num_key_value_heads", 4),
    ("head_dim", 256),
    ("max_position_embeddings", 131_072),
];

/// The config of the decoder alone, of a config that may be a wrapper's.
pub fn text_part(config: Value) -> Value {
    let Some(text) = config.get("text_config").and_then(Value::as_object) else { return config };
    let Some(family) = text.get("model_type").and_then(Value::as_str) else { return config };
    let mut part: Map<String, Value> = text.clone();
    if family == "gemma3_text" {
        for (key, value) in GEMMA3 {
            part.entry(key).or_insert_with(|| value.into());
        }
    }
    for key in SHARED {
        if let Some(value) = config.get(key).filter(|value| !value.is_null()) {
            part.entry(key).or_insert_with(|| value.clone());
        }
    }
    Value::Object(part)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::spec::{Config, DecoderSpec, Inventory};

    /// As `google/gemma-3-4b-it` states it.
    #[test]
    fn gemma_3_of_4b_parameters_is_what_its_config_leaves_out() {
        let config = json!({
            "model_type": "gemma3", "eos_token_id": [1, 106], "torch_dtype": "bfloat16", "image_token_index": 262_144,
            "text_config": {
                "hidden_size": 2560, "intermediate_size": 10240, "model_type": "gemma3_text", "num_hidden_layers": 34,
                "rope_scaling": { "factor": 8.0, "rope_type": "linear" }, "sliding_window": 1024,
            },
            "vision_config": { "hidden_size": 1152, "model_type": "siglip_vision_model", "num_hidden_layers": 27 },
        });
        let config = Config::new(text_part(config)).unwrap();
        assert_eq!(config.token_ids("eos_token_id"), Ok(vec![1, 106]));
        let spec = DecoderSpec::from_config(&config).unwrap();
        assert_eq!((spec.attention.heads.queries, spec.attention.heads.keys, spec.attention.heads.dim), (8, 4, 256));
        assert_eq!(spec.max_positions, 131_072);
        // 4.3 billion with the part that sees, which has 0.42.
        let billions = Inventory::of(&spec).parameters() as f64 / 1e9;
        assert!((3.87..3.89).contains(&billions), "{billions}");
    }

    #[test]
    fn what_the_part_states_counts_and_a_plain_config_stays() {
        let config = |tied: Value| {
            json!({ "model_type": "mistral3", "tie_word_embeddings": true, "quantization_config": { "quant_method": "fp8" },
                "text_config": { "model_type": "mistral", "tie_word_embeddings": tied } })
        };
        let part = text_part(config(json!(false)));
        assert_eq!((&part["model_type"], &part["tie_word_embeddings"]), (&json!("mistral"), &json!(false)));
        assert_eq!(part["quantization_config"]["quant_method"], "fp8");
        for plain in
            [json!({ "model_type": "llama" }), json!({ "text_config": null }), json!({ "text_config": {} }), json!([])]
        {
            assert_eq!(text_part(plain.clone()), plain);
        }
    }
}
