//! How many multiple-choice questions a checkpoint gets right.

use std::collections::BTreeMap;

use serde::Serialize;

use super::ReportError;
use super::page::{Align, Block, Column, Note, Page, Table};
use crate::answer::Severity;
use crate::quality::Picks;
use crate::suite::{Language, Task};
use crate::summarize::{Accuracy, Rate};
use crate::units::{Share, UNKNOWN};

/// Questions that a checkpoint answered by the likelihood of their choices.
#[derive(Debug, Serialize)]
pub struct ScoredChoices {
    /// The types of the weights.
    pub precision: String,
    /// The file of the questions.
    pub file: String,
    pub task: Task,
    /// How many answered questions stand before each.
    pub examples: usize,
    /// Whether the tokenizer puts a token of its own before a prompt.
    pub begins_with_added: bool,
    /// Prompts that are longer than the model's context and lost their beginning.
    pub cut_prompts: usize,
    /// Of all questions.
    #[serde(flatten)]
    pub overall: Accuracy,
    /// Of those that state a language.
    pub languages: BTreeMap<Language, Accuracy>,
    /// Of those that state a category.
    pub categories: BTreeMap<String, Accuracy>,
    /// In the order of the file.
    pub questions: Vec<ScoredQuestion>,
}

/// A question with how likely its choices are.
#[derive(Debug, Serialize)]
pub struct ScoredQuestion {
    /// Of its file.
    pub line: usize,
    /// The right choice, counted from 0.
    pub answer: usize,
    pub picks: Picks,
    /// Of each choice, natural logarithms.
    pub log_probs: Vec<f64>,
}

/// One JSON document on a line.
///
/// # Errors
/// What the encoder gives.
pub fn json(scored: &ScoredChoices) -> Result<String, ReportError> {
    super::json::line("the questions", scored)
}

/// What stands after a rate that guessing gets as well.
const AT_CHANCE: &str = "*";

/// The accuracy of all questions and of each group, beside chance.
pub fn page(scored: &ScoredChoices) -> Page {
    let ScoredChoices { precision, file, task, examples, begins_with_added, cut_prompts, overall, languages, .. } =
        scored;
    let form = clap::ValueEnum::to_possible_value(task).map(|value| value.get_name().to_owned()).unwrap_or_default();
    let before = if *begins_with_added { "the token that the tokenizer adds" } else { "nothing" };
    let how = format!(
        "{file}, asked as {form} with {examples} examples; before a prompt stands {before}. A question is right if its right \
         choice is the likeliest."
    );
    let mut rows: Vec<(String, &Accuracy)> = vec![("all".to_owned(), overall)];
    rows.extend(languages.iter().map(|(language, accuracy)| (language.name().to_owned(), accuracy)));
    rows.extend(scored.categories.iter().map(|(category, accuracy)| (category.clone(), accuracy)));
    let at_chance = rows.iter().any(|(_, accuracy)| {
        [accuracy.raw, accuracy.per_character, accuracy.per_byte].iter().any(|rate| accuracy.is_at_chance(rate))
    });
    let mut blocks = vec![Block::Heading(precision.clone()), Block::Paragraph(how), Block::Table(table(&rows))];
    if at_chance {
        let text = "the 95 % interval holds chance: this shows no more than guessing does".to_owned();
        blocks.push(Block::Note(note(Severity::Info, Some(AT_CHANCE), text)));
    }
    if *cut_prompts > 0 {
        let text =
            format!("prompts that are longer than the model's context, and so lost their beginning: {cut_prompts}");
        blocks.push(Block::Note(note(Severity::Warning, None, text)));
    }
    Page::new(blocks)
}

fn note(severity: Severity, mark: Option<&'static str>, text: String) -> Note {
    Note { severity, subject: None, mark, text }
}

fn table(rows: &[(String, &Accuracy)]) -> Table {
    let column = |heading: &str, cell: &dyn Fn(&Accuracy) -> String| {
        Column::new(heading, Align::Right, rows.iter().map(|(_, accuracy)| cell(accuracy)))
    };
    let rate = |accuracy: &Accuracy, rate: Rate| {
        if accuracy.is_at_chance(&rate) { format!("{rate} {AT_CHANCE}") } else { rate.to_string() }
    };
    let mut columns = vec![
        column("right", &|accuracy| rate(accuracy, accuracy.raw)),
        column("right, per\ncharacter", &|accuracy| rate(accuracy, accuracy.per_character)),
        column("right, per\nbyte", &|accuracy| rate(accuracy, accuracy.per_byte)),
        column("chance", &|accuracy| accuracy.chance.map_or(UNKNOWN.to_owned(), |chance| Share(chance).to_string())),
    ];
    if rows.iter().any(|(_, accuracy)| accuracy.macro_f1.is_some()) {
        let f1 = |accuracy: &Accuracy| accuracy.macro_f1.map_or(UNKNOWN.to_owned(), |f1| format!("{f1:.3}"));
        columns.push(column("macro-F1", &f1));
    }
    // Labels that are all of one length are picked alike in each of the three ways.
    if rows.iter().all(|(_, accuracy)| accuracy.raw == accuracy.per_character && accuracy.raw == accuracy.per_byte) {
        columns.drain(1..3);
    }
    Table { names: vec![Column::new("questions", Align::Left, rows.iter().map(|(name, _)| name.clone()))], columns }
}
