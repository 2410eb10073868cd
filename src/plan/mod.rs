//! The plan: which trials to run, in what order, and whether each candidate can run here at all.

mod fit;
mod schedule;
mod steps;

pub use fit::{FitEstimate, PREFILL_CHUNK, estimate};
pub use schedule::{Choices, MOST_WARMUP, Schedule, Suffice};
pub use steps::Step;
