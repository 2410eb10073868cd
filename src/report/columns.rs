//! The columns of the comparison, for each kind of prompts.

use super::figure;
use super::grid::{Align, Column};
use crate::metric::{
    CHARACTERS, CHARACTERS_PER_TOKEN, DECODE, ENERGY_PER_TOKEN, LOAD, MBU, MEMORY, MFU, Metric, PREFILL, TTFT,
};
use crate::record::{Row, RowOutcome};
use crate::suite::Language;
use crate::summarize::{Distribution, Figures, RowSummary, Summary, ties};
use crate::units::{Bytes, Known, Rate, Seconds, Share, UNKNOWN};

/// A row of the run with its summary.
pub(super) type Line<'a> = (&'a Row, &'a RowSummary);

/// Which prompts a block of the report is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Group {
    Tokens,
    Text,
}

impl Group {
    pub(super) const ALL: [Group; 2] = [Group::Tokens, Group::Text];

    pub(super) fn of(self, summary: &RowSummary) -> Option<&Summary> {
        match self {
            Group::Tokens => summary.tokens.as_ref(),
            Group::Text => summary.text.as_ref(),
        }
    }

    fn overall(self, summary: &RowSummary) -> Option<&Figures> {
        self.of(summary).map(|summary| &summary.overall)
    }
}

/// What a row is. Precision is beside the name in every table: two precisions of a model are two candidates.
pub(super) fn names(lines: &[Line]) -> Vec<Column> {
    vec![
        column("candidate", Align::Left, lines, |(row, summary)| {
            let mark = if summary.synthetic { " *" } else { "" };
            format!("{}{mark}", row.candidate.id)
        }),
        column("precision", Align::Left, lines, |(_, summary)| Known(summary.precision.as_ref()).to_string()),
    ]
}

/// What it took to get it ready. A row that was not loaded says so in place of the time.
pub(super) fn resources(lines: &[Line]) -> Vec<Column> {
    vec![
        column(MEMORY.label, Align::Right, lines, |(_, summary)| {
            let memory = summary.memory;
            match (memory.measured_bytes, memory.estimated_bytes) {
                (Some(measured), _) => Bytes(measured).to_string(),
                (None, Some(estimated)) => format!("~{}", Bytes(estimated)),
                (None, None) => UNKNOWN.to_owned(),
            }
        }),
        column(LOAD.label, Align::Right, lines, |(row, summary)| match (summary.load_seconds, &row.outcome) {
            (Some(seconds), _) => Seconds(seconds).to_string(),
            (None, RowOutcome::Skipped { .. }) => "skipped".to_owned(),
            (None, RowOutcome::Failed { .. }) => "failed".to_owned(),
            (None, RowOutcome::Pending) => "pending".to_owned(),
            (None, RowOutcome::Ran) => UNKNOWN.to_owned(),
        })
        .joined(),
    ]
}

/// What was measured on prompts of a group.
pub(super) fn figures(group: Group, lines: &[Line], limits: bool) -> Vec<Column> {
    let mut columns = vec![column("n", Align::Right, lines, |(_, summary)| count(group.of(summary)))];
    match group {
        Group::Tokens => {
            columns.extend(cells(lines));
            columns.extend(longest_prefill(lines));
            columns.extend(decode(group, lines));
        }
        Group::Text => {
            columns.extend(waits(lines));
            columns.extend(decode(group, lines));
            columns.extend(reading(lines));
        }
    }
    columns.extend(
        [MBU, ENERGY_PER_TOKEN]
            .iter()
            .filter_map(|metric| told(heading(metric), metric, lines, |summary| group.overall(summary))),
    );
    if limits {
        columns.push(column("within\nlimits", Align::Right, lines, |(_, summary)| {
            let attained = group.of(summary).and_then(|summary| summary.attainment.as_ref());
            Known(attained.map(|attained| Share(attained.share()))).to_string()
        }));
    }
    columns
}

/// Measured requests; those that completed, if not all did.
fn count(summary: Option<&Summary>) -> String {
    match summary {
        None => UNKNOWN.to_owned(),
        Some(summary) if summary.failed == 0 => summary.measured.to_string(),
        Some(summary) => format!("{}/{}", summary.measured - summary.failed, summary.measured),
    }
}

fn waits(lines: &[Line]) -> Vec<Column> {
    let p95 = |(_, summary): &Line| {
        let p95 = summary.text.as_ref().and_then(|text| text.overall.get(&TTFT)?.p95);
        Known(p95.map(Seconds)).to_string()
    };
    let prefill = |(_, summary): &Line| show(summary.text.as_ref().map(|text| &text.overall), &PREFILL);
    vec![
        compared(format!("{}\np50", TTFT.label), &TTFT, &text_waits(lines)),
        column(format!("{}\np95", TTFT.label), Align::Right, lines, p95).joined(),
        column(heading(&PREFILL), Align::Right, lines, prefill),
    ]
}

/// Times to first token of texts, where there are enough of them for a p50.
fn text_waits<'a>(lines: &[Line<'a>]) -> Vec<Option<&'a Distribution>> {
    let of = |(_, summary): &Line<'a>| summary.text.as_ref()?.overall.get(&TTFT).filter(|ttft| ttft.p50.is_some());
    lines.iter().map(of).collect()
}

/// For each length of prompt the median time to first token and prefill rate.
fn cells(lines: &[Line]) -> Vec<Column> {
    let kinds = kinds(lines);
    kinds
        .iter()
        .flat_map(|(prompt, tokens)| {
            let name = length(&kinds, prompt, *tokens);
            let prefill = |(_, summary): &Line| show(cell(summary, prompt), &PREFILL);
            [
                compared(format!("{}\n{name}", TTFT.label), &TTFT, &cell_waits(prompt, lines)),
                column(format!("{}\n{name}", PREFILL.label), Align::Right, lines, prefill).joined(),
            ]
        })
        .collect()
}

/// `@512`, or the prompt's name where another is as long.
fn length(kinds: &[(&str, Option<u32>)], prompt: &str, tokens: Option<u32>) -> String {
    match tokens {
        Some(length) if kinds.iter().filter(|(_, other)| *other == tokens).count() == 1 => format!("@{length}"),
        _ => prompt.to_owned(),
    }
}

/// The prompts of token ids and their lengths, shortest first.
fn kinds<'a>(lines: &[Line<'a>]) -> Vec<(&'a str, Option<u32>)> {
    let mut kinds: Vec<(&str, Option<u32>)> = Vec::new();
    for cell in lines.iter().filter_map(|(_, summary)| summary.tokens.as_ref()).flat_map(|tokens| &tokens.cells) {
        if !kinds.iter().any(|(prompt, _)| *prompt == cell.prompt) {
            kinds.push((&cell.prompt, cell.prompt_tokens));
        }
    }
    kinds.sort_by_key(|(_, tokens)| *tokens);
    kinds
}

fn cell<'a>(summary: &'a RowSummary, prompt: &str) -> Option<&'a Figures> {
    summary.tokens.as_ref()?.cell(prompt)
}

fn cell_waits<'a>(prompt: &str, lines: &[Line<'a>]) -> Vec<Option<&'a Distribution>> {
    lines.iter().map(|(_, summary)| cell(summary, prompt)?.get(&TTFT)).collect()
}

/// The median decode rate and where it lies.
fn decode(group: Group, lines: &[Line]) -> Vec<Column> {
    vec![
        compared(heading(&DECODE), &DECODE, &decodes(group, lines)),
        column("95 %\ninterval", Align::Left, lines, |(_, summary)| {
            let interval = group.overall(summary).and_then(|figures| figures.get(&DECODE)?.interval);
            let text = interval.map(|interval| format!("{}–{}", Rate(interval.low), Rate(interval.high)));
            Known(text).to_string()
        })
        .joined(),
    ]
}

fn decodes<'a>(group: Group, lines: &[Line<'a>]) -> Vec<Option<&'a Distribution>> {
    lines.iter().map(|(_, summary)| group.overall(summary)?.get(&DECODE)).collect()
}

/// A column of medians by which candidates are compared: those that are not told apart from the best are marked.
fn compared(heading: impl Into<String>, metric: &Metric, figures: &[Option<&Distribution>]) -> Column {
    let cells = figures
        .iter()
        .zip(ties(figures, metric.direction))
        .map(|(figure, tied)| figure::compared(metric, *figure, tied));
    Column::new(heading, Align::Right, cells.collect())
}

/// Whether some candidate is marked as not told apart from the best of its column.
pub(super) fn any_tied(lines: &[Line]) -> bool {
    let waits = kinds(lines).into_iter().map(|(prompt, _)| (TTFT, cell_waits(prompt, lines)));
    let decodes = Group::ALL.into_iter().map(|group| (DECODE, decodes(group, lines)));
    let mut all = waits.chain(decodes).chain([(TTFT, text_waits(lines))]);
    all.any(|(metric, figures)| ties(&figures, metric.direction).contains(&true))
}

/// How near the prefill of the longest prompt came to what a GPU can compute, where that is known.
fn longest_prefill(lines: &[Line]) -> Option<Column> {
    let kinds = kinds(lines);
    let (prompt, tokens) = *kinds.last()?;
    told(format!("{}\n{}", MFU.label, length(&kinds, prompt, tokens)), &MFU, lines, |summary| cell(summary, prompt))
}

/// A column of what only some devices tell; none where nobody did.
fn told(
    heading: String,
    metric: &Metric,
    lines: &[Line],
    figures: impl for<'a> Fn(&'a RowSummary) -> Option<&'a Figures>,
) -> Option<Column> {
    let is_told = |(_, summary): &Line| figures(summary).is_some_and(|figures| figures.get(metric).is_some());
    let cells = || lines.iter().map(|(_, summary)| show(figures(summary), metric)).collect();
    lines.iter().any(is_told).then(|| Column::new(heading, Align::Right, cells()))
}

/// What a reader sees, by language.
fn reading(lines: &[Line]) -> Vec<Column> {
    let by_language = |metric: Metric, language: Language| {
        let name = format!("{}\n{}", metric.label, language.tag());
        column(name, Align::Right, lines, move |(_, summary): &Line| {
            show(summary.text.as_ref().and_then(|text| text.language(language)), &metric)
        })
    };
    [CHARACTERS, CHARACTERS_PER_TOKEN]
        .into_iter()
        .flat_map(|metric| [by_language(metric, Language::Ko), by_language(metric, Language::En).joined()])
        .collect()
}

fn show(figures: Option<&Figures>, metric: &Metric) -> String {
    let median = figures.and_then(|figures| figures.median(metric));
    Known(median.map(|median| metric.unit.show(median))).to_string()
}

fn heading(metric: &Metric) -> String {
    format!("{}\n{}", metric.label, metric.unit.symbol())
}

fn column(heading: impl Into<String>, align: Align, lines: &[Line], cell: impl Fn(&Line) -> String) -> Column {
    Column::new(heading, align, lines.iter().map(cell).collect())
}
