//! Readings: what the machine did during a trial.

use serde::{Deserialize, Serialize};

/// One look at the machine during a trial. `None` is also what was not looked at: between the ends of a trial, when each look
/// takes time from what is timed, only the memory of the device that the engine computes on is, and that GPU.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Reading {
    /// Since the trial's t0, on the clock of its timeline.
    pub at_ns: u64,
    /// Resident memory of this process; on a GPU at the ends alone.
    pub resident_bytes: Option<u64>,
    /// Processor time that this process has used so far; of trials stored before looks could be late, at the ends alone.
    pub cpu_seconds: Option<f64>,
    /// How much later than it was due this look came, if that was more than a tenth of a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late_ns: Option<u64>,
    /// For how long the machine is up, its sleep included; at the ends alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uptime_seconds: Option<f64>,
    /// For how long the processor quotas of this process's control groups have held it back so far, all its processors together;
    /// at the ends alone, and absent where there is no quota.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throttled_seconds: Option<f64>,
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

/// What a program used of the processors, all its processes together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BusyProgram {
    /// As the kernel names its processes: 15 bytes, with `�` for what cannot be printed.
    pub name: String,
    /// Of all processors together.
    pub cpu_seconds: f64,
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
    /// The card's.
    pub temperature_celsius: Option<u32>,
    /// Clock of its multiprocessors.
    pub sm_megahertz: Option<u32>,
    /// Clock of its memory.
    pub memory_megahertz: Option<u32>,
    /// Share of the driver's last sample period, a sixth of a second to a second, in which some kernel ran.
    pub utilization_percent: Option<u32>,
    /// Why clocks are not higher: NVML's bits, named by [`super::throttle::names`].
    pub throttle_reasons: Option<u64>,
}
