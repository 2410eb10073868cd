//! What was found where a candidate pointed.

use serde::{Deserialize, Serialize};

/// Identity and shape of a checkpoint, as stored with the results.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckpointFacts {
    /// Resolved commit of a Hub repository.
    pub commit: Option<String>,
    /// `config.json`'s `model_type`, or GGUF's `general.architecture`.
    pub architecture: String,
    /// All weights that are stored, embeddings included.
    pub parameters: u64,
    /// What it was read from; none of random weights.
    pub files: Vec<FileFacts>,
    /// Random weights at the real shape: speed and memory are real, text is not.
    pub synthetic: bool,
}

/// A file of a checkpoint: what tells it from another of the same name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileFacts {
    /// Within the checkpoint.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// Lower-case hex. `None` where the file was not hashed (large local files).
    pub sha256: Option<String>,
}
