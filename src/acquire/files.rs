//! Reading the small files of a checkpoint, none beyond a limit.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use serde_json::Value;

use super::error::AcquireError;

/// Largest file of JSON, or template, in bytes; a tokenizer has a limit of its own.
pub(super) const LARGEST_JSON: u64 = 32 << 20;

/// The JSON in a file of at most [`LARGEST_JSON`] bytes.
pub(super) fn json(path: &Path) -> Result<Value, AcquireError> {
    serde_json::from_slice(&read(path, LARGEST_JSON)?)
        .map_err(|source| AcquireError::Json { path: path.into(), source })
}

/// A file of at most `limit` bytes. They are counted as they come: a device, or a link to one, states no size.
pub(super) fn read(path: &Path, limit: u64) -> Result<Vec<u8>, AcquireError> {
    let failed = |source| AcquireError::Read { path: path.into(), source };
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(limit + 1).read_to_end(&mut bytes)).map_err(failed)?;
    if bytes.len() as u64 > limit {
        return Err(AcquireError::TooLarge { path: path.into(), limit_mib: limit >> 20 });
    }
    Ok(bytes)
}
