//! The columns of the comparison, for each kind of prompts.

use super::grid::{Align, Column};
use crate::measure::Metric;
use crate::measure::metric::{CHARACTERS, CHARACTERS_PER_TOKEN, DECODE, ENERGY_PER_TOKEN, PREFILL, TTFT};
use crate::measure::units::{Bytes, Known, Rate, Seconds, Share, UNKNOWN};
use crate::run::{Row, RowOutcome};
use crate::suite::Language;
use crate::summarize::{Cell, Distribution, Figures, RowSummary, Summary};

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
        column("memory", Align::Right, lines, |(_, summary)| {
            let memory = summary.memory;
            match (memory.measured_bytes, memory.estimated_bytes) {
                (Some(measured), _) => Bytes(measured).to_string(),
                (None, Some(estimated)) => format!("~{}", Bytes(estimated)),
                (None, None) => UNKNOWN.to_owned(),
            }
        }),
        column("load", Align::Right, lines, |(row, summary)| match (summary.load_seconds, &row.outcome) {
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
            columns.extend(decode(group, lines));
        }
        Group::Text => {
            columns.extend(waits(lines));
            columns.extend(decode(group, lines));
            columns.extend(reading(lines));
        }
    }
    columns.extend(energy(group, lines));
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
    let ttft = |percentile: fn(&Distribution) -> Option<f64>| {
        move |(_, summary): &Line| {
            let value = summary.text.as_ref().and_then(|text| percentile(text.overall.get(&TTFT)?));
            Known(value.map(Seconds)).to_string()
        }
    };
    let prefill = |(_, summary): &Line| show(summary.text.as_ref().map(|text| &text.overall), &PREFILL);
    vec![
        column("TTFT\np50", Align::Right, lines, ttft(|distribution| distribution.p50)),
        column("TTFT\np95", Align::Right, lines, ttft(|distribution| distribution.p95)).joined(),
        column(heading(&PREFILL), Align::Right, lines, prefill),
    ]
}

/// For each length of prompt the median time to first token and prefill rate.
fn cells(lines: &[Line]) -> Vec<Column> {
    let mut kinds: Vec<(&str, Option<u32>)> = Vec::new();
    for cell in lines.iter().filter_map(|(_, summary)| summary.tokens.as_ref()).flat_map(|tokens| &tokens.cells) {
        if !kinds.iter().any(|(prompt, _)| *prompt == cell.prompt) {
            kinds.push((&cell.prompt, cell.prompt_tokens));
        }
    }
    kinds.sort_by_key(|(_, tokens)| *tokens);
    let unique = |tokens: u32| kinds.iter().filter(|(_, other)| *other == Some(tokens)).count() == 1;
    let of = |prompt: &str, metric: Metric| {
        let prompt = prompt.to_owned();
        move |(_, summary): &Line| {
            let cells: &[Cell] = summary.tokens.as_ref().map_or(&[], |tokens| &tokens.cells);
            show(cells.iter().find(|cell| cell.prompt == prompt).map(|cell| &cell.figures), &metric)
        }
    };
    kinds
        .iter()
        .flat_map(|(prompt, tokens)| {
            let name = match tokens {
                Some(tokens) if unique(*tokens) => format!("@{tokens}"),
                _ => (*prompt).to_owned(),
            };
            [
                column(format!("TTFT\n{name}"), Align::Right, lines, of(prompt, TTFT)),
                column(format!("prefill\n{name}"), Align::Right, lines, of(prompt, PREFILL)).joined(),
            ]
        })
        .collect()
}

/// The median decode rate and where it lies.
fn decode(group: Group, lines: &[Line]) -> Vec<Column> {
    vec![
        column(heading(&DECODE), Align::Right, lines, |(_, summary)| show(group.overall(summary), &DECODE)),
        column("95 %\ninterval", Align::Left, lines, |(_, summary)| {
            let interval = group.overall(summary).and_then(|figures| figures.get(&DECODE)?.interval);
            let text = interval.map(|interval| format!("{}–{}", Rate(interval.low), Rate(interval.high)));
            Known(text).to_string()
        })
        .joined(),
    ]
}

/// What a token costs the card, where a card is there to tell.
fn energy(group: Group, lines: &[Line]) -> Option<Column> {
    let told =
        |(_, summary): &Line| group.overall(summary).is_some_and(|figures| figures.get(&ENERGY_PER_TOKEN).is_some());
    lines.iter().any(told).then(|| {
        column(heading(&ENERGY_PER_TOKEN), Align::Right, lines, |(_, summary)| {
            show(group.overall(summary), &ENERGY_PER_TOKEN)
        })
    })
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
