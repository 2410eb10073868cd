//! `bench check`: whether this is slower than it was.

mod outputs;
mod processes;

use std::path::{Path, PathBuf};

use super::compare::Task;
use super::deliver::terminal;
use super::status::Status;
use super::{baseline, baselines};
use crate::cli::{self, Inconclusive};
use crate::compare::{Asked, Baseline, Digest, Noise, Outcome, RowDigest, check};
use crate::error::Error;
use crate::report::{Renderer, check as report};
use crate::run::Ended;
use crate::store::{self, Store};
use crate::telemetry::environment;
use crate::ui::Printer;

use outputs::Outputs;
use processes::Processes;

pub(super) fn run(args: &cli::Check, printer: &Printer) -> Result<Status, Error> {
    if args.calibrate {
        return calibrate(args, printer);
    }
    // First: what is refused has measured nothing.
    let outputs = Outputs::new(&args.format)?;
    let asked = Asked::new(&args.metric, &args.tolerance, args.ab.is_some()).map_err(Error::Asked)?;
    let here = environment::detect("cpu", 1);
    let asked = asked.allowing(&args.allow_environment, &here).map_err(Error::Asked)?;
    let Some((baseline, current)) = sides(args, &asked, printer)? else { return Ok(Status::Unanswered) };
    let check = check(&baseline, &current, &asked);
    outputs.deliver(&check, printer)?;
    if current.rows.iter().any(RowDigest::is_doubtful) {
        useless_as_a_gate(args, printer)?;
    }
    Ok(match check.outcome() {
        Outcome::Passed => Status::Yes,
        Outcome::Regressed => Status::No,
        Outcome::Incomparable => Status::Unanswered,
        Outcome::Inconclusive => match args.inconclusive {
            None => Status::Inconclusive,
            Some(Inconclusive::Pass) if check.is_far_worse() => {
                printer
                    .warn("--inconclusive pass does not pass a figure that is far worse: run again on a quiet machine");
                Status::Inconclusive
            }
            Some(Inconclusive::Pass) => Status::Yes,
            Some(Inconclusive::Fail) => Status::No,
        },
    })
}

/// So many runs in a row that were all disturbed show that a machine is never quiet.
const DISTURBED_IN_A_ROW: usize = 5;

/// Says of a machine that is never quiet that its checks decide nothing.
fn useless_as_a_gate(args: &cli::Check, printer: &Printer) -> Result<(), Error> {
    let Ok(store) = Store::open_to_read(store::database(&args.results.results)) else { return Ok(()) };
    let heads = store.list_runs()?;
    let last = heads.iter().rev().take(DISTURBED_IN_A_ROW);
    let mut disturbed = 0;
    for head in last {
        let digest = Digest::of(&store.load_run(&head.id)?);
        if !digest.rows.iter().any(RowDigest::is_doubtful) {
            return Ok(());
        }
        disturbed += 1;
    }
    if disturbed == DISTURBED_IN_A_ROW {
        printer.warn(&format!(
            "the last {disturbed} runs on this machine were all disturbed by other programs: it is of no use as a gate \
             until it is quiet"
        ));
    }
    Ok(())
}

/// What is judged, and what it is judged against; `None` if the user stopped it.
fn sides(args: &cli::Check, asked: &Asked, printer: &Printer) -> Result<Option<(Baseline, Digest)>, Error> {
    let results = &args.results.results;
    let database = store::database(results);
    let stored = if args.measure || args.ab.is_some() {
        None
    } else {
        Some(Store::open_to_read(&database)?.load_run(&args.run)?)
    };
    let baseline = match (&args.baseline, &stored) {
        (Some(word), _) => baselines::named(word, results)?,
        (None, Some(run)) => baselines::of_environment(&run.environment, results, &asked.allowed)?.1,
        (None, None) => match (baselines::only(results, &asked.allowed), &args.ab) {
            (Ok((_, baseline)), _) => baseline,
            // It only says what to run, and that the latest run says too.
            (Err(_), Some(_)) => baselines::named(&args.run, results)?,
            (Err(error), None) => return Err(error),
        },
    };
    if let Some(other) = &args.ab {
        let processes = Processes::new(&baseline.digest, &args.prompts, results)?;
        let sides = processes.alternate(other, args.rounds, printer)?;
        return Ok(sides.map(|(before, after)| (Baseline { digest: before, noise: None }, after)));
    }
    if let Some(noise) = &baseline.noise {
        asked.against(noise).map_err(Error::Asked)?;
    }
    let run = match stored {
        Some(run) => run,
        None => {
            let mut task = Task::like(&baseline.digest, args.repeat, &args.prompts, &database)?;
            if task.measure(printer)? == Ended::Cancelled {
                let stopped = task.stopped(results, &args.prompts);
                printer.warn(&format!("{stopped}\nthen check with --run {} in place of --measure", task.run.id));
                return Ok(None);
            }
            task.run
        }
    };
    Ok(Some((baseline, Digest::of(&run))))
}

/// Measures how far the machine's own runs lie apart, and keeps that in the baseline's file.
fn calibrate(args: &cli::Check, printer: &Printer) -> Result<Status, Error> {
    let results = &args.results.results;
    let (path, mut baseline) = match &args.baseline {
        Some(file) if Path::new(file).is_file() => (PathBuf::from(file), baselines::read(Path::new(file))?),
        Some(word) => {
            let hint = "make a file of the run first: bench baseline save --run RUN".to_owned();
            return Err(Error::usage(format!("`{word}` is no baseline's file to keep the noise in"), hint));
        }
        None => baselines::only(results, &[])?,
    };
    let processes = Processes::new(&baseline.digest, &args.prompts, results)?;
    let Some(runs) = processes.again(args.rounds, printer)? else { return Ok(Status::Unanswered) };
    refuse_disturbed(&runs)?;
    let noise = Noise::of(&runs);
    printer.answer(&terminal(printer).render(&report::noise::page(&noise)))?;
    baseline.noise = Some(noise);
    baseline::write(&path, &baseline)?;
    printer.say(&format!("kept in {}", path.display()));
    Ok(Status::Yes)
}

/// Refuses to take for the machine's noise what other programs did.
fn refuse_disturbed(runs: &[Digest]) -> Result<(), Error> {
    let disturbed: Vec<&RowDigest> = runs.iter().flat_map(|run| &run.rows).filter(|row| row.disturbed > 0).collect();
    if disturbed.is_empty() {
        return Ok(());
    }
    let trials: usize = disturbed.iter().map(|row| row.disturbed).sum();
    let of: usize = runs.iter().flat_map(|run| &run.rows).map(RowDigest::trials).sum();
    let on_gpu: usize = disturbed.iter().map(|row| row.gpu_disturbed).sum();
    let mut by: Vec<String> = disturbed.iter().flat_map(|row| row.disturbed_by.clone()).collect();
    by.sort();
    by.dedup();
    let cause = report::disturbance(trials, on_gpu, &by);
    let message =
        format!("{cause} during {trials} of {of} trials, so what these runs differ by is not this machine's noise");
    Err(Error::usage(message, "calibrate again when the machine is quiet: the baseline's file is as it was".to_owned()))
}
