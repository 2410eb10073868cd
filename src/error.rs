//! The top-level error: every stage's own, with what to do about it and how the program exits.

use crate::acquire::AcquireError;
use crate::audit::TableError;
use crate::catalog::RequirementError;
use crate::compare::{AskedError, BaselineError};
use crate::engine::{EngineError, PrepareError};
use crate::report::ReportError;
use crate::store::StoreError;
use crate::suite::SuiteError;
use crate::toml_error::TomlError;

/// Anything that keeps the program from answering.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("could not read the candidates")]
    Catalog(#[source] TomlError),
    #[error("could not read `{path}`")]
    ReadCatalog { path: std::path::PathBuf, source: std::io::Error },
    #[error("could not read the table `{path}`")]
    Table { path: std::path::PathBuf, source: TableError },
    #[error("could not read the GPUs")]
    Hardware(#[source] TomlError),
    #[error("could not use --require")]
    Requirement(#[source] RequirementError),
    #[error("could not read the prompts")]
    Suite(#[source] SuiteError),
    #[error("could not read the questions")]
    Questions(#[source] SuiteError),
    #[error(transparent)]
    Acquire(#[from] AcquireError),
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error("could not use the stored results")]
    Store(#[from] StoreError),
    #[error("could not write the report")]
    Report(#[from] ReportError),
    #[error("could not use the baseline `{path}`")]
    Baseline { path: std::path::PathBuf, source: BaselineError },
    #[error("could not check that")]
    Asked(#[source] AskedError),
    #[error("could not start `{program}`")]
    Process { program: std::path::PathBuf, source: std::io::Error },
    #[error("could not read `{path}`")]
    ReadText { path: std::path::PathBuf, source: std::io::Error },
    #[error("could not write `{path}`")]
    Write { path: std::path::PathBuf, source: std::io::Error },
    /// An argument that parses and still cannot be meant.
    #[error("{message}")]
    Usage { message: String, hint: Option<String> },
    #[error("could not write to standard output")]
    Output(#[source] std::io::Error),
}

impl Error {
    /// An argument that parses and still cannot be meant, and what to do instead.
    pub fn usage(message: impl Into<String>, hint: impl Into<Option<String>>) -> Self {
        Self::Usage { message: message.into(), hint: hint.into() }
    }

    /// What the user can do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Catalog(error) | Self::Hardware(error) => error.hint(),
            Self::Table { source, .. } => source.hint(),
            Self::Suite(SuiteError::Toml(error)) | Self::Questions(SuiteError::Toml(error)) => error.hint(),
            Self::Questions(SuiteError::Read { source, .. }) if source.kind() == std::io::ErrorKind::InvalidData => {
                Some("save the file as UTF-8".into())
            }
            Self::Requirement(RequirementError::Unknown { nearest, .. }) => {
                nearest.as_ref().map(|word| format!("did you mean `{word}`?"))
            }
            Self::Acquire(error) => error.hint(),
            Self::Prepare(error) => error.hint(),
            Self::Engine(error) => error.hint(),
            Self::Store(error) => error.hint(),
            Self::Report(error) => error.hint(),
            Self::Asked(error) => Some(error.hint()),
            Self::Process { .. } => Some("name another build of `bench`".into()),
            Self::Baseline { source, .. } => Some(source.hint()),
            Self::Usage { hint, .. } => hint.clone(),
            Self::ReadCatalog { .. } => Some("give the file with --models, or leave it out for the shipped one".into()),
            Self::Requirement(_)
            | Self::Suite(_)
            | Self::Questions(_)
            | Self::ReadText { .. }
            | Self::Write { .. }
            | Self::Output(_) => None,
        }
    }
}
