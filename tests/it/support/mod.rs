//! What several test files share.

pub mod bench;
pub mod fake_driver;
pub mod hub_stand_in;

use std::path::PathBuf;

use ::bench::engine::Observer;

/// A file or folder under `tests/fixtures`.
pub fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// An observer that does not care.
pub struct Silent;

impl Observer for Silent {
    fn encoded(&mut self, _: usize) {}
    fn prefilled(&mut self) {}
    fn token(&mut self, _: u32) {}
    fn text(&mut self, _: &str) {}
    fn cancelled(&self) -> bool {
        false
    }
}
