//! Tokens that are found in a text before anything else is, from all the files that may state them.
//!
//! As transformers takes them (5.23, `PreTrainedTokenizerBase._from_pretrained` and `TokenizersBackend.__init__`): of a token
//! that several files state, `tokenizer_config.json` decides how the text around it is stripped. What is put around a
//! whole text stands in `tokenizer.json` alone.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use tokenizers::{AddedToken, Tokenizer};

use super::TextError;
use super::document::{check_token, read_tokenizer};

/// The contents of the files beside a `tokenizer.json`; an empty object for one that is not there.
pub struct Beside {
    /// `tokenizer_config.json`.
    pub settings: Value,
    /// `special_tokens_map.json`.
    pub special_tokens: Value,
    /// `added_tokens.json`: ids by token.
    pub added_tokens: Value,
}

impl Beside {
    /// The tokenizer of a `tokenizer.json` with the tokens that these files add, and the settings with the special tokens
    /// that they name.
    ///
    /// # Errors
    /// A document that is no tokenizer, or tokens that are none.
    pub fn complete(self, document: Value) -> Result<(Tokenizer, Value), TextError> {
        let own = document["added_tokens"].clone();
        let mut tokenizer = read_tokenizer(document)?;
        let Value::Object(mut settings) = self.settings else {
            return Err(TextError::Tokenizer("the settings are not an object".into()));
        };
        let mut stated = BTreeMap::new();
        if let Some(Value::Object(tokens)) = settings.get("added_tokens_decoder") {
            for (id, token) in tokens {
                let id = id.parse::<u64>().map_err(|_| wrong(&format!("`{id}` is not the id of a token")))?;
                stated.insert(id, added_token(token, false)?);
            }
        } else {
            // Files from before that key.
            settings.extend(self.special_tokens.as_object().cloned().unwrap_or_default());
            let special = named(&settings)?;
            for (token, id) in self.added_tokens.as_object().into_iter().flatten() {
                let id = id.as_u64().ok_or_else(|| wrong(&format!("the id of `{token}` is not a number")))?;
                let special = special.iter().any(|named| named.content == *token);
                stated.insert(id, AddedToken::from(token.as_str(), special));
            }
            for token in own.as_array().into_iter().flatten() {
                stated.insert(token["id"].as_u64().unwrap_or_default(), added_token(token, false)?);
            }
        }
        add(&mut tokenizer, stated.into_values().collect(), named(&settings)?)?;
        Ok((tokenizer, Value::Object(settings)))
    }
}

/// Special tokens that every tokenizer may have, in the order in which new ones get their ids.
const NAMES: [&str; 7] = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];
/// Where further ones are listed; the second is the older name.
const LISTS: [&str; 2] = ["extra_special_tokens", "additional_special_tokens"];

/// Special tokens that the settings name: `bos_token` and its like, and the lists of further ones.
fn named(settings: &Map<String, Value>) -> Result<Vec<AddedToken>, TextError> {
    let is_named = |(key, value): &(&String, &Value)| {
        key.ends_with("_token") && !NAMES.contains(&key.as_str()) && (value.is_string() || value.is_object())
    };
    let own = NAMES.iter().filter_map(|name| settings.get(*name)).filter(|token| !token.is_null());
    let others = settings.iter().filter(is_named).map(|(_, token)| token);
    let lists = LISTS.iter().filter_map(|key| settings.get(*key)?.as_array());
    own.chain(others).chain(lists.take(1).flatten()).map(|token| added_token(token, true)).collect()
}

/// A token as a text or as an object. A text stands for a special token.
fn added_token(value: &Value, special: bool) -> Result<AddedToken, TextError> {
    let flag = |name: &str| value.get(name).and_then(Value::as_bool);
    let content = value.as_str().or_else(|| value.get("content")?.as_str());
    let content = content.ok_or_else(|| wrong("a token has no content"))?;
    check_token(content).map_err(TextError::Tokenizer)?;
    let special = flag("special").unwrap_or(special);
    Ok(AddedToken::from(content, special)
        .lstrip(flag("lstrip").unwrap_or_default())
        .rstrip(flag("rstrip").unwrap_or_default())
        .single_word(flag("single_word").unwrap_or_default())
        .normalized(flag("normalized").unwrap_or(!special)))
}

/// Adds tokens by their ids, and then those named ones that are not among them or in the tokenizer already.
fn add(tokenizer: &mut Tokenizer, mut tokens: Vec<AddedToken>, named: Vec<AddedToken>) -> Result<(), TextError> {
    let known = tokenizer.get_added_tokens_decoder();
    for token in &mut tokens {
        token.special |= named.iter().any(|named| named.content == token.content);
    }
    for token in named {
        let is_known = known.values().chain(&tokens).any(|known| known.content == token.content);
        if !is_known {
            tokens.push(AddedToken { special: true, ..token });
        }
    }
    // The library counts on from the largest.
    let largest = known.keys().max().copied().unwrap_or_default();
    if largest as usize + tokens.len() > u32::MAX as usize {
        return Err(wrong(&format!("an added token has the id {largest}, after which no other has one")));
    }
    tokenizer.add_tokens(tokens).map(drop).map_err(|error| TextError::Tokenizer(error.to_string()))
}

fn wrong(message: &str) -> TextError {
    TextError::Tokenizer(message.to_owned())
}
