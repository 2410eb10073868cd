//! How the allocator treats the memory of a forward pass.
//!
//! Every operation allocates its result and frees its inputs, megabytes each. glibc maps such blocks anew and gives them
//! back at once, and the kernel clears each page again: on two cores that was a fifth of a 7B prefill. So freed memory is
//! kept while a model runs, and given back between models, which would otherwise be counted as the next one's, or keep it
//! from fitting.

/// Keeps freed blocks, of any size, for the next operation. Does nothing where the allocator is not glibc's.
pub fn keep_freed() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: sets two parameters of the allocator (man 3 mallopt); values out of range are refused, not acted on.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 1 << 30);
        libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
    }
}

/// Gives all free memory back to the system. Does nothing where the allocator is not glibc's.
pub fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: releases what nobody uses (man 3 malloc_trim); callable at any time.
    unsafe {
        libc::malloc_trim(0);
    }
}
