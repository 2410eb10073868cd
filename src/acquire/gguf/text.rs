//! The tokenizer and chat template that a GGUF file carries in its metadata.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::pre_tokenizer::{DEFAULT, PreTokenizer};
use super::{Field, GgufError, GgufFile};
use crate::text::{TextError, TextModel, read_tokenizer};

/// Token types of `llama.h` that matter here.
const UNKNOWN: i64 = 2;
const CONTROL: i64 = 3;
const USER_DEFINED: i64 = 4;

/// The text side of a GGUF checkpoint; `None` if the file carries no tokenizer.
///
/// # Errors
/// A tokenizer of a kind that is not supported, or one whose parts contradict each other.
pub fn text_model(file: &GgufFile) -> Result<Option<TextModel>, GgufTextError> {
    let Some(model) = file.text("tokenizer.ggml.model")? else { return Ok(None) };
    let tokens = texts(file, "tokenizer.ggml.tokens")?;
    let document = match model {
        "gpt2" => byte_level_bpe(file, &tokens)?,
        "llama" => sentencepiece(file, &tokens)?,
        other => return Err(GgufTextError::Unsupported { key: "tokenizer.ggml.model", value: other.into() }),
    };
    let tokenizer = read_tokenizer(document)?;

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
    // Templates of other names than `default` have keys of their own.
    if let Some(names) = file.array("tokenizer.chat_templates")? {
        let named = names.iter().map(|name| json!({ "name": if let Field::Text(name) = name { name } else { "" } }));
        settings.insert("chat_template".into(), named.collect());
    }
    let template = file.text("tokenizer.chat_template")?;
    let text = TextModel::new(tokenizer, &Value::Object(settings), template, stop_ids)?;
    let splits_by_default = model == "gpt2" && file.text("tokenizer.ggml.pre")?.is_none();
    Ok(Some(if splits_by_default { text.split_by_default() } else { text }))
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

impl GgufTextError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unsupported { .. } => Some(
                "name the model's repository of safetensors, whose tokenizer.json is read, or run token ids alone"
                    .into(),
            ),
            Self::Gguf(_) | Self::Text(_) => None,
        }
    }
}

/// The metadata as the `tokenizer.json` that it was converted from.
fn byte_level_bpe(file: &GgufFile, tokens: &[&str]) -> Result<Value, GgufTextError> {
    let merges = texts(file, "tokenizer.ggml.merges")?;
    let byte_level = |use_regex: bool| json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": use_regex });
    let split = |pattern: &&str| json!({ "type": "Split", "pattern": { "Regex": pattern }, "behavior": "Isolated", "invert": false });
    let name = file.text("tokenizer.ggml.pre")?.unwrap_or(DEFAULT);
    let pre = PreTokenizer::named(name)
        .ok_or_else(|| GgufTextError::Unsupported { key: "tokenizer.ggml.pre", value: name.into() })?;
    let steps: Vec<Value> = pre.patterns.iter().map(split).chain([byte_level(false)]).collect();
    let normalizer = if pre.composes { json!({ "type": "NFC" }) } else { Value::Null };
    Ok(json!({
        "version": "1.0", "truncation": null, "padding": null,
        "added_tokens": added_tokens(file, &kinds(file)?, tokens)?,
        "normalizer": normalizer,
        "pre_tokenizer": { "type": "Sequence", "pretokenizers": steps },
        "post_processor": post_processor(file, tokens, pre.begins)?,
        "decoder": byte_level(true),
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": pre.ignores_merges,
            "vocab": vocabulary(tokens), "merges": merges,
        },
    }))
}

/// A SentencePiece vocabulary as the `tokenizer.json` that transformers converts it to: byte-pair merges in the order of
/// their scores, and bytes for characters that it does not have (`convert_slow_tokenizer.py`).
fn sentencepiece(file: &GgufFile, tokens: &[&str]) -> Result<Value, GgufTextError> {
    let scores: Vec<f64> = file
        .array("tokenizer.ggml.scores")?
        .ok_or_else(|| GgufError::MissingField("tokenizer.ggml.scores".into()))?
        .iter()
        .map(|score| if let Field::Float(score) = score { *score } else { 0.0 })
        .collect();
    let kinds = kinds(file)?;
    let unknown = (0..tokens.len()).find(|id| kinds.get(*id) == Some(&UNKNOWN)).map(|id| tokens[id]);
    let prefix = file.flag("tokenizer.ggml.add_space_prefix")?.unwrap_or(true);
    let replace = |from: &str, to: &str| json!({ "type": "Replace", "pattern": { "String": from }, "content": to });
    let mut normalizers = vec![replace(" ", "▁")];
    let mut decoders = vec![replace("▁", " "), json!({ "type": "ByteFallback" }), json!({ "type": "Fuse" })];
    if prefix {
        normalizers.insert(0, json!({ "type": "Prepend", "prepend": "▁" }));
        decoders.push(json!({ "type": "Strip", "content": " ", "start": 1, "stop": 0 }));
    }
    Ok(json!({
        "version": "1.0", "truncation": null, "padding": null,
        "added_tokens": added_tokens(file, &kinds, tokens)?,
        "normalizer": { "type": "Sequence", "normalizers": normalizers },
        "pre_tokenizer": null,
        "post_processor": post_processor(file, tokens, true)?,
        "decoder": { "type": "Sequence", "decoders": decoders },
        "model": {
            "type": "BPE", "dropout": null, "unk_token": unknown, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": true, "byte_fallback": true, "ignore_merges": false,
            "vocab": vocabulary(tokens), "merges": merges(tokens, &scores),
        },
    }))
}

/// Characters of a piece after which it is cut no more.
const LONGEST_PIECE: usize = 512;

/// The pairs that make up each piece, those of the best-scored pieces first.
fn merges(tokens: &[&str], scores: &[f64]) -> Vec<[String; 2]> {
    let ids: HashMap<&str, usize> = tokens.iter().enumerate().map(|(id, token)| (*token, id)).collect();
    let mut merges: Vec<(f64, usize, usize, &str, &str)> = Vec::new();
    for (token, score) in tokens.iter().zip(scores) {
        // Every place of a token is tried: the work grows with the square of its length, which is tens of characters.
        let cuts = token.char_indices().take(LONGEST_PIECE).skip(1).map(|(at, _)| token.split_at(at));
        let mut pairs: Vec<(usize, usize, &str, &str)> =
            cuts.filter_map(|(left, right)| Some((*ids.get(left)?, *ids.get(right)?, left, right))).collect();
        pairs.sort_unstable();
        let length = |piece: &str| piece.chars().count();
        merges.extend(pairs.iter().map(|(_, _, left, right)| (*score, length(left), length(right), *left, *right)));
    }
    // Descending, and stable for equals, as Python's sort is when reversed.
    merges.sort_by(|a, b| b.0.total_cmp(&a.0).then(b.1.cmp(&a.1)).then(b.2.cmp(&a.2)));
    merges.into_iter().map(|(_, _, _, left, right)| [left.to_owned(), right.to_owned()]).collect()
}

fn kinds(file: &GgufFile) -> Result<Vec<i64>, GgufError> {
    let kind = |field: &Field| match field {
        Field::Signed(kind) => *kind,
        Field::Unsigned(kind) => *kind as i64,
        _ => 1,
    };
    Ok(file.array("tokenizer.ggml.token_type")?.unwrap_or_default().iter().map(kind).collect())
}

/// Tokens that are found in a text before anything else is.
fn added_tokens(file: &GgufFile, kinds: &[i64], tokens: &[&str]) -> Result<Vec<Value>, GgufError> {
    // A file does not say how the text around a token is stripped. llama.cpp goes by the model's name: of Phi-3's own
    // `tokenizer.json`, all special tokens strip what follows but these.
    let name = file.text("general.name")?.unwrap_or_default().to_lowercase();
    let is_phi3 = name.contains("phi-3") || name.contains("phi3");
    let strips = |token: &str| is_phi3 && !["<unk>", "<s>", "<|endoftext|>"].contains(&token);
    let is_added = |token: &str, kind: i64| matches!(kind, CONTROL | USER_DEFINED) || (is_phi3 && token == "</s>");
    let added = tokens.iter().zip(kinds).enumerate().filter(|(_, (token, kind))| is_added(token, **kind));
    let token = |(id, (token, kind)): (usize, (&&str, &i64))| {
        json!({
            "id": id, "content": token, "special": *kind == CONTROL,
            "single_word": false, "lstrip": false, "rstrip": strips(token), "normalized": false,
        })
    };
    Ok(added.map(token).collect())
}

fn vocabulary(tokens: &[&str]) -> serde_json::Map<String, Value> {
    tokens.iter().enumerate().map(|(id, token)| ((*token).to_owned(), json!(id))).collect()
}

/// Puts the tokens of begin and end around a text, where the file says so or is silent and its kind does by itself.
fn post_processor(file: &GgufFile, tokens: &[&str], begins: bool) -> Result<Value, GgufError> {
    let token = |asked: &str, default: bool, key: &str| {
        let asked = file.flag(&format!("tokenizer.ggml.{asked}"))?.unwrap_or(default);
        let id = file.unsigned(&format!("tokenizer.ggml.{key}"))?.filter(|_| asked);
        Ok(id.and_then(|id| Some((*tokens.get(usize::try_from(id).ok()?)?, u32::try_from(id).ok()?))))
    };
    Ok(around(token("add_bos_token", begins, "bos_token_id")?, token("add_eos_token", false, "eos_token_id")?))
}

/// A `post_processor` that puts these tokens before and after a text.
fn around(begin: Option<(&str, u32)>, end: Option<(&str, u32)>) -> Value {
    if begin.or(end).is_none() {
        return Value::Null;
    }
    let sequence = |id: &str, number: u8| json!({ "Sequence": { "id": id, "type_id": number } });
    let special =
        |token: Option<(&str, u32)>| token.map(|(token, _)| json!({ "SpecialToken": { "id": token, "type_id": 0 } }));
    let single: Vec<Value> = [special(begin), Some(sequence("A", 0)), special(end)].into_iter().flatten().collect();
    let tokens: Map<String, Value> = [begin, end]
        .into_iter()
        .flatten()
        .map(|(token, id)| (token.to_owned(), json!({ "id": token, "ids": [id], "tokens": [token] })))
        .collect();
    json!({
        "type": "TemplateProcessing", "single": single, "pair": [sequence("A", 0), sequence("B", 1)],
        "special_tokens": tokens,
    })
}

fn texts<'a>(file: &'a GgufFile, key: &'static str) -> Result<Vec<&'a str>, GgufError> {
    let items = file.array(key)?.ok_or_else(|| GgufError::MissingField(key.into()))?;
    let text = |item: &'a Field| match item {
        Field::Text(text) => Ok(text.as_str()),
        _ => Err(GgufError::WrongField { key: key.into(), expected: "a list of texts" }),
    };
    items.iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Value as Is, field, file};
    use super::*;

    /// The tokens of `ab` by the tokenizer of a file of these fields, or why there are none.
    fn read(fields: &[(&str, Is)]) -> Result<Vec<u32>, String> {
        read_text("ab", fields)
    }

    fn read_text(input: &str, fields: &[(&str, Is)]) -> Result<Vec<u32>, String> {
        let fields: Vec<Vec<u8>> =
            fields.iter().map(|(key, value)| field(&format!("tokenizer.{key}"), *value)).collect();
        let text = text_model(&file(&fields)).map_err(|error| crate::causes::chain(&error))?;
        text.expect("a tokenizer").encode(input).map_err(|error| crate::causes::chain(&error))
    }

    const BYTES: [(&str, Is); 3] = [
        ("ggml.model", Is::Text("gpt2")),
        ("ggml.tokens", Is::Texts(&["a", "b", "ab"])),
        ("ggml.merges", Is::Texts(&["a b"])),
    ];
    const PIECES: [(&str, Is); 3] = [
        ("ggml.model", Is::Text("llama")),
        ("ggml.tokens", Is::Texts(&["<unk>", "▁", "a", "b", "ab"])),
        ("ggml.scores", Is::Floats(&[0.0, -1.0, -2.0, -3.0, -4.0])),
    ];

    #[test]
    fn what_is_missing_or_short_costs_no_more_than_itself() {
        assert_eq!(read(&BYTES), Ok(vec![2]));
        assert_eq!(read(&PIECES), Ok(vec![1, 4]));
        let with = |fields: [(&'static str, Is<'static>); 3], more: &[(&'static str, Is<'static>)]| {
            read(&[&fields[..], more].concat())
        };
        assert_eq!(
            with(BYTES, &[("ggml.token_type", Is::Signed(&[3]))]),
            Ok(vec![0, 1]),
            "`a` is found before merging"
        );
        assert_eq!(with(BYTES, &[("ggml.token_type", Is::Signed(&[1, -7, i32::MAX, 3, 3, 3]))]), Ok(vec![2]));
        assert_eq!(
            with(BYTES, &[("ggml.bos_token_id", Is::Unsigned(u32::MAX)), ("ggml.add_bos_token", Is::Bool(true))]),
            Ok(vec![2])
        );
        assert_eq!(
            with(PIECES, &[("ggml.scores", Is::Floats(&[]))]),
            Ok(vec![1, 2, 3]),
            "without scores nothing is merged"
        );
        let scores = Is::Floats(&[f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, f32::NAN, 1.0, 2.0]);
        assert_eq!(with(PIECES, &[("ggml.scores", scores)]), Ok(vec![1, 4]));
    }

    /// As `llama-vocab.cpp` has it: of byte-level vocabularies, those made as Llama 3's add it unasked, and tekken's.
    #[test]
    fn where_a_file_is_silent_its_pre_tokenizer_decides_on_the_beginning_of_sequence() {
        let with = |pre: &'static str, more: &[(&'static str, Is<'static>)]| {
            read(&[&BYTES[..], &[("ggml.pre", Is::Text(pre)), ("ggml.bos_token_id", Is::Unsigned(1))], more].concat())
        };
        for pre in ["llama-bpe", "llama3", "llama-v3", "falcon3", "pixtral", "midm-2.0", "tekken"] {
            assert_eq!(with(pre, &[]), Ok(vec![1, 2]), "{pre}");
            assert_eq!(with(pre, &[("ggml.add_bos_token", Is::Bool(false))]), Ok(vec![2]), "{pre}");
        }
        for pre in
            ["smaug-bpe", "qwen2", "deepseek-r1-qwen", "smollm", "exaone", "exaone4", "a.x-4.0", "phi-2", "gpt-2"]
        {
            assert_eq!(with(pre, &[]), Ok(vec![2]), "{pre}");
        }
    }

    /// Digits are cut one by one for EXAONE 3.5, and stay together for EXAONE 4.
    #[test]
    fn each_name_has_its_own_split() {
        let digits = |pre: &'static str| {
            read_text(
                "12",
                &[
                    ("ggml.model", Is::Text("gpt2")),
                    ("ggml.tokens", Is::Texts(&["1", "2", "12"])),
                    ("ggml.merges", Is::Texts(&["1 2"])),
                    ("ggml.pre", Is::Text(pre)),
                ],
            )
        };
        for pre in ["exaone", "smollm", "deepseek-r1-qwen", "qwen2"] {
            assert_eq!(digits(pre), Ok(vec![0, 1]), "{pre}");
        }
        for pre in ["exaone4", "a.x-4.0", "gpt-2", "midm-2.0"] {
            assert_eq!(digits(pre), Ok(vec![2]), "{pre}");
        }
    }

    /// As llama.cpp has it for files whose name is Phi-3's; others say nothing of it either.
    #[test]
    fn special_tokens_of_phi_3_strip_what_follows() {
        let tokens = |name: &'static str| {
            let fields = [
                ("ggml.model", Is::Text("gpt2")),
                ("ggml.tokens", Is::Texts(&["a", "Ġ", "<|end|>", "<s>"])),
                ("ggml.merges", Is::Texts(&[])),
                ("ggml.token_type", Is::Signed(&[1, 1, 3, 3])),
            ];
            let mut fields: Vec<Vec<u8>> =
                fields.iter().map(|(key, value)| field(&format!("tokenizer.{key}"), *value)).collect();
            fields.push(field("general.name", Is::Text(name)));
            text_model(&file(&fields)).unwrap().unwrap().encode("<|end|> a<s> a").unwrap()
        };
        assert_eq!(tokens("Phi-3 Mini 4k Instruct"), [2, 0, 3, 1, 0]);
        assert_eq!(tokens("Llama 3"), [2, 1, 0, 3, 1, 0]);
    }

    #[test]
    fn the_end_is_put_behind_a_text_where_the_file_says_so() {
        let ends = [("ggml.eos_token_id", Is::Unsigned(1)), ("ggml.add_eos_token", Is::Bool(true))];
        assert_eq!(read(&[&BYTES[..], &ends].concat()), Ok(vec![2, 1]));
        assert_eq!(read(&[&BYTES[..], &ends[..1]].concat()), Ok(vec![2]));
    }

    #[test]
    fn templates_of_other_names_are_named() {
        let fields = [&BYTES[..], &[("chat_templates", Is::Texts(&["rag", "tool_use"]))]].concat();
        let fields: Vec<Vec<u8>> =
            fields.iter().map(|(key, value)| field(&format!("tokenizer.{key}"), *value)).collect();
        let text = text_model(&file(&fields)).unwrap().unwrap();
        assert_eq!(text.joins_plainly(), Some("none of its chat templates is named `default`, but `rag`, `tool_use`"));
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        for (base, change, message) in [
            (BYTES, ("ggml.model", Is::Text("bert")), "`tokenizer.ggml.model` = bert is not supported yet"),
            (BYTES, ("ggml.model", Is::Unsigned(1)), "`tokenizer.ggml.model` is not a text"),
            (BYTES, ("ggml.pre", Is::Text("mammoth")), "`tokenizer.ggml.pre` = mammoth is not supported yet"),
            (BYTES, ("ggml.tokens", Is::Text("a")), "`tokenizer.ggml.tokens` is not a list"),
            (BYTES, ("ggml.tokens", Is::Signed(&[1])), "`tokenizer.ggml.tokens` is not a list of texts"),
            (BYTES, ("ggml.tokens", Is::Texts(&[])), "the merge of `a` and `b` makes no token"),
            (BYTES, ("ggml.merges", Is::Texts(&["ab"])), "is no pair"),
            (BYTES, ("ggml.merges", Is::Texts(&["a c"])), "the merge of `a` and `c` makes no token"),
            (BYTES, ("ggml.merges", Is::Texts(&["a ab"])), "the merge of `a` and `ab` makes no token"),
            (BYTES, ("ggml.token_type", Is::Unsigned(3)), "`tokenizer.ggml.token_type` is not a list"),
            (BYTES, ("ggml.bos_token_id", Is::Text("1")), "`tokenizer.ggml.bos_token_id` is not a whole number"),
            (BYTES, ("chat_template", Is::Text("{% for %}")), "could not compile the chat template"),
            (PIECES, ("ggml.scores", Is::Bool(true)), "`tokenizer.ggml.scores` is not a list"),
        ] {
            let error = read(&[&base[..], &[change]].concat()).unwrap_err();
            assert!(error.contains(message), "{message}: {error}");
        }
        assert_eq!(read(&BYTES[..2]).unwrap_err(), "the metadata lacks `tokenizer.ggml.merges`");
        assert_eq!(read(&PIECES[..2]).unwrap_err(), "the metadata lacks `tokenizer.ggml.scores`");
    }
}
