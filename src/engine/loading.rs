//! What an engine tells while it loads.

/// A part of loading whose time is worth knowing by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadPart {
    /// Weights are copied out of their file, from storage or the page cache.
    Read,
    /// They are put into the type in which they are held.
    Quantize,
    /// They are moved to a device that is not the host, which is waited for.
    Transfer,
}

/// Told when a thread begins and ends a part, at the moment it does; several threads may be in one part at once, and none in
/// two. Both have an empty default.
pub trait LoadObserver: Sync {
    fn begins(&self, part: LoadPart) {
        let _ = part;
    }

    fn ends(&self, part: LoadPart) {
        let _ = part;
    }
}

/// Does not care.
impl LoadObserver for () {}

/// Does a part, and tells of it. Nothing in it may wait for work that other threads share: while it waits, a thread of such a
/// pool does other work, whose time is not the part's.
pub fn told<T>(observer: &dyn LoadObserver, part: LoadPart, work: impl FnOnce() -> T) -> T {
    observer.begins(part);
    let done = work();
    observer.ends(part);
    done
}
