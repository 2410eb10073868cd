//! Measuring: one trial in, its numbers out.
//!
//! Pure. [`Measurement`] computes each number by the formula of its field; [`METRICS`] is the one list of them that
//! table columns, CSV headers, limits and verdicts are made from; [`units`] prints them.

mod disturbance;
mod measurement;
pub mod metric;
pub mod units;

pub use disturbance::{Disturbance, disturbance};
pub use measurement::{Measurement, STALL_SECONDS};
pub use metric::{Direction, METRICS, Metric, Unit};
