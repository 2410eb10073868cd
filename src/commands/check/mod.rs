//! `bench check`: whether this is slower than it was.

mod processes;

use std::path::{Path, PathBuf};

use super::compare::Task;
use super::{Status, baseline, baselines};
use crate::cli::{self, CheckFormat, CheckOutput, Inconclusive};
use crate::compare::{Asked, Baseline, Check, Digest, Noise, Outcome, check};
use crate::error::Error;
use crate::report::check as report;
use crate::report::table::Layout;
use crate::run::Ended;
use crate::store::Store;
use crate::ui::Printer;

use processes::Processes;

pub fn run(args: &cli::Check, printer: &Printer) -> Result<Status, Error> {
    if args.calibrate {
        return calibrate(args, printer);
    }
    let Some((baseline, current)) = sides(args, printer)? else { return Ok(Status::Unanswered) };
    let asked = Asked::new(&args.metric, &args.tolerance, args.ab.is_some()).map_err(Error::Asked)?;
    let check = check(&baseline, &current, &asked).map_err(Error::Asked)?;
    deliver(&check, &args.format, printer)?;
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

/// Writes the check in each format that was asked for; as a table if none was.
fn deliver(check: &Check, outputs: &[CheckOutput], printer: &Printer) -> Result<(), Error> {
    let table = [CheckOutput { format: CheckFormat::Table, file: None }];
    for output in if outputs.is_empty() { &table } else { outputs } {
        // What fits the terminal, and its colours, mean nothing in a file.
        let layout = if output.file.is_some() { Layout { width: None, color: false } } else { layout(printer) };
        let text = match output.format {
            CheckFormat::Table => report::table::render(check, &layout),
            CheckFormat::Json => report::json::render(check)?,
        };
        match &output.file {
            None => printer.answer(&text)?,
            Some(path) => std::fs::write(path, text).map_err(|source| Error::Write { path: path.clone(), source })?,
        }
    }
    Ok(())
}

fn layout(printer: &Printer) -> Layout {
    Layout { width: printer.width(), color: printer.color() }
}
