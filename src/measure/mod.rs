//! Measuring: one trial in, its numbers out.
//!
//! Pure. [`Measurement`] computes each number by the formula of its field; [`METRICS`] is the one list of them that
//! table columns, CSV headers, limits and verdicts are made from.

mod ceiling;
mod disturbance;
mod energy;
mod measurement;
mod memory;
pub mod metric;

pub use ceiling::{Ceiling, made_on, mean_context};
pub use disturbance::{Disturbance, culprits, disturbances, other_programs};
pub use energy::{Energy, EnergySource};
pub use measurement::{Measurement, STALL_SECONDS};
pub use memory::MemoryPhases;
pub use metric::{Direction, METRICS, Metric, Unit};
