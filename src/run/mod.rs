//! Running: plan and engines in, trials out.

pub mod clock;
pub mod execute;
pub mod listener;
pub mod load_times;
pub mod record;
pub mod recorder;
#[cfg(any(test, feature = "slowdown"))]
pub mod slowdown;
pub mod trial;

pub use execute::{Ended, Instruments, execute};
pub use listener::RunListener;
pub use load_times::{LoadParts, LoadTimes};
pub use record::{CheckpointFacts, FileFacts, LoadFacts, Row, RowOutcome, Run, Settings};
pub use trial::{FailureKind, FinishReason, Outcome, Phase, Timeline, Trial, TrialKey};
