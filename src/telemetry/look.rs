//! Looks at the machine: what a reading is taken from.

use super::host::own_cpu_seconds;
use super::{GpuProbe, Host};
use crate::record::Reading;

/// What the machine does now, the GPU with it if there is one to look at: for an end of a trial, when nothing is timed.
pub fn at_an_end(at_ns: u64, host: &Host, gpu: Option<&dyn GpuProbe>) -> Reading {
    let cpu_seconds = host.cpu_seconds();
    Reading {
        at_ns,
        resident_bytes: host.resident_bytes(),
        cpu_seconds,
        others_cpu_seconds: host.busy_seconds().zip(cpu_seconds).map(|(all, own)| all - own),
        late_ns: None,
        uptime_seconds: host.uptime_seconds(),
        throttled_seconds: host.throttled_seconds(),
        cpu_megahertz: host.cpu_megahertz(),
        busiest: Vec::new(),
        gpu: gpu.map(GpuProbe::look),
    }
}

/// What costs little: for the middle of one.
pub fn within(at_ns: u64, host: &Host, gpu: Option<&dyn GpuProbe>) -> Reading {
    let cpu_seconds = own_cpu_seconds();
    match gpu {
        Some(gpu) => Reading { at_ns, cpu_seconds, gpu: Some(gpu.look()), ..Reading::default() },
        None => Reading { at_ns, cpu_seconds, resident_bytes: host.resident_bytes(), ..Reading::default() },
    }
}
