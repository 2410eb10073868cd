//! Running: a schedule and an engine in, trials out.

#![warn(missing_docs)]

mod candidate;
pub mod execute;
pub mod listener;
pub mod recorder;
#[cfg(any(test, feature = "slowdown"))]
pub mod slowdown;
mod trial;
mod variants;

pub use candidate::{Conditions, Keep, run_candidate};
pub use execute::{Ended, execute, input};
pub use listener::{Remark, RunListener};
pub use trial::{Answer, Asked, Instruments, ask};
pub use variants::{Engines, run_variants};
