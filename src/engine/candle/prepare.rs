//! From a candidate to its loaded model: its config is looked at, its checkpoint acquired, its weights brought to the device.

use std::sync::atomic::Ordering;

use candle_core::Device;

use super::{CandleEngine, memory};
use crate::acquire::hub::FetchProgress;
use crate::acquire::{self, Checkpoint, Preview, Stamps};
use crate::catalog::Candidate;
use crate::clock::{Clock, SystemClock};
use crate::engine::EngineError;
use crate::engine::load_times::LoadTimes;
use crate::engine::prepared::{EngineSettings, Facts, Form, PrepareError, PrepareListener, Prepared, Unprepared};
use crate::plan::{Layout, PlannedTrial, Shape, cache_number_bytes, estimate};
use crate::record::{CheckpointFacts, FitEstimate, LoadFacts};
use crate::telemetry::host;
use crate::text::TextModel;

/// Makes the engine of a candidate that has a checkpoint.
///
/// # Errors
/// A checkpoint that cannot be had, does not fit or cannot be loaded.
pub fn prepare(
    candidate: &Candidate,
    settings: &EngineSettings,
    listener: &mut dyn PrepareListener,
) -> Result<Prepared, Box<Unprepared>> {
    let mut facts = Facts::default();
    match ready(candidate, settings, listener, &mut facts) {
        Ok(Ready { engine, takes_text, warnings, stamps }) => {
            let slower = engine.distrust().map(|why| format!("bench's own kernels are not used, {why}"));
            Ok(Prepared { engine: Box::new(engine), facts, takes_text, warnings, stamps, slower })
        }
        Err(error) => {
            // What half a model took must not count as the next one's.
            memory::give_back(settings.device);
            Err(Box::new(Unprepared { facts, error }))
        }
    }
}

/// A loaded engine, and what is known of its files beside the facts: see [`Prepared`].
struct Ready {
    engine: CandleEngine,
    takes_text: bool,
    warnings: Vec<String>,
    stamps: Stamps,
}

fn ready(
    candidate: &Candidate,
    settings: &EngineSettings,
    listener: &mut dyn PrepareListener,
    facts: &mut Facts,
) -> Result<Ready, PrepareError> {
    let clock = SystemClock::new();
    let mut fetch = Counted { listener: &mut *listener, received_bytes: 0 };
    if let Some(steps) = settings.steps {
        let mut preview = acquire::preview(&candidate.source, &mut fetch, settings.cancel)?;
        if let Some(error) = preview.no_text.take().filter(|_| settings.form != Form::Tokens) {
            return Err(error.into());
        }
        let fit = facts.fit.insert(fit(candidate, &preview, settings.device, steps)?);
        if fit.missing_bytes().is_some() {
            return Err(PrepareError::DoesNotFit(fit.clone()));
        }
    }
    let mut checkpoint = acquire::acquire(candidate, &mut fetch, settings.cancel)?;
    let (acquired, received_bytes) = (clock.now(), fetch.received_bytes);
    if settings.cancel.load(Ordering::Relaxed) {
        return Err(PrepareError::Cancelled);
    }
    if let Some(before) = settings.begun_with {
        same_checkpoint(before, &checkpoint.facts)?;
    }
    facts.checkpoint = Some(checkpoint.facts.clone());
    let text = match std::mem::replace(&mut checkpoint.text, Ok(None)) {
        Err(_) if settings.form == Form::Tokens => None,
        text => text?.map(|text| usable(text, settings)).transpose()?,
    };
    let chats = text.as_ref().filter(|_| settings.form == Form::Chat);
    let joins_plainly = chats.and_then(|text| text.joins_plainly()).map(str::to_owned);
    let splits_by_default = settings.form != Form::Tokens && text.as_ref().is_some_and(TextModel::splits_by_default);
    let (takes_text, warnings) = (text.is_some(), checkpoint.warnings.clone());
    checkpoint.text = Ok(text);
    let stamps = std::mem::take(&mut checkpoint.stamps);
    let (engine, load) = load(checkpoint, candidate, settings, listener)?;
    facts.load = Some(LoadFacts {
        acquire_seconds: acquired.as_secs_f64(),
        downloaded_bytes: Some(received_bytes),
        joins_plainly,
        splits_by_default,
        ..load
    });
    Ok(Ready { engine, takes_text, warnings, stamps })
}

/// The text side as it will be used: a chat template that cannot be is found out before the weights are loaded.
fn usable(text: TextModel, settings: &EngineSettings) -> Result<TextModel, PrepareError> {
    let mut text = text.rendered(settings.rendering).map_err(EngineError::from)?;
    if settings.form == Form::Chat {
        match text.try_template(&|| settings.cancel.load(Ordering::Relaxed)).map_err(EngineError::from) {
            Err(EngineError::Cancelled) => return Err(PrepareError::Cancelled),
            tried => tried?,
        }
    }
    Ok(text)
}

/// Loads a checkpoint, and notes what that took.
fn load(
    checkpoint: Checkpoint,
    candidate: &Candidate,
    settings: &EngineSettings,
    listener: &mut dyn PrepareListener,
) -> Result<(CandleEngine, LoadFacts), EngineError> {
    let clock = SystemClock::new();
    let total = checkpoint.facts.parameters;
    let config = Some(checkpoint.config.clone());
    // Of the device on a GPU, where what the process holds on the host says nothing, else of the process.
    let in_use = || match settings.gpu {
        Some(gpu) => gpu.look().used_bytes,
        None => settings.host.resident_bytes(),
    };
    host::reset_peak();
    let baseline_bytes = in_use();
    let idle_milliwatts = settings.gpu.and_then(|gpu| gpu.look().power_milliwatts);
    let (before, disk_before) = (clock.now(), host::disk_read_bytes());
    let times = LoadTimes::new(clock);
    let mut engine = CandleEngine::read(checkpoint, candidate.quantization, settings.device, &times, &mut |done| {
        listener.loading(done, total);
    })?;
    let read = clock.now();
    engine.first_pass()?;
    let ready = clock.now();
    let disk_read_bytes = host::disk_read_bytes().zip(disk_before).and_then(|(now, then)| now.checked_sub(then));
    let facts = LoadFacts {
        engine: "candle".into(),
        device: settings.device_name.into(),
        precision: Some(engine.precision().clone()),
        config,
        weights_bytes: Some(engine.weights_bytes()),
        kv_bytes_per_token: Some(engine.kv_bytes_per_token()),
        load_seconds: (ready - before).as_secs_f64(),
        parts: Some(times.parts()),
        first_pass_seconds: Some((ready - read).as_secs_f64()),
        disk_read_bytes,
        baseline_bytes,
        loaded_bytes: in_use(),
        idle_milliwatts,
        ..LoadFacts::default()
    };
    Ok((engine, facts))
}

/// What running these steps needs, of a candidate that is not there yet.
fn fit(
    candidate: &Candidate,
    preview: &Preview,
    device: &Device,
    steps: &[PlannedTrial],
) -> Result<FitEstimate, EngineError> {
    let on_cpu = device.is_cpu();
    // Of the device that the engine opened: others may be visible under its number.
    let available = if on_cpu { host::available_bytes() } else { memory::of_gpu(device).map(|memory| memory.free) };
    let shape = Shape::new(&preview.config, preview.stored_bytes)?;
    let layout = candidate.quantization.map(Layout::Held);
    let weights = shape.work(layout).weights_bytes;
    let number_bytes = cache_number_bytes(on_cpu, shape.bits(layout));
    Ok(estimate(&shape.spec, weights, number_bytes, steps, available.unwrap_or(u64::MAX)))
}

/// Refuses another checkpoint than trials were made with: a branch may have moved, a file may be another.
fn same_checkpoint(before: &CheckpointFacts, now: &CheckpointFacts) -> Result<(), PrepareError> {
    if before == now {
        return Ok(());
    }
    Err(PrepareError::OtherCheckpoint(match (&before.commit, &now.commit) {
        (Some(before), Some(now)) if before != now => format!("commit {before} then, {now} now"),
        _ => "its files are others".into(),
    }))
}

/// Counts what is received.
struct Counted<'a> {
    listener: &'a mut dyn PrepareListener,
    received_bytes: u64,
}

impl FetchProgress for Counted<'_> {
    fn begin(&mut self, total_bytes: u64, files: usize) {
        self.listener.begin(total_bytes, files);
    }

    fn file(&mut self, name: &str, size: u64) {
        self.listener.file(name, size);
    }

    fn advance(&mut self, bytes: u64) {
        self.received_bytes += bytes;
        self.listener.advance(bytes);
    }

    fn end(&mut self) {
        self.listener.end();
    }

    fn restart(&mut self, bytes: u64) {
        self.listener.restart(bytes);
    }

    fn waiting(&mut self, name: &str) {
        self.listener.waiting(name);
    }
}
