//! A check as JSON, for other programs. `schemas/check.schema.json` describes it.

use serde::Serialize;

use crate::compare::{Check, Outcome};
use crate::report::{ReportError, json};

/// Raised when a reader of the version before could misread the document.
const SCHEMA_VERSION: u64 = 1;

/// One document on one line.
///
/// # Errors
/// A figure that JSON cannot hold, which no measurement gives.
pub fn render(check: &Check) -> Result<String, ReportError> {
    #[derive(Serialize)]
    struct Document<'a> {
        schema_version: u64,
        outcome: Outcome,
        #[serde(flatten)]
        check: &'a Check,
    }
    json::line("the check", &Document { schema_version: SCHEMA_VERSION, outcome: check.outcome(), check })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::compare::testing;
    use crate::schemas::CHECK;

    fn document(check: &Check) -> Value {
        serde_json::from_str(&render(check).expect("finite numbers")).expect("JSON")
    }

    #[test]
    fn a_check_satisfies_its_schema() {
        for check in [testing::everything(), testing::unchanged(), testing::nothing()] {
            assert_eq!(CHECK.complaints(&document(&check)), Vec::<String>::new());
        }
    }

    #[test]
    fn the_sample_has_every_verdict_and_doubt() {
        let document = document(&testing::everything());
        let figures = document["rows"].as_array().unwrap().iter().flat_map(|row| row["figures"].as_array().unwrap());
        let mut found: Vec<String> = figures
            .map(|figure| {
                [&figure["verdict"], &figure["why"]["kind"]].map(|word| word.as_str().unwrap_or("")).join(" ")
            })
            .collect();
        found.sort();
        found.dedup();
        assert_eq!(
            found,
            [
                "improved ",
                "incomparable ",
                "inconclusive disturbed",
                "inconclusive straddles",
                "inconclusive too_few",
                "regressed ",
                "within_noise "
            ]
        );
    }

    #[test]
    fn the_schema_refuses_what_is_wrong() {
        CHECK.refuses(
            &document(&testing::everything()),
            [
                ("/schema_version", json!(2)),
                ("/outcome", json!("slower")),
                ("/after/started_at", json!("yesterday")),
                ("/rows/0/figures/0/verdict", json!("inconclusive")),
                ("/rows/0/figures/0/n", json!([1])),
                ("/rows/0/figures/0/evidence/level", json!(95)),
                ("/rows/0/figures/3/why/kind", json!("too_many")),
                ("/rows/0/figures/3/why", json!([])),
                ("/rows/2/figures/0/why", json!([])),
                ("/rows/1/answers/0/position", json!(-1)),
            ],
        );
    }

    #[test]
    fn the_schema_knows_every_member_and_misses_none() {
        CHECK.knows_every_member(&document(&testing::everything()), &[]);
    }
}
