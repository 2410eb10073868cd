//! `bench run`: one checkpoint, one prompt.

use serde_json::{Map, Value, json};

use super::interrupt::on_interrupt;
use super::status::Status;
use super::{checkpoint, threads};
use crate::cli::{self, RunFormat, TokenIds};
use crate::clock::SystemClock;
use crate::engine::{
    EngineError, EngineSettings, Form, Input, PrepareError, Prepared, Request, Sampling, candle, prepare,
};
use crate::error::Error;
use crate::measure::Measurement;
use crate::metric::{Aspect, METRICS};
use crate::record::{Outcome, TrialKey};
use crate::run::{Answer, Asked, Instruments, ask};
use crate::text::{Message, Rendering};
use crate::ui::{DownloadProgress, Printer, joined_plainly, slower, split_by_default};
use crate::units::Known;

pub(super) fn run(args: &cli::Run, printer: &Printer) -> Result<Status, Error> {
    threads::use_threads(threads::count(args.device.threads, printer));
    let cancel = on_interrupt();
    let candidate = checkpoint::candidate(&args.checkpoint, None, args.quantization, &args.models, printer)?;
    let candidate = checkpoint::with_adapter(candidate, args.adapter.as_deref());
    let device_name = threads::device_name(&args.device);
    let device = candle::device(&device_name)?;
    let instruments = Instruments::on_cpu(SystemClock::new());
    let settings = EngineSettings {
        device: &device,
        device_name: &device_name,
        host: &instruments.host,
        gpu: None,
        steps: None,
        form: form(args),
        rendering: &Rendering::apart(args.templates.today),
        begun_with: None,
        cancel: &cancel,
    };
    let mut engine = match prepare(&candidate, &settings, &mut DownloadProgress::new(printer)) {
        Ok(Prepared { engine, warnings, slower: why, facts, .. }) => {
            warnings.iter().for_each(|doubt| printer.warn(&format!("{}: {doubt}", candidate.row())));
            let load = facts.load.unwrap_or_default();
            if load.splits_by_default {
                printer.warn(&split_by_default(&candidate.row()));
            }
            load.joins_plainly.iter().for_each(|why| printer.warn(&joined_plainly(&candidate.row(), why)));
            why.iter().for_each(|why| printer.warn(&slower(&candidate.row(), why)));
            engine
        }
        Err(unprepared) => match unprepared.error {
            PrepareError::Cancelled => return Ok(Status::Unanswered),
            error => return Err(error.into()),
        },
    };

    let streams = args.format == RunFormat::Text;
    let mut failed = None;
    let mut on_text = |piece: &str| {
        if streams && failed.is_none() {
            failed = printer.others_text(piece).err();
        }
    };
    let key = TrialKey {
        row: candidate.row(),
        suite: String::new(),
        language: None,
        prompt: String::new(),
        repetition: 0,
        warmup: false,
    };
    let asked = Asked { key, seed: args.seed, request: request(args) };
    let Answer { trial, prompt_ids, error } =
        ask(engine.as_mut(), asked, &instruments, &cancel, &mut |_| {}, &mut on_text);
    if let Some(error) = failed {
        return Err(error);
    }
    match error {
        None => {}
        Some(EngineError::Cancelled) => return Ok(Status::Unanswered),
        Some(error) => return Err(error.into()),
    }

    let measurement = Measurement::of(&trial);
    match args.format {
        RunFormat::Json => {
            let metrics: Map<String, Value> =
                METRICS.iter().map(|metric| (metric.key.to_owned(), json!(measurement.get(metric)))).collect();
            let finish = match &trial.outcome {
                Outcome::Completed { finish } => Some(finish),
                Outcome::Failed { .. } => None,
            };
            let answer = json!({
                "prompt_token_ids": prompt_ids,
                "token_ids": trial.token_ids,
                "text": trial.text,
                "finish_reason": finish,
                "metrics": metrics,
            });
            printer.answer(&format!("{answer}\n"))?;
        }
        RunFormat::Text => {
            if trial.text.is_none() {
                printer.answer(&format!("{}", json!(trial.token_ids)))?;
            }
            printer.answer("\n")?;
            let shown = |metric| Some(Aspect::overall(metric).tell("", measurement.get(&metric)?));
            let shown: Vec<String> = METRICS.iter().copied().filter_map(shown).collect();
            let tokens = |count: Option<u64>| match count {
                Some(1) => "1 token".to_owned(),
                count => format!("{} tokens", Known(count)),
            };
            let (prompt, output) = (tokens(trial.prompt_tokens.map(u64::from)), tokens(trial.timeline.tokens()));
            printer.say(&format!("prompt {prompt}, answer {output}; {}", shown.join(", ")));
        }
    }
    Ok(Status::Yes)
}

fn form(args: &cli::Run) -> Form {
    match &args.ids {
        Some(_) => Form::Tokens,
        None if args.raw => Form::Text,
        None => Form::Chat,
    }
}

fn request(args: &cli::Run) -> Request {
    let input = match (&args.ids, &args.prompt) {
        (Some(TokenIds(ids)), _) => Input::Tokens(ids.clone()),
        (None, Some(prompt)) if args.raw => Input::Text(prompt.clone()),
        (None, prompt) => {
            let system = args.system.as_deref().map(Message::system);
            Input::Chat(system.into_iter().chain(prompt.as_deref().map(Message::user)).collect())
        }
    };
    let sampling = match args.temperature {
        None => Sampling::Greedy,
        Some(temperature) => Sampling::Random { temperature, top_p: 1.0, seed: args.seed },
    };
    Request { input, max_new_tokens: args.max_new_tokens as usize, ignore_eos: args.ignore_eos, sampling }
}
