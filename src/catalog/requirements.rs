//! Requirements: the user's hard limits.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::toml_error::nearest;

/// What a candidate must satisfy to be recommended. What is not stated is not required.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Requirements {
    /// Part of the name of the device that the service will run on, as `L4`. Where a run was made on another device,
    /// its speeds say nothing about the service's, and the limits on speed and cost are reported without being enforced.
    pub device: Option<String>,
    /// Weights, cache and working memory together, in GiB (2^30 bytes).
    pub memory_gib: Option<f64>,
    /// Time to first token, in seconds: every request must meet it to be attained.
    pub ttft_seconds: Option<f64>,
    /// Decode rate of every request, tokens per second.
    pub decode_tokens_per_second: Option<f64>,
    /// End-to-end latency of every request, in seconds.
    pub latency_seconds: Option<f64>,
    /// Share of requests that must meet all of the limits above, 0 to 1. Default 0.95.
    pub attainment: Option<f64>,
    /// Korean characters per second as a reader sees them.
    pub korean_characters_per_second: Option<f64>,
    /// Licences that are acceptable, as the candidates state them; empty accepts all.
    pub licences: Vec<String>,
    pub budget: Option<Budget>,
}

/// What a month may cost, for a service that answers one request at a time on a GPU rented by the hour.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    pub krw_per_month: f64,
    pub krw_per_gpu_hour: f64,
    pub requests_per_month: f64,
}

/// Why a requirement cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequirementError {
    #[error("`{0}` is not of the form KEY=VALUE")]
    Form(String),
    #[error("there is no requirement `{key}`")]
    Unknown { key: String, nearest: Option<String> },
    #[error("the requirement `{key}` cannot be {value}")]
    Value { key: String, value: String },
    #[error("the requirement `budget` is not complete: {0}")]
    Budget(String),
}

impl Requirements {
    /// These requirements with others put in their place, each as `KEY=VALUE` in the words of models.toml, `none` to drop
    /// it.
    ///
    /// # Errors
    /// An unknown key, or a value that it cannot have.
    pub fn with(&self, changes: &[String]) -> Result<Self, RequirementError> {
        let Ok(Value::Object(mut fields)) = serde_json::to_value(self) else {
            return Err(RequirementError::Form(changes.join(" ")));
        };
        for change in changes {
            let (key, value) = change.split_once('=').ok_or_else(|| RequirementError::Form(change.clone()))?;
            set(&mut fields, key.trim(), value.trim())?;
        }
        let changed = serde_json::from_value::<Self>(Value::Object(fields));
        let changed = changed.map_err(|error| RequirementError::Budget(error.to_string()))?;
        changed.check()?;
        Ok(changed)
    }

    /// Refuses numbers that mean nothing as a limit.
    ///
    /// # Errors
    /// The first number that is not finite and over 0, or a share over 1.
    pub fn check(&self) -> Result<(), RequirementError> {
        let budget = self.budget.as_ref();
        let numbers = [
            ("memory_gib", self.memory_gib),
            ("ttft_seconds", self.ttft_seconds),
            ("decode_tokens_per_second", self.decode_tokens_per_second),
            ("latency_seconds", self.latency_seconds),
            ("attainment", self.attainment),
            ("korean_characters_per_second", self.korean_characters_per_second),
            ("budget.krw_per_month", budget.map(|budget| budget.krw_per_month)),
            ("budget.krw_per_gpu_hour", budget.map(|budget| budget.krw_per_gpu_hour)),
            ("budget.requests_per_month", budget.map(|budget| budget.requests_per_month)),
        ];
        for (key, number) in numbers {
            let largest = if key == "attainment" { 1.0 } else { f64::MAX };
            if let Some(number) = number.filter(|number| !(*number > 0.0 && *number <= largest)) {
                return Err(RequirementError::Value { key: key.into(), value: number.to_string() });
            }
        }
        Ok(())
    }
}

/// Sets one key, `budget.krw_per_month` within its table.
fn set(fields: &mut Map<String, Value>, key: &str, text: &str) -> Result<(), RequirementError> {
    if let Some((table, rest)) = key.split_once('.').filter(|(table, _)| *table == "budget") {
        let budget = fields.entry(table).or_insert(Value::Null);
        if budget.is_null() {
            *budget = Value::Object(Map::new());
        }
        let known = ["krw_per_month", "krw_per_gpu_hour", "requests_per_month"];
        if !known.contains(&rest) {
            let nearest = nearest(rest, known.into_iter()).map(|word| format!("budget.{word}"));
            return Err(RequirementError::Unknown { key: key.into(), nearest });
        }
        return match budget {
            Value::Object(inner) => insert(inner, rest, key, text),
            _ => Err(RequirementError::Unknown { key: key.into(), nearest: None }),
        };
    }
    if !fields.contains_key(key) {
        let nearest = nearest(key, fields.keys().map(String::as_str));
        return Err(RequirementError::Unknown { key: key.into(), nearest });
    }
    insert(fields, key, key, text)
}

fn insert(fields: &mut Map<String, Value>, name: &str, key: &str, text: &str) -> Result<(), RequirementError> {
    let value = match (name, text) {
        ("licences", "none") => Value::Array(Vec::new()),
        (_, "none") => Value::Null,
        ("device", device) => device.into(),
        ("licences", licences) => licences.split(',').map(|licence| Value::from(licence.trim())).collect(),
        (_, number) => {
            let parsed = number.replace('_', "").parse::<f64>().ok().and_then(serde_json::Number::from_f64);
            let refused = || RequirementError::Value { key: key.into(), value: format!("`{number}`") };
            Value::Number(parsed.ok_or_else(refused)?)
        }
    };
    fields.insert(name.into(), value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(changes: &[&str]) -> Result<Requirements, RequirementError> {
        let changes: Vec<String> = changes.iter().map(|change| (*change).to_owned()).collect();
        Requirements { ttft_seconds: Some(2.0), ..Requirements::default() }.with(&changes)
    }

    #[test]
    fn a_change_replaces_adds_or_drops_a_requirement() {
        let requirements = changed(&["ttft_seconds=0.5", "device=H200", "licences=mit, apache-2.0"]).unwrap();
        assert_eq!(requirements.ttft_seconds, Some(0.5));
        assert_eq!(requirements.device.as_deref(), Some("H200"));
        assert_eq!(requirements.licences, ["mit", "apache-2.0"]);
        assert_eq!(changed(&["ttft_seconds=none"]).unwrap(), Requirements::default());
        let budget = ["budget.krw_per_month=100_000", "budget.krw_per_gpu_hour=1000", "budget.requests_per_month=5"];
        assert_eq!(changed(&budget).unwrap().budget.map(|budget| budget.krw_per_month), Some(100_000.0));
    }

    #[test]
    fn a_wrong_change_is_refused_with_the_nearest_right_key() {
        let nearest = Some("ttft_seconds".into());
        assert_eq!(changed(&["ttft=1"]), Err(RequirementError::Unknown { key: "ttft".into(), nearest }));
        assert!(matches!(changed(&["ttft_seconds"]), Err(RequirementError::Form(_))));
        for value in ["fast", "-1", "0", "inf", "NaN", "1e999"] {
            let change = format!("ttft_seconds={value}");
            assert!(matches!(changed(&[&change]), Err(RequirementError::Value { .. })), "{value}");
        }
        assert!(matches!(changed(&["attainment=1.5"]), Err(RequirementError::Value { .. })));
        assert!(matches!(changed(&["budget.krw_per_month=1"]), Err(RequirementError::Budget(_))));
        assert!(matches!(changed(&["budget.krw=1"]), Err(RequirementError::Unknown { .. })));
    }
}
