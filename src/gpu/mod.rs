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
pub mod params;

use std::ptr;

use candle_core::Device;
use params::Params;

/// A kernel with its parameters.
#[derive(Debug, Clone)]
pub struct Launch {
    pub kernel: &'static str,
    pub blocks: [u32; 2],
    pub threads: u32,
    params: Box<[u64]>,
}

impl Launch {
    /// The kernel that takes these, in as many blocks as they need.
    pub fn new<P: Params>(params: P) -> Self {
        const { assert!(align_of::<P>() <= align_of::<u64>()) };
        let (kernel, blocks) = (params.kernel(), params.blocks());
        let mut words = vec![0; size_of::<P>().div_ceil(size_of::<u64>())].into_boxed_slice();
        // SAFETY: there is room for it, it is aligned, and it has no padding, which would stay unwritten.
        unsafe { ptr::write(words.as_mut_ptr().cast(), params) };
        Self { kernel, blocks, threads: P::THREADS, params: words }
    }

    /// The kernel's parameters, as it takes them.
    pub fn params(&self) -> *const u64 {
        self.params.as_ptr()
    }
}

/// What runs kernels.
pub trait Machine {
    /// Processors that blocks are dealt out to.
    fn processors(&self) -> usize;

    /// Makes launches ready to be run, one after another, again and again.
    ///
    /// # Safety
    /// The addresses in them are of this machine, of memory that lives as long as what is given back, and as large as the
    /// kernels take it to be.
    ///
    /// # Errors
    /// What keeps the machine from it.
    unsafe fn prepare(&self, launches: Vec<Launch>) -> candle_core::Result<Box<dyn Prepared>>;

    /// Queues launches behind what was queued before, once.
    ///
    /// # Safety
    /// The addresses in them are of this machine, of memory that lives until all that is queued now is done, and as large as
    /// the kernels take it to be.
    ///
    /// # Errors
    /// What the machine says.
    unsafe fn launch(&self, launches: &[Launch]) -> candle_core::Result<()>;
}

/// What runs kernels on a device; `None` of the host.
pub fn machine(device: &Device) -> Option<Box<dyn Machine>> {
    match device {
        #[cfg(feature = "cuda")]
        Device::Cuda(device) => Some(Box::new(driver::Driver::new(device))),
        _ => None,
    }
}

/// Launches that are ready.
pub trait Prepared {
    /// Queues all of them behind what was queued before.
    ///
    /// # Errors
    /// What the machine says.
    fn run(&self) -> candle_core::Result<()>;

    /// Copies words into the machine's memory, behind what was queued.
    ///
    /// # Safety
    /// So many words of this machine's lie there.
    ///
    /// # Errors
    /// What the machine says.
    unsafe fn write(&self, place: u64, words: &[u32]) -> candle_core::Result<()>;

    /// Waits for what was queued, and copies words out of the machine's memory.
    ///
    /// # Safety
    /// So many words of this machine's lie there.
    ///
    /// # Errors
    /// What the machine says.
    unsafe fn read(&self, place: u64, words: &mut [u32]) -> candle_core::Result<()>;
}
