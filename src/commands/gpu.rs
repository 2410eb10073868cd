//! Which GPU a command is about.

use crate::cli;
use crate::device::DeviceName;
use crate::error::Error;
use crate::hardware::{GpuSpec, Gpus};
use crate::plain_file::{self, WRITTEN_BY_HAND};
use crate::telemetry::nvml;

/// The kinds of GPU that are known: the shipped ones, and those of a file of the user's own.
///
/// # Errors
/// A file that cannot be read or used.
pub(super) fn known(args: &cli::Gpus) -> Result<Gpus, Error> {
    let shipped = Gpus::shipped().map_err(Error::Hardware)?;
    let Some(path) = &args.gpus else { return Ok(shipped) };
    let text = plain_file::read_text(path, WRITTEN_BY_HAND)
        .map_err(|source| Error::ReadText { path: path.clone(), source })?;
    shipped.with(path, &text).map_err(Error::Hardware)
}

/// The kind that a word means: one that is known, or `this`, the GPU of this machine that CUDA calls the first.
///
/// # Errors
/// A word that no GPU is known by, or a machine without one.
pub(super) fn named(word: &str, gpus: &Gpus) -> Result<GpuSpec, Error> {
    if word.eq_ignore_ascii_case("this") {
        return present(gpus);
    }
    let unknown = || Error::usage(format!("there is no GPU `{word}`"), gpus.hint(word));
    gpus.find(word).cloned().ok_or_else(unknown)
}

/// The GPU of this machine that CUDA calls the first, as CUDA_VISIBLE_DEVICES has it, with the memory that its own driver reports.
fn present(gpus: &Gpus) -> Result<GpuSpec, Error> {
    let hint = || {
        "name the GPU that the service will have, as --gpu l4; `bench doctor` tells what this machine has".to_owned()
    };
    let gpu = nvml::of_device(&DeviceName::Cuda(0).to_string())
        .map_err(|reason| Error::usage(format!("this machine shows no GPU: {reason}"), hint()))?;
    let name = gpu.name.as_deref().ok_or_else(|| Error::usage("the driver does not tell what GPU this is", hint()))?;
    let row = gpus.find(name).ok_or_else(|| {
        let message = format!("the driver calls this GPU `{name}`, which no row of gpus.toml does");
        Error::usage(message, "add a row with that name to a file of your own, and give it as --gpus FILE".to_owned())
    })?;
    // What the driver does not tell is as the list has it.
    let memory_mib = gpu.memory_bytes.map_or(row.memory_mib, |bytes| bytes >> 20);
    Ok(GpuSpec { memory_mib, ..row.clone() })
}
