//! The environment: what must match for two runs to be comparable.

use serde::{Deserialize, Serialize};

/// Where and with what a run was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    /// bench's own.
    pub program_version: String,
    /// Commit that the program was built from, with `-dirty` after it if files had been changed. `None` if it was not built
    /// in a git repository, and for runs stored before this was kept.
    #[serde(default)]
    pub program_commit: Option<String>,
    /// Features compiled in that change what is measured on purpose, `cuda` for one: not `slowdown`, which is to be found out.
    pub build_features: Vec<String>,
    /// Version of candle, which does the arithmetic. `None` for runs stored before this was kept.
    #[serde(default)]
    pub candle_version: Option<String>,
    /// Built without optimization, so that speeds are not the program's.
    pub debug_build: bool,
    /// The operating system and its version.
    pub os: String,
    /// The kernel's version.
    pub kernel: Option<String>,
    /// Kind of container: `docker`; `none` where nothing speaks of one. `None` for runs stored before this was kept.
    #[serde(default)]
    pub container: Option<String>,
    /// The processor's name.
    pub cpu: String,
    /// Logical processors of the machine, also those that this process may not use. `None` for runs stored before this was
    /// kept.
    #[serde(default)]
    pub processors: Option<usize>,
    /// Threads that the engine computes with.
    pub threads: usize,
    /// All memory of the machine.
    pub memory_bytes: Option<u64>,
    /// Memory that control groups allow this process, in bytes, where that is less than the machine has: a container's limit.
    /// `None` without one, and for runs stored before this was kept.
    #[serde(default)]
    pub memory_limit_bytes: Option<u64>,
    /// The device that the engine ran on: `cpu`, `cuda:0`.
    pub device: String,
    /// Its name for people: the GPU's, or the CPU's.
    pub device_name: String,
    /// The version of the GPU's driver.
    pub gpu_driver: Option<String>,
    /// This and what follows, like the driver: of the GPU that the engine ran on, `None` on a CPU and where the driver does
    /// not tell.
    ///
    /// Newest CUDA that the driver runs: `12.4`.
    #[serde(default)]
    pub gpu_cuda: Option<String>,
    /// The beginning of the SHA-256 of its UUID: two cards of one kind are not as fast as each other.
    #[serde(default)]
    pub gpu_uuid_hash: Option<String>,
    /// The most power that the card may draw.
    #[serde(default)]
    pub gpu_power_limit_milliwatts: Option<u32>,
    /// The highest clocks that it can have.
    #[serde(default)]
    pub gpu_sm_megahertz: Option<u32>,
    /// Likewise of its memory.
    #[serde(default)]
    pub gpu_memory_megahertz: Option<u32>,
    /// Error-correcting memory is on, which takes some of its bandwidth.
    #[serde(default)]
    pub gpu_ecc: Option<bool>,
}
