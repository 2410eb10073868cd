//! A row: one candidate's part of a run.

use serde::{Deserialize, Serialize};

use super::{AnswerAgreement, CheckpointFacts, FailureKind, FitEstimate, LoadFacts, Trial};
use crate::catalog::Candidate;

/// One candidate's part of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Which candidate, at which precision.
    pub candidate: Candidate,
    /// What was found where the candidate pointed; `None` before it was acquired.
    pub checkpoint: Option<CheckpointFacts>,
    /// What loading it took; `None` before it was loaded.
    pub load: Option<LoadFacts>,
    /// The estimate made before any download; `None` where the shape is not known beforehand.
    pub fit: Option<FitEstimate>,
    /// What came of it.
    pub outcome: RowOutcome,
    /// How far its predictions are from those of the first variant of its run. Empty of what is no variant, of the first one, and
    /// where the engines were not in memory at once or do not tell what they predict.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub agreements: Vec<AnswerAgreement>,
    /// In the order in which they ran, warm-up included.
    pub trials: Vec<Trial>,
}

impl Row {
    /// Of a candidate that was not come to yet.
    pub fn pending(candidate: Candidate) -> Self {
        Self {
            candidate,
            checkpoint: None,
            load: None,
            fit: None,
            outcome: RowOutcome::Pending,
            agreements: Vec::new(),
            trials: Vec::new(),
        }
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
        /// Why, for people.
        reason: String,
    },
    /// It could not be acquired or loaded.
    Failed {
        /// What kind of failure.
        kind: FailureKind,
        /// The error and its causes.
        message: String,
    },
}
