//! The comparison as a page: figures, notes, and the recommendation.

mod answers;
mod columns;
#[cfg(test)]
mod tests;
mod variants;

use super::machine;
use super::page::{Align, Block, Column, Form, Item, Note, Page, Table};
use crate::answer::{self, Answer, Kind, Scarce, Severity};
use crate::metric::Metric;
use crate::recommend::{explain, provenance};
use crate::summarize::RowSummary;
use crate::units::counted;

use columns::{Columns, Group, Line};

/// The page of an answer.
///
/// A screen ends with the recommendation, for its end is what is seen, or with what variants change; a document
/// begins with it. A screen does not repeat of rows that did not run what the recommendation says where it rejects them, and
/// shows no answers: the exports do. The tables have columns of `more` metrics beside their own.
pub fn page(answer: &Answer, form: Form, more: &[Metric]) -> Page {
    let (not_run, notes): (Vec<_>, Vec<_>) = answer.notes.iter().partition(|note| is_of_outcome(&note.kind));
    let mut blocks = Vec::new();
    match form {
        Form::Screen => {
            let machine = machine::named(&answer.run.environment);
            blocks.push(Block::Paragraph(format!("Run {} on {machine}", answer.run.id)));
            blocks.extend(figures(answer, form, more));
            let failed = not_run.into_iter().filter(|note| matches!(note.kind, Kind::FailedRequests { .. }));
            blocks.extend(failed.chain(notes).map(note));
            blocks.extend(recommendation(answer));
            blocks.extend(variants::blocks(answer, form));
        }
        Form::Document => {
            // What makes figures doubtful stands before them.
            let (warnings, notes): (Vec<_>, Vec<_>) =
                notes.into_iter().partition(|note| note.kind.severity() == Severity::Warning);
            blocks.push(Block::Title(format!("Run {}", answer.run.id)));
            blocks.push(Block::Paragraph(origin(answer)));
            blocks.extend(warnings.into_iter().map(note));
            blocks.extend(variants::blocks(answer, form));
            blocks.extend(recommendation(answer));
            blocks.extend(figures(answer, form, more));
            blocks.extend(notes.into_iter().map(note));
            blocks.extend(outcomes(&not_run));
            blocks.extend(self::answers(answer));
        }
    }
    Page::new(blocks)
}

/// Whether a note says why a row, or some of its requests, has no figures.
fn is_of_outcome(kind: &Kind) -> bool {
    matches!(kind, Kind::Skipped { .. } | Kind::Failed { .. } | Kind::Pending | Kind::FailedRequests { .. })
}

fn origin(answer: &Answer) -> String {
    let environment = &answer.run.environment;
    format!(
        "{} · {} · {} · bench {} · started {}",
        environment.device_name,
        environment.device,
        counted(environment.threads, "thread"),
        environment.program_version,
        answer.run.started_at.strftime("%Y-%m-%d %H:%M UTC"),
    )
}

/// A table for each kind of prompts that was run. The first lists every row, also those without a figure.
fn figures(answer: &Answer, form: Form, more: &[Metric]) -> Vec<Block> {
    let lines: Vec<Line> = answer.rows().collect();
    if lines.is_empty() {
        return Vec::new();
    }
    let groups: Vec<Group> =
        Group::ALL.into_iter().filter(|group| lines.iter().any(|(_, summary)| group.of(summary).is_some())).collect();
    if groups.is_empty() {
        let columns = Columns { answer, lines, form, more };
        return vec![Block::Table(table(&columns, columns.resources(), |_| false))];
    }
    let limits = !answer.run.requirements.request_limits().is_empty();
    let table_of = |(index, group): (usize, &Group)| {
        let is_first = index == 0;
        let is_shown = |(_, summary): &&Line| is_first || group.of(summary).is_some();
        let shown: Vec<Line> = lines.iter().filter(is_shown).copied().collect();
        let title = title(*group, &shown);
        let columns = Columns { answer, lines: shown, form, more };
        let resources = if is_first { columns.resources() } else { Vec::new() };
        let all = [resources, columns.figures(*group, limits)].concat();
        [Block::Heading(title), Block::Table(table(&columns, all, |summary| group.of(summary).is_some()))]
    };
    let mut blocks: Vec<Block> = groups.iter().enumerate().flat_map(table_of).collect();
    let judged: Vec<Line> = lines.iter().filter(|(_, summary)| summary.quality.is_some()).copied().collect();
    if !judged.is_empty() {
        let columns = Columns { answer, lines: judged, form, more };
        let quality = columns.quality();
        blocks.push(Block::Heading(
            "Answers: share that pass their checks, and that are faithful to the language".to_owned(),
        ));
        blocks.push(Block::Table(table(&columns, quality, |_| true)));
    }
    blocks
}

fn table(columns: &Columns, figures: Vec<Column>, is_measured: impl Fn(&RowSummary) -> bool) -> Table {
    let mut table = Table { names: columns.names(), columns: figures };
    let pick = columns.answer.recommendation.pick().map(|pick| pick.row.as_str());
    for (index, (_, summary)) in columns.lines.iter().enumerate() {
        if pick == Some(summary.row.as_str()) {
            table.pick(index);
        } else if !is_measured(summary) {
            table.dim(index);
        }
    }
    table
}

fn title(group: Group, lines: &[Line]) -> String {
    match group {
        Group::Tokens => "Speed: medians on prompts of so many (@) token ids, prefill in tok/s".to_owned(),
        Group::Text => {
            let suites = lines.iter().flat_map(|(_, summary)| &summary.suites);
            let mut names: Vec<&str> =
                suites.filter(|suite| !suite.summary.languages.is_empty()).map(|suite| suite.suite.as_str()).collect();
            names.sort_unstable();
            names.dedup();
            format!("Text: {}", names.join(", "))
        }
    }
}

fn note(note: &answer::Note) -> Block {
    // The marks that cells have.
    let mark = match note.kind {
        Kind::RandomWeights { .. } => Some("*"),
        Kind::EstimatedMemory { .. } => Some("~"),
        Kind::NotToldApart { .. } => Some("="),
        Kind::TooFewPrompts { figure: Scarce::P50, .. } => Some("( )"),
        Kind::TooFewPrompts { .. } | Kind::TooFewTrials { .. } => Some("—"),
        _ => None,
    };
    Block::Note(Note {
        severity: note.kind.severity(),
        subject: note.subject.row().map(str::to_owned),
        mark,
        text: note.kind.to_string(),
    })
}

/// The verdict, and what it rests on. Lines that start with two spaces belong to the one above.
fn recommendation(answer: &Answer) -> Vec<Block> {
    let mut lines = explain(&answer.recommendation).into_iter();
    let verdict = lines.next().map(Block::Heading);
    let items = lines.map(|line| Item { nested: line.starts_with("  "), text: line.trim_start().to_owned() });
    let items: Vec<Item> = items.collect();
    let provenance = provenance(&answer.recommendation).map(Block::Paragraph);
    provenance.into_iter().chain(verdict).chain((!items.is_empty()).then_some(Block::List(items))).collect()
}

/// Candidates and requests that came to nothing, each with its reason.
fn outcomes(notes: &[&answer::Note]) -> Vec<Block> {
    if notes.is_empty() {
        return Vec::new();
    }
    let name = |note: &&answer::Note| note.subject.row().unwrap_or_default().to_owned();
    let table = Table {
        names: vec![Column::new("candidate", Align::Left, notes.iter().map(name))],
        columns: vec![Column::new("what happened", Align::Left, notes.iter().map(|note| note.kind.to_string()))],
    };
    vec![Block::Heading("Not run, or failed".to_owned()), Block::Table(table)]
}

fn answers(answer: &Answer) -> Vec<Block> {
    let folds: Vec<Block> = answer.run.rows.iter().filter_map(answers::fold).collect();
    let heading = (!folds.is_empty()).then(|| Block::Heading("Answers".to_owned()));
    heading.into_iter().chain(folds).collect()
}
