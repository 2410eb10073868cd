//! What engines are made of and for: the settings of all, and what is known of one that is ready.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use candle_core::Device;

use super::{Engine, EngineError};
use crate::acquire::gguf::GgufTextError;
use crate::acquire::hub::FetchProgress;
use crate::acquire::{AcquireError, Stamps};
use crate::causes::chain;
use crate::plan::PlannedTrial;
use crate::record::{CheckpointFacts, FailureKind, FitEstimate, LoadFacts, RowOutcome};
use crate::spec::SpecError;
use crate::telemetry::{GpuProbe, Host};
use crate::text::Rendering;
use crate::units::Bytes;

/// What an engine is made for.
#[derive(Clone, Copy)]
pub struct EngineSettings<'a> {
    /// Where engines in this process compute, and its name: `cpu`, `cuda:0`.
    pub device: &'a Device,
    pub device_name: &'a str,
    /// Where the memory of this process is seen.
    pub host: &'a Host,
    /// Of the GPU that they compute on; `None` on a CPU.
    pub gpu: Option<&'a dyn GpuProbe>,
    /// What it will have to run: a candidate whose memory does not suffice for it is refused before anything is downloaded.
    /// `None` lets it try.
    pub steps: Option<&'a [PlannedTrial]>,
    /// What it will be asked.
    pub form: Form,
    /// How its chat template is rendered.
    pub rendering: &'a Rendering,
    /// The checkpoint that earlier trials of the same row ran on: no other is accepted.
    pub begun_with: Option<&'a CheckpointFacts>,
    /// Set when the user wants to stop.
    pub cancel: &'a AtomicBool,
}

/// In what form an engine is asked; of several forms, the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    /// Token ids, for which it needs no tokenizer.
    Tokens,
    /// Texts as they stand.
    Text,
    /// Conversations, which are put into the chat template.
    Chat,
}

/// Told how an engine is made.
pub trait PrepareListener: FetchProgress + Send {
    /// Weights are being loaded: so many parameters of the total.
    fn loading(&mut self, done: u64, total: u64) {
        let _ = (done, total);
    }
}

/// What became known of a candidate, as far as it came.
#[derive(Default)]
pub struct Facts {
    /// The estimate made before any download; `None` where the shape is not known beforehand.
    pub fit: Option<FitEstimate>,
    /// `None` before it was acquired, and of what has no checkpoint here.
    pub checkpoint: Option<CheckpointFacts>,
    /// `None` before it was loaded.
    pub load: Option<LoadFacts>,
}

/// An engine that is ready to answer.
pub struct Prepared {
    pub engine: Box<dyn Engine>,
    pub facts: Facts,
    /// Whether it can be asked in text, and not by token ids alone.
    pub takes_text: bool,
    /// Where its checkpoint contradicts itself, and what is made of that.
    pub warnings: Vec<String>,
    /// The files that its weights were loaded from, as they were then.
    pub stamps: Stamps,
    /// Why it is slower than it could be, where that is known.
    pub slower: Option<String>,
}

/// An engine that could not be made, and what became known on the way.
pub struct Unprepared {
    pub facts: Facts,
    pub error: PrepareError,
}

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    #[error("cancelled")]
    Cancelled,
    #[error("does not fit: needs {}, {} are free, {} are missing", Bytes(.0.total_bytes()), Bytes(.0.available_bytes),
        Bytes(.0.missing_bytes().unwrap_or_default()))]
    DoesNotFit(FitEstimate),
    #[error("the checkpoint is not the one that the run was begun with: {0}")]
    OtherCheckpoint(String),
    #[error("could not read the script `{path}`: {message}")]
    Script { path: PathBuf, message: String },
    #[error(transparent)]
    Acquire(#[from] AcquireError),
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl PrepareError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Cancelled | Self::DoesNotFit(_) | Self::Script { .. } => None,
            Self::OtherCheckpoint(_) => {
                Some("put the old one in its place (`revision` pins a commit), or start a new run".into())
            }
            Self::Acquire(error) => error.hint(),
            Self::Engine(error) => error.hint(),
        }
    }

    /// What it makes of a candidate's row: one that cannot run here is skipped, which is no failure.
    pub fn outcome(&self) -> RowOutcome {
        let failed = |kind| RowOutcome::Failed { kind, message: chain(self) };
        match self {
            Self::DoesNotFit(_)
            | Self::Acquire(AcquireError::Spec {
                source: SpecError::UnsupportedArchitecture(_) | SpecError::UnsupportedKey { .. },
                ..
            })
            | Self::Engine(EngineError::Spec(
                SpecError::UnsupportedArchitecture(_) | SpecError::UnsupportedKey { .. },
            )) => RowOutcome::Skipped { reason: chain(self) },
            Self::Acquire(AcquireError::GgufText { source: source @ GgufTextError::Unsupported { .. }, .. }) => {
                RowOutcome::Skipped { reason: format!("{}; {}", chain(self), source.hint().unwrap_or_default()) }
            }
            Self::OtherCheckpoint(_) | Self::Script { .. } | Self::Acquire(_) => failed(FailureKind::Acquire),
            Self::Engine(EngineError::OutOfMemory(_)) => failed(FailureKind::OutOfMemory),
            Self::Cancelled | Self::Engine(_) => failed(FailureKind::Load),
        }
    }
}
