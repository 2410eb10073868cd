//! Acquiring: from a candidate to its checkpoint, found, downloaded or made.

pub mod adapter;
mod checkpoint;
mod error;
mod files;
pub mod gguf;
mod headers;
pub mod hub;
mod lfs;
pub mod local;
mod preview;
mod published;
pub mod pytorch;
pub mod safetensors;
mod shards;
mod stamp;
mod stored;
pub mod synthetic;

use std::sync::atomic::AtomicBool;

use crate::catalog::{Candidate, Source};
use crate::record::FileFacts;
use crate::spec::{Config, shipped_shape};
use crate::text::TextModel;

use adapter::Adapter;
pub use checkpoint::{Checkpoint, Weights};
pub use error::AcquireError;
use hub::{FetchProgress, Hub};
pub use preview::Preview;
pub use published::{PublishedError, PublishedFiles};
pub use stamp::Stamps;
pub use stored::StoredTensor;

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
    // As it was before anything of it was read, but for headers and the small files beside it.
    checkpoint.stamps.add(adapter.iter().map(|adapter| adapter.file.as_path()));
    checkpoint.adapter = adapter;
    let asked = |text: TextModel| text.with_prompt_format(candidate.prompt_format.clone());
    checkpoint.text = checkpoint.text.map(|text| text.map(asked));
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
            let failed = |source| AcquireError::Hub { repository: repository.clone(), source: Box::new(source) };
            let hub = Hub::from_env().map_err(AcquireError::HubSettings)?;
            let snapshot = hub.pull(repository, revision, file.as_deref(), progress, cancel).map_err(failed)?;
            // Of a split file any part stands for all.
            let path = match (file, snapshot.files.first()) {
                (Some(_), Some(first)) => first.location.clone(),
                _ => snapshot.folder.clone(),
            };
            let mut checkpoint = local::open(&path)?;
            checkpoint.facts.commit = Some(snapshot.commit);
            let facts = |file: hub::LocalFile| FileFacts { path: file.path, bytes: file.size, sha256: file.sha256 };
            checkpoint.facts.files = snapshot.files.into_iter().map(facts).collect();
            Ok(checkpoint)
        }
        // What an engine answers from is its own affair.
        other => Err(AcquireError::NoCheckpoint(other.to_string())),
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
        Source::Synthetic { shape } => Ok(Preview::new(synthetic::config(shape)?, None)),
        Source::Hub { repository, revision, file } => {
            if let Some(config) = shipped_shape(repository).filter(|_| file.is_none()) {
                return Ok(Preview::new(config, None));
            }
            let failed = |source| AcquireError::Hub { repository: repository.clone(), source: Box::new(source) };
            let hub = Hub::from_env().map_err(AcquireError::HubSettings)?;
            let snapshot = hub.resolve(repository, revision, cancel).map_err(failed)?;
            let wanted = hub.wanted(&snapshot, file.as_deref(), cancel).map_err(failed)?;
            if file.is_some() {
                return headers::of_gguf(&hub, &snapshot, &wanted, cancel);
            }
            let config: Vec<_> =
                wanted.iter().filter(|file| local::CONFIG.contains(&file.path.as_str())).cloned().collect();
            let here = hub.fetch(&snapshot, &config, progress, cancel).map_err(failed)?;
            let stored_bytes = headers::stored_bytes(&hub, &snapshot, &wanted, cancel)?;
            Ok(Preview::new(local::config(&here.folder)?, Some(stored_bytes)))
        }
        // What an engine answers from is its own affair.
        other => Err(AcquireError::NoCheckpoint(other.to_string())),
    }
}

/// The config of a candidate, as far as it is known without asking anybody: by the shape that ships, or from this disk.
pub fn known_config(source: &Source) -> Option<Config> {
    match source {
        Source::Hub { repository: shape, .. } | Source::Synthetic { shape } => shipped_shape(shape),
        Source::Local { path } => local::preview(path).ok().map(|preview| preview.config),
        _ => None,
    }
}
