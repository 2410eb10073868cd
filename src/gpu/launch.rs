//! A kernel to be run.

use std::ptr;

use super::params::Params;

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
