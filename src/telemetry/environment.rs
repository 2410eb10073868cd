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
    pub debug_build: bool,
    pub os: String,
    pub kernel: Option<String>,
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
}

impl Environment {
    /// This machine and this build, for a run on `device` with `threads`.
    pub fn detect(device: &str, threads: usize) -> Self {
        let gpu = super::nvml::gpus().ok().and_then(|gpus| {
            let ordinal = device.strip_prefix("cuda").map(|rest| rest.trim_start_matches(':').parse().unwrap_or(0));
            gpus.into_iter().nth(ordinal.unwrap_or(0))
        });
        let cpu = super::host::cpu_name();
        let on_gpu = device != "cpu";
        Self {
            program_version: env!("CARGO_PKG_VERSION").into(),
            program_commit: option_env!("BENCH_COMMIT").map(Into::into),
            build_features: if cfg!(feature = "cuda") { vec!["cuda".into()] } else { Vec::new() },
            debug_build: cfg!(debug_assertions),
            os: sysinfo::System::long_os_version().unwrap_or_else(|_| std::env::consts::OS.into()),
            kernel: sysinfo::System::kernel_version().ok(),
            processors: super::host::processors(),
            threads,
            memory_bytes: super::host::total_bytes(),
            device: device.into(),
            device_name: gpu.as_ref().filter(|_| on_gpu).map_or_else(|| cpu.clone(), |gpu| gpu.name.clone()),
            gpu_driver: gpu.map(|gpu| gpu.driver),
            cpu,
        }
    }
}
