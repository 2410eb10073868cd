//! One candidate's part of a run: from its checkpoint to its last trial.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};

use candle_core::Device;

use super::execute::{Ended, execute};
use super::listener::{Remark, RunListener};
use super::trial::Instruments;
use crate::acquire::Stamps;
use crate::clock::Clock;
use crate::engine::{Engine, EngineSettings, Form, PrepareError, Prepared, prepare};
use crate::plan::{PlannedTrial, Schedule, Suffice};
use crate::record::{Row, RowOutcome, Trial, TrialKey};
use crate::text::Rendering;

/// What all candidates of a run share.
pub struct Conditions<'a, C> {
    /// Where engines in this process compute, and its name.
    pub device: &'a Device,
    /// As the run stores it: `cpu`, `cuda:0`.
    pub device_name: &'a str,
    /// Which trials there are.
    pub schedule: &'a Schedule,
    /// Whether the trials of a suite suffice.
    pub suffice: Suffice<'a>,
    /// What trials are measured with.
    pub instruments: &'a Instruments<C>,
    /// How chat templates are rendered.
    pub rendering: &'a Rendering,
    /// Set when the user asks to stop.
    pub cancel: &'a AtomicBool,
}

/// Keeps what happens, as soon as it has happened.
pub struct Keep<'a, E> {
    /// What became known of a row, its trials apart.
    pub row: &'a mut dyn FnMut(&Row) -> Result<(), E>,
    /// Each trial, when it has ended.
    pub trial: &'a mut dyn FnMut(&Trial) -> Result<(), E>,
}

/// Runs what is left of a row's trials. What fails of a candidate is its outcome.
///
/// # Errors
/// Only what `keep` gives.
pub fn run_candidate<C: Clock + Clone + Send + 'static, E>(
    row: &mut Row,
    conditions: &Conditions<C>,
    listener: &mut dyn RunListener,
    keep: &mut Keep<E>,
) -> Result<Ended, E> {
    match ready(row, conditions, listener) {
        Err(PrepareError::Cancelled) => return Ok(Ended::Cancelled),
        Err(error) => not_run(row, &error, listener),
        Ok(Ready { mut engine, schedule, stamps }) => {
            keep_peak(row, engine.as_ref());
            // Stored before the first trial is, so that no trial is ever without the commit that it ran on.
            (keep.row)(row)?;
            let next = |trials: &[Trial]| schedule.next(trials, conditions.suffice);
            let (instruments, cancel) = (conditions.instruments, conditions.cancel);
            let ended = execute(engine.as_mut(), row, &next, instruments, cancel, listener, keep.trial)?;
            if ended == Ended::Cancelled {
                return Ok(ended);
            }
            keep_peak(row, engine.as_ref());
            look_at_files(row, &stamps, listener);
            row.outcome = RowOutcome::Ran;
        }
    }
    (keep.row)(row)?;
    listener.candidate_ended(row);
    Ok(Ended::Finished)
}

/// What a row runs on.
pub(super) struct Ready {
    pub engine: Box<dyn Engine>,
    /// The run's, without texts where the engine takes none.
    pub schedule: Schedule,
    /// Of its weight files.
    pub stamps: Stamps,
}

/// Makes a row's engine ready, and notes in the row what became known of it.
///
/// # Errors
/// Why there is none; the outcome of the row is left to the caller.
pub(super) fn ready<C>(
    row: &mut Row,
    conditions: &Conditions<C>,
    listener: &mut dyn RunListener,
) -> Result<Ready, PrepareError> {
    let name = row.candidate.row();
    let mut schedule = conditions.schedule.clone();
    let least = schedule.least();
    let done: HashSet<&TrialKey> = row.trials.iter().map(|trial| &trial.key).collect();
    let left = least.iter().filter(|step| !done.contains(&step.key(&name))).count();
    listener.candidate_started(&row.candidate, left);

    let settings = EngineSettings {
        device: conditions.device,
        device_name: conditions.device_name,
        host: &conditions.instruments.host,
        gpu: conditions.instruments.gpu.as_deref(),
        steps: Some(&least),
        form: if least.iter().any(PlannedTrial::is_text) { Form::Chat } else { Form::Tokens },
        rendering: conditions.rendering,
        begun_with: row.checkpoint.as_ref().filter(|_| !row.trials.is_empty()),
        cancel: conditions.cancel,
    };
    let prepared = prepare(&row.candidate, &settings, listener);
    let facts = match &prepared {
        Ok(prepared) => &prepared.facts,
        Err(unprepared) => &unprepared.facts,
    };
    // What an earlier try found stays where this one did not come so far.
    row.fit = facts.fit.clone().or(row.fit.take());
    row.checkpoint = facts.checkpoint.clone().or(row.checkpoint.take());
    row.load = facts.load.clone().or(row.load.take());
    let Prepared { engine, takes_text, warnings, stamps, slower, .. } = match prepared {
        Err(_) if conditions.cancel.load(Ordering::Relaxed) => return Err(PrepareError::Cancelled),
        Err(unprepared) => return Err(unprepared.error),
        Ok(prepared) => prepared,
    };
    warnings.iter().for_each(|doubt| listener.remark(&name, &Remark::Doubt(doubt)));
    if !takes_text && schedule.leave_out_texts() {
        listener.remark(&name, &Remark::TextsLeftOut);
    }
    if let Some(why) = &slower {
        listener.remark(&name, &Remark::Slower(why));
    }
    if let Some(load) = &row.load {
        if let Some(why) = &load.joins_plainly {
            listener.remark(&name, &Remark::JoinedPlainly(why));
        }
        if load.splits_by_default {
            listener.remark(&name, &Remark::SplitByDefault);
        }
        listener.loaded(&name, load);
    }
    row.outcome = RowOutcome::Pending;
    Ok(Ready { engine, schedule, stamps })
}

/// Makes what kept a row from running its outcome.
pub(super) fn not_run(row: &mut Row, error: &PrepareError, listener: &mut dyn RunListener) {
    listener.remark(&row.candidate.row(), &Remark::NotRun(error));
    row.outcome = error.outcome();
}

/// Notes which weight files are other ones than those that were loaded.
pub(super) fn look_at_files(row: &mut Row, stamps: &Stamps, listener: &mut dyn RunListener) {
    let name = row.candidate.row();
    let Some(load) = &mut row.load else { return };
    load.files_changed = stamps.changed();
    if !load.files_changed.is_empty() {
        listener.remark(&name, &Remark::FilesChanged(&load.files_changed));
    }
}

/// Keeps the most memory that was in use since the row began to load.
pub(super) fn keep_peak(row: &mut Row, engine: &dyn Engine) {
    let readings = row.trials.iter().flat_map(|trial| &trial.readings);
    let seen = readings.filter_map(|reading| reading.gpu.as_ref()?.used_bytes).max();
    let Some(load) = &mut row.load else { return };
    let memory = engine.memory();
    load.pool = memory.pool;
    load.peak_bytes = match memory.pool {
        Some(pool) => Some(load.baseline_bytes.unwrap_or_default() + pool.peak().used_bytes),
        None => memory.peak_resident_bytes.or(seen.max(load.loaded_bytes)),
    };
}
