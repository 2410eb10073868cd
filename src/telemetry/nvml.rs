//! NVIDIA GPUs, as their driver's management library tells.

use nvml_wrapper::Nvml;

/// A GPU of this machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Gpu {
    pub name: String,
    /// Device memory in bytes, as the driver reports it; an L4 sold with 24 GB has 23,034 MiB.
    pub memory_bytes: u64,
    pub used_bytes: u64,
    pub driver: String,
}

/// Free memory of a device named `cuda` or `cuda:N`, in bytes; `None` where the driver does not tell.
pub fn free_bytes(device: &str) -> Option<u64> {
    let ordinal = device.strip_prefix("cuda")?.trim_start_matches(':').parse().unwrap_or(0);
    let gpu = gpus().ok()?.into_iter().nth(ordinal)?;
    gpu.memory_bytes.checked_sub(gpu.used_bytes)
}

/// The GPUs that the driver knows; an error says why it knows none (no driver, no permission).
///
/// # Errors
/// The library's own message.
pub fn gpus() -> Result<Vec<Gpu>, String> {
    let nvml = Nvml::init().map_err(|error| error.to_string())?;
    let driver = nvml.sys_driver_version().map_err(|error| error.to_string())?;
    let count = nvml.device_count().map_err(|error| error.to_string())?;
    let gpu = |index| {
        let device = nvml.device_by_index(index)?;
        let memory = device.memory_info()?;
        let (memory_bytes, used_bytes) = (memory.total, memory.used);
        Ok(Gpu { name: device.name()?, memory_bytes, used_bytes, driver: driver.clone() })
    };
    let gpus: Result<Vec<Gpu>, nvml_wrapper::error::NvmlError> = (0..count).map(gpu).collect();
    gpus.map_err(|error| error.to_string())
}
