//! For tests: memory beside which nothing may be read.

#![allow(clippy::unwrap_used, reason = "for tests only")]

use libc::{MAP_ANON, MAP_FAILED, MAP_PRIVATE, PROT_NONE, PROT_READ, PROT_WRITE};

/// Whole pages between two that cannot be read.
pub(crate) struct Guarded {
    /// Of the page before.
    start: *mut u8,
    page: usize,
    size: usize,
}

impl Guarded {
    /// Room for so many bytes.
    pub(crate) fn new(bytes: usize) -> Self {
        // SAFETY: a new mapping, whose middle pages are then allowed to be used.
        unsafe {
            let page = usize::try_from(libc::sysconf(libc::_SC_PAGESIZE)).unwrap();
            let size = bytes.max(1).next_multiple_of(page);
            let start = libc::mmap(std::ptr::null_mut(), size + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANON, -1, 0);
            assert_ne!(start, MAP_FAILED);
            assert_eq!(libc::mprotect(start.byte_add(page), size, PROT_READ | PROT_WRITE), 0);
            Self { start: start.cast(), page, size }
        }
    }

    /// A copy of these bytes right behind what cannot be read.
    pub(crate) fn at_start(&mut self, bytes: &[u8]) -> &[u8] {
        self.copy(0, bytes)
    }

    /// A copy of these bytes right before what cannot be read.
    pub(crate) fn at_end(&mut self, bytes: &[u8]) -> &[u8] {
        self.copy(self.size - bytes.len(), bytes)
    }

    fn copy(&mut self, place: usize, bytes: &[u8]) -> &[u8] {
        // SAFETY: these pages can be used, and nobody else refers to them.
        let pages = unsafe { std::slice::from_raw_parts_mut(self.start.add(self.page), self.size) };
        let copy = &mut pages[place..][..bytes.len()];
        copy.copy_from_slice(bytes);
        copy
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // SAFETY: the mapping is this one's own, and nobody refers to it any more.
        unsafe { libc::munmap(self.start.cast(), self.size + 2 * self.page) };
    }
}
