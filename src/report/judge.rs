//! What was judged: each row's rates, verdicts that changed, and answers that fail.

use serde::Serialize;

use super::ReportError;
use super::page::{Align, Block, Column, Page, Table};
use crate::metric::{FIDELITY, PASS_RATE};
use crate::quality::Manner;
use crate::suite::Language;
use crate::summarize::{BrokenRule, Rate};
use crate::units::UNKNOWN;

/// What judging a run again gave.
#[derive(Debug, Serialize)]
pub struct Judged {
    pub schema_version: u64,
    /// The run's id.
    pub run: String,
    /// Version of the rules.
    pub rules: u32,
    /// Answers that were judged, of all rows.
    pub answers: usize,
    /// Answers that had been judged before.
    pub judged_before: usize,
    /// Each row's rates, of all its answers and by language.
    pub rows: Vec<JudgedRow>,
    /// In the order of the answers.
    pub changes: Vec<Change>,
}

/// A row's rates.
#[derive(Debug, Serialize)]
pub struct JudgedRow {
    /// The row's name.
    pub row: String,
    /// That answers are due in; `None` for all.
    pub language: Option<Language>,
    /// Answers that break no gate.
    pub fidelity: Rate,
    /// Answers that break neither a gate nor a check, of prompts with checks.
    pub pass_rate: Rate,
    /// Answers all of whose lines are in the language; `None` for all languages together.
    pub line_pass: Option<Rate>,
    /// What is worth a look; of the Korean answers.
    pub manner: Option<Manner>,
}

/// A verdict that is another than the stored one.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The row's name.
    pub row: String,
    /// The suite's name.
    pub suite: String,
    /// That the prompt is asked in.
    pub language: Option<Language>,
    /// The prompt's id.
    pub prompt: String,
    /// The gate or the check.
    pub rule: String,
    /// `pass`, `fail` or `not_applicable`; `None` where the rule was not there.
    pub before: Option<&'static str>,
    /// Likewise.
    pub after: Option<&'static str>,
    /// Why it fails now.
    pub reason: Option<String>,
}

/// An answer of a file, judged.
#[derive(Debug, Serialize)]
pub struct JudgedLine {
    /// The answer's own, or the number of its line.
    pub id: String,
    /// Whether nothing is broken.
    pub passes: bool,
    /// Whether no gate is broken.
    pub faithful: bool,
    /// Whether all its lines are in the language; `None` where none is long enough to tell.
    pub lines_pass: Option<bool>,
    /// What is broken, gates first.
    pub broken: Vec<BrokenRule>,
}

/// One JSON document on a line.
///
/// # Errors
/// What the encoder gives.
pub fn json(judged: &impl Serialize) -> Result<String, ReportError> {
    super::json::line("the judgement", judged)
}

/// The rates of each row, then what changed.
pub fn page(judged: &Judged) -> Page {
    let Judged { run, rules, answers, judged_before, rows, changes, .. } = judged;
    let head = format!("Run {run}: {answers} answers judged by version {rules} of the rules");
    let cell = |rate: &Rate| if rate.of == 0 { UNKNOWN.to_owned() } else { rate.to_string() };
    let table = Table {
        names: vec![
            Column::new("candidate", Align::Left, rows.iter().map(|row| row.row.clone())),
            Column::new("language", Align::Left, rows.iter().map(|row| tag(row.language))),
        ],
        columns: vec![
            Column::new(PASS_RATE.label, Align::Right, rows.iter().map(|row| cell(&row.pass_rate))),
            Column::new(FIDELITY.label, Align::Right, rows.iter().map(|row| cell(&row.fidelity))),
            Column::new(
                "line pass rate",
                Align::Right,
                rows.iter().map(|row| cell(&row.line_pass.unwrap_or_default())),
            ),
        ],
    };
    let manners = rows.iter().filter_map(|row| Some(format!("{}, Korean: {}", row.row, manner(&row.manner?)?)));
    let manners: Vec<String> = manners.collect();
    let looked = (!manners.is_empty()).then(|| Block::Paragraph("Worth a look, and fails nothing:".to_owned()));
    let changed = match (judged_before, changes.len()) {
        (0, _) => "They had not been judged before.".to_owned(),
        (_, 0) => "No verdict changed.".to_owned(),
        (_, 1) => "1 verdict changed:".to_owned(),
        (_, count) => format!("{count} verdicts changed:"),
    };
    let lines = changes.iter().map(change).collect();
    let table = (!rows.is_empty()).then_some(Block::Table(table));
    Page::new(
        [Block::Paragraph(head)]
            .into_iter()
            .chain(table)
            .chain(looked)
            .chain(Block::list(manners))
            .chain([Block::Paragraph(changed)])
            .chain(Block::list(lines)),
    )
}

/// What was found, each with how often it could have been; `None` of nothing.
fn manner(of: &Manner) -> Option<String> {
    let of_so_many = |found: usize, all: usize, what: &str| (found > 0).then(|| format!("{found} of {all} {what}"));
    let found = [
        (of.lone_jamo > 0).then(|| format!("{} jamo within a word", of.lone_jamo)),
        of_so_many(of.other_register, of.sentences, "sentences leave the register that was asked for"),
        of_so_many(of.wrong_particles, of.particles, "particles do not fit their sound"),
        (of.fullwidth > 0).then(|| format!("{} full-width marks", of.fullwidth)),
        of_so_many(of.too_short, of.lengths, "are shorter than was asked for"),
        of_so_many(of.too_long, of.lengths, "are longer than was asked for"),
    ];
    let found: Vec<String> = found.into_iter().flatten().collect();
    (!found.is_empty()).then(|| found.join(", "))
}

/// Each answer that fails, then how many do not.
pub fn lines(lines: &[JudgedLine]) -> Page {
    let failing: Vec<&JudgedLine> = lines.iter().filter(|line| !line.passes).collect();
    let rate = |count: usize| Rate { passed: count, of: lines.len() };
    let faithful = rate(lines.iter().filter(|line| line.faithful).count());
    let told = lines.iter().filter_map(|line| line.lines_pass);
    let line_pass = Rate { passed: told.clone().filter(|passes| *passes).count(), of: told.count() };
    let line_pass = if line_pass.of > 0 { format!(" Line pass rate {line_pass}.") } else { String::new() };
    let summary = format!("Passed {}. Fidelity {faithful}.{line_pass}", rate(lines.len() - failing.len()));
    let broken: Vec<(&str, &BrokenRule)> =
        failing.iter().flat_map(|line| line.broken.iter().map(|broken| (line.id.as_str(), broken))).collect();
    let column = |heading: &str, of: &dyn Fn(&BrokenRule) -> String| {
        Column::new(heading, Align::Left, broken.iter().map(|(_, rule)| of(rule)))
    };
    let table = Table {
        names: vec![Column::new("answer", Align::Left, broken.iter().map(|(id, _)| (*id).to_owned()))],
        columns: vec![
            column("breaks", &|rule| rule.rule.to_owned()),
            column("reason", &|rule| rule.reason.clone()),
            column("place", &|rule| rule.place.clone().unwrap_or_default().replace('\n', " ")),
        ],
    };
    let table = (!broken.is_empty()).then_some(Block::Table(table));
    Page::new(table.into_iter().chain([Block::Paragraph(summary)]))
}

fn tag(language: Option<Language>) -> String {
    language.map_or("all", |language| language.tag()).to_owned()
}

fn change(change: &Change) -> String {
    let Change { row, suite, language, prompt, rule, before, after, reason } = change;
    let word = |verdict: &Option<&'static str>| verdict.unwrap_or("no such rule").replace('_', " ");
    let reason = reason.as_ref().map(|reason| format!(", {reason}")).unwrap_or_default();
    let language = language.map(|language| format!(" {}", language.tag())).unwrap_or_default();
    format!("{row}, {suite}{language} {prompt}: {rule} from {} to {}{reason}", word(before), word(after))
}
