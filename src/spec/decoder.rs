//! The decoder described as data: what differs between architectures, and nothing of how it is computed.

use super::config::{Config, SpecError};

/// A pre-norm transformer decoder with RMS norms, rotary positions and a gated SiLU MLP.
#[derive(Debug, Clone, PartialEq)]
pub struct DecoderSpec {
    pub vocabulary: usize,
    pub hidden: usize,
    pub layers: usize,
    pub heads: usize,
    /// Heads of the key and value cache; each serves `heads / kv_heads` query heads (grouped-query attention).
    pub kv_heads: usize,
    pub head_dim: usize,
    pub intermediate: usize,
    pub norm_epsilon: f64,
    /// Base of the rotary frequencies.
    pub rope_theta: f64,
    /// Biases on the query, key and value projections.
    pub qkv_bias: bool,
    /// Bias on the attention's output projection.
    pub output_bias: bool,
    pub mlp_bias: bool,
    /// The output head is the embedding matrix.
    pub tied_embeddings: bool,
    /// For each layer, how many of the latest positions (its own included) a query attends to; `None` for all.
    pub windows: Vec<Option<usize>>,
    /// Longest context that the model was made for, in tokens.
    pub max_positions: usize,
}

impl DecoderSpec {
    /// Reads the spec out of a `config.json`, with the defaults that Hugging Face's own config classes have.
    ///
    /// # Errors
    /// A key that is missing, out of bounds, or asks for something that the decoder does not do.
    pub fn from_config(config: &Config) -> Result<Self, SpecError> {
        let family = config.model_type()?;
        if !matches!(family, "llama" | "mistral" | "qwen2") {
            return Err(SpecError::UnsupportedArchitecture(family.into()));
        }
        refuse_unsupported(config)?;

        let hidden = config.count("hidden_size")?;
        let layers = config.repetitions("num_hidden_layers")?;
        let heads = config.heads()?;
        let attention_bias = config.flag("attention_bias")?.unwrap_or(false);
        Ok(Self {
            vocabulary: config.count("vocab_size")?,
            hidden,
            layers,
            heads: heads.queries,
            kv_heads: heads.keys,
            head_dim: heads.dim,
            intermediate: config.count("intermediate_size")?,
            norm_epsilon: config.positive("rms_norm_eps")?.unwrap_or(1e-6),
            rope_theta: config.positive("rope_theta")?.unwrap_or(10_000.0),
            qkv_bias: family == "qwen2" || attention_bias,
            output_bias: family == "llama" && attention_bias,
            mlp_bias: config.flag("mlp_bias")?.unwrap_or(false),
            tied_embeddings: config.flag("tie_word_embeddings")?.unwrap_or(false),
            windows: windows(config, family, layers)?,
            max_positions: config.optional_count("max_position_embeddings")?.unwrap_or(2048),
        })
    }

    /// Bytes that one token of context occupies in the key and value cache, at `element_bytes` a number.
    pub fn kv_bytes_per_token(&self, element_bytes: usize) -> u64 {
        (2 * self.layers * self.kv_heads * self.head_dim * element_bytes) as u64
    }
}

/// Refuses what the decoder would otherwise silently compute wrongly.
fn refuse_unsupported(config: &Config) -> Result<(), SpecError> {
    for key in ["rope_scaling", "quantization_config"] {
        if let Some(value) = config.get(key) {
            return Err(SpecError::UnsupportedKey { key: key.into(), value: value.to_string() });
        }
    }
    match config.text("hidden_act")? {
        None | Some("silu") => Ok(()),
        Some(other) => Err(SpecError::UnsupportedKey { key: "hidden_act".into(), value: other.into() }),
    }
}

/// Mistral slides over every layer; Qwen2 only where `use_sliding_window` says so, from layer `max_window_layers` on.
fn windows(config: &Config, family: &str, layers: usize) -> Result<Vec<Option<usize>>, SpecError> {
    // MistralConfig and Qwen2Config assume 4096 where the key is absent; `null` is none.
    let window = if config.states("sliding_window") { config.optional_count("sliding_window")? } else { Some(4096) };
    let first = match family {
        "mistral" => 0,
        "qwen2" if config.flag("use_sliding_window")?.unwrap_or(false) => match config.get("max_window_layers") {
            Some(value) if value.as_u64() == Some(0) => 0,
            _ => config.optional_count("max_window_layers")?.unwrap_or(28),
        },
        _ => layers,
    };
    Ok((0..layers).map(|layer| window.filter(|_| layer >= first)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
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

    #[test]
    fn an_old_config_gets_the_defaults_of_its_time() {
        let spec = spec(json!({})).unwrap();
        assert_eq!((spec.kv_heads, spec.head_dim, spec.rope_theta), (8, 8, 10_000.0));
        assert!(!spec.tied_embeddings && !spec.qkv_bias && !spec.mlp_bias);
    }

    #[test]
    fn qwen2_windows_only_when_told_to_and_only_the_later_layers() {
        let qwen2 = |used| {
            spec(json!({"model_type": "qwen2", "num_key_value_heads": 2, "sliding_window": 12, "max_window_layers": 2, "use_sliding_window": used}))
                .unwrap()
        };
        assert_eq!(qwen2(false).windows, [None; 4]);
        assert_eq!(qwen2(true).windows, [None, None, Some(12), Some(12)]);
        assert!(qwen2(false).qkv_bias && !qwen2(false).output_bias);
    }

    #[test]
    fn mistral_windows_every_layer_and_null_means_none() {
        assert_eq!(spec(json!({"model_type": "mistral", "sliding_window": 12})).unwrap().windows, [Some(12); 4]);
        assert_eq!(spec(json!({"model_type": "mistral", "sliding_window": null})).unwrap().windows, [None; 4]);
    }

    #[test]
    fn what_the_decoder_does_not_do_is_an_error_that_names_the_key() {
        let cases = [
            (json!({"model_type": "mamba"}), "architecture `mamba` is not supported yet"),
            (
                json!({"rope_scaling": {"type": "linear"}}),
                "`rope_scaling` = {\"type\":\"linear\"} is not supported yet",
            ),
            (json!({"hidden_act": "gelu"}), "`hidden_act` = gelu is not supported yet"),
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
}
