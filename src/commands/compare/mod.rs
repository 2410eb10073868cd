//! `bench compare`: the main job.

mod choose;
mod row;

use std::path::Path;

use candle_core::Device;

use super::{Status, deliver, on_interrupt, reserve, threads};
use crate::cli;
use crate::engine::candle;
use crate::error::Error;
use crate::recommend::recommend;
use crate::run::clock::wall_time;
use crate::run::{Row, RowOutcome, Run};
use crate::store::{Store, new_run_id};
use crate::summarize::summarize;
use crate::telemetry::Environment;
use crate::ui::{Printer, RunProgress};

use choose::Chosen;
use row::{RowRunner, work};

pub fn run(args: &cli::Compare, printer: &Printer) -> Result<Status, Error> {
    let path = args.results.results.join("bench.db");
    let Task { store, mut run, chosen, device } = match &args.resume {
        Some(selector) => Task::again(selector, &path, args)?,
        None => Task::new(&path, args, printer)?,
    };
    let left = run.finished_at.is_none() || run.rows.iter().any(|row| !is_through(row));
    printer.say(&opening(&run, &chosen));

    let cancel = on_interrupt();
    let mut progress = RunProgress::new(printer.bars(), run.rows.iter().map(|row| work(row, &chosen.steps)).collect());
    for (index, row) in run.rows.iter_mut().enumerate() {
        progress.at_row(index);
        if is_through(row) {
            continue;
        }
        let mut runner = RowRunner {
            run_id: &run.id,
            store: &store,
            device: &device,
            device_name: &run.environment.device,
            steps: &chosen.steps,
            progress: &mut progress,
            printer,
            cancel: &cancel,
        };
        if !runner.run(row)? {
            progress.finish();
            let command = format!("bench compare --resume {}{}", run.id, places(args));
            printer.warn(&format!("stopped; every finished trial is stored. Go on with: {command}"));
            return Ok(Status::Unanswered);
        }
    }
    progress.finish();
    if left {
        let finished = wall_time();
        store.finish_run(&run.id, finished)?;
        run.finished_at = Some(finished);
    }

    deliver(&run, args.format, args.output.as_deref(), printer)?;
    printer.say(&format!(
        "Results: {} (run {}). Answers and raw timings: bench export {}{} --format json",
        path.display(),
        run.id,
        run.id,
        results_option(&args.results.results)
    ));
    Ok(status(&run))
}

/// Everything that a run needs.
struct Task {
    store: Store,
    run: Run,
    chosen: Chosen,
    device: Device,
}

impl Task {
    /// What the command line asks for, as a new run.
    fn new(path: &Path, args: &cli::Compare, printer: &Printer) -> Result<Self, Error> {
        let chosen = Chosen::from_args(args, printer)?;
        let environment = Environment::detect(&threads::device_name(&args.device), threads::count(args.device.threads));
        threads::use_threads(environment.threads);
        let device = candle::device(&environment.device)?;
        reserve(args.output.as_deref())?;
        let run = chosen.new_run(new_run_id(wall_time(), rand::random()), wall_time(), environment);
        // Last: what is refused leaves nothing behind.
        let mut store = Store::open(path)?;
        store.create_run(&run)?;
        Ok(Self { store, run, chosen, device })
    }

    /// The rest of a stored run.
    fn again(selector: &str, path: &Path, args: &cli::Compare) -> Result<Self, Error> {
        let store = Store::open_existing(path)?;
        let run = store.load_run(selector)?;
        let chosen = Chosen::again(&run, args.prompts.as_deref())?;
        choose::same_environment(&run.environment)?;
        threads::use_threads(run.environment.threads);
        let device = candle::device(&run.environment.device)?;
        reserve(args.output.as_deref())?;
        Ok(Self { store, run, chosen, device })
    }
}

/// Whether nothing is left to be done for a row. A failed one is tried again.
fn is_through(row: &Row) -> bool {
    matches!(row.outcome, RowOutcome::Ran | RowOutcome::Skipped { .. })
}

/// The options by which a later command finds the same results and prompts.
fn places(args: &cli::Compare) -> String {
    let prompts = args.prompts.as_deref().map(|folder| format!(" --prompts {}", quoted(folder)));
    results_option(&args.results.results) + &prompts.unwrap_or_default()
}

fn results_option(folder: &Path) -> String {
    if folder == Path::new("results") { String::new() } else { format!(" --results {}", quoted(folder)) }
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain = |c: char| c.is_alphanumeric() || "/._-".contains(c);
    if text.chars().all(plain) { text.into_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// What is about to be done.
fn opening(run: &Run, chosen: &Chosen) -> String {
    let rows = run.rows.len();
    let suites: Vec<&str> = run.settings.suites.keys().map(String::as_str).collect();
    format!(
        "run {}: {rows} {} on {}, {} trials each ({})",
        run.id,
        if rows == 1 { "candidate" } else { "candidates" },
        run.environment.device_name,
        chosen.steps.len(),
        suites.join(", ")
    )
}

fn status(run: &Run) -> Status {
    let failed = run.rows.iter().any(|row| matches!(row.outcome, RowOutcome::Failed { .. }));
    let qualified = recommend(run, &summarize(run)).pick().is_some();
    if failed || !qualified { Status::No } else { Status::Yes }
}
