//! A checkpoint: a candidate's files, found or made.

use std::path::PathBuf;

use super::adapter::Adapter;
use super::error::AcquireError;
use super::gguf::GgufFile;
use super::stamp::Stamps;
use crate::record::CheckpointFacts;
use crate::spec::Config;
use crate::text::TextModel;

/// A candidate's files, found or made.
pub struct Checkpoint {
    pub config: Config,
    /// `None` where there is no tokenizer, an error where it cannot be used: then only token ids can be run.
    pub text: Result<Option<TextModel>, AcquireError>,
    pub weights: Weights,
    /// Its weight files as they were when it was opened.
    pub stamps: Stamps,
    /// Merged into the weights as they are loaded.
    pub adapter: Option<Adapter>,
    pub facts: CheckpointFacts,
    /// Where the checkpoint contradicts itself, and what is made of that: for people.
    pub warnings: Vec<String>,
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

impl Weights {
    /// The files that hold them; none where they are made.
    pub fn files(&self) -> &[PathBuf] {
        match self {
            Self::Safetensors(files) | Self::Pytorch(files) => files,
            Self::Gguf(file) => file.files(),
            Self::Synthetic { .. } => &[],
        }
    }
}
