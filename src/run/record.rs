//! The records of a run: what was run, where, and what came of each candidate.

use serde::{Deserialize, Serialize};

use super::load_times::LoadParts;
use super::trial::{FailureKind, Trial};
use crate::catalog::{Candidate, Requirements};
use crate::engine::candle::PoolPhases;
use crate::plan::FitEstimate;
use crate::spec::Config;
use crate::telemetry::Environment;

/// One invocation of `compare` and everything that it observed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Sortable by time, short enough to type: `20261120-051733-4f2a`.
    pub id: String,
    pub started_at: jiff::Timestamp,
    /// `None` while it runs, and after it was interrupted.
    pub finished_at: Option<jiff::Timestamp>,
    pub environment: Environment,
    pub settings: Settings,
    pub requirements: Requirements,
    /// In the order of the plan.
    pub rows: Vec<Row>,
}

/// What the user chose for the whole run; a resumed run must have the same.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Base of every seed in the run.
    pub seed: u64,
    /// Overrides each suite's own number of measured repetitions.
    pub repeat: Option<u32>,
    /// Prompts of token ids go on until the interval of each headline metric lies within this share of its median.
    #[serde(default)]
    pub precision: Option<f64>,
    /// Prompts of token ids go on until the trials of a suite took so long together.
    #[serde(default)]
    pub min_seconds: Option<f64>,
    /// Rounds after which they end for all that; `None` where neither was asked for.
    #[serde(default)]
    pub max_repeat: Option<u32>,
    /// Warm-up trials of each suite, exactly; `None` leaves them to the suite, and to how soon it is steady.
    pub warmup: Option<u32>,
    pub max_new_tokens: Option<u32>,
    /// SHA-256 over the prompts of each suite that ran, by suite: figures of other prompts do not compare.
    pub suites: std::collections::BTreeMap<String, String>,
    /// Languages asked for; empty means all.
    pub languages: Vec<crate::suite::Language>,
}

/// One candidate's part of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    pub candidate: Candidate,
    /// What was found where the candidate pointed; `None` before it was acquired.
    pub checkpoint: Option<CheckpointFacts>,
    /// What loading it took; `None` before it was loaded.
    pub load: Option<LoadFacts>,
    /// The estimate made before any download; `None` where the shape is not known beforehand.
    pub fit: Option<FitEstimate>,
    pub outcome: RowOutcome,
    /// In the order in which they ran, warm-up included.
    pub trials: Vec<Trial>,
}

impl Row {
    /// Of a candidate that was not come to yet.
    pub fn pending(candidate: Candidate) -> Self {
        Self { candidate, checkpoint: None, load: None, fit: None, outcome: RowOutcome::Pending, trials: Vec::new() }
    }
}

/// What came of a candidate as a whole. A failed trial does not fail its candidate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "lowercase")]
pub enum RowOutcome {
    /// Not come to yet: the run goes on, or was interrupted.
    Pending,
    /// All its planned trials were run.
    Ran,
    /// Known beforehand that it cannot run here: does not fit, architecture not supported. Not an error.
    Skipped {
        reason: String,
    },
    Failed {
        kind: FailureKind,
        message: String,
    },
}

/// Identity and shape of a checkpoint, as stored with the results.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckpointFacts {
    /// Resolved commit of a Hub repository.
    pub commit: Option<String>,
    /// `config.json`'s `model_type`, or GGUF's `general.architecture`.
    pub architecture: String,
    /// All weights that are stored, embeddings included.
    pub parameters: u64,
    pub files: Vec<FileFacts>,
    /// Random weights at the real shape: speed and memory are real, text is not.
    pub synthetic: bool,
}

/// A file of a checkpoint: what tells it from another of the same name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileFacts {
    pub path: String,
    pub bytes: u64,
    /// Lower-case hex. `None` where the file was not hashed (large local files).
    pub sha256: Option<String>,
}

/// What loading a candidate took and held.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoadFacts {
    /// Engine's name: `candle`.
    pub engine: String,
    /// Where it ran: `cpu`, `cuda:0`.
    pub device: String,
    /// Precision of the weights as run, by type and share of bytes: `q4_k 93 %, q6_k 7 %`.
    pub precision: String,
    /// The `config.json` that it was loaded by, or what a GGUF file says in its place: what a pass reads and computes is
    /// counted from it. `None` for runs stored before it was kept.
    #[serde(default)]
    pub config: Option<Config>,
    /// Bytes of all weights as held by the engine.
    pub weights_bytes: u64,
    /// Key and value cache per token of context, computed from the shape.
    pub kv_bytes_per_token: u64,
    /// Download, or finding it in the cache.
    pub acquire_seconds: f64,
    /// Bytes that were received for it; 0 if all was there. `None` for runs stored before this was kept.
    #[serde(default)]
    pub downloaded_bytes: Option<u64>,
    /// Reading, quantizing and moving the weights to the device, and one short forward pass.
    pub load_seconds: f64,
    /// What threads did meanwhile. `None` for runs stored before this was kept.
    #[serde(default)]
    pub parts: Option<LoadParts>,
    /// That pass alone. `None` for runs stored before this and what follows were kept.
    #[serde(default)]
    pub first_pass_seconds: Option<f64>,
    /// Bytes that the process had from storage meanwhile, and not from the page cache. `None` also where the system does not
    /// tell.
    #[serde(default)]
    pub disk_read_bytes: Option<u64>,
    /// Memory in use before the load, after it, and at the most until the last trial ended: of the process, or of the device
    /// on a GPU. Its peak is what was in use before and the most that tensors took of its pool since; of a GPU without one, the
    /// most that was seen in use.
    pub baseline_bytes: Option<u64>,
    pub loaded_bytes: Option<u64>,
    pub peak_bytes: Option<u64>,
    /// What it took of the GPU's pool, by the driver's own marks. `None` on a CPU, on a GPU without a pool, and for runs stored
    /// before this was kept.
    #[serde(default)]
    pub pool: Option<PoolPhases>,
    /// Power that the GPU drew before the load. `None` on a CPU, and for runs stored before this was kept.
    #[serde(default)]
    pub idle_milliwatts: Option<u32>,
}
