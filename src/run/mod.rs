//! Running: plan and engines in, trials out.

pub mod clock;
pub mod record;
pub mod trial;

pub use record::{CheckpointFacts, FileFacts, LoadFacts, Row, RowOutcome, Run, Settings};
pub use trial::{FailureKind, FinishReason, Outcome, Phase, Timeline, Trial, TrialKey};
