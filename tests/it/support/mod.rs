//! What several test files share.

pub mod bench;
pub mod decoder;
pub mod emulator;
pub mod fake_driver;
pub mod fake_host;
pub mod hub_stand_in;

use std::path::PathBuf;
use std::sync::Arc;

use ::bench::catalog::{Candidate, Requirements, Source};
use ::bench::engine::Observer;
use ::bench::plan::PlannedTrial;
use ::bench::record::{Row, RowOutcome, Run, Settings, Trial};
use ::bench::suite::{Body, Expected, Prompt};
use ::bench::telemetry::environment;

/// A file or folder under `tests/fixtures`.
pub fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// An observer that does not care.
pub struct Silent;

impl Observer for Silent {}

/// Steps that nothing of how they go changes.
pub fn one_after_another(steps: &[PlannedTrial]) -> impl Fn(&[Trial]) -> Option<PlannedTrial> {
    move |trials| steps.get(trials.len()).cloned()
}

/// A candidate that was not come to.
pub fn row(id: &str) -> Row {
    let candidate = Candidate {
        id: id.into(),
        source: Source::Local { path: "model".into() },
        quantization: None,
        adapter: None,
        variant: None,
        licence: None,
        notes: None,
        prompt_format: None,
    };
    Row::pending(candidate)
}

/// A step that asks seven token ids for two tokens.
pub fn two_tokens(repetition: u32) -> PlannedTrial {
    let prompt = Prompt {
        id: "p".into(),
        language: None,
        body: Body::Tokens { count: 7 },
        max_new_tokens: 2,
        expected: Expected::default(),
    };
    let (suite, prompt) = ("speed".into(), Arc::new(prompt));
    PlannedTrial { suite, prompt, repetition, warmup: false, seed: 0, max_new_tokens: 2 }
}

/// A run of one candidate that ran.
pub fn run_of(row: Row, settings: Settings) -> Run {
    Run {
        id: "20261120-051733-4f2a".into(),
        started_at: jiff::Timestamp::UNIX_EPOCH,
        finished_at: None,
        environment: environment::detect("cpu", 1),
        settings,
        requirements: Requirements::default(),
        stated: None,
        prompts: Vec::new(),
        rows: vec![Row { outcome: RowOutcome::Ran, ..row }],
    }
}
