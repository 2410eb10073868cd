//! GGUF metadata in the words of a `config.json`, so that one reader of specs serves both.

use serde_json::{Map, Value, json};

use super::{Field, GgufError, GgufFile};

/// The config that the file's metadata describes.
///
/// # Errors
/// Metadata that lacks the architecture or has values of a wrong type.
pub fn config(file: &GgufFile) -> Result<Value, GgufError> {
    let architecture =
        file.text("general.architecture")?.ok_or_else(|| GgufError::MissingField("general.architecture".into()))?;
    let mut fields = Map::new();
    fields.insert("model_type".into(), json!(architecture));

    let key = |suffix: &str| format!("{architecture}.{suffix}");
    for (suffix, name) in [
        ("embedding_length", "hidden_size"),
        ("block_count", "num_hidden_layers"),
        ("feed_forward_length", "intermediate_size"),
        ("attention.head_count", "num_attention_heads"),
        ("attention.head_count_kv", "num_key_value_heads"),
        ("attention.key_length", "head_dim"),
        ("attention.sliding_window", "sliding_window"),
        ("context_length", "max_position_embeddings"),
    ] {
        if let Some(number) = file.unsigned(&key(suffix))? {
            fields.insert(name.into(), json!(number));
        }
    }
    for (suffix, name) in [("attention.layer_norm_rms_epsilon", "rms_norm_eps"), ("rope.freq_base", "rope_theta")] {
        if let Some(number) = file.float(&key(suffix))? {
            fields.insert(name.into(), json!(number));
        }
    }
    if let Some(kind) = file.text(&key("rope.scaling.type"))?.filter(|kind| *kind != "none") {
        fields.insert("rope_scaling".into(), json!({ "rope_type": kind }));
    }
    // Llama 3.1's frequency factors come as a tensor instead of a key.
    if file.tensors().contains_key("rope_freqs.weight") {
        fields.insert("rope_scaling".into(), json!({ "rope_type": "llama3" }));
    }

    let embedding = file.tensor("token_embd.weight")?.0;
    fields.insert("vocab_size".into(), json!(embedding.shape.first()));
    fields.insert("tie_word_embeddings".into(), json!(!file.tensors().contains_key("output.weight")));
    // Biases are not in the metadata; they are there if their tensors are.
    fields.insert("attention_bias".into(), json!(file.tensors().contains_key("blk.0.attn_q.bias")));
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
