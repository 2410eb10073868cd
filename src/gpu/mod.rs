//! Own kernels for a GPU, and what runs them.
//!
//! A decode step is a list of [`Launch`]es whose addresses never change: it allocates nothing, and position and token lie in
//! the GPU's memory. So a [`Machine`] can keep it whole, as a CUDA graph, and repeat it with one call. A prompt's kernels stand
//! between products that are others', and are launched as their tensors come.
//!
//! The kernels (`kernels/*.cu`) are compiled by nvcc where the feature `cuda` is on. Elsewhere the tests compile the same files
//! with a C++ compiler and run them on the CPU.

#[cfg(feature = "cuda")]
pub mod driver;
mod launch;
mod machine;
pub mod params;

use candle_core::Device;

pub use launch::Launch;
pub use machine::{Machine, Prepared};

/// What runs kernels on a device; `None` of the host.
pub fn machine(device: &Device) -> Option<Box<dyn Machine>> {
    match device {
        #[cfg(feature = "cuda")]
        Device::Cuda(device) => Some(Box::new(driver::Driver::new(device))),
        _ => None,
    }
}
