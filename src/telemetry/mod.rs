//! Telemetry: what the machine did meanwhile.

mod container;
pub mod environment;
pub mod gpu;
pub mod host;
pub mod nvml;
pub mod processes;
pub mod throttle;
pub mod watcher;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use environment::Environment;
pub use gpu::{GpuProbe, GpuReading};
pub use processes::BusyProgram;
pub use throttle::GpuVerdict;

/// One look at the machine during a trial. `None` is also what was not looked at: between the ends of a trial, when each look
/// takes time from what is timed, only the memory of the device that the engine computes on is, and that GPU.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Reading {
    /// Since the trial's t0, on the clock of its timeline.
    pub at_ns: u64,
    /// Resident memory of this process; on a GPU at the ends alone.
    pub resident_bytes: Option<u64>,
    /// Processor time that this process has used so far; at the ends alone.
    pub cpu_seconds: Option<f64>,
    /// Processor time that everything else on the machine has used so far: other processes, and other guests of the same
    /// host (steal); at the ends alone. `None` for trials stored before this was kept.
    #[serde(default)]
    pub others_cpu_seconds: Option<f64>,
    /// Clock of the fastest processor. Absent between the ends, and where the system does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_megahertz: Option<f64>,
    /// Other programs that used the processors since the first reading, the busiest first. Absent from all but the last, where
    /// none did, and where the system does not tell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub busiest: Vec<BusyProgram>,
    /// The GPU that the trial ran on; absent on a CPU, whatever GPU stands idle beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu: Option<GpuReading>,
}

impl Reading {
    /// What the machine does now, the GPU with it if there is one to look at: for an end of a trial, when nothing is timed.
    pub fn at_an_end(at_ns: u64, gpu: Option<&dyn GpuProbe>) -> Self {
        let cpu_seconds = host::cpu_seconds();
        Self {
            at_ns,
            resident_bytes: host::resident_bytes(),
            cpu_seconds,
            others_cpu_seconds: host::busy_seconds().zip(cpu_seconds).map(|(all, own)| all - own),
            cpu_megahertz: host::cpu_megahertz(),
            busiest: Vec::new(),
            gpu: gpu.map(GpuProbe::look),
        }
    }

    /// What costs little: for the middle of one.
    pub fn within(at_ns: u64, gpu: Option<&dyn GpuProbe>) -> Self {
        match gpu {
            Some(gpu) => Self { at_ns, gpu: Some(gpu.look()), ..Self::default() },
            None => Self { at_ns, resident_bytes: host::resident_bytes(), ..Self::default() },
        }
    }
}

/// The probe of the GPU that a run is on; `None` on the CPU, where a GPU that stands idle says nothing of the run. To be
/// called before the engine computes on it.
pub fn probe(device: &str) -> Option<Arc<dyn GpuProbe>> {
    if device == "cpu" {
        return None;
    }
    Some(match nvml::NvmlProbe::of_device(device) {
        Ok(probe) => Arc::new(probe),
        Err(reason) => Arc::new(gpu::AbsentProbe { reason }),
    })
}
