//! What becomes of memory that a model has freed.
//!
//! Every operation allocates its result and frees its inputs, megabytes each. glibc maps such blocks anew and gives them
//! back at once, and the kernel clears each page again: on two cores that was a fifth of a 7B prefill. A GPU's pool likewise
//! returns what is free to the driver whenever the host waits for the device, which it does for each token. So freed memory
//! is kept while a model runs, and given back between models, which would otherwise be counted as the next one's, or keep it
//! from fitting.

use candle_core::{Device, Result};

use super::gpu_memory::GpuMemory;
use crate::record::PoolMemory;

/// Keeps freed blocks, of any size, for the next operation. Does nothing on the host where the allocator is not glibc's.
///
/// # Errors
/// What the GPU's driver says.
pub fn keep_freed(device: &Device) -> Result<()> {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: sets two parameters of the allocator (man 3 mallopt); values out of range are refused, not acted on.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 1 << 30);
        libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
    }
    match device {
        #[cfg(feature = "cuda")]
        Device::Cuda(device) => super::pool::keep_freed(device),
        _ => Ok(()),
    }
}

/// Gives all free memory back to the system. Does nothing on the host where the allocator is not glibc's.
///
/// What a GPU's driver does not take back is not free for the next model, which [`of_gpu`] then tells.
pub fn give_back(device: &Device) {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: releases what nobody uses (man 3 malloc_trim); callable at any time.
    unsafe {
        libc::malloc_trim(0);
    }
    match device {
        #[cfg(feature = "cuda")]
        Device::Cuda(device) => super::pool::give_back(device).unwrap_or_default(),
        _ => {}
    }
}

/// The memory of a GPU; `None` of a device that is none, or whose driver does not tell.
pub fn of_gpu(device: &Device) -> Option<GpuMemory> {
    match device {
        #[cfg(feature = "cuda")]
        Device::Cuda(device) => super::pool::memory(device).ok(),
        _ => None,
    }
}

/// What the pool of a GPU holds now; `None` of a device without any.
pub fn pool_held(device: &Device) -> Option<PoolMemory> {
    match device {
        #[cfg(feature = "cuda")]
        Device::Cuda(device) => super::pool::held(device).ok()?,
        _ => None,
    }
}

/// The most that it held since this was asked last, or since the model began to load.
pub fn take_pool_peak(device: &Device) -> Option<PoolMemory> {
    match device {
        #[cfg(feature = "cuda")]
        Device::Cuda(device) => super::pool::take_peak(device).ok()?,
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_has_no_gpus_memory() {
        assert_eq!(of_gpu(&Device::Cpu), None);
    }
}
