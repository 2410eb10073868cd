//! A baseline: what later runs are judged against, as a file that a person can review.
//! `schemas/baseline.schema.json` describes it.
//!
//! Keys have a fixed order and a prompt has a line, so that a diff shows which of them moved.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Digest, Noise};

/// Raised when a reader of the version before could misread the file.
pub(super) const SCHEMA_VERSION: u64 = 1;

/// What later runs are judged against.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// What the run gave.
    #[serde(flatten)]
    pub digest: Digest,
    /// How much the machine's own runs differ from each other; `None` where that was not measured.
    pub noise: Option<Noise>,
}

/// Why a file is no baseline that can be used.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// No JSON, or not of the form of a baseline.
    #[error("it is not a baseline, or it is damaged")]
    Damaged(#[source] serde_json::Error),
    /// Of another version of the layout.
    #[error("it has layout version {found}, and this program knows {SCHEMA_VERSION}")]
    OtherVersion {
        /// The version that the file states.
        found: u64,
    },
    /// A baseline of a run without a measured trial.
    #[error("it holds no measured trial")]
    Empty,
}

impl BaselineError {
    /// What the user can do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::OtherVersion { found } if *found > SCHEMA_VERSION => "update `bench`".into(),
            Self::Damaged(_) | Self::OtherVersion { .. } | Self::Empty => {
                "make it anew from a run that finished: bench baseline save --force".into()
            }
        }
    }
}

/// Objects and lists as deep as this are written on one line: those of a prompt.
const ONE_LINE: usize = 4;

impl Baseline {
    /// The file's text. Ends with a line feed.
    pub fn to_text(&self) -> String {
        let mut document = serde_json::json!({ "schema_version": SCHEMA_VERSION });
        // A record of numbers and strings is always JSON.
        if let (Some(document), Ok(Value::Object(members))) = (document.as_object_mut(), serde_json::to_value(self)) {
            document.extend(members);
        }
        let mut text = String::new();
        write(&document, 0, &mut text);
        text + "\n"
    }

    /// Reads what [`Self::to_text`] wrote.
    ///
    /// # Errors
    /// Text that is something else, is of another version, or holds nothing to judge against.
    pub fn from_text(text: &str) -> Result<Self, BaselineError> {
        #[derive(Deserialize)]
        struct Version {
            schema_version: u64,
        }
        // The version first: what another layout holds, only its own program knows.
        // Some editors begin a file with a mark of its encoding.
        let text = text.trim_start_matches('\u{feff}');
        let Version { schema_version: found } = serde_json::from_str(text).map_err(BaselineError::Damaged)?;
        if found != SCHEMA_VERSION {
            return Err(BaselineError::OtherVersion { found });
        }
        let mut baseline: Self = serde_json::from_str(text).map_err(BaselineError::Damaged)?;
        baseline.digest.upgrade();
        if baseline.digest.is_empty() {
            return Err(BaselineError::Empty);
        }
        Ok(baseline)
    }
}

fn write(value: &Value, depth: usize, text: &mut String) {
    let inner = "  ".repeat(depth + 1);
    let mut between = "\n";
    match value {
        Value::Object(members) if depth < ONE_LINE && !members.is_empty() => {
            text.push('{');
            for (key, member) in members {
                text.push_str(&format!("{between}{inner}{}: ", Value::from(key.as_str())));
                write(member, depth + 1, text);
                between = ",\n";
            }
            text.push_str(&format!("\n{}}}", "  ".repeat(depth)));
        }
        Value::Array(items) if depth < ONE_LINE && items.iter().any(|item| item.is_object() || item.is_array()) => {
            text.push('[');
            for item in items {
                text.push_str(&format!("{between}{inner}"));
                write(item, depth + 1, text);
                between = ",\n";
            }
            text.push_str(&format!("\n{}]", "  ".repeat(depth)));
        }
        value => text.push_str(&value.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::compare::testing;
    use crate::metric::CHARACTERS;
    use crate::schemas::BASELINE;
    use crate::store::sample;

    fn document(baseline: &Baseline) -> Value {
        serde_json::from_str(&baseline.to_text()).expect("JSON")
    }

    /// Of a run with a row of each outcome.
    fn of_a_run() -> Baseline {
        Baseline { digest: Digest::of(&sample::run()), noise: None }
    }

    #[test]
    fn a_baseline_comes_back_as_it_was() {
        for baseline in [of_a_run(), testing::baseline()] {
            assert_eq!(Baseline::from_text(&baseline.to_text()).unwrap(), baseline);
        }
    }

    #[test]
    fn a_mark_of_the_encoding_is_no_damage() {
        let text = format!("\u{feff}{}", testing::baseline().to_text());
        assert_eq!(Baseline::from_text(&text).unwrap(), testing::baseline());
    }

    #[test]
    fn an_old_baselines_characters_a_second_are_those_after_the_first_arrival() {
        let mut old = document(&testing::baseline());
        old.as_object_mut().unwrap().remove("definitions");
        // Four tokens in each of twenty answers.
        let values = old.pointer_mut("/rows/0/prompts/0/values").unwrap().as_object_mut().unwrap();
        values.insert(CHARACTERS.key.into(), json!(vec![40.0; 20]));
        let read = Baseline::from_text(&old.to_string()).unwrap();
        assert_eq!(read.digest.rows[0].prompts[0].values[CHARACTERS.key], [30.0; 20]);
        assert_eq!(Baseline::from_text(&read.to_text()).unwrap(), read, "once");
    }

    #[test]
    fn the_schema_knows_every_member_and_misses_none() {
        for baseline in [of_a_run(), testing::baseline()] {
            // Any key names a suite or a metric.
            BASELINE.knows_every_member(&document(&baseline), &["/suites", "/values"]);
        }
    }

    #[test]
    fn the_schema_refuses_what_is_wrong() {
        BASELINE.refuses(
            &document(&testing::baseline()),
            [
                ("/schema_version", json!(2)),
                ("/started_at", json!("yesterday")),
                ("/environment/threads", json!(-1)),
                ("/settings/seed", json!("7")),
                ("/rows/0/outcome/status", json!("skipped")),
                ("/rows/0/checkpoint/files/0/sha256", json!("0X")),
                ("/rows/0/prompts/2/language", json!("xx")),
                ("/rows/0/prompts/0/values/ttft_seconds/0", json!("0.5")),
                ("/rows/0/prompts/0/token_ids/0/0", json!(0.5)),
                ("/noise/figures/0/share", json!(-0.1)),
            ],
        );
    }
}
