//! Progress of a download, for whoever draws it.

/// Is told how a download goes. Every method has an empty default.
pub trait FetchProgress {
    /// `total_bytes` are still to be received, in `files` files.
    fn begin(&mut self, total_bytes: u64, files: usize) {
        let _ = (total_bytes, files);
    }
    /// The next file; `size` is its full size, of which a part may be there.
    fn file(&mut self, name: &str, size: u64) {
        let _ = (name, size);
    }
    /// So many bytes more were received.
    fn advance(&mut self, bytes: u64) {
        let _ = bytes;
    }
    /// All is there, or the download failed or was stopped.
    fn end(&mut self) {}
    /// So many bytes of the file at hand have to be received again: the total grows by them.
    fn restart(&mut self, bytes: u64) {
        let _ = bytes;
    }
    /// Another process is downloading this file; its end is waited for.
    fn waiting(&mut self, name: &str) {
        let _ = name;
    }
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoProgress;

impl FetchProgress for NoProgress {}
