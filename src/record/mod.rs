//! Records: what a run leaves behind. Data, with no behaviour but what its fields must satisfy.
//!
//! Everything that runs, stores or judges uses these types, and they use none of it: what is stored says nothing of who
//! made it.

#![warn(missing_docs)]

mod agreement;
mod checkpoint;
mod environment;
pub mod fault;
mod fit;
mod load;
mod memory;
mod precision;
mod reading;
mod review;
mod row;
mod run;
pub mod throttle;
mod trial;

pub use agreement::AnswerAgreement;
pub use checkpoint::{CheckpointFacts, FileFacts};
pub use environment::Environment;
pub use fault::Fault;
pub use fit::FitEstimate;
pub use load::{LoadFacts, LoadParts};
pub use memory::{PoolMemory, PoolPhases};
pub use precision::{HeldType, MainType, Precision};
pub use reading::{BusyProgram, GpuReading, Reading};
pub use review::{Choice, Review};
pub use row::{Row, RowOutcome};
pub use run::{Asked, Run, Settings, Stated};
pub use throttle::GpuVerdict;
pub use trial::{FailureKind, FinishReason, Outcome, Phase, Timeline, Trial, TrialKey};
