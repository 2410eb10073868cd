//! `bench check`: whether this is slower than it was.

mod outputs;
mod processes;

use std::path::{Path, PathBuf};

use super::compare::Task;
use super::{Status, baseline, baselines};
use crate::cli::{self, Inconclusive};
use crate::compare::{Asked, Baseline, Digest, Noise, Outcome, check};
use crate::error::Error;
use crate::report::check as report;
use crate::report::table::Layout;
use crate::run::Ended;
use crate::store::Store;
use crate::ui::Printer;

use outputs::Outputs;
use processes::Processes;

pub fn run(args: &cli::Check, printer: &Printer) -> Result<Status, Error> {
    if args.calibrate {
        return calibrate(args, printer);
    }
    let outputs = Outputs::new(&args.format)?;
    let Some((baseline, current)) = sides(args, printer)? else { return Ok(Status::Unanswered) };
    let asked = Asked::new(&args.metric, &args.tolerance, args.ab.is_some()).map_err(Error::Asked)?;
    let check = check(&baseline, &current, &asked).map_err(Error::Asked)?;
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
fn sides(args: &cli::Check, printer: &Printer) -> Result<Option<(Baseline, Digest)>, Error> {
    let results = &args.results.results;
    let database = results.join("bench.db");
    if args.measure || args.ab.is_some() {
        let baseline = match &args.baseline {
            Some(word) => baselines::named(word, results)?,
            None => baselines::only(results)?.1,
        };
        if let Some(other) = &args.ab {
            let processes = Processes::new(&baseline.digest, args.prompts.as_deref(), results)?;
            let Some((before, after)) = processes.alternate(other, args.rounds, printer)? else { return Ok(None) };
            return Ok(Some((Baseline { digest: before, noise: None }, after)));
        }
        let mut task = Task::like(&baseline.digest, args.repeat, args.prompts.as_deref(), &database)?;
        if task.measure(printer)? == Ended::Cancelled {
            return Ok(None);
        }
        return Ok(Some((baseline, Digest::of(&task.run))));
    }
    let run = Store::open_existing(&database)?.load_run(&args.run)?;
    let baseline = match &args.baseline {
        Some(word) => baselines::named(word, results)?,
        None => baselines::of_environment(&run.environment, results)?.1,
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
    let processes = Processes::new(&baseline.digest, args.prompts.as_deref(), results)?;
    let Some(runs) = processes.again(args.rounds, printer)? else { return Ok(Status::Unanswered) };
    let noise = Noise::of(&runs);
    printer.answer(&report::noise::render(&noise, &layout(printer)))?;
    baseline.noise = Some(noise);
    baseline::write(&path, &baseline)?;
    printer.say(&format!("kept in {}", path.display()));
    Ok(Status::Yes)
}

fn layout(printer: &Printer) -> Layout {
    Layout { width: printer.width(), color: printer.color() }
}
