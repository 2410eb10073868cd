//! What candidates answered, each different answer to a prompt once.

use std::borrow::Cow;

use crate::record::{FinishReason, Outcome, Phase, Row, Trial};
use crate::report::page::Block;

/// A row's answers, folded away; nothing of a row without text.
pub(super) fn fold(row: &Row) -> Option<Block> {
    let mut answers: Vec<(&Trial, &str, Vec<u32>)> = Vec::new();
    for trial in row.trials.iter().filter(|trial| trial.key.phase() == Phase::Measured) {
        let Some(text) = trial.text.as_deref() else { continue };
        let same = |(other, answer, _): &&mut (&Trial, &str, Vec<u32>)| {
            same_prompt(other, trial) && other.outcome == trial.outcome && *answer == text
        };
        match answers.iter_mut().find(same) {
            Some((_, _, repetitions)) => repetitions.push(trial.key.repetition),
            None => answers.push((trial, text, vec![trial.key.repetition])),
        }
    }
    let blocks: Vec<Block> = answers
        .into_iter()
        .flat_map(|(trial, text, repetitions)| {
            let key = &trial.key;
            let language = key.language.map(|language| format!("{}/", language.tag())).unwrap_or_default();
            let place = format!("{language}{}/{}", key.suite, key.prompt);
            let answer = format!("{place}, {}, {}", listed(&repetitions), how_it_ended(&trial.outcome));
            [Block::Paragraph(answer), Block::Verbatim(text.to_owned())]
        })
        .collect();
    (!blocks.is_empty()).then(|| Block::Fold { title: row.candidate.row(), blocks })
}

fn same_prompt(a: &Trial, b: &Trial) -> bool {
    (&a.key.suite, a.key.language, &a.key.prompt) == (&b.key.suite, b.key.language, &b.key.prompt)
}

/// Repetitions are counted from 1 here, as people do.
fn listed(repetitions: &[u32]) -> String {
    let numbers: Vec<String> = repetitions.iter().map(|repetition| (u64::from(*repetition) + 1).to_string()).collect();
    let noun = if numbers.len() == 1 { "repetition" } else { "repetitions" };
    format!("{noun} {}", numbers.join(", "))
}

fn how_it_ended(outcome: &Outcome) -> Cow<'_, str> {
    match outcome {
        Outcome::Completed { finish: FinishReason::Stop } => "ended by itself".into(),
        Outcome::Completed { finish: FinishReason::Length } => "cut at the limit".into(),
        Outcome::Completed { finish: FinishReason::Context } => "cut, the context was full".into(),
        Outcome::Failed { message, .. } => format!("failed: {message}").into(),
    }
}
