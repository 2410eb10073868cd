//! A trial: one request to an engine, timed and watched.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::recorder::Recorder;
use crate::causes::chain;
use crate::clock::{Clock, wall_time};
use crate::engine::{Engine, EngineError, Request};
use crate::record::{FailureKind, Outcome, Trial, TrialKey};
use crate::telemetry::watcher::Watcher;
use crate::telemetry::{GpuProbe, Host};

/// What trials are measured with.
#[derive(Clone)]
pub struct Instruments<C> {
    /// What instants are read from.
    pub clock: C,
    /// Where other programs are seen, and the memory of this one.
    pub host: Host,
    /// Of the GPU that the engine computes on; `None` where it computes on the CPU.
    pub gpu: Option<Arc<dyn GpuProbe>>,
}

impl<C> Instruments<C> {
    /// For an engine on the CPU.
    pub fn on_cpu(clock: C) -> Self {
        Self { clock, host: Host::this(), gpu: None }
    }
}

/// What an engine is asked, and what the trial is called.
pub struct Asked {
    /// Which step of the plan it is.
    pub key: TrialKey,
    /// Kept with the trial.
    pub seed: u64,
    /// What the engine is asked.
    pub request: Request,
}

/// What came of it.
pub struct Answer {
    /// What was observed.
    pub trial: Trial,
    /// Tokens of the prompt, as the engine read it; `None` where it does not tell them.
    pub prompt_ids: Option<Vec<u32>>,
    /// What the trial's outcome says in words, of one that failed or was cancelled.
    pub error: Option<EngineError>,
}

/// Asks an engine once. `on_token` is told how many tokens came, `on_text` what text.
pub fn ask<C: Clock + Clone + Send + 'static>(
    engine: &mut dyn Engine,
    asked: Asked,
    instruments: &Instruments<C>,
    cancel: &AtomicBool,
    on_token: &mut dyn FnMut(usize),
    on_text: &mut dyn FnMut(&str),
) -> Answer {
    let Asked { key, seed, request } = asked;
    let clock = &instruments.clock;
    let started_at = wall_time();
    let watcher = Watcher::start(clock.clone(), instruments.host.clone(), instruments.gpu.clone());
    let mut recorder = Recorder::start(clock, request.max_new_tokens, cancel, on_token, on_text);
    #[cfg(not(feature = "slowdown"))]
    let observer = &mut recorder;
    #[cfg(feature = "slowdown")]
    let observer = &mut super::slowdown::Slowed::by_environment(&mut recorder, clock);
    let result = engine.generate(&request, observer);
    if result.is_ok() {
        recorder.finished();
    }
    let Recorder { mut timeline, token_ids, prompt_tokens, text: partial, .. } = recorder;
    let readings = watcher.stop();

    let (outcome, text, prompt_ids, error) = match result {
        Ok(completion) => {
            (Outcome::Completed { finish: completion.finish }, completion.text, completion.prompt_ids, None)
        }
        Err(error) => (failure(&error), (!partial.is_empty()).then_some(partial), None, Some(error)),
    };
    // Without text there is nothing to count.
    timeline.arrival_characters = timeline.arrival_characters.filter(|_| text.is_some());
    let trial =
        Trial { key, seed, started_at, prompt_tokens, timeline, outcome, token_ids, text, readings, repeated: None };
    Answer { trial, prompt_ids, error }
}

/// An error and its causes as a failed outcome.
fn failure(error: &EngineError) -> Outcome {
    let kind = match error {
        EngineError::OutOfMemory(_) => FailureKind::OutOfMemory,
        _ => FailureKind::Engine,
    };
    Outcome::Failed { kind, message: chain(error) }
}
