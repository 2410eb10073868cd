//! How many multiple-choice questions a checkpoint gets right.

use std::collections::BTreeMap;

use super::loader::Loader;
use crate::catalog::Candidate;
use crate::cli::{self, RunFormat};
use crate::commands::deliver::terminal;
use crate::commands::status::Status;
use crate::engine::EngineError;
use crate::engine::candle::{CandleEngine, Continuations};
use crate::error::Error;
use crate::quality::Picks;
use crate::report::Renderer;
use crate::report::choices::{self, ScoredChoices, ScoredQuestion};
use crate::suite::{Question, Questions};
use crate::summarize::{Accuracy, Picked};
use crate::text::{TextError, TextModel};
use crate::ui::PassProgress;

/// Reads the questions that are asked for, before a model is loaded; `None` if none are.
///
/// # Errors
/// A mistake in a file.
pub(super) fn questions(args: &cli::Score) -> Result<Option<Questions>, Error> {
    let (Some(file), Some(task)) = (&args.choices, args.task) else { return Ok(None) };
    let shots = args.shots.map(|shots| shots as usize);
    Questions::read(task, args.first_choice, file, args.examples.as_deref(), shots).map(Some).map_err(Error::Questions)
}

pub(super) fn score(
    args: &cli::Score,
    questions: &Questions,
    candidate: &Candidate,
    loader: &Loader,
) -> Result<Status, Error> {
    let mut engine = loader.load(candidate)?;
    let longest = engine.spec().max_positions;
    let model = engine.text().ok_or(EngineError::Text(TextError::NoTokenizer))?;
    let prompts: Vec<Prompt> = questions
        .questions
        .iter()
        .map(|question| Prompt::of(questions, question, model, longest))
        .collect::<Result<_, _>>()?;
    let first = questions.questions.first().map(|question| questions.context(question)).unwrap_or_default();
    let begins_with_added = model.adds_before(&first).map_err(EngineError::from)?;
    let log_probs = log_probs(&prompts, &mut engine, loader)?;

    let picked = |(question, log_probs): (&Question, &Vec<f64>)| Picked {
        choices: question.choices.len(),
        answer: question.answer,
        picks: Picks::of(log_probs, &question.choices),
    };
    let picked: Vec<Picked> = questions.questions.iter().zip(&log_probs).map(picked).collect();
    let scored = ScoredChoices {
        precision: engine.precision().to_string(),
        file: args.choices.as_ref().map(|file| file.display().to_string()).unwrap_or_default(),
        task: args.task.unwrap_or(crate::suite::Task::Plain),
        examples: questions.examples,
        begins_with_added,
        cut_prompts: prompts.iter().filter(|prompt| prompt.is_cut).count(),
        overall: Accuracy::of(&picked, questions.are_labels),
        languages: by_group(questions, &picked, |question| question.language),
        categories: by_group(questions, &picked, |question| question.category.clone()),
        questions: questions
            .questions
            .iter()
            .zip(picked.iter().zip(log_probs))
            .map(|(question, (picked, log_probs))| ScoredQuestion {
                line: question.line,
                answer: question.answer,
                picks: picked.picks,
                log_probs,
            })
            .collect(),
    };
    let printer = loader.printer;
    printer.answer(&match args.format {
        RunFormat::Json => choices::json(&scored)?,
        RunFormat::Text => terminal(printer).render(&choices::page(&scored)),
    })?;
    Ok(Status::Yes)
}

/// A question in tokens.
struct Prompt {
    /// Of each choice: tokenizers may cut a context otherwise before one choice than before another.
    contexts: Vec<Vec<u32>>,
    continuations: Vec<Vec<u32>>,
    /// Its beginning is lost, because the context of the model is too short for it.
    is_cut: bool,
}

impl Prompt {
    fn of(questions: &Questions, question: &Question, model: &TextModel, longest: usize) -> Result<Self, Error> {
        let context = questions.context(question);
        let pair = |choice: &String| model.encode_pair(&context, &question.continuation(choice));
        let pairs = question.choices.iter().map(pair).collect::<Result<Vec<_>, _>>().map_err(EngineError::from)?;
        let (mut contexts, continuations): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
        // The last token of a continuation is predicted and predicts nothing, so it needs no place.
        let longest_continuation = continuations.iter().map(Vec::len).max().unwrap_or(1);
        let most = (longest + 1).saturating_sub(longest_continuation).max(1);
        let mut is_cut = false;
        for context in &mut contexts {
            let beyond = context.len().saturating_sub(most);
            is_cut |= beyond > 0;
            context.drain(..beyond);
        }
        Ok(Self { contexts, continuations, is_cut })
    }
}

/// The log-likelihoods of each question's choices.
fn log_probs(prompts: &[Prompt], engine: &mut CandleEngine, loader: &Loader) -> Result<Vec<Vec<f64>>, Error> {
    let progress = PassProgress::new(loader.printer, prompts.len() as u64);
    progress.starts("questions");
    let mut asked = Continuations::of(engine);
    let of = |prompt: &Prompt| {
        loader.go_on()?;
        let mut log_probs = Vec::with_capacity(prompt.contexts.len());
        for (context, group) in alike(&prompt.contexts, &prompt.continuations) {
            log_probs.extend(asked.log_probs(context, &group)?);
        }
        progress.ended();
        Ok(log_probs)
    };
    prompts.iter().map(of).collect()
}

/// Choices that stand next to each other and have one context.
fn alike<'p>(contexts: &'p [Vec<u32>], continuations: &'p [Vec<u32>]) -> Vec<(&'p [u32], Vec<&'p [u32]>)> {
    let mut groups: Vec<(&[u32], Vec<&[u32]>)> = Vec::new();
    for (context, continuation) in contexts.iter().zip(continuations) {
        match groups.last_mut() {
            Some((same, group)) if *same == context.as_slice() => group.push(continuation),
            _ => groups.push((context, vec![continuation])),
        }
    }
    groups
}

/// The accuracy in each group that questions state.
fn by_group<G: Ord>(
    questions: &Questions,
    picked: &[Picked],
    group: impl Fn(&Question) -> Option<G>,
) -> BTreeMap<G, Accuracy> {
    let mut groups: BTreeMap<G, Vec<Picked>> = BTreeMap::new();
    for (question, picked) in questions.questions.iter().zip(picked) {
        if let Some(group) = group(question) {
            groups.entry(group).or_default().push(*picked);
        }
    }
    let accuracy = |(group, picked): (G, Vec<Picked>)| (group, Accuracy::of(&picked, questions.are_labels));
    groups.into_iter().map(accuracy).collect()
}
