//! What several test files share.

pub mod bench;
pub mod hub_stand_in;

use std::path::PathBuf;

/// A file or folder under `tests/fixtures`.
pub fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}
