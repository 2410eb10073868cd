//! `bench run`: one checkpoint, one prompt.

use serde_json::{Map, Value, json};

use super::{Status, checkpoint, on_interrupt, threads};
use crate::acquire::{acquire, hub::FetchProgress};
use crate::cli::{self, RunFormat, TokenIds};
use crate::clock::{SystemClock, wall_time};
use crate::engine::candle::{self, CandleEngine};
use crate::engine::{Engine, EngineError, Input, Request, Sampling};
use crate::error::Error;
use crate::measure::Measurement;
use crate::metric::{Aspect, METRICS};
use crate::record::{Outcome, Trial, TrialKey};
use crate::run::recorder::Recorder;
use crate::text::Message;
use crate::ui::{DownloadProgress, Printer};

pub fn run(args: &cli::Run, printer: &Printer) -> Result<Status, Error> {
    threads::use_threads(threads::count(args.device.threads));
    let cancel = on_interrupt();
    let candidate = checkpoint::candidate(&args.checkpoint, None, args.quantization, &args.models, printer)?;
    let candidate = checkpoint::with_adapter(candidate, args.adapter.as_deref());
    let device = candle::device(&threads::device_name(&args.device))?;
    let progress: &mut dyn FetchProgress = &mut DownloadProgress::new(printer.bars());
    let found = acquire(&candidate, progress, &cancel)?;
    let mut engine = CandleEngine::load(found, candidate.quantization, &device, &mut |_| {})?;
    checkpoint::distrusted(&engine, &candidate.row(), printer);

    let request = request(args);
    let clock = SystemClock::new();
    let streams = args.format == RunFormat::Text;
    let mut on_token = |_| {};
    let mut failed = None;
    let mut on_text = |piece: &str| {
        if streams && failed.is_none() {
            failed = printer.answer(piece).err();
        }
    };
    let started_at = wall_time();
    let mut recorder = Recorder::start(&clock, request.max_new_tokens, &cancel, &mut on_token, &mut on_text);
    let result = engine.generate(&request, &mut recorder);
    let (timeline, prompt_tokens) = (recorder.timeline, recorder.prompt_tokens);
    if let Some(error) = failed {
        return Err(error);
    }
    let completion = match result {
        Ok(completion) => completion,
        Err(EngineError::Cancelled) => return Ok(Status::Unanswered),
        Err(error) => return Err(error.into()),
    };

    let trial = Trial {
        key: TrialKey {
            row: candidate.row(),
            suite: String::new(),
            language: None,
            prompt: String::new(),
            repetition: 0,
            warmup: false,
        },
        seed: args.seed,
        started_at,
        prompt_tokens,
        timeline,
        outcome: Outcome::Completed { finish: completion.finish },
        token_ids: completion.token_ids.clone(),
        text: completion.text.clone(),
        readings: Vec::new(),
        repeated: None,
    };
    let measurement = Measurement::of(&trial);
    match args.format {
        RunFormat::Json => {
            let metrics: Map<String, Value> =
                METRICS.iter().map(|metric| (metric.key.to_owned(), json!(measurement.get(metric)))).collect();
            let answer = json!({
                "prompt_token_ids": completion.prompt_ids,
                "token_ids": completion.token_ids,
                "text": completion.text,
                "finish_reason": completion.finish,
                "metrics": metrics,
            });
            printer.answer(&format!("{answer}\n"))?;
        }
        RunFormat::Text => {
            if completion.text.is_none() {
                printer.answer(&format!("{}", json!(completion.token_ids)))?;
            }
            printer.answer("\n")?;
            let shown = |metric| Some(Aspect::overall(metric).tell("", measurement.get(&metric)?));
            let shown: Vec<String> = METRICS.iter().copied().filter_map(shown).collect();
            let count = |n: usize| if n == 1 { "1 token".to_owned() } else { format!("{n} tokens") };
            let (prompt, output) = (count(completion.prompt_ids.len()), count(completion.token_ids.len()));
            printer.say(&format!("prompt {prompt}, answer {output}; {}", shown.join(", ")));
        }
    }
    Ok(Status::Yes)
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
