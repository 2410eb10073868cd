//! Telemetry: what the machine did meanwhile.

pub mod environment;
pub mod host;
pub mod nvml;
pub mod watcher;

use serde::{Deserialize, Serialize};

pub use environment::Environment;

/// One look at the machine during a trial.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// Since the trial's t0, on the clock of its timeline.
    pub at_ns: u64,
    /// Resident memory of this process.
    pub resident_bytes: Option<u64>,
    /// Processor time that this process has used so far.
    pub cpu_seconds: Option<f64>,
    /// Processor time that everything else on the machine has used so far: other processes, and other guests of the same
    /// host (steal). `None` for trials stored before this was kept.
    #[serde(default)]
    pub others_cpu_seconds: Option<f64>,
}
