//! Acquiring: from a candidate to its checkpoint, found, downloaded or made.

pub mod adapter;
pub mod gguf;
mod headers;
pub mod hub;
pub mod local;
pub mod pytorch;
pub mod safetensors;
mod stored;
pub mod synthetic;

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use crate::catalog::{Candidate, Source};
use crate::record::{CheckpointFacts, FileFacts};
use crate::spec::{Config, SpecError, shipped_shape};
use crate::text::{TextError, TextModel};

use adapter::Adapter;
use gguf::{GgufError, GgufFile};
use hub::{FetchProgress, Hub};
pub use stored::StoredTensor;

/// A candidate's files, found or made.
pub struct Checkpoint {
    pub config: Config,
    /// `None` where there is no tokenizer: then only token ids can be run.
    pub text: Option<TextModel>,
    pub weights: Weights,
    /// Merged into the weights as they are loaded.
    pub adapter: Option<Adapter>,
    pub facts: CheckpointFacts,
}

/// Where a checkpoint's weights lie.
pub enum Weights {
    Safetensors(Vec<PathBuf>),
    /// PyTorch's `.bin` shards, which several older repositories have alone.
    Pytorch(Vec<PathBuf>),
    Gguf(GgufFile),
    /// Made on the spot from a seed.
    Synthetic {
        seed: u64,
    },
}

/// Seed of synthetic weights: the same in every run, so that two runs of a shape multiply the same numbers.
const SYNTHETIC_SEED: u64 = 1;

/// Gets a candidate's checkpoint: finds it, downloads it as far as it is not there, or makes it.
///
/// # Errors
/// Whatever keeps it, or its adapter, from being complete and readable.
pub fn acquire(
    candidate: &Candidate,
    progress: &mut dyn FetchProgress,
    cancel: &AtomicBool,
) -> Result<Checkpoint, AcquireError> {
    let adapter = candidate.adapter.as_deref().map(Adapter::open).transpose()?;
    let mut checkpoint = published(&candidate.source, progress, cancel)?;
    checkpoint.adapter = adapter;
    checkpoint.text = checkpoint.text.map(|text| text.with_prompt_format(candidate.prompt_format.clone()));
    Ok(checkpoint)
}

/// A checkpoint as its source has it.
fn published(
    source: &Source,
    progress: &mut dyn FetchProgress,
    cancel: &AtomicBool,
) -> Result<Checkpoint, AcquireError> {
    match source {
        Source::Local { path } => local::open(path),
        Source::Synthetic { shape } => synthetic::open(shape, SYNTHETIC_SEED),
        Source::Hub { repository, revision, file } => {
            let failed = |source| AcquireError::Hub { repository: repository.clone(), source };
            let hub = Hub::from_env().map_err(AcquireError::HubSettings)?;
            let snapshot = hub.pull(repository, revision, file.as_deref(), progress, cancel).map_err(failed)?;
            let path = match file {
                Some(file) => snapshot.file(file).unwrap_or(&snapshot.folder).to_owned(),
                None => snapshot.folder.clone(),
            };
            let mut checkpoint = local::open(&path)?;
            checkpoint.facts.commit = Some(snapshot.commit);
            let facts = |file: hub::LocalFile| FileFacts { path: file.path, bytes: file.size, sha256: file.sha256 };
            checkpoint.facts.files = snapshot.files.into_iter().map(facts).collect();
            Ok(checkpoint)
        }
    }
}

/// What is known of a candidate before its weights are downloaded.
pub struct Preview {
    pub config: Config,
    /// Bytes of the weights as they are stored; `None` where only the config tells.
    pub stored_bytes: Option<u64>,
}

impl Preview {
    fn of_config(config: Config) -> Self {
        Self { config, stored_bytes: None }
    }
}

/// A look at a candidate before its weights are downloaded, to see whether it can run at all: by the shape that ships, or by
/// the config and the headers of the weights, which are read by themselves.
///
/// # Errors
/// As [`acquire`].
pub fn preview(
    source: &Source,
    progress: &mut dyn FetchProgress,
    cancel: &AtomicBool,
) -> Result<Preview, AcquireError> {
    match source {
        Source::Local { path } => local::preview(path),
        Source::Synthetic { shape } => Ok(Preview::of_config(synthetic::config(shape)?)),
        Source::Hub { repository, revision, file } => {
            if let Some(config) = shipped_shape(repository).filter(|_| file.is_none()) {
                return Ok(Preview::of_config(config));
            }
            let failed = |source| AcquireError::Hub { repository: repository.clone(), source };
            let hub = Hub::from_env().map_err(AcquireError::HubSettings)?;
            let snapshot = hub.resolve(repository, revision, cancel).map_err(failed)?;
            let wanted = hub.wanted(&snapshot, file.as_deref(), cancel).map_err(failed)?;
            if let (Some(_), [gguf]) = (file, wanted.as_slice()) {
                return headers::of_gguf(&hub, &snapshot, gguf, cancel);
            }
            let config: Vec<_> = wanted.iter().filter(|file| file.path == "config.json").cloned().collect();
            let here = hub.fetch(&snapshot, &config, progress, cancel).map_err(failed)?;
            let stored_bytes = headers::stored_bytes(&hub, &snapshot, &wanted, cancel)?;
            Ok(Preview { config: local::config(&here.folder)?, stored_bytes: Some(stored_bytes) })
        }
    }
}

impl Weights {
    /// The files that hold them; none where they are made, or lie in a file that is open already.
    pub fn files(&self) -> &[PathBuf] {
        match self {
            Self::Safetensors(files) | Self::Pytorch(files) => files,
            Self::Gguf(_) | Self::Synthetic { .. } => &[],
        }
    }
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
    #[error("could not understand the header of `{path}`: {message}")]
    Header { path: PathBuf, message: String },
    #[error("`{path}` has no weights: neither model.safetensors nor pytorch_model.bin, nor the index of either")]
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
            Self::NoShape(_) => {
                Some("leave it out with --candidate, or give a directory that holds its config.json with --local".into())
            }
            Self::Hub { source, .. } | Self::HubSettings(source) => source.hint(),
            Self::NotAnAdapter { .. } => Some("give a directory as PEFT's save_pretrained writes it".into()),
            Self::Adapter { .. } => Some("merge it with PEFT's merge_and_unload, and give the merged checkpoint".into()),
            Self::Spec { source, .. } => source.hint(),
            Self::Read { .. }
            | Self::TooLarge { .. }
            | Self::Json { .. }
            | Self::Header { .. }
            | Self::NoWeights { .. }
            | Self::HostileName { .. }
            | Self::Gguf { .. }
            | Self::Text { .. }
            | Self::GgufText { .. } => None,
        }
    }
}
