//! How many processor threads compute, and on which device.

use std::thread::available_parallelism;

use crate::cli;
use crate::device::DeviceName;
use crate::ui::Printer;
use crate::units::counted;

/// The threads that the user named; all that this process may use if none. More than there are processors are warned of.
pub(super) fn count(threads: Option<u16>, printer: &Printer) -> usize {
    let processors = available_parallelism().map_or(1, usize::from);
    let Some(threads) = threads.map(usize::from) else { return processors };
    if threads > processors {
        printer.warn(&format!(
            "{threads} threads on {}: they wait for each other, so speeds are lower than with --threads {processors}",
            counted(processors, "processor")
        ));
    }
    threads
}

/// Has the arithmetic use so many threads.
///
/// candle and rayon read their numbers of threads from the environment, once, at their first use.
pub(super) fn use_threads(threads: usize) {
    for variable in ["RAYON_NUM_THREADS", "CANDLE_NUM_THREADS"] {
        // SAFETY: called by each command before it starts a thread, so nothing reads the environment meanwhile.
        unsafe { std::env::set_var(variable, threads.to_string()) };
    }
}

/// The device that the user named, or the best that this build and machine have.
pub(super) fn device_name(args: &cli::Device) -> String {
    let has_gpu = || cfg!(feature = "cuda") && crate::telemetry::nvml::gpus().is_ok_and(|gpus| !gpus.is_empty());
    match &args.device {
        Some(device) => device.clone(),
        None if has_gpu() => DeviceName::Cuda(0).to_string(),
        None => DeviceName::Cpu.to_string(),
    }
}
