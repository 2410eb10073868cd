//! How likely a checkpoint finds texts, and what another precision changes.

use std::collections::BTreeMap;

use clap::ValueEnum;

use super::loader::Loader;
use crate::catalog::{Candidate, Quantization};
use crate::cli::{self, RunFormat, TokenIds};
use crate::commands::checkpoint;
use crate::commands::deliver::terminal;
use crate::commands::status::Status;
use crate::engine::EngineError;
use crate::engine::candle::{self, CandleEngine, Windows};
use crate::error::Error;
use crate::plain_file::{self, WRITTEN_BY_HAND};
use crate::quality::{Agreement, Divergence, Likelihood, Parity, Passage};
use crate::report::Renderer;
use crate::report::score::{self, Against, FirstToken, Likelihoods, Named, ScoredTexts, ScoredToken};
use crate::suite::{Language, documents};
use crate::text::TextError;
use crate::ui::Printer;

/// Context that a long text is cut into unless the user or the model says otherwise.
const WINDOW: usize = 2048;

/// What is to be scored, read before a model is loaded.
pub(super) enum Source {
    Ids(Vec<u32>),
    /// Each with its name. `parallel`: what they say in Korean they say in English too.
    Texts {
        texts: Vec<(String, String)>,
        parallel: bool,
    },
}

impl Source {
    /// # Errors
    /// A text that cannot be read.
    pub(super) fn of(args: &cli::Score) -> Result<Self, Error> {
        if let Some(TokenIds(ids)) = &args.ids {
            return Ok(Self::Ids(ids.clone()));
        }
        if args.text.is_empty() {
            let named = |document: &crate::suite::Document| {
                (format!("{} {}", document.name, document.language.tag()), document.text.to_owned())
            };
            return Ok(Self::Texts { texts: documents().iter().map(named).collect(), parallel: true });
        }
        let read = |path: &std::path::PathBuf| {
            let text = plain_file::read_text(path, WRITTEN_BY_HAND)
                .map_err(|source| Error::ReadText { path: path.into(), source })?;
            Ok((path.display().to_string(), text))
        };
        Ok(Self::Texts { texts: args.text.iter().map(read).collect::<Result<_, Error>>()?, parallel: false })
    }

    /// As the checkpoint's tokenizer cuts it.
    fn passages(&self, engine: &CandleEngine) -> Result<Vec<(String, Passage)>, Error> {
        let passages = match self {
            Self::Ids(ids) => vec![("ids".to_owned(), of_ids(ids, engine))],
            Self::Texts { texts, .. } => {
                let model = engine.text().ok_or(EngineError::Text(TextError::NoTokenizer))?;
                let passage = |(name, text): &(String, String)| {
                    let tokens = model.encode_in_place(text).map_err(EngineError::from)?;
                    Ok((name.clone(), Passage::of_text(text, tokens)))
                };
                texts.iter().map(passage).collect::<Result<Vec<_>, Error>>()?
            }
        };
        match passages.iter().find(|(_, passage)| passage.ids().is_empty()) {
            Some(_) => Err(EngineError::EmptyPrompt.into()),
            None => Ok(passages),
        }
    }

    fn is_parallel(&self) -> bool {
        matches!(self, Self::Texts { parallel: true, .. })
    }
}

/// Token ids, with their text if that is what the tokenizer cuts into them.
fn of_ids(ids: &[u32], engine: &CandleEngine) -> Passage {
    let of_text = || {
        let model = engine.text()?;
        let text = model.tokenizer.decode(ids, true).ok()?;
        let tokens = model.encode_in_place(&text).ok()?;
        (tokens.ids == ids).then(|| Passage::of_text(&text, tokens))
    };
    of_text().unwrap_or_else(|| Passage::of_ids(ids.to_vec()))
}

pub(super) fn score(
    args: &cli::Score,
    source: &Source,
    candidate: &Candidate,
    loader: &Loader,
) -> Result<Status, Error> {
    let engine = loader.load(candidate)?;
    let passages = source.passages(&engine)?;
    let longest = engine.spec().max_positions;
    let window = args.window.map_or(WINDOW.min(longest), |window| window as usize);
    let stride = args.stride.map_or(window / 2, |stride| stride as usize);
    if stride >= window {
        let hint = "each window must overlap the one before, or tokens lose their context".to_owned();
        return Err(Error::usage(format!("a stride of {stride} leaves gaps between windows of {window}"), hint));
    }
    let vocabulary = engine.spec().vocabulary;
    let precision = engine.precision().to_string();
    let mut engines = vec![engine];
    let mut against = None;
    if let Some(word) = &args.against {
        let other = other(word, candidate, args, loader.printer)?;
        let engine = loader.load(&other)?;
        if engine.spec().vocabulary != vocabulary {
            let hint = "only checkpoints with the same tokens can be compared token by token".to_owned();
            return Err(Error::usage(format!("`{word}` has another vocabulary"), hint));
        }
        against = Some((other.row(), engine.precision().to_string()));
        engines.push(engine);
    }

    let windows = Windows::new(window, stride);
    let predicted = passages.iter().map(|(_, passage)| {
        loader.go_on()?;
        Predicted::of(passage, &mut engines, windows)
    });
    let predicted = predicted.collect::<Result<Vec<_>, Error>>()?;
    let own: Vec<&[f64]> = predicted.iter().map(|text| text.log_probs.as_slice()).collect();
    let likelihoods = likelihoods(&passages, &own, source.is_parallel());
    let against = against.map(|(checkpoint, precision)| {
        let other: Vec<Vec<f64>> =
            predicted.iter().map(|text| text.other.iter().map(|other| other.0).collect()).collect();
        let other: Vec<&[f64]> = other.iter().map(Vec::as_slice).collect();
        let divergence = |which: &dyn Fn(Option<Language>) -> bool| divergence(&passages, &predicted, which);
        let of = |language| Some((language, divergence(&|other| other == Some(language))?));
        Against {
            checkpoint,
            precision,
            likelihoods: self::likelihoods(&passages, &other, source.is_parallel()),
            divergence: Language::ALL.into_iter().filter_map(of).collect(),
            overall: divergence(&|_| true),
        }
    });
    let added = passages.iter().all(|(_, passage)| passage.begins_with_added());
    let scored = ScoredTexts {
        precision,
        likelihoods,
        first_token: if added { FirstToken::Added } else { FirstToken::NotScored },
        window,
        stride,
        per_token: args.per_token.then(|| per_token(&passages, &own)),
        against,
    };
    let printer = loader.printer;
    printer.answer(&match args.format {
        RunFormat::Json => score::json(&scored)?,
        RunFormat::Text => terminal(printer).render(&score::page(&scored)),
    })?;
    Ok(Status::Yes)
}

/// What `--against` names: a precision of the same checkpoint, or another checkpoint.
fn other(word: &str, candidate: &Candidate, args: &cli::Score, printer: &Printer) -> Result<Candidate, Error> {
    match Quantization::from_str(word, true) {
        Ok(quantization) => Ok(Candidate { quantization: Some(quantization), ..candidate.clone() }),
        Err(_) => checkpoint::candidate(word, None, None, &args.models, printer),
    }
}

/// The log-probabilities of a text's tokens but the first.
struct Predicted {
    log_probs: Vec<f64>,
    /// Under the other checkpoint, with how far that is from the first: empty if there is no other.
    other: Vec<(f64, Agreement)>,
}

impl Predicted {
    fn of(passage: &Passage, engines: &mut [CandleEngine], windows: Windows) -> Result<Self, Error> {
        let ids = passage.ids();
        let mut predicted = Self { log_probs: Vec::new(), other: Vec::new() };
        candle::predict(engines, ids, windows, &mut |position, rows| {
            let log_prob = |row: &[f32]| f64::from(row[ids[position] as usize]);
            predicted.log_probs.extend(rows.first().map(|row| log_prob(row)));
            if let [reference, other] = rows {
                predicted.other.push((log_prob(other), Agreement::of(reference, other)));
            }
        })?;
        Ok(predicted)
    }
}

/// How likely the texts are, each and together, by the log-probabilities of each.
fn likelihoods(passages: &[(String, Passage)], log_probs: &[&[f64]], parallel: bool) -> Likelihoods {
    let texts: Vec<Named> = passages
        .iter()
        .zip(log_probs)
        .map(|((name, passage), log_probs)| Named { name: name.clone(), likelihood: passage.likelihood(log_probs) })
        .collect();
    let mut languages: BTreeMap<Language, Vec<Likelihood>> = BTreeMap::new();
    for ((_, passage), log_probs) in passages.iter().zip(log_probs) {
        for (language, likelihood) in passage.by_language(log_probs) {
            languages.entry(language).or_default().push(likelihood);
        }
    }
    let languages: BTreeMap<Language, Likelihood> =
        languages.into_iter().map(|(language, parts)| (language, parts.into_iter().sum())).collect();
    let parity = match (languages.get(&Language::Ko), languages.get(&Language::En)) {
        (Some(korean), Some(english)) => Some(Parity::of(korean, english, parallel)),
        _ => None,
    };
    Likelihoods { overall: texts.iter().map(|text| text.likelihood).sum(), texts, languages, parity }
}

/// How far the two checkpoints are apart in the languages that are wanted.
fn divergence(
    passages: &[(String, Passage)],
    predicted: &[Predicted],
    which: &dyn Fn(Option<Language>) -> bool,
) -> Option<Divergence> {
    let of_text = |((_, passage), predicted): (&(String, Passage), &Predicted)| {
        let tokens = (1..).zip(predicted.other.iter()).filter(|(position, _)| which(passage.language(*position)));
        tokens.map(|(_, (_, agreement))| *agreement).collect::<Vec<_>>()
    };
    Divergence::of(&passages.iter().zip(predicted).flat_map(of_text).collect::<Vec<_>>())
}

/// All tokens, text by text; the first of each has no context, and so no probability.
fn per_token(passages: &[(String, Passage)], log_probs: &[&[f64]]) -> Vec<ScoredToken> {
    let of_text = |((_, passage), log_probs): (&(String, Passage), &&[f64])| {
        let log_probs = std::iter::once(None).chain(log_probs.iter().copied().map(Some));
        let tokens = passage.ids().iter().zip(log_probs).map(|(id, log_prob)| ScoredToken { id: *id, log_prob });
        tokens.collect::<Vec<_>>()
    };
    passages.iter().zip(log_probs).flat_map(of_text).collect()
}
