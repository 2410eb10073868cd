//! The GPU while a run is on it: what a probe tells of it, and the probes beside the driver's own.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

/// Looks at one GPU, and never changes anything on it.
pub trait GpuProbe: Send + Sync {
    /// What the GPU is doing now. What cannot be told is `None`: a GPU that is lost in mid-run ends no run.
    fn look(&self) -> GpuReading;

    /// What it cannot tell, and why.
    fn untold(&self) -> Vec<Untold>;
}

/// One look at a GPU. `None` is what its driver does not tell, and never zero.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct GpuReading {
    /// Device memory in use, by whichever process, in bytes: what an allocator holds, also where it is free inside.
    pub used_bytes: Option<u64>,
    /// Device memory in use by this process; containers often hide it.
    pub process_bytes: Option<u64>,
    /// Other processes that compute on the GPU.
    pub other_processes: Option<usize>,
    /// Power drawn. From Ampere on (but not GA100) the driver gives the average of the last second.
    pub power_milliwatts: Option<u32>,
    /// Energy used since the driver was loaded.
    pub energy_millijoules: Option<u64>,
    pub temperature_celsius: Option<u32>,
    pub sm_megahertz: Option<u32>,
    pub memory_megahertz: Option<u32>,
    /// Share of the driver's last sample period, a sixth of a second to a second, in which some kernel ran.
    pub utilization_percent: Option<u32>,
    /// Why clocks are not higher: NVML's bits, named by [`super::throttle`].
    pub throttle_reasons: Option<u64>,
}

/// Something that a probe cannot tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Untold {
    pub what: &'static str,
    pub reason: String,
}

impl fmt::Display for Untold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.what, self.reason)
    }
}

/// The probe of a GPU that the driver tells nothing of.
pub struct AbsentProbe {
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
