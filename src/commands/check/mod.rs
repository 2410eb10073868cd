//! `bench check`: whether this is slower than it was.

mod outputs;
mod processes;

use std::path::{Path, PathBuf};

use super::compare::Task;
use super::deliver::terminal;
use super::status::Status;
use super::{baseline, baselines};
use crate::cli::{self, Inconclusive};
use crate::compare::{Asked, Baseline, Digest, Noise, Outcome, check};
use crate::error::Error;
use crate::report::{Renderer, check as report};
use crate::run::Ended;
use crate::store::{self, Store};
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
    let Some((baseline, current)) = sides(args, &asked, printer)? else { return Ok(Status::Unanswered) };
    let check = check(&baseline, &current, &asked);
    outputs.deliver(&check, printer)?;
    Ok(match check.outcome() {
        Outcome::Passed => Status::Yes,
        Outcome::Regressed => Status::No,
        Outcome::Incomparable => Status::Unanswered,
        Outcome::Inconclusive => match args.inconclusive {
            None => Status::Inconclusive,
            Some(Inconclusive::Pass) => Status::Yes,
            Some(Inconclusive::Fail) => Status::No,
        },
    })
}

/// What is judged, and what it is judged against; `None` if the user stopped it.
fn sides(args: &cli::Check, asked: &Asked, printer: &Printer) -> Result<Option<(Baseline, Digest)>, Error> {
    let results = &args.results.results;
    let database = store::database(results);
    let stored = if args.measure || args.ab.is_some() {
        None
    } else {
        Some(Store::open_existing(&database)?.load_run(&args.run)?)
    };
    let baseline = match (&args.baseline, &stored) {
        (Some(word), _) => baselines::named(word, results)?,
        (None, Some(run)) => baselines::of_environment(&run.environment, results)?.1,
        (None, None) => baselines::only(results)?.1,
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
        None => baselines::only(results)?,
    };
    let processes = Processes::new(&baseline.digest, &args.prompts, results)?;
    let Some(runs) = processes.again(args.rounds, printer)? else { return Ok(Status::Unanswered) };
    let noise = Noise::of(&runs);
    printer.answer(&terminal(printer).render(&report::noise::page(&noise)))?;
    baseline.noise = Some(noise);
    baseline::write(&path, &baseline)?;
    printer.say(&format!("kept in {}", path.display()));
    Ok(Status::Yes)
}
