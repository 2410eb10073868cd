//! Reading the small files of a checkpoint, none beyond a limit.

use std::io::Read as _;
use std::path::Path;

use serde_json::Value;

use super::error::AcquireError;
use super::lfs;
use crate::plain_file;

/// Largest file of JSON, or template, in bytes; a tokenizer has a limit of its own.
pub(super) const LARGEST_JSON: u64 = 32 << 20;

/// Whether a directory has this name: a link whose file is gone counts, and is an error where it is read.
pub(super) fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// Refuses a file that stands in for another one.
pub(super) fn refuse_lfs_pointer(path: &Path) -> Result<(), AcquireError> {
    let failed = |source| AcquireError::Read { path: path.into(), source };
    let mut beginning = Vec::new();
    let file = plain_file::open(path).map_err(failed)?;
    file.take(lfs::POINTER.len() as u64).read_to_end(&mut beginning).map_err(failed)?;
    if lfs::is_pointer(&beginning) { Err(AcquireError::LfsPointer { path: path.into() }) } else { Ok(()) }
}

/// The JSON in a file of at most [`LARGEST_JSON`] bytes.
pub(super) fn json(path: &Path) -> Result<Value, AcquireError> {
    serde_json::from_slice(&read(path, LARGEST_JSON)?)
        .map_err(|source| AcquireError::Json { path: path.into(), source })
}

/// A plain file of at most `limit` bytes.
pub(super) fn read(path: &Path, limit: u64) -> Result<Vec<u8>, AcquireError> {
    let bytes = plain_file::read(path, limit).map_err(|source| AcquireError::Read { path: path.into(), source })?;
    if lfs::is_pointer(&bytes) {
        return Err(AcquireError::LfsPointer { path: path.into() });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_link_whose_file_is_gone_is_there_and_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("tokenizer_config.json");
        std::os::unix::fs::symlink(folder.path().join("blob"), &link).unwrap();
        assert!(is_there(&link) && !is_there(&folder.path().join("blob")));
        assert!(matches!(json(&link), Err(AcquireError::Read { .. })));
        assert!(matches!(json(folder.path()), Err(AcquireError::Read { .. })), "a directory is no file");
    }

    #[test]
    fn a_pointer_is_named_for_what_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("model.safetensors");
        std::fs::write(&file, "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n").unwrap();
        assert!(matches!(refuse_lfs_pointer(&file), Err(AcquireError::LfsPointer { .. })));
        assert!(matches!(json(&file), Err(AcquireError::LfsPointer { .. })));
        std::fs::write(&file, "{}").unwrap();
        assert!(refuse_lfs_pointer(&file).is_ok());
    }
}
