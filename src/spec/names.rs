//! Tensor names: one table for Hugging Face checkpoints and one for GGUF files.

/// A weight's place in the model, whatever its file calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    Embedding,
    FinalNorm,
    Head,
    /// Norm of what goes into attention.
    AttentionNorm,
    /// Norm of what comes out of attention, before it is added.
    AttentionOutNorm,
    MlpNorm,
    MlpOutNorm,
    Query,
    Key,
    Value,
    /// Query, key and value in one matrix.
    QueryKeyValue,
    Output,
    QueryNorm,
    KeyNorm,
    /// Multi-head latent attention: query to its latent, the latent's norm, latent to heads.
    QueryDown,
    QueryDownNorm,
    QueryUp,
    /// Hidden state to the latent of keys and values, and the rotary key that all heads share.
    LatentDown,
    LatentNorm,
    /// Latent to keys and values of all heads.
    LatentUp,
    Gate,
    Up,
    /// Gate and up in one matrix.
    GateUp,
    Down,
    Router,
    ExpertGate(usize),
    ExpertUp(usize),
    ExpertDown(usize),
    SharedGate,
    SharedUp,
    SharedDown,
}

/// Families whose checkpoints name their tensors alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// Llama and most others.
    Llama,
    /// Gemma 2 and 3: four norms a layer, of which the third has the name that others give to the second.
    Sandwich,
    /// EXAONE 4: norms after attention and MLP only.
    PostNorm,
    Exaone,
    GptNeox,
}

/// The Hugging Face name of a part of a layer, without `.weight` or `.bias`.
pub(super) fn hf_name(naming: Naming, part: Part, layer: usize) -> String {
    let (prefix, name) = match naming {
        Naming::GptNeox => ("gpt_neox.layers", gpt_neox(part)),
        Naming::Exaone => ("transformer.h", exaone(part)),
        Naming::Llama | Naming::Sandwich | Naming::PostNorm => ("model.layers", llama(naming, part)),
    };
    match (part, name) {
        (Part::Embedding | Part::FinalNorm | Part::Head, name) => name.into(),
        (Part::ExpertGate(expert), _) => format!("{prefix}.{layer}.mlp.experts.{expert}.gate_proj"),
        (Part::ExpertUp(expert), _) => format!("{prefix}.{layer}.mlp.experts.{expert}.up_proj"),
        (Part::ExpertDown(expert), _) => format!("{prefix}.{layer}.mlp.experts.{expert}.down_proj"),
        (_, name) => format!("{prefix}.{layer}.{name}"),
    }
}

fn llama(naming: Naming, part: Part) -> &'static str {
    match part {
        Part::Embedding => "model.embed_tokens",
        Part::FinalNorm => "model.norm",
        Part::Head => "lm_head",
        Part::AttentionNorm => "input_layernorm",
        Part::AttentionOutNorm => "post_attention_layernorm",
        Part::MlpNorm if naming == Naming::Sandwich => "pre_feedforward_layernorm",
        Part::MlpNorm => "post_attention_layernorm",
        Part::MlpOutNorm => "post_feedforward_layernorm",
        Part::Query => "self_attn.q_proj",
        Part::Key => "self_attn.k_proj",
        Part::Value => "self_attn.v_proj",
        Part::QueryKeyValue => "self_attn.qkv_proj",
        Part::Output => "self_attn.o_proj",
        Part::QueryNorm => "self_attn.q_norm",
        Part::KeyNorm => "self_attn.k_norm",
        Part::QueryDown => "self_attn.q_a_proj",
        Part::QueryDownNorm => "self_attn.q_a_layernorm",
        Part::QueryUp => "self_attn.q_b_proj",
        Part::LatentDown => "self_attn.kv_a_proj_with_mqa",
        Part::LatentNorm => "self_attn.kv_a_layernorm",
        Part::LatentUp => "self_attn.kv_b_proj",
        Part::Gate => "mlp.gate_proj",
        Part::Up => "mlp.up_proj",
        Part::GateUp => "mlp.gate_up_proj",
        Part::Down => "mlp.down_proj",
        Part::Router => "mlp.gate",
        Part::SharedGate => "mlp.shared_experts.gate_proj",
        Part::SharedUp => "mlp.shared_experts.up_proj",
        Part::SharedDown => "mlp.shared_experts.down_proj",
        Part::ExpertGate(_) | Part::ExpertUp(_) | Part::ExpertDown(_) => "mlp.experts",
    }
}

fn exaone(part: Part) -> &'static str {
    match part {
        Part::Embedding => "transformer.wte",
        Part::FinalNorm => "transformer.ln_f",
        Part::AttentionNorm => "ln_1",
        Part::MlpNorm => "ln_2",
        Part::Query => "attn.attention.q_proj",
        Part::Key => "attn.attention.k_proj",
        Part::Value => "attn.attention.v_proj",
        Part::Output => "attn.attention.out_proj",
        Part::Gate => "mlp.c_fc_0",
        Part::Up => "mlp.c_fc_1",
        Part::Down => "mlp.c_proj",
        other => llama(Naming::Llama, other),
    }
}

fn gpt_neox(part: Part) -> &'static str {
    match part {
        Part::Embedding => "gpt_neox.embed_in",
        Part::FinalNorm => "gpt_neox.final_layer_norm",
        Part::Head => "embed_out",
        Part::QueryKeyValue => "attention.query_key_value",
        Part::Output => "attention.dense",
        Part::Up => "mlp.dense_h_to_4h",
        Part::Down => "mlp.dense_4h_to_h",
        other => llama(Naming::Llama, other),
    }
}

/// llama.cpp's name of a part, without `.weight` or `.bias` (`gguf-py/gguf/constants.py`).
pub fn gguf_name(part: Part, layer: usize) -> String {
    let name = match part {
        Part::Embedding => return "token_embd".into(),
        Part::FinalNorm => return "output_norm".into(),
        Part::Head => return "output".into(),
        Part::AttentionNorm => "attn_norm",
        Part::AttentionOutNorm => "post_attention_norm",
        Part::MlpNorm => "ffn_norm",
        Part::MlpOutNorm => "post_ffw_norm",
        Part::Query => "attn_q",
        Part::Key => "attn_k",
        Part::Value => "attn_v",
        Part::QueryKeyValue => "attn_qkv",
        Part::Output => "attn_output",
        Part::QueryNorm => "attn_q_norm",
        Part::KeyNorm => "attn_k_norm",
        Part::QueryDown => "attn_q_a",
        Part::QueryDownNorm => "attn_q_a_norm",
        Part::QueryUp => "attn_q_b",
        Part::LatentDown => "attn_kv_a_mqa",
        Part::LatentNorm => "attn_kv_a_norm",
        Part::LatentUp => "attn_kv_b",
        Part::Gate => "ffn_gate",
        // Files of phi3 hold gate and up in `ffn_up`.
        Part::Up | Part::GateUp => "ffn_up",
        Part::Down => "ffn_down",
        Part::Router => "ffn_gate_inp",
        Part::ExpertGate(_) => "ffn_gate_exps",
        Part::ExpertUp(_) => "ffn_up_exps",
        Part::ExpertDown(_) => "ffn_down_exps",
        Part::SharedGate => "ffn_gate_shexp",
        Part::SharedUp => "ffn_up_shexp",
        Part::SharedDown => "ffn_down_shexp",
    };
    format!("blk.{layer}.{name}")
}

/// llama.cpp's names of the two halves of [`Part::LatentUp`], keys and values, that files since 2025 hold in its place.
pub fn gguf_latent_halves(layer: usize) -> [String; 2] {
    ["attn_k_b", "attn_v_b"].map(|half| format!("blk.{layer}.{half}"))
}
