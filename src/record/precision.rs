//! The types in which weights are held.

use std::cmp::Reverse;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The types in which a candidate's weights are held, with the bytes of each. The most bytes come first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Precision(Vec<HeldType>);

/// Weights of one type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldType {
    /// Its name: `q4_k`.
    #[serde(rename = "type")]
    pub name: String,
    /// What the weights of this type take together.
    pub bytes: u64,
}

/// The type of most of a candidate's weights.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MainType {
    /// Its name: `q4_k`.
    pub name: String,
    /// Its share of the bytes, 0 to 1.
    pub share: f64,
}

impl Precision {
    /// The types of weights, each with its bytes; a type may come several times.
    pub fn of<'a>(weights: impl IntoIterator<Item = (&'a str, u64)>) -> Self {
        let mut types: Vec<HeldType> = Vec::new();
        for (name, bytes) in weights {
            match types.iter_mut().find(|known| known.name == name) {
                Some(known) => known.bytes += bytes,
                None => types.push(HeldType { name: name.to_owned(), bytes }),
            }
        }
        types.sort_by_key(|held| Reverse(held.bytes));
        Self(types)
    }

    /// What all weights take.
    pub fn bytes(&self) -> u64 {
        self.0.iter().map(|held| held.bytes).sum()
    }

    /// The type of most of them; `None` where there are none.
    pub fn main(&self) -> Option<MainType> {
        let most = self.0.first()?;
        Some(MainType { name: most.name.clone(), share: most.bytes as f64 / self.bytes().max(1) as f64 })
    }

    /// Puts data in the place of the sentence that was stored with a load before layout 3: `q4_k 93 %, q6_k 7 %`. Whole
    /// percents were all that they kept, so the bytes of a type are known to half a percent of all weights.
    pub fn upgrade(load: &mut Value) {
        let total = load["weights_bytes"].as_u64().unwrap_or_default();
        let Some(Value::String(sentence)) = load.get("precision") else { return };
        let held = sentence.split(',').filter_map(|part| {
            let mut words = part.split_whitespace();
            let name = words.next()?;
            let percent = words.next().map_or(Some(100.0), |number| number.parse::<f64>().ok())?;
            Some(HeldType { name: name.to_owned(), bytes: (total as f64 * percent / 100.0).round() as u64 })
        });
        load["precision"] = json!(Self(held.collect()));
    }
}

/// `q4_k 93 %, q6_k 7 %`; a type that is the only one has no share.
impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.bytes().max(1) as f64;
        let part = |held: &HeldType| format!("{} {:.0} %", held.name, 100.0 * held.bytes as f64 / total);
        match self.0.as_slice() {
            [only] => f.write_str(&only.name),
            several => f.write_str(&several.iter().map(part).collect::<Vec<_>>().join(", ")),
        }
    }
}

/// `q4_k 93 %`; of all weights, or as good as all, the name alone.
impl fmt::Display for MainType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (100.0 * self.share).round() {
            percent if percent < 100.0 => f.pad(&format!("{} {percent} %", self.name)),
            _ => f.pad(&self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_added_up_and_the_most_bytes_come_first() {
        let precision = Precision::of([("f32", 1), ("q4_k", 50), ("q6_k", 7), ("q4_k", 42)]);
        assert_eq!((precision.bytes(), precision.to_string().as_str()), (100, "q4_k 92 %, q6_k 7 %, f32 1 %"));
        assert_eq!(precision.main().unwrap().to_string(), "q4_k 92 %");
    }

    #[test]
    fn the_only_type_needs_no_share_and_nothing_has_none() {
        let only = Precision::of([("bf16", 8)]);
        assert_eq!((only.to_string().as_str(), only.main().unwrap().to_string().as_str()), ("bf16", "bf16"));
        let nearly = Precision::of([("q8_0", 999), ("f32", 1)]);
        assert_eq!(
            (nearly.to_string().as_str(), nearly.main().unwrap().to_string().as_str()),
            ("q8_0 100 %, f32 0 %", "q8_0")
        );
        assert_eq!((Precision::default().main(), Precision::default().to_string().as_str()), (None, ""));
    }

    #[test]
    fn an_old_sentence_becomes_the_data_that_prints_the_same() {
        for sentence in ["q4_k 93 %, q6_k 7 %", "f32", "bf16 100 %"] {
            let mut load = json!({ "weights_bytes": 1_000, "precision": sentence });
            Precision::upgrade(&mut load);
            let precision: Precision = serde_json::from_value(load["precision"].clone()).unwrap();
            assert_eq!((precision.bytes(), precision.to_string()), (1_000, sentence.replace(" 100 %", "")));
        }
        for other in [json!({ "precision": [{ "type": "f32", "bytes": 4 }] }), json!({}), json!(null)] {
            let mut load = other.clone();
            Precision::upgrade(&mut load);
            assert_eq!(load, other);
        }
    }
}
