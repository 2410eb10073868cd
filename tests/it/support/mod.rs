//! What several test files share.

pub mod bench;
pub mod decoder;
pub mod fake_driver;
pub mod hub_stand_in;

use std::path::PathBuf;

use ::bench::catalog::{Candidate, Source};
use ::bench::engine::Observer;
use ::bench::plan::Step;
use ::bench::run::{Row, RowOutcome, Trial};

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

/// Steps that nothing of how they go changes.
pub fn one_after_another(steps: &[Step]) -> impl Fn(&[Trial]) -> Option<Step> {
    move |trials| steps.get(trials.len()).cloned()
}

/// A candidate that was not come to.
pub fn row(id: &str) -> Row {
    let candidate = Candidate {
        id: id.into(),
        source: Source::Local { path: "model".into() },
        quantization: None,
        adapter: None,
        licence: None,
        notes: None,
        prompt_format: None,
    };
    Row { candidate, checkpoint: None, load: None, fit: None, outcome: RowOutcome::Pending, trials: Vec::new() }
}
