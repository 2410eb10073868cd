//! Variants of one candidate: their trials run in turn, so that what drifts meanwhile touches all of them alike.
//!
//! Where memory suffices for all, each prompt goes through all of them before the next does. Else one at a time is loaded,
//! for a round of a suite. Who was first in one turn is last in the next (A B B A), so that no place in the order is
//! always the same one's.

use super::candidate::{Conditions, Keep, Ready, keep_peak, look_at_files, not_run, ready};
use super::execute::{Ended, run_trial, step};
use super::listener::RunListener;
use crate::clock::Clock;
use crate::engine::{Engine, EngineError, PrepareError};
use crate::plan::{PlannedTrial, Position, Schedule};
use crate::record::{LoadFacts, Row, RowOutcome};

/// The variants' engines after their last trial, in the order of the rows: where all were in memory at once.
pub type Engines = Vec<Option<Box<dyn Engine>>>;

/// Runs what is left of the trials of a candidate's variants. What fails of one of them is its outcome.
///
/// # Errors
/// Only what `keep` gives.
pub fn run_variants<C: Clock + Clone + Send + 'static, E>(
    rows: &mut [Row],
    conditions: &Conditions<C>,
    listener: &mut dyn RunListener,
    keep: &mut Keep<E>,
) -> Result<(Ended, Engines), E> {
    match all_ready(rows, conditions, listener, keep)? {
        Loaded::Cancelled => Ok((Ended::Cancelled, Vec::new())),
        Loaded::Together(ready) => prompt_by_prompt(rows, ready, conditions, listener, keep),
        Loaded::OneAtMost => round_by_round(rows, conditions, listener, keep).map(|ended| (ended, Vec::new())),
    }
}

/// Whether all variants can be in memory at once.
enum Loaded {
    /// Nothing of one that cannot run at all.
    Together(Vec<Option<Ready>>),
    OneAtMost,
    Cancelled,
}

fn all_ready<C, E>(
    rows: &mut [Row],
    conditions: &Conditions<C>,
    listener: &mut dyn RunListener,
    keep: &mut Keep<E>,
) -> Result<Loaded, E> {
    let mut all: Vec<Option<Ready>> = Vec::new();
    let (mut available, mut needed) = (None, 0_u64);
    for (index, row) in rows.iter_mut().enumerate() {
        listener.at_row(index);
        let is_first = all.iter().flatten().next().is_none();
        match ready(row, conditions, listener) {
            Err(PrepareError::Cancelled) => return Ok(Loaded::Cancelled),
            Err(PrepareError::DoesNotFit(_) | PrepareError::Engine(EngineError::OutOfMemory(_))) if !is_first => {
                return Ok(Loaded::OneAtMost);
            }
            Err(error) => {
                not_run(row, &error, listener);
                (keep.row)(row)?;
                all.push(None);
                continue;
            }
            Ok(ready) => all.push(Some(ready)),
        }
        if let Some(fit) = &row.fit {
            // Weights that lie in a mapped file count as free memory once they are loaded, so it is asked only once.
            needed = needed.saturating_add(fit.total_bytes());
            if needed > *available.get_or_insert(fit.available_bytes) {
                return Ok(Loaded::OneAtMost);
            }
        }
    }
    let together = all.iter().flatten().count() > 1;
    for (row, _) in rows.iter_mut().zip(&all).filter(|(_, ready)| ready.is_some()) {
        if let Some(load) = &mut row.load {
            *load = LoadFacts { together, peak_bytes: None, pool: None, ..load.clone() };
        }
        // Stored before the first trial is, so that no trial is ever without the commit that it ran on.
        (keep.row)(row)?;
    }
    Ok(Loaded::Together(all))
}

/// The next trial of a row, and where it stands.
fn next<C>(row: &Row, schedule: &Schedule, conditions: &Conditions<C>) -> Option<(Position, PlannedTrial)> {
    let planned = schedule.next(&row.trials, conditions.suffice)?;
    Some((conditions.schedule.position(&planned), planned))
}

fn prompt_by_prompt<C: Clock + Clone + Send + 'static, E>(
    rows: &mut [Row],
    mut all: Vec<Option<Ready>>,
    conditions: &Conditions<C>,
    listener: &mut dyn RunListener,
    keep: &mut Keep<E>,
) -> Result<(Ended, Engines), E> {
    loop {
        let steps = rows.iter().zip(&all).enumerate().filter_map(|(index, (row, ready))| {
            let (position, planned) = next(row, &ready.as_ref()?.schedule, conditions)?;
            let place = if position.is_odd() { rows.len() - index } else { index };
            Some((position, place, index, planned))
        });
        // What stands first in the plan: nobody goes on while another has not come so far.
        let Some((_, _, index, planned)) = steps.min_by_key(|(position, place, ..)| (*position, *place)) else { break };
        let Some(Ready { engine, .. }) = &mut all[index] else { break };
        listener.at_row(index);
        let Conditions { instruments, cancel, .. } = conditions;
        let ended = step(engine.as_mut(), &mut rows[index], &planned, instruments, cancel, listener, keep.trial)?;
        if ended == Ended::Cancelled {
            return Ok((Ended::Cancelled, Vec::new()));
        }
    }
    for (index, (row, ready)) in rows.iter_mut().zip(&all).enumerate() {
        let Some(Ready { engine, stamps, .. }) = ready else { continue };
        listener.at_row(index);
        look_at_files(row, stamps, listener);
        if row.load.as_ref().is_some_and(|load| !load.together) {
            keep_peak(row, engine.as_ref());
        }
        row.outcome = RowOutcome::Ran;
        (keep.row)(row)?;
        listener.candidate_ended(row);
    }
    Ok((Ended::Finished, all.into_iter().map(|ready| Some(ready?.engine)).collect()))
}

fn round_by_round<C: Clock + Clone + Send + 'static, E>(
    rows: &mut [Row],
    conditions: &Conditions<C>,
    listener: &mut dyn RunListener,
    keep: &mut Keep<E>,
) -> Result<Ended, E> {
    // Known once a row was loaded: one without a tokenizer has no texts.
    let mut schedules = vec![Some(conditions.schedule.clone()); rows.len()];
    let mut turn = 0;
    loop {
        let round_of = |row: &Row, schedule: &Option<Schedule>| {
            next(row, schedule.as_ref()?, conditions).map(|(position, _)| position.round())
        };
        let Some(round) = rows.iter().zip(&schedules).filter_map(|(row, schedule)| round_of(row, schedule)).min()
        else {
            break;
        };
        let mut order: Vec<usize> = (0..rows.len()).collect();
        if !usize::is_multiple_of(turn, 2) {
            order.reverse();
        }
        turn += 1;
        for index in order {
            let row = &mut rows[index];
            if round_of(row, &schedules[index]) != Some(round) {
                continue;
            }
            listener.at_row(index);
            let before = row.load.take();
            let made = ready(row, conditions, listener);
            let Ready { mut engine, schedule, stamps } = match made {
                Err(PrepareError::Cancelled) => return Ok(Ended::Cancelled),
                Err(error) => {
                    row.load = row.load.take().or(before);
                    not_run(row, &error, listener);
                    (keep.row)(row)?;
                    listener.candidate_ended(row);
                    schedules[index] = None;
                    continue;
                }
                Ok(ready) => ready,
            };
            (keep.row)(row)?;
            let Conditions { instruments, cancel, .. } = conditions;
            let mut is_cold = true;
            while let Some((position, planned)) = next(row, &schedule, conditions) {
                if position.round() != round {
                    break;
                }
                // Loaded anew, it warms up again; nobody keeps that.
                if is_cold && !planned.warmup {
                    let name = row.candidate.row();
                    if run_trial(engine.as_mut(), &name, &planned, instruments, cancel, listener).is_none() {
                        return Ok(Ended::Cancelled);
                    }
                }
                is_cold = false;
                let ended = step(engine.as_mut(), row, &planned, instruments, cancel, listener, keep.trial)?;
                if ended == Ended::Cancelled {
                    return Ok(ended);
                }
            }
            keep_peak(row, engine.as_ref());
            look_at_files(row, &stamps, listener);
            drop(engine);
            // Of several loads, the one that took most.
            row.load = [before, row.load.take()].into_iter().flatten().max_by_key(taken);
            if next(row, &schedule, conditions).is_none() {
                row.outcome = RowOutcome::Ran;
                listener.candidate_ended(row);
            }
            (keep.row)(row)?;
            schedules[index] = Some(schedule);
        }
    }
    Ok(Ended::Finished)
}

/// The most memory that a load took, above what was in use before.
fn taken(load: &LoadFacts) -> Option<u64> {
    load.peak_bytes?.checked_sub(load.baseline_bytes.unwrap_or_default())
}
