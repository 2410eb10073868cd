//! `bench score`: how likely a checkpoint finds a text.

use std::collections::BTreeMap;

use clap::ValueEnum;
use serde::Serialize;

use super::interrupt::on_interrupt;
use super::status::Status;
use super::{checkpoint, threads};
use crate::acquire::acquire;
use crate::catalog::{Candidate, Quantization};
use crate::cli::{self, RunFormat, TokenIds};
use crate::engine::EngineError;
use crate::engine::candle::{self, CandleEngine, Windows};
use crate::error::Error;
use crate::plain_file::{self, WRITTEN_BY_HAND};
use crate::quality::{Agreement, Divergence, Likelihood};
use crate::suite::Language;
use crate::text::{TextError, TextModel};
use crate::ui::{DownloadProgress, Printer, split_by_default};
use crate::units::UNKNOWN;

/// Context that a long text is cut into unless the user or the model says otherwise.
const WINDOW: usize = 2048;

/// What is printed.
#[derive(Serialize)]
struct Answer {
    precision: String,
    #[serde(flatten)]
    likelihood: Likelihood,
    window: usize,
    stride: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    per_token: Option<Vec<ScoredToken>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    against: Option<Against>,
}

#[derive(Serialize)]
struct ScoredToken {
    id: u32,
    /// The first token has no context, and so no probability.
    log_prob: Option<f64>,
}

/// The same text under the other checkpoint or precision.
#[derive(Serialize)]
struct Against {
    checkpoint: String,
    precision: String,
    likelihood: Likelihood,
    /// By the language of the line that a token stands in.
    divergence: BTreeMap<Language, Divergence>,
    overall: Option<Divergence>,
}

pub(super) fn run(args: &cli::Score, printer: &Printer) -> Result<Status, Error> {
    threads::use_threads(threads::count(args.device.threads, printer));
    let device = candle::device(&threads::device_name(&args.device))?;
    let cancel = on_interrupt();
    let load = |candidate: &Candidate| -> Result<CandleEngine, Error> {
        let mut found = acquire(candidate, &mut DownloadProgress::new(printer), &cancel)?;
        if args.ids.is_none() {
            let text = std::mem::replace(&mut found.text, Ok(None))?;
            if text.as_ref().is_some_and(TextModel::splits_by_default) {
                printer.warn(&split_by_default(&candidate.row()));
            }
            found.text = Ok(text);
        }
        found.warnings.iter().for_each(|doubt| printer.warn(&format!("{}: {doubt}", candidate.row())));
        Ok(CandleEngine::load(found, candidate.quantization, &device, &mut |_| {})?)
    };
    let candidate = checkpoint::candidate(&args.checkpoint, None, args.quantization, &args.models, printer)?;
    let candidate = checkpoint::with_adapter(candidate, args.adapter.as_deref());
    let engine = load(&candidate)?;

    let (ids, text) = tokens(args, &engine)?;
    let longest = engine.spec().max_positions;
    let window = args.window.map_or(WINDOW.min(longest), |window| window as usize);
    let stride = args.stride.map_or(window / 2, |stride| stride as usize);
    if stride >= window {
        let hint = "each window must overlap the one before, or tokens lose their context".to_owned();
        return Err(Error::usage(format!("a stride of {stride} leaves gaps between windows of {window}"), hint));
    }
    let vocabulary = engine.spec().vocabulary;
    let precision = engine.precision().to_string();
    let languages = text.as_ref().and_then(|text| engine.text()?.languages(text));
    let mut engines = vec![engine];
    let mut against = None;
    if let Some(word) = &args.against {
        let other = other(word, &candidate, args, printer)?;
        let engine = load(&other)?;
        if engine.spec().vocabulary != vocabulary {
            let hint = "only checkpoints with the same tokens can be compared token by token".to_owned();
            return Err(Error::usage(format!("`{word}` has another vocabulary"), hint));
        }
        against = Some((other.row(), engine.precision().to_string()));
        engines.push(engine);
    }

    let mut log_probs = Vec::new();
    let mut compared = Vec::new();
    candle::predict(&mut engines, &ids, Windows::new(window, stride), &mut |position, rows| {
        let log_prob = |row: &[f32]| f64::from(row[ids[position] as usize]);
        log_probs.extend(rows.first().map(|row| log_prob(row)));
        if let [reference, other] = rows {
            let agreement = Agreement::of(reference, other);
            compared.push(Compared { position, log_prob: log_prob(other), agreement });
        }
    })?;
    let against = against.map(|(checkpoint, precision)| {
        let log_probs: Vec<f64> = compared.iter().map(|token| token.log_prob).collect();
        let likelihood = Likelihood::of(&log_probs, text.as_deref());
        let divergence = by_language(&compared, languages.as_deref());
        let overall = divergence_of(&compared, |_| true);
        Against { checkpoint, precision, likelihood, divergence, overall }
    });
    let per_token = args.per_token.then(|| {
        let first = ids.first().map(|id| ScoredToken { id: *id, log_prob: None });
        let rest = ids.iter().skip(1).zip(&log_probs);
        first.into_iter().chain(rest.map(|(id, log_prob)| ScoredToken { id: *id, log_prob: Some(*log_prob) })).collect()
    });
    let likelihood = Likelihood::of(&log_probs, text.as_deref());
    let answer = Answer { precision, likelihood, window, stride, per_token, against };
    printer.answer(&match args.format {
        RunFormat::Json => serde_json::to_string(&answer).map_err(|error| Error::Output(error.into()))? + "\n",
        RunFormat::Text => in_words(&answer),
    })?;
    Ok(Status::Yes)
}

/// The tokens to score, and the text that they make.
fn tokens(args: &cli::Score, engine: &CandleEngine) -> Result<(Vec<u32>, Option<String>), Error> {
    if let Some(TokenIds(ids)) = &args.ids {
        if ids.is_empty() {
            return Err(EngineError::EmptyPrompt.into());
        }
        let text = engine.text().and_then(|text| text.tokenizer.decode(ids, true).ok());
        return Ok((ids.clone(), text));
    }
    let path = args.text.as_deref().unwrap_or_else(|| std::path::Path::new("-"));
    let text =
        plain_file::read_text(path, WRITTEN_BY_HAND).map_err(|source| Error::ReadText { path: path.into(), source })?;
    let model = engine.text().ok_or(EngineError::Text(TextError::NoTokenizer))?;
    let ids = model.encode(&text).map_err(EngineError::from)?;
    if ids.is_empty() {
        return Err(EngineError::EmptyPrompt.into());
    }
    Ok((ids, Some(text)))
}

/// What `--against` names: a precision of the same checkpoint, or another checkpoint.
fn other(word: &str, candidate: &Candidate, args: &cli::Score, printer: &Printer) -> Result<Candidate, Error> {
    match Quantization::from_str(word, true) {
        Ok(quantization) => Ok(Candidate { quantization: Some(quantization), ..candidate.clone() }),
        Err(_) => checkpoint::candidate(word, None, None, &args.models, printer),
    }
}

/// A token of the text under the other checkpoint.
struct Compared {
    position: usize,
    log_prob: f64,
    agreement: Agreement,
}

/// How far the checkpoints are apart, by the language of the line that a token stands in.
fn by_language(compared: &[Compared], languages: Option<&[Option<Language>]>) -> BTreeMap<Language, Divergence> {
    let Some(languages) = languages else { return BTreeMap::new() };
    let of = |language: Language| {
        let own = |token: &Compared| languages.get(token.position) == Some(&Some(language));
        divergence_of(compared, own).map(|divergence| (language, divergence))
    };
    Language::ALL.into_iter().filter_map(of).collect()
}

fn divergence_of(compared: &[Compared], which: impl Fn(&Compared) -> bool) -> Option<Divergence> {
    let agreements = compared.iter().filter(|token| which(token)).map(|token| token.agreement);
    Divergence::of(&agreements.collect::<Vec<_>>())
}

fn in_words(answer: &Answer) -> String {
    let mut text = format!("{}\n{}", answer.precision, likelihood_in_words(&answer.likelihood));
    for (token, index) in answer.per_token.iter().flatten().zip(0..) {
        let log_prob = token.log_prob.map_or(UNKNOWN.to_owned(), |log_prob| format!("{log_prob:.6}"));
        text.push_str(&format!("{index}\t{}\t{log_prob}\n", token.id));
    }
    let Some(against) = &answer.against else { return text };
    text.push_str(&format!("\nagainst {} ({})\n", against.checkpoint, against.precision));
    text.push_str(&likelihood_in_words(&against.likelihood));
    let by_language = against.divergence.iter().map(|(language, divergence)| (language.tag(), divergence));
    for (name, divergence) in by_language.chain(against.overall.iter().map(|divergence| ("all", divergence))) {
        let Divergence { positions, mean_kl_nats, p999_kl_nats, same_top_share } = divergence;
        text.push_str(&format!(
            "{name:>4}: KL divergence {mean_kl_nats:.6} nats on average, {p999_kl_nats:.4} at the 99.9th percentile; \
             the same token on top at {:.2} % of {positions} positions\n",
            100.0 * same_top_share
        ));
    }
    text
}

fn likelihood_in_words(likelihood: &Likelihood) -> String {
    let count = |number: Option<usize>| number.map_or(UNKNOWN.to_owned(), |number| number.to_string());
    let figure = |number: Option<f64>| number.map_or(UNKNOWN.to_owned(), |number| format!("{number:.4}"));
    format!(
        "tokens {}, bytes {}, characters {}\nNLL {:.4} nats, perplexity {}, bits per byte {}\n",
        likelihood.tokens,
        count(likelihood.bytes),
        count(likelihood.characters),
        likelihood.nll_nats,
        figure(likelihood.perplexity),
        figure(likelihood.bits_per_byte)
    )
}
