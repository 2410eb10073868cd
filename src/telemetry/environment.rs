//! The environment: what must match for two runs to be comparable.

use serde::{Deserialize, Serialize};

/// Where and with what a run was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
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
    pub debug_build: bool,
    pub os: String,
    pub kernel: Option<String>,
    /// Kind of container: `docker`; `none` where nothing speaks of one. `None` for runs stored before this was kept.
    #[serde(default)]
    pub container: Option<String>,
    pub cpu: String,
    /// Logical processors of the machine, also those that this process may not use. `None` for runs stored before this was
    /// kept.
    #[serde(default)]
    pub processors: Option<usize>,
    /// Threads that the engine computes with.
    pub threads: usize,
    pub memory_bytes: Option<u64>,
    /// The device that the engine ran on: `cpu`, `cuda:0`.
    pub device: String,
    /// Its name for people: the GPU's, or the CPU's.
    pub device_name: String,
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
    #[serde(default)]
    pub gpu_power_limit_milliwatts: Option<u32>,
    /// The highest clocks that it can have.
    #[serde(default)]
    pub gpu_sm_megahertz: Option<u32>,
    #[serde(default)]
    pub gpu_memory_megahertz: Option<u32>,
    /// Error-correcting memory is on, which takes some of its bandwidth.
    #[serde(default)]
    pub gpu_ecc: Option<bool>,
}

impl Environment {
    /// This machine and this build, for a run on `device` with `threads`.
    pub fn detect(device: &str, threads: usize) -> Self {
        // On a CPU the state of a GPU that stands idle says nothing of the run.
        let gpu = if device == "cpu" { None } else { super::nvml::of_device(device).ok() }.unwrap_or_default();
        let cpu = super::host::cpu_name();
        Self {
            program_version: env!("CARGO_PKG_VERSION").into(),
            program_commit: option_env!("BENCH_COMMIT").map(Into::into),
            build_features: if cfg!(feature = "cuda") { vec!["cuda".into()] } else { Vec::new() },
            candle_version: option_env!("BENCH_CANDLE_VERSION").map(Into::into),
            debug_build: cfg!(debug_assertions),
            os: sysinfo::System::long_os_version().unwrap_or_else(|_| std::env::consts::OS.into()),
            kernel: sysinfo::System::kernel_version().ok(),
            container: super::container::kind(std::path::Path::new("/")),
            processors: super::host::processors(),
            threads,
            memory_bytes: super::host::total_bytes(),
            device: device.into(),
            device_name: match gpu.name {
                Some(name) => name,
                None if device == "cpu" => cpu.clone(),
                None => device.into(),
            },
            gpu_driver: gpu.driver,
            gpu_cuda: gpu.cuda,
            gpu_uuid_hash: gpu.uuid_hash,
            gpu_power_limit_milliwatts: gpu.power_limit_milliwatts,
            gpu_sm_megahertz: gpu.sm_megahertz,
            gpu_memory_megahertz: gpu.memory_megahertz,
            gpu_ecc: gpu.ecc,
            cpu,
        }
    }
}
