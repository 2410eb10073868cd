//! Executing: one candidate's trials, one after another, each kept as soon as it has ended.

use std::sync::atomic::AtomicBool;

use super::listener::RunListener;
use super::trial::{Asked, Instruments, ask};
use crate::clock::Clock;
use crate::engine::{Engine, EngineError, Input, Request, Sampling};
use crate::plan::PlannedTrial;
use crate::record::{Fault, Outcome, Phase, Row, Trial};
use crate::suite::Body;
use crate::text::Message;

/// How a candidate's trials came to an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// All its trials were run, whatever came of each.
    Finished,
    /// The user asked to stop; the trial in flight is not kept.
    Cancelled,
}

/// Runs a row on an engine, trial by trial: `next` says which follows on the trials so far, and each new one is kept and
/// joins them. A failed trial is kept like any other, and the next one runs. One whose times are not the candidate's, by a
/// [`Fault`], is run once more and the second is kept, whatever it is.
///
/// # Errors
/// Only what `keep` gives: a trial that cannot be stored ends the run, for nothing after it could be either.
pub fn execute<C: Clock + Clone + Send + 'static, E>(
    engine: &mut dyn Engine,
    row: &mut Row,
    next: &dyn Fn(&[Trial]) -> Option<PlannedTrial>,
    instruments: &Instruments<C>,
    cancel: &AtomicBool,
    listener: &mut dyn RunListener,
    keep: &mut dyn FnMut(&Trial) -> Result<(), E>,
) -> Result<Ended, E> {
    while let Some(planned) = next(&row.trials) {
        if step(engine, row, &planned, instruments, cancel, listener, keep)? == Ended::Cancelled {
            return Ok(Ended::Cancelled);
        }
    }
    Ok(Ended::Finished)
}

/// Runs one trial of a row, as [`execute`] does.
///
/// # Errors
/// As there.
pub(super) fn step<C: Clock + Clone + Send + 'static, E>(
    engine: &mut dyn Engine,
    row: &mut Row,
    planned: &PlannedTrial,
    instruments: &Instruments<C>,
    cancel: &AtomicBool,
    listener: &mut dyn RunListener,
    keep: &mut dyn FnMut(&Trial) -> Result<(), E>,
) -> Result<Ended, E> {
    let name = row.candidate.row();
    listener.trial_started();
    let mut run = || run_trial(engine, &name, planned, instruments, cancel, listener);
    let Some(mut trial) = run() else { return Ok(Ended::Cancelled) };
    if let Some(fault) = fault(&trial) {
        let Some(again) = run() else { return Ok(Ended::Cancelled) };
        trial = Trial { repeated: Some(fault), ..again };
    }
    keep(&trial)?;
    listener.trial_ended(&trial);
    row.trials.push(trial);
    Ok(Ended::Finished)
}

/// What is wrong with a trial's times, if it has any that count: a warm-up has none, nor has one that failed.
fn fault(trial: &Trial) -> Option<Fault> {
    let counts = trial.key.phase() == Phase::Measured && matches!(trial.outcome, Outcome::Completed { .. });
    Fault::of(&trial.readings).filter(|_| counts)
}

/// One trial; `None` if it was cancelled.
pub(super) fn run_trial<C: Clock + Clone + Send + 'static>(
    engine: &mut dyn Engine,
    row: &str,
    planned: &PlannedTrial,
    instruments: &Instruments<C>,
    cancel: &AtomicBool,
    listener: &mut dyn RunListener,
) -> Option<Trial> {
    let asked = Asked { key: planned.key(row), seed: planned.seed, request: request(planned) };
    let most = asked.request.max_new_tokens;
    let mut on_token = |done| listener.token(done, most);
    let answer = ask(engine, asked, instruments, cancel, &mut on_token, &mut |_| {});
    (!matches!(answer.error, Some(EngineError::Cancelled))).then_some(answer.trial)
}

/// What an engine is asked with a prompt.
pub fn input(body: &Body, seed: u64) -> Input {
    match body {
        Body::Text { system, text } => {
            Input::Chat(vec![Message::system(system.as_str()), Message::user(text.as_str())])
        }
        Body::Tokens { count } => Input::RandomTokens { count: *count as usize, seed },
    }
}

fn request(planned: &PlannedTrial) -> Request {
    let input = input(&planned.prompt.body, planned.seed);
    let ignore_eos = matches!(planned.prompt.body, Body::Tokens { .. });
    Request { input, max_new_tokens: planned.max_new_tokens as usize, ignore_eos, sampling: Sampling::Greedy }
}
