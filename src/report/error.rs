//! What can go wrong with a report.

use std::io;

/// Why a report could not be written, or an export not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    #[error("could not write the report")]
    Write { source: io::Error },
    #[error("could not put {what} into JSON")]
    Encode { what: String, source: serde_json::Error },
    #[error("this is not an export of `bench`")]
    NotAnExport { source: serde_json::Error },
    #[error("the export has layout version {found}, this program knows up to {known}")]
    Newer { found: u64, known: u64 },
}

impl ReportError {
    /// What to do about it, where something helps.
    pub fn hint(&self) -> Option<String> {
        match self {
            ReportError::NotAnExport { .. } => Some("`bench export --format json` makes one".into()),
            ReportError::Newer { .. } => Some("update `bench`".into()),
            ReportError::Write { .. } | ReportError::Encode { .. } => None,
        }
    }
}

impl From<io::Error> for ReportError {
    fn from(source: io::Error) -> ReportError {
        ReportError::Write { source }
    }
}
