//! Progress of a download, for whoever draws it.

/// Is told how a download goes. Every method but the first four may be left out.
pub trait FetchProgress {
    /// `total_bytes` are still to be received, in `files` files.
    fn begin(&mut self, total_bytes: u64, files: usize);
    /// The next file; `size` is its full size, of which a part may be there.
    fn file(&mut self, name: &str, size: u64);
    /// So many bytes more were received.
    fn advance(&mut self, bytes: u64);
    /// All is there, or the download failed or was stopped.
    fn end(&mut self);
    /// So many bytes of the file at hand have to be received again: the total grows by them.
    fn restart(&mut self, _bytes: u64) {}
    /// Another process is downloading this file; its end is waited for.
    fn waiting(&mut self, _name: &str) {}
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoProgress;

impl FetchProgress for NoProgress {
    fn begin(&mut self, _: u64, _: usize) {}
    fn file(&mut self, _: &str, _: u64) {}
    fn advance(&mut self, _: u64) {}
    fn end(&mut self) {}
}
