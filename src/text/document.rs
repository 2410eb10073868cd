//! A `tokenizer.json`, checked for what the tokenizers library takes on trust.
//!
//! That library (0.23) panics, or allocates by the word of the file, on documents that it could have refused: merges that
//! make no token, templates that name no token, slices of no length, padding to any length. Only parts that are known to
//! be sound are let through, and those only with parameters that are.

use serde_json::Value;
use tokenizers::Tokenizer;

use super::TextError;

/// Kinds of each part that are let through. Left out, for their library code panics or allocates on damaged parameters:
/// `Precompiled`, `FixedLength`, `BPEDecoder`, and what no language model's tokenizer has.
const NORMALIZERS: [&str; 12] = [
    "Sequence",
    "NFC",
    "NFD",
    "NFKC",
    "NFKD",
    "Lowercase",
    "Strip",
    "StripAccents",
    "Prepend",
    "Replace",
    "BertNormalizer",
    "ByteLevel",
];
const PRE_TOKENIZERS: [&str; 10] = [
    "Sequence",
    "ByteLevel",
    "Split",
    "Digits",
    "Metaspace",
    "Punctuation",
    "Whitespace",
    "WhitespaceSplit",
    "BertPreTokenizer",
    "UnicodeScripts",
];
const POST_PROCESSORS: [&str; 5] =
    ["Sequence", "ByteLevel", "TemplateProcessing", "BertProcessing", "RobertaProcessing"];
const DECODERS: [&str; 8] =
    ["Sequence", "ByteLevel", "Replace", "ByteFallback", "Fuse", "Strip", "Metaspace", "WordPiece"];

/// Longest token in bytes. A copy is made of every token of a text; the longest of published vocabularies have hundreds.
const LONGEST_TOKEN: usize = 4096;

/// Most that normalizing or decoding may multiply a text's length by. Replacing spaces by `▁` takes 3.
const MOST_GROWTH: usize = 1024;

/// Most pieces that a template may put around a text, and most ids of a piece.
const MOST_PIECES: usize = 64;

/// A tokenizer out of the contents of a `tokenizer.json`.
///
/// # Errors
/// A document that is no tokenizer, contradicts itself, or has parts that are not supported.
pub fn read_tokenizer(document: Value) -> Result<Tokenizer, TextError> {
    check(&document).map_err(TextError::Tokenizer)?;
    let mut tokenizer: Tokenizer =
        serde_json::from_value(document).map_err(|error| TextError::Tokenizer(error.to_string()))?;
    // Settings of the last training call; transformers too goes by the call at hand, which wants the whole text.
    tokenizer.with_padding(None);
    tokenizer.with_truncation(None).map_err(|error| TextError::Tokenizer(error.to_string()))?;
    Ok(tokenizer)
}

fn check(document: &Value) -> Result<(), String> {
    for (key, list, known) in [
        ("normalizer", "normalizers", NORMALIZERS.as_slice()),
        ("pre_tokenizer", "pretokenizers", &PRE_TOKENIZERS),
        ("post_processor", "processors", &POST_PROCESSORS),
        ("decoder", "decoders", &DECODERS),
    ] {
        let mut growth = 1usize;
        for part in parts(&document[key], key, list)? {
            let kind = part["type"].as_str().unwrap_or("without a type");
            if !known.contains(&kind) {
                return Err(format!("a {key} {} is not supported", shown(kind)));
            }
            check_part(key, kind, part)?;
            growth = growth.saturating_mul(growth_of(kind, part));
        }
        if growth > MOST_GROWTH {
            return Err(format!("the {key} may make a text more than {MOST_GROWTH} times as long"));
        }
    }
    let added = document["added_tokens"].as_array().map(Vec::as_slice).unwrap_or_default();
    added.iter().filter_map(|token| token["content"].as_str()).try_for_each(check_token)?;
    check_model(&document["model"])
}

/// A part, and those that it is a sequence of, each before its own.
fn parts<'a>(part: &'a Value, key: &str, list: &str) -> Result<Vec<&'a Value>, String> {
    match part {
        Value::Null => Ok(Vec::new()),
        Value::Object(fields) => {
            let mut found = vec![part];
            for inner in fields.get(list).and_then(Value::as_array).into_iter().flatten() {
                found.extend(parts(inner, key, list)?);
            }
            Ok(found)
        }
        _ => Err(format!("the {key} is not an object")),
    }
}

fn check_part(key: &str, kind: &str, part: &Value) -> Result<(), String> {
    match kind {
        // Strips from the end where there may be nothing left: `decoders/strip.rs` counts below zero.
        "Strip" if key == "decoder" && part["stop"].as_u64() != Some(0) => {
            Err("a decoder that strips the end of tokens is not supported".into())
        }
        "TemplateProcessing" => check_template(part),
        _ => Ok(()),
    }
}

/// What a part may multiply the length of a text by.
fn growth_of(kind: &str, part: &Value) -> usize {
    let length = |value: &Value| value.as_str().map_or(0, str::len);
    match kind {
        "Prepend" => length(&part["prepend"]) + 1,
        "Replace" => match length(&part["pattern"]["String"]) {
            // A regular expression may match between any two characters.
            0 => length(&part["content"]) + 1,
            pattern => length(&part["content"]).div_ceil(pattern).max(1),
        },
        _ => 1,
    }
}

/// `processors/template.rs` looks up tokens and sequences without asking whether they are there.
fn check_template(part: &Value) -> Result<(), String> {
    let tokens = &part["special_tokens"];
    for (name, sequences) in [("single", &["A"][..]), ("pair", &["A", "B"])] {
        let pieces = part[name].as_array().map(Vec::as_slice).unwrap_or_default();
        if pieces.len() > MOST_PIECES {
            return Err(format!("the post_processor's template has {} pieces", pieces.len()));
        }
        for piece in pieces {
            if let Some(id) = piece["Sequence"]["id"].as_str()
                && !sequences.contains(&id)
            {
                return Err(format!("the post_processor's template asks for text {} in `{name}`", shown(id)));
            }
            if let Some(id) = piece["SpecialToken"]["id"].as_str() {
                let ids = tokens[id]["ids"].as_array();
                if ids.is_none_or(|ids| ids.len() > MOST_PIECES) {
                    return Err(format!("the post_processor's template names {}, which it does not have", shown(id)));
                }
            }
        }
    }
    Ok(())
}

fn check_model(model: &Value) -> Result<(), String> {
    let vocabulary = &model["vocab"];
    match vocabulary {
        Value::Object(tokens) => tokens.keys().try_for_each(|token| check_token(token))?,
        Value::Array(tokens) => tokens.iter().filter_map(|token| token[0].as_str()).try_for_each(check_token)?,
        _ => {}
    }
    ["unk_token", "continuing_subword_prefix", "end_of_word_suffix"]
        .iter()
        .filter_map(|key| model[*key].as_str())
        .try_for_each(check_token)?;
    // `models/bpe/model.rs` copies both sides of a merge to where the longest token has room, less a prefix that it does
    // not look for.
    let prefix = model["continuing_subword_prefix"].as_str().unwrap_or_default();
    for merge in model["merges"].as_array().map(Vec::as_slice).unwrap_or_default() {
        let sides = match merge {
            // The first line of a `merges.txt`, which the library passes over too.
            Value::String(merge) if merge.starts_with("#version") => continue,
            Value::String(merge) => merge.split_once(' '),
            merge => merge[0].as_str().zip(merge[1].as_str()),
        };
        let (left, right) = sides.ok_or_else(|| format!("the merge {} is no pair", shown(&merge.to_string())))?;
        let known = |token: &str| vocabulary.get(token).is_some();
        let merged = right.strip_prefix(prefix).map(|right| format!("{left}{right}"));
        if !(known(left) && known(right) && merged.is_some_and(|merged| known(&merged))) {
            return Err(format!("the merge of {} and {} makes no token", shown(left), shown(right)));
        }
    }
    Ok(())
}

pub(super) fn check_token(token: &str) -> Result<(), String> {
    if token.len() > LONGEST_TOKEN {
        return Err(format!("the token {} has {} bytes", shown(token), token.len()));
    }
    Ok(())
}

/// A text out of the document, shortened.
fn shown(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("`{}…`", &text[..end]),
        None => format!("`{text}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn document() -> Value {
        json!({
            "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
            "pre_tokenizer": { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": true },
            "post_processor": null, "decoder": null,
            "model": { "type": "BPE", "vocab": { "a": 0, "b": 1, "ab": 2 }, "merges": [["a", "b"]] },
        })
    }

    /// A document with the value at this place changed.
    fn with(pointer: &str, value: Value) -> Value {
        let mut document = document();
        *document.pointer_mut(pointer).unwrap() = value;
        document
    }

    #[test]
    fn what_the_library_would_panic_on_is_refused() {
        let template =
            |single: Value| json!({ "type": "TemplateProcessing", "single": single, "pair": [], "special_tokens": {} });
        let token = json!([{ "SpecialToken": { "id": "<s>", "type_id": 0 } }]);
        let second = json!([{ "Sequence": { "id": "B", "type_id": 0 } }]);
        let strip = |stop: u64| json!({ "type": "Strip", "content": " ", "start": 1, "stop": stop });
        for (pointer, value, message) in [
            ("/model/merges", json!([["a", "b"], ["ab", "b"]]), "the merge of `ab` and `b` makes no token"),
            ("/model/merges", json!([["a", "c"]]), "the merge of `a` and `c` makes no token"),
            ("/model/merges", json!(["a b", "ab"]), "is no pair"),
            ("/model/merges", json!([[0, 1]]), "is no pair"),
            ("/model/continuing_subword_prefix", json!("##"), "the merge of `a` and `b` makes no token"),
            ("/model/vocab", json!({ "a".repeat(5000): 0 }), "has 5000 bytes"),
            ("/post_processor", template(token), "names `<s>`, which it does not have"),
            ("/post_processor", template(second), "asks for text `B` in `single`"),
            (
                "/post_processor",
                json!({ "type": "Sequence", "processors": [template(json!(vec![json!({}); 65]))] }),
                "65 pieces",
            ),
            ("/decoder", strip(1), "strips the end of tokens"),
            ("/decoder", json!({ "type": "Sequence", "decoders": [strip(9)] }), "strips the end of tokens"),
            ("/decoder", json!({ "type": "BPEDecoder", "suffix": "" }), "a decoder `BPEDecoder` is not supported"),
            ("/pre_tokenizer", json!({ "type": "FixedLength", "length": 0 }), "a pre_tokenizer `FixedLength` is not"),
            (
                "/normalizer",
                json!({ "type": "Precompiled", "precompiled_charsmap": "/////w==" }),
                "`Precompiled` is not",
            ),
            (
                "/normalizer",
                json!({ "strip_left": true, "strip_right": true }),
                "a normalizer `without a type` is not supported",
            ),
            ("/normalizer", json!("NFC"), "the normalizer is not an object"),
        ] {
            let mut changed = document();
            let (parent, key) = pointer.rsplit_once('/').unwrap();
            changed.pointer_mut(parent).unwrap()[key] = value;
            let error = read_tokenizer(changed).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }

    #[test]
    fn normalizers_that_multiply_a_text_without_end_are_refused() {
        let twice = json!({ "type": "Replace", "pattern": { "String": "a" }, "content": "aa" });
        let sequence = |count: usize| json!({ "type": "Sequence", "normalizers": vec![twice.clone(); count] });
        assert!(read_tokenizer(with("/normalizer", sequence(4))).is_ok());
        let error = read_tokenizer(with("/normalizer", sequence(40))).unwrap_err().to_string();
        assert!(error.contains("more than 1024 times as long"), "{error}");
        let everywhere = json!({ "type": "Replace", "pattern": { "Regex": "" }, "content": "a".repeat(2000) });
        assert!(read_tokenizer(with("/normalizer", everywhere)).is_err());
    }

    #[test]
    fn padding_and_truncation_of_a_training_call_are_not_ours() {
        let padding = json!({
            "strategy": { "Fixed": 4_000_000_000_u64 }, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 0,
            "pad_type_id": 0, "pad_token": "a",
        });
        let truncation = json!({ "direction": "Right", "max_length": 1, "strategy": "LongestFirst", "stride": 9 });
        let mut document = with("/padding", padding);
        document["truncation"] = truncation;
        let tokenizer = read_tokenizer(document).unwrap();
        assert_eq!(tokenizer.encode("abab", true).unwrap().get_ids(), [2, 2]);
    }

    #[test]
    fn ids_of_any_size_cost_no_memory() {
        let mut document = with("/model/vocab", json!({ "a": 4_294_967_295_u64, "b": 1, "ab": 2 }));
        let added = json!([{
            "id": 4_000_000_000_u64, "content": "<|x|>", "special": true, "single_word": false, "lstrip": false,
            "rstrip": false, "normalized": false,
        }]);
        document["added_tokens"] = added;
        assert!(read_tokenizer(document).unwrap().token_to_id("<|x|>").is_some());
    }

    #[test]
    fn wrong_types_and_missing_parts_are_refused() {
        for document in
            [json!(null), json!([]), json!({}), json!("a"), with("/model", json!([])), with("/model/vocab", json!(1))]
        {
            assert!(read_tokenizer(document.clone()).is_err(), "{document}");
        }
    }
}
