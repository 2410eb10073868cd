//! Why a checkpoint could not be had.

use std::path::PathBuf;

use super::gguf::{GgufError, GgufTextError};
use super::hub::HubError;
use super::published::PublishedError;
use crate::spec::SpecError;
use crate::text::TextError;

/// Why a checkpoint could not be had.
#[derive(Debug, thiserror::Error)]
pub enum AcquireError {
    #[error("`{path}` does not exist")]
    NotFound { path: PathBuf },
    #[error("`{path}` is neither a directory with a config.json nor a .gguf file")]
    NotACheckpoint { path: PathBuf },
    #[error("`{path}` has no config.json and several GGUF files")]
    SeveralGguf { path: PathBuf, files: Vec<PathBuf> },
    #[error("`{path}` lacks `{file}`, shard {number} of {count}")]
    MissingShard { path: PathBuf, file: String, number: u32, count: u32 },
    #[error("tensor `{tensor}` is in several files of `{path}`, and no index says which counts")]
    SeveralCopies { path: PathBuf, tensor: String },
    #[error("could not read the weights of `{path}`")]
    Published { path: PathBuf, source: PublishedError },
    #[error("could not read `{path}`")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("`{path}` is a Git LFS pointer: run `git lfs pull`")]
    LfsPointer { path: PathBuf },
    #[error("`{path}` is not valid JSON")]
    Json { path: PathBuf, source: serde_json::Error },
    #[error("could not understand the header of `{path}`: {message}")]
    Header { path: PathBuf, message: String },
    #[error("`{path}` has no weights: neither *.safetensors nor pytorch_model.bin, nor the index of either")]
    NoWeights { path: PathBuf },
    #[error("`{path}` names the weight file `{file}`, which is not a plain file name")]
    HostileName { path: PathBuf, file: String },
    #[error("`{path}` is no adapter: it lacks adapter_config.json or adapter_model.safetensors")]
    NotAnAdapter { path: PathBuf },
    #[error("could not use the adapter `{path}`: {message}")]
    Adapter { path: PathBuf, message: String },
    #[error("could not use the config of `{path}`")]
    Spec { path: PathBuf, source: SpecError },
    #[error("could not read `{path}`")]
    Gguf { path: PathBuf, source: GgufError },
    #[error("could not use the tokenizer of `{path}`")]
    Text { path: PathBuf, source: TextError },
    #[error("could not use the tokenizer of `{path}`")]
    GgufText { path: PathBuf, source: GgufTextError },
    #[error("`{0}` has no checkpoint")]
    NoCheckpoint(String),
    #[error("the shape of `{0}` does not ship with the program")]
    NoShape(String),
    #[error("could not download `{repository}`")]
    Hub { repository: String, source: Box<HubError> },
    #[error("could not use the Hub's settings")]
    HubSettings(#[source] HubError),
}

impl AcquireError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotFound { .. } => Some("check the path; a Hub repository is written owner/name".into()),
            Self::NotACheckpoint { .. } => {
                Some("give a directory in Hugging Face layout (config.json, tokenizer.json, *.safetensors) or one .gguf file".into())
            }
            Self::SeveralGguf { files, .. } => {
                let names: Vec<String> = files.iter().take(8).map(|file| format!("`{}`", file.display())).collect();
                Some(format!("name one of them: {}", names.join(", ")))
            }
            Self::SeveralCopies { .. } => Some("leave in the folder only the files of one precision".into()),
            Self::MissingShard { .. } => Some("download it again: all shards must lie in one folder".into()),
            Self::NoShape(_) => {
                Some("leave it out with --candidate, or give a directory that holds its config.json with --local".into())
            }
            Self::Hub { source, .. } => source.hint(),
            Self::HubSettings(source) => source.hint(),
            Self::NotAnAdapter { .. } => Some("give a directory as PEFT's save_pretrained writes it".into()),
            Self::Adapter { .. } => Some("merge it with PEFT's merge_and_unload, and give the merged checkpoint".into()),
            Self::Spec { source, .. } => source.hint(),
            Self::Gguf { source, .. } => source.hint(),
            Self::Read { .. }
            | Self::LfsPointer { .. }
            | Self::Json { .. }
            | Self::Header { .. }
            | Self::NoWeights { .. }
            | Self::Published { .. }
            | Self::NoCheckpoint(_)
            | Self::HostileName { .. }
            | Self::Text { .. } => None,
            Self::GgufText { source, .. } => source.hint(),
        }
    }
}
