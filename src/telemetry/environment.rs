//! The environment of this machine and this build.

use super::{container, host, nvml};
use crate::record::Environment;

/// This machine and this build, for a run on `device` with `threads`.
pub fn detect(device: &str, threads: usize) -> Environment {
    // On a CPU the state of a GPU that stands idle says nothing of the run.
    let gpu = if device == "cpu" { None } else { nvml::of_device(device).ok() }.unwrap_or_default();
    let cpu = host::cpu_name();
    Environment {
        program_version: env!("CARGO_PKG_VERSION").into(),
        program_commit: option_env!("BENCH_COMMIT").map(Into::into),
        build_features: if cfg!(feature = "cuda") { vec!["cuda".into()] } else { Vec::new() },
        candle_version: option_env!("BENCH_CANDLE_VERSION").map(Into::into),
        debug_build: cfg!(debug_assertions),
        os: sysinfo::System::long_os_version().unwrap_or_else(|_| std::env::consts::OS.into()),
        kernel: sysinfo::System::kernel_version().ok(),
        container: container::kind(std::path::Path::new("/")),
        processors: host::processors(),
        threads,
        memory_bytes: host::total_bytes(),
        memory_limit_bytes: host::memory_limit_bytes(),
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
