//! Acquiring: from a candidate to its checkpoint, found, downloaded or made.

pub mod gguf;
pub mod hub;
pub mod local;
pub mod synthetic;

use std::path::PathBuf;

use crate::run::CheckpointFacts;
use crate::spec::{Config, SpecError};
use crate::text::{TextError, TextModel};

use gguf::{GgufError, GgufFile};

/// A candidate's files, found or made.
pub struct Checkpoint {
    pub config: Config,
    /// `None` where there is no tokenizer: then only token ids can be run.
    pub text: Option<TextModel>,
    pub weights: Weights,
    pub facts: CheckpointFacts,
}

/// Where a checkpoint's weights lie.
pub enum Weights {
    Safetensors(Vec<PathBuf>),
    Gguf(GgufFile),
    /// Made on the spot from a seed.
    Synthetic {
        seed: u64,
    },
}

/// Why a checkpoint could not be had.
#[derive(Debug, thiserror::Error)]
pub enum AcquireError {
    #[error("`{path}` does not exist")]
    NotFound { path: PathBuf },
    #[error("`{path}` is neither a directory with a config.json nor a .gguf file")]
    NotACheckpoint { path: PathBuf },
    #[error("could not read `{path}`")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("`{path}` is larger than {limit_mib} MiB, which no such file is")]
    TooLarge { path: PathBuf, limit_mib: u64 },
    #[error("`{path}` is not valid JSON")]
    Json { path: PathBuf, source: serde_json::Error },
    #[error("`{path}` has no weights: neither model.safetensors nor model.safetensors.index.json")]
    NoWeights { path: PathBuf },
    #[error("`{path}` has weights in PyTorch's .bin format only, which is not supported yet")]
    PytorchOnly { path: PathBuf },
    #[error("`{path}` names the weight file `{file}`, which is not a plain file name")]
    HostileName { path: PathBuf, file: String },
    #[error("could not use the config of `{path}`")]
    Spec { path: PathBuf, source: SpecError },
    #[error("could not read `{path}`")]
    Gguf { path: PathBuf, source: GgufError },
    #[error("could not use the tokenizer of `{path}`")]
    Text { path: PathBuf, source: TextError },
    #[error("could not use the tokenizer of `{path}`")]
    GgufText { path: PathBuf, source: gguf::GgufTextError },
    #[error("the shape of `{0}` does not ship with the program")]
    NoShape(String),
    #[error("could not download `{repository}`")]
    Hub { repository: String, source: hub::HubError },
    #[error("could not use the Hub's settings")]
    HubSettings(#[source] hub::HubError),
}

impl AcquireError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotFound { .. } => Some("check the path; a Hub repository is written owner/name".into()),
            Self::NotACheckpoint { .. } => {
                Some("give a directory in Hugging Face layout (config.json, tokenizer.json, *.safetensors) or one .gguf file".into())
            }
            Self::PytorchOnly { .. } => Some("name a repository or revision that has safetensors, or a GGUF file of it".into()),
            Self::NoShape(_) => {
                Some("leave it out with --candidate, or give a directory that holds its config.json with --local".into())
            }
            Self::Hub { source, .. } | Self::HubSettings(source) => source.hint(),
            Self::Spec { source: SpecError::UnsupportedArchitecture(_), .. } => {
                Some("supported now: llama, mistral, qwen2".into())
            }
            Self::Read { .. }
            | Self::TooLarge { .. }
            | Self::Json { .. }
            | Self::NoWeights { .. }
            | Self::HostileName { .. }
            | Self::Spec { .. }
            | Self::Gguf { .. }
            | Self::Text { .. }
            | Self::GgufText { .. } => None,
        }
    }
}
