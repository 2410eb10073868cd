//! Requirements: the user's hard limits.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::metric::{
    Aspect, CHARACTERS, DECODE, FIDELITY, ITL_P50, ITL_P99, LATENCY, Metric, PASS_RATE, TEXT_AFTER, TOKENIZING, TTFT,
    VISIBLE_TTFT,
};
use crate::suite::Language;
use crate::toml_error::nearest;

/// What answers in Korean are held to by `korean_characters_per_second`.
pub const KOREAN_SPEED: Aspect = Aspect::in_language(CHARACTERS, Language::Ko);

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
    /// Time to first visible token of every request, in seconds.
    pub visible_ttft_seconds: Option<f64>,
    /// Time that templating and tokenizing every prompt takes, in seconds.
    pub tokenizing_seconds: Option<f64>,
    /// Decode rate of every request, tokens per second.
    pub decode_tokens_per_second: Option<f64>,
    /// End-to-end latency of every request, in seconds.
    pub latency_seconds: Option<f64>,
    /// Time that text processing takes after the last token of every request, in seconds.
    pub text_after_seconds: Option<f64>,
    /// Share of requests that must meet all of the limits above, 0 to 1. Default 0.95.
    pub attainment: Option<f64>,
    /// Median of the gaps between tokens of all requests together, in seconds.
    pub itl_p50_seconds: Option<f64>,
    /// Their 99th percentile, in seconds.
    pub itl_p99_seconds: Option<f64>,
    /// Korean characters per second as a reader sees them.
    pub korean_characters_per_second: Option<f64>,
    /// Share of the answers due in Korean that break no gate, 0 to 1.
    pub korean_fidelity: Option<f64>,
    /// Share of the answers due in English that break no gate, 0 to 1.
    pub english_fidelity: Option<f64>,
    /// Share of all answers that break neither a gate nor a check, 0 to 1.
    pub pass_rate: Option<f64>,
    /// Share of the answers due in Korean that break neither, 0 to 1.
    pub korean_pass_rate: Option<f64>,
    /// Characters a second that a reader of Korean, or of English, takes in; see [`Language::reading_pace`]. No limit: what comes
    /// faster is worth no more, and what comes slower keeps the reader waiting.
    pub korean_reading_pace: Option<f64>,
    pub english_reading_pace: Option<f64>,
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

impl Budget {
    /// Its keys in models.toml, within the table `budget`.
    const KEYS: [&str; 3] = ["krw_per_month", "krw_per_gpu_hour", "requests_per_month"];

    /// Its numbers, in the order of the keys.
    fn numbers(&self) -> [f64; 3] {
        [self.krw_per_month, self.krw_per_gpu_hour, self.requests_per_month]
    }
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

    /// The stated limits that each request must meet.
    pub fn request_limits(&self) -> Vec<(Metric, f64)> {
        self.each_request().into_iter().filter_map(|(metric, limit)| Some((metric, limit?))).collect()
    }

    /// What each request can be held to, and the limit where one is stated.
    fn each_request(&self) -> [(Metric, Option<f64>); 6] {
        [
            (TTFT, self.ttft_seconds),
            (VISIBLE_TTFT, self.visible_ttft_seconds),
            (TOKENIZING, self.tokenizing_seconds),
            (DECODE, self.decode_tokens_per_second),
            (LATENCY, self.latency_seconds),
            (TEXT_AFTER, self.text_after_seconds),
        ]
    }

    /// The stated limits on figures of all requests together.
    pub fn figure_limits(&self) -> Vec<(Aspect, f64)> {
        self.each_figure().into_iter().filter_map(|(aspect, limit)| Some((aspect, limit?))).collect()
    }

    fn each_figure(&self) -> [(Aspect, Option<f64>); 3] {
        [
            (KOREAN_SPEED, self.korean_characters_per_second),
            (Aspect::overall(ITL_P50), self.itl_p50_seconds),
            (Aspect::overall(ITL_P99), self.itl_p99_seconds),
        ]
    }

    /// The stated floors under the quality of answers, each a share.
    pub fn floors(&self) -> Vec<(Aspect, f64)> {
        self.each_floor().into_iter().filter_map(|(aspect, floor)| Some((aspect, floor?))).collect()
    }

    fn each_floor(&self) -> [(Aspect, Option<f64>); 4] {
        [
            (Aspect::in_language(FIDELITY, Language::Ko), self.korean_fidelity),
            (Aspect::in_language(FIDELITY, Language::En), self.english_fidelity),
            (Aspect::overall(PASS_RATE), self.pass_rate),
            (Aspect::in_language(PASS_RATE, Language::Ko), self.korean_pass_rate),
        ]
    }

    /// Characters a second that a reader takes in.
    pub fn reading_pace(&self, language: Language) -> f64 {
        let stated = match language {
            Language::Ko => self.korean_reading_pace,
            Language::En => self.english_reading_pace,
        };
        stated.unwrap_or_else(|| language.reading_pace())
    }

    /// These requirements without limits on speed and cost, but for the keys that are kept.
    pub fn without_speed_and_cost(&self, is_kept: impl Fn(&str) -> bool) -> Self {
        let kept = |key: &str, limit: Option<f64>| limit.filter(|_| is_kept(key));
        let of = |aspect: Aspect, limit| kept(&aspect.key(), limit);
        let budget = self
            .budget
            .clone()
            .filter(|_| is_kept("budget") || Budget::KEYS.iter().any(|key| is_kept(&format!("budget.{key}"))));
        Self {
            ttft_seconds: of(Aspect::overall(TTFT), self.ttft_seconds),
            visible_ttft_seconds: of(Aspect::overall(VISIBLE_TTFT), self.visible_ttft_seconds),
            tokenizing_seconds: of(Aspect::overall(TOKENIZING), self.tokenizing_seconds),
            decode_tokens_per_second: of(Aspect::overall(DECODE), self.decode_tokens_per_second),
            latency_seconds: of(Aspect::overall(LATENCY), self.latency_seconds),
            text_after_seconds: of(Aspect::overall(TEXT_AFTER), self.text_after_seconds),
            itl_p50_seconds: of(Aspect::overall(ITL_P50), self.itl_p50_seconds),
            itl_p99_seconds: of(Aspect::overall(ITL_P99), self.itl_p99_seconds),
            korean_characters_per_second: of(KOREAN_SPEED, self.korean_characters_per_second),
            budget,
            ..self.clone()
        }
    }

    /// Every limit that is one on a metric; its key in models.toml is the metric's.
    fn on_metrics(&self) -> impl Iterator<Item = (Aspect, Option<f64>)> {
        let requests = self.each_request().map(|(metric, limit)| (Aspect::overall(metric), limit));
        requests.into_iter().chain(self.each_figure()).chain(self.each_floor())
    }

    /// Refuses numbers that mean nothing as a limit.
    ///
    /// # Errors
    /// The first number that is not finite and over 0, or a share over 1.
    pub fn check(&self) -> Result<(), RequirementError> {
        within("memory_gib".into(), self.memory_gib, f64::MAX)?;
        for (aspect, limit) in self.on_metrics() {
            within(aspect.key(), limit, f64::MAX)?;
        }
        for (aspect, floor) in self.each_floor() {
            within(aspect.key(), floor, 1.0)?;
        }
        within("attainment".into(), self.attainment, 1.0)?;
        within("korean_reading_pace".into(), self.korean_reading_pace, f64::MAX)?;
        within("english_reading_pace".into(), self.english_reading_pace, f64::MAX)?;
        for (key, number) in self.budget.iter().flat_map(|budget| Budget::KEYS.into_iter().zip(budget.numbers())) {
            within(format!("budget.{key}"), Some(number), f64::MAX)?;
        }
        Ok(())
    }
}

/// Refuses a number that is not over 0, or over the largest that it may be.
fn within(key: String, number: Option<f64>, largest: f64) -> Result<(), RequirementError> {
    match number.filter(|number| !(*number > 0.0 && *number <= largest)) {
        Some(number) => Err(RequirementError::Value { key, value: number.to_string() }),
        None => Ok(()),
    }
}

/// Sets one key, `budget.krw_per_month` within its table.
fn set(fields: &mut Map<String, Value>, key: &str, text: &str) -> Result<(), RequirementError> {
    if let Some((table, rest)) = key.split_once('.').filter(|(table, _)| *table == "budget") {
        let budget = fields.entry(table).or_insert(Value::Null);
        if budget.is_null() {
            *budget = Value::Object(Map::new());
        }
        if !Budget::KEYS.contains(&rest) {
            let nearest = nearest(rest, Budget::KEYS.into_iter()).map(|word| format!("budget.{word}"));
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
        ("licences", "none" | "[]") => Value::Array(Vec::new()),
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
    use std::collections::BTreeSet;

    use super::*;

    fn changed(changes: &[&str]) -> Result<Requirements, RequirementError> {
        let changes: Vec<String> = changes.iter().map(|change| (*change).to_owned()).collect();
        Requirements { ttft_seconds: Some(2.0), ..Requirements::default() }.with(&changes)
    }

    #[test]
    fn the_key_of_a_limit_is_that_of_its_metric() {
        let budget = Budget { krw_per_month: 11.0, krw_per_gpu_hour: 12.0, requests_per_month: 13.0 };
        let requirements = Requirements {
            device: Some("L4".into()),
            memory_gib: Some(1.0),
            ttft_seconds: Some(2.0),
            visible_ttft_seconds: Some(2.5),
            tokenizing_seconds: Some(0.1),
            decode_tokens_per_second: Some(3.0),
            latency_seconds: Some(4.0),
            text_after_seconds: Some(0.2),
            itl_p50_seconds: Some(0.3),
            itl_p99_seconds: Some(0.4),
            attainment: Some(0.5),
            korean_characters_per_second: Some(6.0),
            korean_fidelity: Some(0.6),
            english_fidelity: Some(0.7),
            pass_rate: Some(0.8),
            korean_pass_rate: Some(0.9),
            korean_reading_pace: Some(14.0),
            english_reading_pace: Some(15.0),
            licences: vec!["mit".into()],
            budget: Some(budget.clone()),
        };
        let mut fields = match serde_json::to_value(&requirements) {
            Ok(Value::Object(fields)) => fields,
            other => panic!("{other:?}"),
        };
        for (aspect, limit) in requirements.on_metrics() {
            assert_eq!(fields.remove(&aspect.key()), limit.map(Value::from), "{}", aspect.key());
        }
        let budget_fields = fields.remove("budget").unwrap();
        for (key, number) in Budget::KEYS.into_iter().zip(budget.numbers()) {
            assert_eq!(budget_fields[key], number, "{key}");
        }
        assert_eq!(budget_fields.as_object().unwrap().len(), Budget::KEYS.len());
        let of_no_metric: BTreeSet<&str> = fields.keys().map(String::as_str).collect();
        assert_eq!(
            of_no_metric,
            BTreeSet::from([
                "attainment",
                "device",
                "english_reading_pace",
                "korean_reading_pace",
                "licences",
                "memory_gib"
            ])
        );
    }

    #[test]
    fn a_change_replaces_adds_or_drops_a_requirement() {
        let requirements = changed(&["ttft_seconds=0.5", "device=H200", "licences=mit, apache-2.0"]).unwrap();
        assert_eq!(requirements.ttft_seconds, Some(0.5));
        assert_eq!(requirements.device.as_deref(), Some("H200"));
        assert_eq!(requirements.licences, ["mit", "apache-2.0"]);
        for all in ["licences=none", "licences=[]"] {
            assert_eq!(changed(&[all]).unwrap().licences, Vec::<String>::new(), "{all}");
        }
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
