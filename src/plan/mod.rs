//! The plan: which trials to run, in what order, and whether each candidate can run here at all.

mod fit;
mod steps;

pub use fit::{FitEstimate, PREFILL_CHUNK, estimate};
pub use steps::{Choices, Step, steps};
