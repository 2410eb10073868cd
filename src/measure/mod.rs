//! Measuring: one trial in, its numbers out.
//!
//! Pure. [`Measurement`] computes each number by the formula of its field. What each number is called, and which way of it
//! is better, stands in the [table of metrics](crate::metric).

#![warn(missing_docs)]

mod ceiling;
mod disturbance;
mod energy;
mod measurement;
mod memory;

pub use ceiling::{Ceiling, made_on, mean_context};
pub use disturbance::{Disturbance, culprits, disturbances, other_programs, slowdown_bound};
pub use energy::{Energy, EnergySource};
pub use measurement::{ITL_P50_GAPS, ITL_P99_GAPS, Measurement, STALL_SECONDS, gaps, percentile};
pub use memory::MemoryPhases;
