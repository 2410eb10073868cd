//! A check as JSON, for other programs.

use serde::Serialize;

use crate::compare::{Check, Outcome};
use crate::report::ReportError;

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
    let document = Document { schema_version: SCHEMA_VERSION, outcome: check.outcome(), check };
    let text = serde_json::to_string(&document);
    text.map(|text| text + "\n").map_err(|source| ReportError::Encode { what: "the check".into(), source })
}
