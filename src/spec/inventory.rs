//! The inventory: every weight that a checkpoint of a given config holds, by its Hugging Face name and shape.
//!
//! It counts parameters and bytes before anything is downloaded, makes synthetic checkpoints, and covers every shipped
//! candidate, including those whose architecture the decoder does not run yet.

use candle_core::quantized::GgmlDType;

use super::config::{Config, Heads, SpecError};
use crate::catalog::Quantization;

/// What a weight is for, which decides its precision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A matrix that activations are multiplied with.
    Linear,
    /// The token embedding, or the output head.
    Vocabulary,
    /// A norm's scale, or a bias: one-dimensional, always float32.
    Vector,
}

/// One weight: `rows` outputs of `columns` inputs; a vector has one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weight {
    pub name: String,
    pub rows: usize,
    pub columns: usize,
    pub role: Role,
}

impl Weight {
    pub fn elements(&self) -> u64 {
        (self.rows as u64).saturating_mul(self.columns as u64)
    }

    /// The type in which this weight is held when a candidate asks for `quantization`.
    ///
    /// Vectors stay float32. `q4_k` holds embedding and output head as `q6_k`, as llama.cpp's Q4_K_M does for the head:
    /// they are read once a token and cost the most quality. A matrix whose width no block divides is held in the next
    /// finer type that does, which a row's stated precision shows.
    pub fn held_as(&self, quantization: Quantization) -> GgmlDType {
        let preferred: &[GgmlDType] = match (self.role, quantization) {
            (Role::Vector, _) | (_, Quantization::F32) => &[],
            (_, Quantization::F16) => &[GgmlDType::F16],
            (_, Quantization::Bf16) => &[GgmlDType::BF16],
            (_, Quantization::Q8_0) => &[GgmlDType::Q8_0],
            (Role::Vocabulary, Quantization::Q4K) => &[GgmlDType::Q6K, GgmlDType::Q8_0],
            (Role::Linear, Quantization::Q4K) => &[GgmlDType::Q4K, GgmlDType::Q8_0],
        };
        let divides = |kind: &&GgmlDType| self.columns.is_multiple_of(kind.block_size());
        preferred.iter().find(divides).copied().unwrap_or(GgmlDType::F32)
    }

    /// Bytes of this weight held as `kind`.
    pub fn bytes(&self, kind: GgmlDType) -> u64 {
        (self.elements() / kind.block_size() as u64).saturating_mul(kind.type_size() as u64)
    }
}

/// All weights of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inventory {
    pub weights: Vec<Weight>,
}

impl Inventory {
    /// # Errors
    /// A missing or unusable key, or an architecture whose weights are not known.
    pub fn from_config(config: &Config) -> Result<Self, SpecError> {
        let mut inventory = Self::default();
        match config.model_type()? {
            "llama" | "mistral" | "qwen2" | "gemma" | "gemma2" => inventory.llama_like(config)?,
            "exaone" => inventory.exaone(config)?,
            "gpt_neox" => inventory.gpt_neox(config)?,
            "deepseek_v2" => inventory.deepseek_v2(config)?,
            other => return Err(SpecError::UnsupportedArchitecture(other.into())),
        }
        Ok(inventory)
    }

    pub fn parameters(&self) -> u64 {
        self.weights.iter().map(Weight::elements).fold(0, u64::saturating_add)
    }

    /// Bytes of all weights held at `quantization`, with the exceptions of [`Weight::held_as`].
    pub fn bytes(&self, quantization: Quantization) -> u64 {
        self.weights.iter().map(|weight| weight.bytes(weight.held_as(quantization))).fold(0, u64::saturating_add)
    }

    fn matrix(&mut self, name: String, rows: usize, columns: usize) {
        self.weights.push(Weight { name, rows, columns, role: Role::Linear });
    }

    fn vocabulary(&mut self, name: &str, rows: usize, columns: usize) {
        self.weights.push(Weight { name: name.into(), rows, columns, role: Role::Vocabulary });
    }

    fn vector(&mut self, name: String, length: usize) {
        self.weights.push(Weight { name, rows: 1, columns: length, role: Role::Vector });
    }

    /// Llama and those that share its tensor names.
    fn llama_like(&mut self, config: &Config) -> Result<(), SpecError> {
        let family = config.model_type()?;
        let gemma = family.starts_with("gemma");
        let (hidden, vocabulary) = (config.count("hidden_size")?, config.count("vocab_size")?);
        let intermediate = config.count("intermediate_size")?;
        let Heads { queries: heads, keys: kv_heads, dim: head_dim } = config.heads()?;
        let attention_bias = config.flag("attention_bias")?.unwrap_or(false);
        let mlp_bias = config.flag("mlp_bias")?.unwrap_or(false);

        self.vocabulary("model.embed_tokens.weight", vocabulary, hidden);
        for layer in 0..config.repetitions("num_hidden_layers")? {
            let name = |part: &str| format!("model.layers.{layer}.{part}");
            for (part, rows, columns) in [
                ("self_attn.q_proj", heads * head_dim, hidden),
                ("self_attn.k_proj", kv_heads * head_dim, hidden),
                ("self_attn.v_proj", kv_heads * head_dim, hidden),
                ("self_attn.o_proj", hidden, heads * head_dim),
                ("mlp.gate_proj", intermediate, hidden),
                ("mlp.up_proj", intermediate, hidden),
                ("mlp.down_proj", hidden, intermediate),
            ] {
                self.matrix(name(&format!("{part}.weight")), rows, columns);
                let biased = match part {
                    "self_attn.q_proj" | "self_attn.k_proj" | "self_attn.v_proj" => family == "qwen2" || attention_bias,
                    "self_attn.o_proj" => family == "llama" && attention_bias,
                    _ => mlp_bias,
                };
                if biased {
                    self.vector(name(&format!("{part}.bias")), rows);
                }
            }
            self.vector(name("input_layernorm.weight"), hidden);
            self.vector(name("post_attention_layernorm.weight"), hidden);
            if family == "gemma2" {
                self.vector(name("pre_feedforward_layernorm.weight"), hidden);
                self.vector(name("post_feedforward_layernorm.weight"), hidden);
            }
        }
        self.vector("model.norm.weight".into(), hidden);
        if !config.flag("tie_word_embeddings")?.unwrap_or(gemma) {
            self.vocabulary("lm_head.weight", vocabulary, hidden);
        }
        Ok(())
    }

    fn exaone(&mut self, config: &Config) -> Result<(), SpecError> {
        let (hidden, vocabulary) = (config.count("hidden_size")?, config.count("vocab_size")?);
        let intermediate = config.count("intermediate_size")?;
        let Heads { queries: heads, keys: kv_heads, dim: head_dim } = config.heads()?;
        self.vocabulary("transformer.wte.weight", vocabulary, hidden);
        for layer in 0..config.repetitions("num_layers")? {
            let name = |part: &str| format!("transformer.h.{layer}.{part}.weight");
            self.matrix(name("attn.attention.q_proj"), heads * head_dim, hidden);
            self.matrix(name("attn.attention.k_proj"), kv_heads * head_dim, hidden);
            self.matrix(name("attn.attention.v_proj"), kv_heads * head_dim, hidden);
            self.matrix(name("attn.attention.out_proj"), hidden, heads * head_dim);
            self.matrix(name("mlp.c_fc_0"), intermediate, hidden);
            self.matrix(name("mlp.c_fc_1"), intermediate, hidden);
            self.matrix(name("mlp.c_proj"), hidden, intermediate);
            self.vector(name("ln_1"), hidden);
            self.vector(name("ln_2"), hidden);
        }
        self.vector("transformer.ln_f.weight".into(), hidden);
        if !config.flag("tie_word_embeddings")?.unwrap_or(false) {
            self.vocabulary("lm_head.weight", vocabulary, hidden);
        }
        Ok(())
    }

    fn gpt_neox(&mut self, config: &Config) -> Result<(), SpecError> {
        let (hidden, vocabulary) = (config.count("hidden_size")?, config.count("vocab_size")?);
        let intermediate = config.count("intermediate_size")?;
        self.vocabulary("gpt_neox.embed_in.weight", vocabulary, hidden);
        for layer in 0..config.repetitions("num_hidden_layers")? {
            for (part, rows, columns) in [
                ("attention.query_key_value", 3 * hidden, hidden),
                ("attention.dense", hidden, hidden),
                ("mlp.dense_h_to_4h", intermediate, hidden),
                ("mlp.dense_4h_to_h", hidden, intermediate),
            ] {
                self.matrix(format!("gpt_neox.layers.{layer}.{part}.weight"), rows, columns);
                self.vector(format!("gpt_neox.layers.{layer}.{part}.bias"), rows);
            }
            for norm in ["input_layernorm", "post_attention_layernorm"] {
                self.vector(format!("gpt_neox.layers.{layer}.{norm}.weight"), hidden);
                self.vector(format!("gpt_neox.layers.{layer}.{norm}.bias"), hidden);
            }
        }
        self.vector("gpt_neox.final_layer_norm.weight".into(), hidden);
        self.vector("gpt_neox.final_layer_norm.bias".into(), hidden);
        if !config.flag("tie_word_embeddings")?.unwrap_or(false) {
            self.vocabulary("embed_out.weight", vocabulary, hidden);
        }
        Ok(())
    }

    /// DeepSeek-V2: multi-head latent attention, and from layer `first_k_dense_replace` on a mixture of experts.
    fn deepseek_v2(&mut self, config: &Config) -> Result<(), SpecError> {
        let (hidden, vocabulary) = (config.count("hidden_size")?, config.count("vocab_size")?);
        let heads = config.count("num_attention_heads")?;
        let (nope, rope) = (config.count("qk_nope_head_dim")?, config.count("qk_rope_head_dim")?);
        let (value, kv_rank) = (config.count("v_head_dim")?, config.count("kv_lora_rank")?);
        let query_rank = config.optional_count("q_lora_rank")?;
        let experts = config.repetitions("n_routed_experts")?;
        let shared = config.count("n_shared_experts")?;
        let expert_width = config.count("moe_intermediate_size")?;
        let dense_layers = config.optional_count("first_k_dense_replace")?.unwrap_or(0);

        self.vocabulary("model.embed_tokens.weight", vocabulary, hidden);
        for layer in 0..config.repetitions("num_hidden_layers")? {
            let name = |part: &str| format!("model.layers.{layer}.{part}.weight");
            match query_rank {
                None => self.matrix(name("self_attn.q_proj"), heads * (nope + rope), hidden),
                Some(rank) => {
                    self.matrix(name("self_attn.q_a_proj"), rank, hidden);
                    self.vector(name("self_attn.q_a_layernorm"), rank);
                    self.matrix(name("self_attn.q_b_proj"), heads * (nope + rope), rank);
                }
            }
            self.matrix(name("self_attn.kv_a_proj_with_mqa"), kv_rank + rope, hidden);
            self.vector(name("self_attn.kv_a_layernorm"), kv_rank);
            self.matrix(name("self_attn.kv_b_proj"), heads * (nope + value), kv_rank);
            self.matrix(name("self_attn.o_proj"), hidden, heads * value);
            let mut mlp = |prefix: &str, width: usize| {
                self.matrix(name(&format!("{prefix}.gate_proj")), width, hidden);
                self.matrix(name(&format!("{prefix}.up_proj")), width, hidden);
                self.matrix(name(&format!("{prefix}.down_proj")), hidden, width);
            };
            if layer < dense_layers {
                mlp("mlp", config.count("intermediate_size")?);
            } else {
                for expert in 0..experts {
                    mlp(&format!("mlp.experts.{expert}"), expert_width);
                }
                mlp("mlp.shared_experts", shared * expert_width);
                self.matrix(name("mlp.gate"), experts, hidden);
            }
            self.vector(name("input_layernorm"), hidden);
            self.vector(name("post_attention_layernorm"), hidden);
        }
        self.vector("model.norm.weight".into(), hidden);
        self.vocabulary("lm_head.weight", vocabulary, hidden);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::shipped_shape;
    use super::*;

    /// Parameter counts as the repositories' own safetensors headers or papers state them.
    #[test]
    fn the_shipped_shapes_have_the_published_parameter_counts() {
        for (repository, billions) in [
            ("mistralai/Mistral-7B-Instruct-v0.3", 7.248),
            ("Qwen/Qwen2.5-7B-Instruct", 7.616),
            ("meta-llama/Meta-Llama-3-8B-Instruct", 8.030),
            ("google/gemma-2-9b-it", 9.242),
            ("beomi/gemma-ko-7b", 8.538),
            ("kfkas/Llama-2-ko-7b-Chat", 6.856),
            ("LGAI-EXAONE/EXAONE-3.5-7.8B-Instruct", 7.818),
            ("deepseek-ai/DeepSeek-V2-Lite-Chat", 15.706),
            ("deepseek-ai/DeepSeek-V2-Chat", 235.74),
            ("beomi/KoAlpaca-Polyglot-12.8B", 12.89),
        ] {
            let config = shipped_shape(repository).unwrap_or_else(|| panic!("no shape for {repository}"));
            let counted = Inventory::from_config(&config).unwrap().parameters() as f64 / 1e9;
            assert!((counted / billions - 1.0).abs() < 1e-3, "{repository}: {counted} against {billions}");
        }
    }
}
