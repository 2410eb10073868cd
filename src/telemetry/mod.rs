//! Telemetry: what the machine did meanwhile.

#![warn(missing_docs)]

mod cgroup;
mod container;
pub mod environment;
pub mod gpu;
pub mod host;
pub mod look;
pub mod nvml;
pub mod processes;
pub mod watcher;

use std::sync::Arc;

pub use gpu::GpuProbe;
pub use host::Host;

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
