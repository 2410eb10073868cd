//! The GPU while a run is on it: what a probe tells of it, and the probes beside the driver's own.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use crate::record::GpuReading;

/// Looks at one GPU, and never changes anything on it.
pub trait GpuProbe: Send + Sync {
    /// What the GPU is doing now. What cannot be told is `None`: a GPU that is lost in mid-run ends no run.
    fn look(&self) -> GpuReading;

    /// What it cannot tell, and why.
    fn untold(&self) -> Vec<Untold>;
}

/// Something that a probe cannot tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Untold {
    /// What it is, for people.
    pub what: &'static str,
    /// What the driver said, or that there is none.
    pub reason: String,
}

impl fmt::Display for Untold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.what, self.reason)
    }
}

/// The probe of a GPU that the driver tells nothing of.
pub struct AbsentProbe {
    /// Why nothing is told.
    pub reason: String,
}

impl GpuProbe for AbsentProbe {
    fn look(&self) -> GpuReading {
        GpuReading::default()
    }

    fn untold(&self) -> Vec<Untold> {
        vec![Untold { what: "anything of the GPU", reason: self.reason.clone() }]
    }
}

/// A probe that follows a script, for tests: one reading a look, and the last of them for ever.
pub struct ScriptedProbe {
    readings: Mutex<VecDeque<GpuReading>>,
}

impl ScriptedProbe {
    /// One that gives these readings in turn.
    pub fn new(readings: impl IntoIterator<Item = GpuReading>) -> Self {
        Self { readings: Mutex::new(readings.into_iter().collect()) }
    }
}

impl GpuProbe for ScriptedProbe {
    fn look(&self) -> GpuReading {
        let mut readings = self.readings.lock().unwrap_or_else(PoisonError::into_inner);
        let last = readings.len() == 1;
        let next = if last { readings.front().cloned() } else { readings.pop_front() };
        next.unwrap_or_default()
    }

    fn untold(&self) -> Vec<Untold> {
        Vec::new()
    }
}
