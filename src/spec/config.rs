//! A `config.json` read with suspicion: every number has a bound, and a key that is wrong is named.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::error::SpecError;

/// Largest width, count or length that any key may state. Real configs stay under 2^20; products of three such numbers
/// stay within `u64`, so nothing computed from a hostile config overflows.
const LARGEST: u64 = 1 << 20;

/// Most layers, or experts in a layer, that a config may state.
const MOST_REPETITIONS: usize = 1024;

/// The contents of a `config.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Config {
    fields: Map<String, Value>,
}

/// Heads of the attention and their width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heads {
    pub queries: usize,
    /// Heads of the key and value cache; each serves `queries / keys` query heads.
    pub keys: usize,
    pub dim: usize,
}

impl Config {
    /// # Errors
    /// If `value` is anything but an object.
    pub fn new(value: Value) -> Result<Self, SpecError> {
        match value {
            Value::Object(fields) => Ok(Self { fields }),
            _ => Err(SpecError::NotAnObject),
        }
    }

    /// The same with an output head that is not the embedding.
    pub fn with_head(mut self) -> Self {
        self.fields.insert("tie_word_embeddings".into(), Value::Bool(false));
        self
    }

    /// The family of the model: `llama`, `qwen2`, …
    pub fn model_type(&self) -> Result<&str, SpecError> {
        self.text("model_type")?.ok_or_else(|| SpecError::Missing { key: "model_type".into() })
    }

    /// A key's value; JSON `null` counts as absent, as it does for Hugging Face.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.fields.get(key).filter(|value| !value.is_null())
    }

    /// Whether a key is there at all, be it as `null`.
    pub fn states(&self, key: &str) -> bool {
        self.fields.contains_key(key)
    }

    /// A count or width: a whole number from 1 to 2^20.
    pub fn count(&self, key: &str) -> Result<usize, SpecError> {
        self.optional_count(key)?.ok_or_else(|| SpecError::Missing { key: key.into() })
    }

    pub fn optional_count(&self, key: &str) -> Result<Option<usize>, SpecError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        match value.as_u64() {
            Some(number @ 1..=LARGEST) => Ok(Some(number as usize)),
            _ => Err(invalid(key, value, "a whole number from 1 to 1048576")),
        }
    }

    /// Layers or experts: each makes many weights, so a hostile number of them would cost memory before any is missed.
    pub fn repetitions(&self, key: &str) -> Result<usize, SpecError> {
        match self.count(key)? {
            number if number <= MOST_REPETITIONS => Ok(number),
            number => Err(invalid(key, &number.into(), "a whole number from 1 to 1024")),
        }
    }

    /// A positive number of float32's range, in which it is computed with.
    pub fn positive(&self, key: &str) -> Result<Option<f64>, SpecError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        match value.as_f64() {
            Some(number) if in_range(number) => Ok(Some(number)),
            _ => Err(invalid(key, value, "a positive number of float32")),
        }
    }

    pub fn flag(&self, key: &str) -> Result<Option<bool>, SpecError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        value.as_bool().map(Some).ok_or_else(|| invalid(key, value, "true or false"))
    }

    pub fn text(&self, key: &str) -> Result<Option<&str>, SpecError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        value.as_str().map(Some).ok_or_else(|| invalid(key, value, "a text"))
    }

    /// The attention's heads, with the defaults that Hugging Face's config classes have.
    pub fn heads(&self) -> Result<Heads, SpecError> {
        // What Qwen3Config assumes; elsewhere heads divide the hidden width.
        self.heads_of(if self.model_type()? == "qwen3" { Some(128) } else { None })
    }

    /// As [`heads`](Self::heads), for a family whose heads have this width where the config states none.
    pub fn heads_of(&self, default_dim: Option<usize>) -> Result<Heads, SpecError> {
        let hidden = self.count("hidden_size")?;
        let queries = self.count("num_attention_heads")?;
        // What MistralConfig and Qwen2Config assume; the others give each query head a key head of its own.
        let default_keys = match self.model_type()? {
            "mistral" => 8,
            "qwen2" | "qwen3" => 32,
            _ => queries,
        };
        let keys = self.optional_count("num_key_value_heads")?.unwrap_or(default_keys);
        let refused = |key: &str, found: usize, expected: String| {
            Err(SpecError::Invalid { key: key.into(), found: found.to_string(), expected })
        };
        if !queries.is_multiple_of(keys) {
            return refused("num_key_value_heads", keys, format!("a divisor of num_attention_heads = {queries}"));
        }
        let dim = match self.optional_count("head_dim")?.or(default_dim) {
            Some(dim) => dim,
            None if hidden.is_multiple_of(queries) => hidden / queries,
            None => return refused("num_attention_heads", queries, format!("a divisor of hidden_size = {hidden}")),
        };
        if !dim.is_multiple_of(2) {
            return refused("head_dim", dim, "an even number, which rotary positions need".into());
        }
        Ok(Heads { queries, keys, dim })
    }

    /// The token ids that end an answer, of a vocabulary of so many tokens.
    ///
    /// # Errors
    /// A value that is no id, or one that no token has: an answer would never end.
    pub fn end_ids(&self, vocabulary: usize) -> Result<Vec<u32>, SpecError> {
        let key = "eos_token_id";
        let ids = self.token_ids(key)?;
        match ids.iter().find(|id| **id as usize >= vocabulary) {
            Some(id) => {
                Err(invalid(key, &(*id).into(), &format!("an id of the {vocabulary} tokens of the vocabulary")))
            }
            None => Ok(ids),
        }
    }

    /// A key that may hold one token id or a list of them, as `eos_token_id` does.
    pub fn token_ids(&self, key: &str) -> Result<Vec<u32>, SpecError> {
        let id = |value: &Value| {
            value
                .as_u64()
                .and_then(|id| u32::try_from(id).ok())
                .ok_or_else(|| invalid(key, value, "a token id or a list of them"))
        };
        match self.get(key) {
            None => Ok(Vec::new()),
            Some(Value::Array(values)) => values.iter().map(id).collect(),
            Some(value) => Ok(vec![id(value)?]),
        }
    }
}

/// Whether a number is positive, and float32 has it neither as zero nor as infinity.
pub(super) fn in_range(number: f64) -> bool {
    (f64::from(f32::MIN_POSITIVE)..=f64::from(f32::MAX)).contains(&number)
}

/// The error for a value that is there and wrong.
pub(super) fn invalid(key: &str, value: &Value, expected: &str) -> SpecError {
    SpecError::Invalid { key: key.into(), found: shown(&value.to_string()), expected: expected.into() }
}

/// A text out of a config, shortened: it may be long.
pub(super) fn shown(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn config(value: Value) -> Config {
        Config::new(value).unwrap()
    }

    #[test]
    fn null_counts_as_absent() {
        assert_eq!(config(json!({"head_dim": null})).optional_count("head_dim"), Ok(None));
    }

    #[test]
    fn a_hostile_number_is_refused_by_name() {
        for hostile in [json!(0), json!(-1), json!(1e30), json!(u64::MAX), json!("64"), json!([1]), json!(1 << 21)] {
            let error = config(json!({"hidden_size": hostile})).count("hidden_size").unwrap_err();
            assert!(error.to_string().starts_with("`hidden_size` is "), "{error}");
        }
    }

    #[test]
    fn end_of_sequence_is_one_id_or_several() {
        assert_eq!(config(json!({"eos_token_id": 2})).token_ids("eos_token_id"), Ok(vec![2]));
        assert_eq!(config(json!({"eos_token_id": [2, 7]})).token_ids("eos_token_id"), Ok(vec![2, 7]));
        assert!(config(json!({"eos_token_id": [-1]})).token_ids("eos_token_id").is_err());
        assert!(config(json!({"eos_token_id": [[2]]})).token_ids("eos_token_id").is_err());
        let million = config(json!({"eos_token_id": vec![7; 1_000_000]}));
        assert_eq!(million.token_ids("eos_token_id").map(|ids| ids.len()), Ok(1_000_000));
    }
}
