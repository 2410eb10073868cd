//! The tokenizer and chat template that a GGUF file carries in its metadata.

use serde_json::{Value, json};
use tokenizers::Tokenizer;

use super::{Field, GgufError, GgufFile};
use crate::text::{TextError, TextModel};

/// Token types of `llama.h` that matter here.
const CONTROL: i64 = 3;
const USER_DEFINED: i64 = 4;

/// Splits of text before byte-pair merging, by `tokenizer.ggml.pre`. They are the published `pre_tokenizer` patterns of
/// these models' `tokenizer.json` files.
const QWEN2: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// The text side of a GGUF checkpoint; `None` if the file carries no tokenizer.
///
/// # Errors
/// A tokenizer of a kind that is not supported, or one whose parts contradict each other.
pub fn text_model(file: &GgufFile) -> Result<Option<TextModel>, GgufTextError> {
    let Some(model) = file.text("tokenizer.ggml.model")? else { return Ok(None) };
    if model != "gpt2" {
        return Err(GgufTextError::Unsupported { key: "tokenizer.ggml.model", value: model.into() });
    }
    let tokens = texts(file, "tokenizer.ggml.tokens")?;
    let document = byte_level_bpe(file, &tokens)?;
    let tokenizer: Tokenizer =
        serde_json::from_value(document).map_err(|error| TextError::Tokenizer(error.to_string()))?;

    let mut settings = serde_json::Map::new();
    let mut stop_ids = Vec::new();
    for (key, name) in [("bos_token_id", "bos_token"), ("eos_token_id", "eos_token"), ("eot_token_id", "eot_token")] {
        let id = file.unsigned(&format!("tokenizer.ggml.{key}"))?;
        let Some((id, token)) = id.and_then(|id| Some((id, tokens.get(usize::try_from(id).ok()?)?))) else { continue };
        settings.insert(name.into(), json!(token));
        if name != "bos_token" {
            stop_ids.push(id as u32);
        }
    }
    let template = file.text("tokenizer.chat_template")?;
    Ok(Some(TextModel::new(tokenizer, &Value::Object(settings), template, stop_ids)?))
}

/// Why a GGUF's tokenizer cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum GgufTextError {
    #[error("`{key}` = {value} is not supported yet")]
    Unsupported { key: &'static str, value: String },
    #[error(transparent)]
    Gguf(#[from] GgufError),
    #[error(transparent)]
    Text(#[from] TextError),
}

/// The metadata as the `tokenizer.json` that it was converted from.
fn byte_level_bpe(file: &GgufFile, tokens: &[&str]) -> Result<Value, GgufTextError> {
    let merges = texts(file, "tokenizer.ggml.merges")?;
    let kinds = file.array("tokenizer.ggml.token_type")?.unwrap_or_default();
    let kind = |id: usize| match kinds.get(id) {
        Some(Field::Signed(kind)) => *kind,
        Some(Field::Unsigned(kind)) => *kind as i64,
        _ => 1,
    };
    let added: Vec<Value> = tokens
        .iter()
        .enumerate()
        .filter(|(id, _)| matches!(kind(*id), CONTROL | USER_DEFINED))
        .map(|(id, token)| {
            json!({
                "id": id, "content": token, "special": kind(id) == CONTROL,
                "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
            })
        })
        .collect();
    let vocabulary: serde_json::Map<String, Value> =
        tokens.iter().enumerate().map(|(id, token)| ((*token).to_owned(), json!(id))).collect();
    let byte_level = |use_regex: bool| json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": use_regex });
    let split = |pattern: &str| json!({ "type": "Split", "pattern": { "Regex": pattern }, "behavior": "Isolated", "invert": false });
    let pre = file.text("tokenizer.ggml.pre")?.unwrap_or("default");
    let (normalizer, steps) = match pre {
        "qwen2" => (json!({ "type": "NFC" }), vec![split(QWEN2), byte_level(false)]),
        "llama-bpe" | "llama3" | "llama-v3" | "smaug-bpe" => (Value::Null, vec![split(LLAMA3), byte_level(false)]),
        "smollm" => (Value::Null, vec![json!({ "type": "Digits", "individual_digits": true }), byte_level(true)]),
        "gpt-2" | "default" => (Value::Null, vec![byte_level(true)]),
        other => return Err(GgufTextError::Unsupported { key: "tokenizer.ggml.pre", value: other.into() }),
    };
    let bos = match (file.flag("tokenizer.ggml.add_bos_token")?, file.unsigned("tokenizer.ggml.bos_token_id")?) {
        (Some(true), Some(id)) => usize::try_from(id).ok().and_then(|id| Some((id, *tokens.get(id)?))),
        _ => None,
    };
    let post_processor = match bos {
        Some((id, token)) => json!({
            "type": "TemplateProcessing",
            "single": [{ "SpecialToken": { "id": token, "type_id": 0 } }, { "Sequence": { "id": "A", "type_id": 0 } }],
            "pair": [{ "Sequence": { "id": "A", "type_id": 0 } }, { "Sequence": { "id": "B", "type_id": 1 } }],
            "special_tokens": { token: { "id": token, "ids": [id], "tokens": [token] } },
        }),
        None => Value::Null,
    };
    Ok(json!({
        "version": "1.0", "truncation": null, "padding": null,
        "added_tokens": added,
        "normalizer": normalizer,
        "pre_tokenizer": { "type": "Sequence", "pretokenizers": steps },
        "post_processor": post_processor,
        "decoder": byte_level(true),
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": pre.starts_with("llama"),
            "vocab": vocabulary, "merges": merges,
        },
    }))
}

fn texts<'a>(file: &'a GgufFile, key: &'static str) -> Result<Vec<&'a str>, GgufError> {
    let items = file.array(key)?.ok_or_else(|| GgufError::MissingField(key.into()))?;
    let text = |item: &'a Field| match item {
        Field::Text(text) => Ok(text.as_str()),
        _ => Err(GgufError::WrongField { key: key.into(), expected: "a list of texts" }),
    };
    items.iter().map(text).collect()
}
