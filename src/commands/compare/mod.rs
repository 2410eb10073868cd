//! `bench compare`: the main job.

mod agreement;
mod choose;

use std::path::Path;

use candle_core::Device;
use jiff::tz::TimeZone;

use super::card::{occupied, settings};
use super::deliver::{deliver, reserve};
use super::fault::Noted;
use super::interrupt::on_interrupt;
use super::status::{Status, qualifies};
use super::{baselines, judge, metrics, threads};
use crate::acquire::known_config;
use crate::answer::Answer;
use crate::catalog::Requirements;
use crate::cli;
use crate::clock::{SystemClock, wall_time};
use crate::compare::Digest;
use crate::engine::candle;
use crate::error::Error;
use crate::plan::PlannedTrial;
use crate::record::{FailureKind, Row, RowOutcome, Run, Settings, Trial};
use crate::run::{Conditions, Ended, Instruments, Keep, RunListener, run_candidate, run_variants};
use crate::spec::{DecoderSpec, Inventory};
use crate::store::{self, Fallen, Mark, Store, new_run_id};
use crate::summarize::suffices;
use crate::telemetry::{self, Host, environment, nvml};
use crate::text::Rendering;
use crate::ui::{Printer, RowWork, RunProgress};

use agreement::compare_predictions;
use choose::Chosen;

pub(super) fn run(args: &cli::Compare, printer: &Printer) -> Result<Status, Error> {
    // First: what is refused leaves nothing behind.
    let more = metrics::of_trials(&args.columns.columns)?;
    reserve(args.output.as_deref())?;
    let path = store::database(&args.results.results);
    let mut task = match (&args.resume, &args.like) {
        (Some(selector), _) => Task::again(selector, &path, &args.prompts)?,
        (None, Some(word)) => {
            let digest = baselines::named(word, &args.results.results)?.digest;
            Task::like(&digest, args.repeat, &args.prompts, &path)?
        }
        (None, None) => Task::new(&path, args, printer)?,
    };
    if task.measure(printer)? == Ended::Cancelled {
        printer.warn(&task.stopped(&args.results.results, &args.prompts));
        return Ok(Status::Unanswered);
    }

    judge::keep(&mut task.store, &task.run)?;
    let run = &task.run;
    let answer = Answer::of(run);
    deliver(&answer, args.format, &more, false, args.output.as_deref(), printer)?;
    printer.say(&format!(
        "Results: {} (run {}). Answers and raw timings: bench export {}{} --format json",
        path.display(),
        run.id,
        run.id,
        results_option(&args.results.results)
    ));
    Ok(status(&answer))
}

/// A run to be made, or to be gone on with, and everything that it needs.
pub(super) struct Task {
    pub run: Run,
    store: Store,
    chosen: Chosen,
    device: Device,
    instruments: Instruments<SystemClock>,
    /// What is to be known of the GPU before; nothing on a CPU.
    card: Card,
}

impl Task {
    /// What the command line asks for, as a new run.
    fn new(path: &Path, args: &cli::Compare, printer: &Printer) -> Result<Self, Error> {
        let chosen = Chosen::from_args(args, printer)?;
        let (device, threads) = (threads::device_name(&args.device), threads::count(args.device.threads, printer));
        Self::of(chosen, &device, threads, path)
    }

    /// What an earlier run did, as a new run on as many threads of the same device; with `repeat`, exactly so many rounds.
    ///
    /// # Errors
    /// Prompts that are not the same any more, no such device, or a store that cannot be written.
    pub(super) fn like(
        digest: &Digest,
        repeat: Option<u32>,
        prompts: &cli::Prompts,
        path: &Path,
    ) -> Result<Self, Error> {
        let candidates = digest.rows.iter().map(|row| row.candidate.clone()).collect();
        let mut settings = digest.settings.clone();
        if repeat.is_some() {
            settings = Settings { repeat, precision: None, min_seconds: None, max_repeat: None, ..settings };
        }
        let chosen = Chosen::again(&digest.run, candidates, settings, Requirements::default(), prompts)?;
        Self::of(chosen, &digest.environment.device, digest.environment.threads, path)
    }

    fn of(chosen: Chosen, device: &str, threads: usize, path: &Path) -> Result<Self, Error> {
        let environment = environment::detect(device, threads);
        threads::use_threads(environment.threads);
        let (instruments, card) = look_around(&environment.device);
        let device = candle::device(&environment.device)?;
        let run = chosen.new_run(new_run_id(wall_time(), rand::random()), wall_time(), environment);
        // Last: what is refused leaves nothing behind.
        let mut store = Store::open(path)?;
        store.create_run(&run)?;
        Ok(Self { run, store, chosen, device, instruments, card })
    }

    /// The rest of a stored run.
    fn again(selector: &str, path: &Path, prompts: &cli::Prompts) -> Result<Self, Error> {
        let store = Store::open_existing(path)?;
        let run = store.load_run(selector)?;
        let candidates = run.rows.iter().map(|row| row.candidate.clone()).collect();
        let chosen = Chosen::again(&run.id, candidates, run.settings.clone(), run.requirements.clone(), prompts)?;
        choose::same_environment(&run.environment)?;
        threads::use_threads(run.environment.threads);
        let (instruments, card) = look_around(&run.environment.device);
        let device = candle::device(&run.environment.device)?;
        Ok(Self { run, store, chosen, device, instruments, card })
    }

    /// That the user stopped it, and the command that goes on with it.
    pub(super) fn stopped(&self, results: &Path, prompts: &cli::Prompts) -> String {
        let folder = prompts.prompts.iter().map(|folder| format!(" --prompts {}", quoted(folder)));
        let files = prompts.quality.iter().map(|file| format!(" --quality {}", quoted(file)));
        let places = results_option(results) + &folder.chain(files).collect::<String>();
        format!("stopped; every finished trial is stored. Go on with: bench compare --resume {}{places}", self.run.id)
    }

    /// Runs what is left of it, storing each trial.
    ///
    /// # Errors
    /// A store that cannot be written any more. What fails of a candidate is its outcome.
    pub(super) fn measure(&mut self, printer: &Printer) -> Result<Ended, Error> {
        let Self { run, store, chosen, device, instruments, card } = self;
        let left = run.finished_at.is_none() || run.rows.iter().any(|row| !is_through(row));
        printer.say(&opening(run, chosen));
        card.settings.iter().for_each(|settings| printer.say(settings));
        card.in_the_way.take().iter().for_each(|what| printer.warn(what));
        let cancel = on_interrupt();
        let least = chosen.schedule.least();
        let work = |row| if is_through(row) { RowWork::of(0, &[]) } else { work(row, &least) };
        let works = run.rows.iter().map(work).collect();
        let mut progress = RunProgress::new(printer, works);
        // Before the day was kept it was that of the run.
        let today = run.settings.today.unwrap_or_else(|| run.started_at.to_zoned_datetime(TimeZone::UTC).date());
        let rendering = Rendering::apart(today);
        let conditions = Conditions {
            device,
            device_name: &run.environment.device,
            schedule: &chosen.schedule,
            suffice: &|phase, trials| suffices(phase, trials, &run.settings),
            instruments,
            rendering: &rendering,
            cancel: &cancel,
        };
        let mut keep = Keep {
            row: &mut |row: &Row| store.update_row(&run.id, row),
            trial: &mut |trial: &Trial| store.add_trial(&run.id, trial),
        };
        let fallen = Fallen::take(store.path(), &run.id);
        let mut ended = Ended::Finished;
        for (first, rows) in groups(&mut run.rows) {
            progress.at_row(first);
            // Variants are not through before their predictions were compared.
            let is_left = |row: &Row| !is_through(row) || (rows.len() > 1 && left);
            let Some(name) = rows.iter().find(|row| is_left(row)).map(|row| row.candidate.row()) else { continue };
            let trials = rows.iter().map(|row| row.trials.len()).sum();
            if let Some(message) = fault(fallen.as_ref(), &name, trials) {
                printer.warn(&format!("{name}: {message}"));
                for row in rows.iter_mut().filter(|row| !is_through(row)) {
                    row.outcome = RowOutcome::Failed { kind: FailureKind::Engine, message: message.clone() };
                    (keep.row)(row)?;
                    progress.candidate_ended(row);
                }
                continue;
            }
            let mark = Mark::set(store.path(), &run.id, &name, trials, fallen.as_ref());
            let mark = mark.map_err(|source| Error::Write { path: store.path().into(), source })?;
            let _noted = Noted::within(mark.file());
            ended = match rows {
                [row] => run_candidate(row, &conditions, &mut progress, &mut keep)?,
                variants => {
                    let (ended, mut engines) = run_variants(variants, &conditions, &mut progress, &mut keep)?;
                    match ended {
                        Ended::Cancelled => ended,
                        Ended::Finished => {
                            let ended = compare_predictions(variants, &mut engines, &run.prompts, &cancel);
                            variants.iter().try_for_each(|row| (keep.row)(row))?;
                            ended
                        }
                    }
                }
            };
            if ended == Ended::Cancelled {
                break;
            }
        }
        progress.finish();
        if ended == Ended::Cancelled {
            return Ok(ended);
        }
        if left {
            let finished = wall_time();
            store.finish_run(&run.id, finished)?;
            run.finished_at = Some(finished);
        }
        Ok(Ended::Finished)
    }
}

/// The rows that run together, with the place of the first: all of a run of variants, else each by itself.
fn groups(rows: &mut [Row]) -> impl Iterator<Item = (usize, &mut [Row])> {
    let variants = rows.iter().all(|row| row.candidate.variant.is_some());
    let size = if variants { rows.len().max(1) } else { 1 };
    rows.chunks_mut(size).enumerate().map(move |(group, rows)| (group * size, rows))
}

/// A GPU as it is before a run, in words.
#[derive(Default)]
struct Card {
    settings: Option<String>,
    /// What of it is in the way of measuring on it.
    in_the_way: Option<String>,
}

/// What trials on a device are measured with, and what it is like. To be called before anything computes on it: who is there
/// already is another.
fn look_around(device: &str) -> (Instruments<SystemClock>, Card) {
    let instruments = Instruments { clock: SystemClock::new(), host: Host::this(), gpu: telemetry::probe(device) };
    if instruments.gpu.is_none() {
        return (instruments, Card::default());
    }
    let card = match nvml::of_device(device) {
        Ok(gpu) => Card {
            settings: Some(format!("{device}: {}", settings(&gpu))),
            in_the_way: occupied(&gpu)
                .map(|occupied| format!("{device}: {occupied}; trials beside another process are marked as shared")),
        },
        Err(reason) => Card { settings: None, in_the_way: Some(format!("nothing is measured of {device}: {reason}")) },
    };
    (instruments, card)
}

/// Why a row is not begun again in this process: the last one ended in it.
fn fault(fallen: Option<&Fallen>, row: &str, trials: usize) -> Option<String> {
    fallen.filter(|fallen| fallen.row == row)?.fault(trials)
}

/// Whether nothing is left to be done for a row. A failed one is tried again.
fn is_through(row: &Row) -> bool {
    matches!(row.outcome, RowOutcome::Ran | RowOutcome::Skipped { .. })
}

/// The option by which a later command finds the same results.
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
    let schedule = &chosen.schedule;
    format!(
        "run {}: {rows} {} on {}, {}{} trials each ({})",
        run.id,
        if rows == 1 { "candidate" } else { "candidates" },
        run.environment.device_name,
        if schedule.is_open() { "at least " } else { "" },
        schedule.least().len(),
        suites.join(", ")
    )
}

fn status(answer: &Answer) -> Status {
    let failed = answer.run.rows.iter().any(|row| matches!(row.outcome, RowOutcome::Failed { .. }));
    if failed || !qualifies(&answer.recommendation) { Status::No } else { Status::Yes }
}

/// What a row is expected to cost, for the time left; of a model whose shape is not known yet, as much as one of 7B.
fn work(row: &Row, steps: &[PlannedTrial]) -> RowWork {
    match known_config(&row.candidate.source).map(|config| DecoderSpec::from_config(&config)) {
        Some(Ok(spec)) => RowWork::of(Inventory::of(&spec).parameters(), steps),
        // It will be skipped.
        Some(Err(_)) => RowWork::of(0, steps),
        None => RowWork::of(7_000_000_000, steps),
    }
}
