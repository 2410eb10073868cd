//! `bench compare`: the main job.

mod choose;
mod row;

use super::{Status, deliver, on_interrupt, rendered, threads};
use crate::cli;
use crate::engine::candle;
use crate::error::Error;
use crate::recommend::recommend;
use crate::run::clock::wall_time;
use crate::run::{RowOutcome, Run};
use crate::store::{Store, new_run_id};
use crate::summarize::summarize;
use crate::telemetry::Environment;
use crate::ui::{Printer, RunProgress};

use choose::Chosen;
use row::{RowRunner, work};

pub fn run(args: &cli::Compare, printer: &Printer) -> Result<Status, Error> {
    let path = args.results.results.join("bench.db");
    let (mut store, mut run, chosen) = match &args.resume {
        Some(selector) => {
            let store = Store::open_existing(&path)?;
            let run = store.load_run(selector)?;
            let chosen = Chosen::again(&run, args.prompts.as_deref())?;
            (store, run, chosen)
        }
        None => {
            let chosen = Chosen::from_args(args, printer)?;
            let environment =
                Environment::detect(&threads::device_name(&args.device), threads::count(args.device.threads));
            let run = chosen.new_run(new_run_id(wall_time(), rand::random()), wall_time(), environment);
            (Store::open(&path)?, run, chosen)
        }
    };
    threads::use_threads(run.environment.threads);
    let device = candle::device(&run.environment.device)?;
    if args.resume.is_some() {
        choose::same_machine(&run.environment)?;
    } else {
        store.create_run(&run)?;
    }
    printer.say(&opening(&run, &chosen));

    let cancel = on_interrupt();
    let mut progress = RunProgress::new(printer.bars(), run.rows.iter().map(|row| work(row, &chosen.steps)).collect());
    for (index, row) in run.rows.iter_mut().enumerate() {
        progress.at_row(index);
        if matches!(row.outcome, RowOutcome::Ran | RowOutcome::Skipped { .. }) {
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
            printer.say(&format!(
                "stopped; every finished trial is stored. Go on with: bench compare --resume {}",
                run.id
            ));
            return Ok(Status::Interrupted);
        }
    }
    progress.finish();
    let finished = wall_time();
    store.finish_run(&run.id, finished)?;
    run.finished_at = Some(finished);

    deliver(&rendered(&run, args.format, printer)?, args.output.as_deref(), printer)?;
    printer.say(&format!(
        "Results: {} (run {}). Answers and raw timings: bench export {} --format json",
        path.display(),
        run.id,
        run.id
    ));
    Ok(status(&run))
}

/// What is about to be done.
fn opening(run: &Run, chosen: &Chosen) -> String {
    let rows = run.rows.len();
    let suites: Vec<&str> = run.settings.suites.keys().map(String::as_str).collect();
    format!(
        "run {}: {rows} {} on {}, {} trials each of {}",
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
