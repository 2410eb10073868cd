//! One candidate's part of a comparison: from its checkpoint to its last trial.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};

use candle_core::Device;

use crate::acquire::{self, AcquireError, Preview};
use crate::causes::chain;
use crate::clock::{Clock, SystemClock};
use crate::commands::checkpoint::distrusted;
use crate::engine::candle::CandleEngine;
use crate::engine::candle::memory::{self, GpuMemory};
use crate::engine::{Engine, EngineError};
use crate::error::Error;
use crate::plan::{Layout, PlannedTrial, Schedule, Shape, cache_number_bytes, estimate};
use crate::record::{CheckpointFacts, FailureKind, LoadFacts, Row, RowOutcome, Settings, Trial, TrialKey};
use crate::run::{Ended, Instruments, LoadTimes, RunListener, execute};
use crate::spec::{DecoderSpec, Inventory, SpecError, shipped_shape};
use crate::store::Store;
use crate::summarize::suffices;
use crate::telemetry::host;
use crate::ui::{DownloadProgress, Printer, RowWork, RunProgress};
use crate::units::Bytes;

/// What all rows of a run share.
pub struct RowRunner<'a> {
    pub run_id: &'a str,
    pub store: &'a Store,
    pub device: &'a Device,
    pub device_name: &'a str,
    pub schedule: &'a Schedule,
    pub settings: &'a Settings,
    pub progress: &'a mut RunProgress,
    pub printer: &'a Printer,
    pub cancel: &'a AtomicBool,
    pub instruments: Instruments<SystemClock>,
}

/// A row's end that is not an error of the program's.
enum Stop {
    Cancelled,
    /// The row is through: skipped, or failed with what the user can do about it.
    Outcome(RowOutcome, Option<String>),
}

impl From<AcquireError> for Stop {
    fn from(error: AcquireError) -> Self {
        let outcome = match &error {
            AcquireError::Spec {
                source: SpecError::UnsupportedArchitecture(_) | SpecError::UnsupportedKey { .. },
                ..
            } => RowOutcome::Skipped { reason: chain(&error) },
            _ => RowOutcome::Failed { kind: FailureKind::Acquire, message: chain(&error) },
        };
        Stop::Outcome(outcome, error.hint())
    }
}

impl From<EngineError> for Stop {
    fn from(error: EngineError) -> Self {
        let outcome = match &error {
            EngineError::Spec(SpecError::UnsupportedArchitecture(_) | SpecError::UnsupportedKey { .. }) => {
                RowOutcome::Skipped { reason: chain(&error) }
            }
            EngineError::OutOfMemory(_) => {
                RowOutcome::Failed { kind: FailureKind::OutOfMemory, message: chain(&error) }
            }
            _ => RowOutcome::Failed { kind: FailureKind::Load, message: chain(&error) },
        };
        Stop::Outcome(outcome, error.hint())
    }
}

impl RowRunner<'_> {
    /// Runs what is left of a row's trials, storing each; false if the user asked to stop.
    pub fn run(&mut self, row: &mut Row) -> Result<bool, Error> {
        let name = row.candidate.row();
        let mut schedule = self.schedule.clone();
        let done: HashSet<&TrialKey> = row.trials.iter().map(|trial| &trial.key).collect();
        let left = schedule.least().iter().filter(|step| !done.contains(&step.key(&name))).count();
        self.progress.candidate_started(&row.candidate, left);
        let (outcome, hint) = match self.prepare(row, &mut schedule) {
            Ok(mut engine) => {
                // Stored before the first trial is, so that no trial is ever without the commit that it ran on.
                row.outcome = RowOutcome::Pending;
                self.store.update_row(self.run_id, row)?;
                if self.trials(row, &schedule, &mut engine)? == Ended::Cancelled {
                    return Ok(false);
                }
                self.keep_peak(row, &engine);
                (RowOutcome::Ran, None)
            }
            Err(Stop::Cancelled) => return Ok(false),
            Err(Stop::Outcome(..)) if self.cancel.load(Ordering::Relaxed) => return Ok(false),
            Err(Stop::Outcome(outcome, hint)) => (outcome, hint),
        };
        // The engine is gone; what it used must not count as the next candidate's.
        memory::give_back(self.device);
        match &outcome {
            RowOutcome::Failed { message, .. } => {
                let hint = hint.map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
                self.printer.warn(&format!("{name}: {message}{hint}"));
            }
            RowOutcome::Skipped { reason } => self.printer.detail(&format!("{name}: skipped, {reason}")),
            RowOutcome::Ran | RowOutcome::Pending => {}
        }
        row.outcome = outcome;
        self.store.update_row(self.run_id, row)?;
        self.progress.candidate_ended(row);
        Ok(true)
    }

    /// Everything before the first trial: whether it can run at all, its checkpoint, its weights on the device.
    fn prepare(&mut self, row: &mut Row, schedule: &mut Schedule) -> Result<CandleEngine, Stop> {
        let candidate = row.candidate.clone();
        let clock = SystemClock::new();
        let mut downloads = DownloadProgress::new(self.printer.bars());
        let preview = acquire::preview(&candidate.source, &mut downloads, self.cancel)?;
        self.check_fit(row, &preview, &schedule.least())?;
        let checkpoint = acquire::acquire(&candidate, &mut downloads, self.cancel)?;
        let acquired = clock.now();
        let downloaded_bytes = Some(downloads.received_bytes());
        if self.cancel.load(Ordering::Relaxed) {
            return Err(Stop::Cancelled);
        }
        if let Some(before) = row.checkpoint.as_ref().filter(|_| !row.trials.is_empty()) {
            same_checkpoint(before, &checkpoint.facts)?;
        }
        row.checkpoint = Some(checkpoint.facts.clone());
        if checkpoint.text.is_none() && schedule.leave_out_texts() {
            self.printer.warn(&format!("{} has no tokenizer: the texts are left out", candidate.row()));
        }

        let total = checkpoint.facts.parameters;
        let config = Some(checkpoint.config.clone());
        host::reset_peak();
        let baseline_bytes = self.memory();
        let idle_milliwatts = self.instruments.gpu.as_ref().and_then(|gpu| gpu.look().power_milliwatts);
        let (before, disk_before) = (clock.now(), host::disk_read_bytes());
        let progress = &mut *self.progress;
        let times = LoadTimes::new(clock);
        let mut engine = CandleEngine::read(checkpoint, candidate.quantization, self.device, &times, &mut |done| {
            progress.loading(done, total);
        })?;
        let read = clock.now();
        engine.first_pass()?;
        let ready = clock.now();
        distrusted(&engine, &candidate.row(), self.printer);
        let disk_read_bytes = host::disk_read_bytes().zip(disk_before).and_then(|(now, then)| now.checked_sub(then));
        let facts = LoadFacts {
            engine: "candle".into(),
            device: self.device_name.into(),
            precision: engine.precision().into(),
            config,
            weights_bytes: engine.weights_bytes(),
            kv_bytes_per_token: engine.kv_bytes_per_token(),
            acquire_seconds: acquired.as_secs_f64(),
            downloaded_bytes,
            load_seconds: (ready - before).as_secs_f64(),
            parts: Some(times.parts()),
            first_pass_seconds: Some((ready - read).as_secs_f64()),
            disk_read_bytes,
            baseline_bytes,
            loaded_bytes: self.memory(),
            peak_bytes: None,
            pool: None,
            idle_milliwatts,
        };
        self.printer.detail(&format!(
            "{}: loaded {} as {}",
            candidate.row(),
            Bytes(facts.weights_bytes),
            facts.precision
        ));
        self.progress.loaded(&facts);
        row.load = Some(facts);
        self.keep_peak(row, &engine);
        Ok(engine)
    }

    /// Skips a candidate that cannot fit, or whose architecture cannot run, before anything is downloaded or made.
    fn check_fit(&self, row: &mut Row, preview: &Preview, steps: &[PlannedTrial]) -> Result<(), Stop> {
        let on_cpu = self.device.is_cpu();
        // Of the device that the engine opened: others may be visible under its number.
        let available =
            if on_cpu { host::available_bytes() } else { GpuMemory::of(self.device).map(|memory| memory.free) };
        let available = available.unwrap_or(u64::MAX);
        let shape = Shape::new(&preview.config, preview.stored_bytes).map_err(EngineError::from)?;
        let layout = row.candidate.quantization.map(Layout::Held);
        let weights = shape.work(layout).weights_bytes;
        let number_bytes = cache_number_bytes(on_cpu, shape.bits(layout));
        let fit = row.fit.insert(estimate(&shape.spec, weights, number_bytes, steps, available));
        let Some(missing) = fit.missing_bytes() else { return Ok(()) };
        let (needed, free, missing) = (Bytes(fit.total_bytes()), Bytes(available), Bytes(missing));
        let reason = format!("does not fit: needs {needed}, {free} are free, {missing} are missing");
        Err(Stop::Outcome(RowOutcome::Skipped { reason }, None))
    }

    /// Memory in use now: of the device on a GPU, where what the process holds on the host says nothing, else of the process.
    fn memory(&self) -> Option<u64> {
        match &self.instruments.gpu {
            Some(gpu) => gpu.look().used_bytes,
            None => host::resident_bytes(),
        }
    }

    /// Keeps the most of it since the row began to load.
    fn keep_peak(&self, row: &mut Row, engine: &CandleEngine) {
        let readings = row.trials.iter().flat_map(|trial| &trial.readings);
        let seen = readings.filter_map(|reading| reading.gpu.as_ref()?.used_bytes).max();
        let Some(load) = &mut row.load else { return };
        load.pool = engine.pool();
        load.peak_bytes = match load.pool {
            _ if self.device.is_cpu() => host::peak_resident_bytes(),
            Some(pool) => Some(load.baseline_bytes.unwrap_or_default() + pool.peak().used_bytes),
            None => seen.max(load.loaded_bytes),
        };
    }

    fn trials(&mut self, row: &mut Row, schedule: &Schedule, engine: &mut dyn Engine) -> Result<Ended, Error> {
        let (store, run_id, settings) = (self.store, self.run_id, self.settings);
        let next = |trials: &[Trial]| schedule.next(trials, &|phase, trials| suffices(phase, trials, settings));
        let mut keep = |trial: &Trial| store.add_trial(run_id, trial).map_err(Error::from);
        execute(engine, row, &next, &self.instruments, self.cancel, self.progress, &mut keep)
    }
}

/// Refuses to add trials of another checkpoint to those that a row has: a branch may have moved, a file may be another.
fn same_checkpoint(before: &CheckpointFacts, now: &CheckpointFacts) -> Result<(), Stop> {
    if before == now {
        return Ok(());
    }
    let what = match (&before.commit, &now.commit) {
        (Some(before), Some(now)) if before != now => format!("commit {before} then, {now} now"),
        _ => "its files are others".into(),
    };
    let message = format!("the checkpoint is not the one that the run was begun with: {what}");
    let hint = "put the old one in its place (`revision` pins a commit), or start a new run";
    Err(Stop::Outcome(RowOutcome::Failed { kind: FailureKind::Acquire, message }, Some(hint.into())))
}

/// What a row is expected to cost, for the time left; of a model whose shape is not known yet, as much as one of 7B.
pub fn work(row: &Row, steps: &[PlannedTrial]) -> RowWork {
    use crate::catalog::Source;
    let config = match &row.candidate.source {
        Source::Hub { repository: shape, .. } | Source::Synthetic { shape } => shipped_shape(shape),
        Source::Local { path } => acquire::local::preview(path).ok().map(|preview| preview.config),
    };
    match config.map(|config| DecoderSpec::from_config(&config)) {
        Some(Ok(spec)) => RowWork::of(Inventory::of(&spec).parameters(), steps),
        // It will be skipped.
        Some(Err(_)) => RowWork::of(0, steps),
        None => RowWork::of(7_000_000_000, steps),
    }
}
