//! What is wrong with a published checkpoint's files.

use std::path::PathBuf;

use crate::acquire::pytorch::PytorchError;
use crate::acquire::safetensors::SafetensorsError;

/// What is wrong with a checkpoint's files.
#[derive(Debug, thiserror::Error)]
pub enum PublishedError {
    #[error(transparent)]
    Safetensors(#[from] SafetensorsError),
    #[error("could not read `{path}`")]
    Pytorch { path: PathBuf, source: Box<PytorchError> },
    #[error("both `{first}` and `{second}` mean weight `{name}`")]
    Ambiguous { name: String, first: String, second: String },
}
