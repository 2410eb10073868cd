//! The comparison as a person reads it in a terminal: tables, notes, and the recommendation.

use super::columns::{self, Group, Line};
use super::grid::{Column, Grid, Tone};
use super::prose::{bold, other_programs, paragraph};
use super::{cold_start, gpu, hardware, sampling};
use crate::measure::{Disturbance, culprits, disturbances};
use crate::metric::{DECODE, TTFT};
use crate::recommend::{Recommendation, explain};
use crate::record::{Outcome, Phase, Row, Run, Trial};
use crate::summarize::{Interval, Percentile, RowSummary, Summary};

/// What the terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Columns; `None` puts each row on one line, however long.
    pub width: Option<usize>,
    pub color: bool,
}

/// The tables of a run with their notes, and the recommendation below. Ends with a line feed.
pub fn render(run: &Run, summaries: &[RowSummary], recommendation: &Recommendation, layout: &Layout) -> String {
    let lines: Vec<Line> = run.rows.iter().zip(summaries).collect();
    let mut parts = vec![paragraph(&where_it_ran(run), layout)];
    parts.extend(blocks(run, &lines, recommendation, layout));
    let notes = notes(run, &lines, recommendation);
    parts.extend((!notes.is_empty()).then(|| paragraphs(&notes, layout)));
    parts.push(advice(recommendation, layout));
    parts.join("\n\n") + "\n"
}

fn where_it_ran(run: &Run) -> String {
    let environment = &run.environment;
    let threads = environment.threads;
    format!("Run {} on {} ({}, {threads} threads)", run.id, environment.device_name, environment.device)
}

/// A block for each kind of prompts that was run. The first lists every row, also those without a figure.
fn blocks(run: &Run, lines: &[Line], recommendation: &Recommendation, layout: &Layout) -> Vec<String> {
    let measured: Vec<Group> =
        Group::ALL.into_iter().filter(|group| lines.iter().any(|(_, summary)| group.of(summary).is_some())).collect();
    if measured.is_empty() {
        return vec![grid(lines, columns::resources(lines), |_| false, recommendation).render(layout)];
    }
    let limits = !run.requirements.request_limits().is_empty();
    measured
        .iter()
        .enumerate()
        .map(|(index, group)| {
            let first = index == 0;
            let shown: Vec<Line> =
                lines.iter().filter(|(_, summary)| first || group.of(summary).is_some()).copied().collect();
            let mut columns = if first { columns::resources(&shown) } else { Vec::new() };
            columns.extend(columns::figures(*group, &shown, limits));
            let grid = grid(&shown, columns, |summary| group.of(summary).is_some(), recommendation);
            format!("{}\n{}", bold(&title(*group, &shown), layout), grid.render(layout))
        })
        .collect()
}

fn grid(
    lines: &[Line],
    columns: Vec<Column>,
    measured: impl Fn(&RowSummary) -> bool,
    recommendation: &Recommendation,
) -> Grid {
    let pick = recommendation.pick().map(|pick| pick.row.as_str());
    let tones = lines
        .iter()
        .map(|(_, summary)| match () {
            () if pick == Some(summary.row.as_str()) => Tone::Pick,
            () if measured(summary) => Tone::Plain,
            () => Tone::Empty,
        })
        .collect();
    Grid { names: columns::names(lines), columns, tones }
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

/// What the tables cannot say in their cells.
fn notes(run: &Run, lines: &[Line], recommendation: &Recommendation) -> Vec<String> {
    let mut notes: Vec<String> = lines.iter().filter_map(|(row, _)| failures(row)).collect();
    notes.extend(lines.iter().filter_map(|(_, summary)| hardware::impossible(run, summary)));
    notes.extend(disturbed(run));
    notes.extend(lines.iter().flat_map(|(row, _)| sampling::notes(row, &run.settings)));
    notes.extend(gpu::notes(run));
    if lines.iter().any(|(_, summary)| summary.synthetic) {
        notes.push("* random weights at the model's real shape".to_owned());
    }
    let estimated =
        |summary: &RowSummary| summary.memory.measured_bytes.is_none() && summary.memory.estimated_bytes.is_some();
    if lines.iter().any(|(_, summary)| estimated(summary)) {
        notes.push("~ estimated from the shape, not measured".to_owned());
    }
    if columns::any_tied(lines) {
        notes.push("= not told apart from the best of its column: their 95 % intervals overlap".to_owned());
    }
    notes.extend(too_few(lines));
    let limits: Vec<String> = run
        .requirements
        .request_limits()
        .iter()
        .map(|(metric, limit)| {
            format!("{} {} {}", metric.label, metric.direction.bound(), metric.unit.show_in_text(*limit))
        })
        .collect();
    if !limits.is_empty() {
        notes.push(format!("within limits: share of requests with {}", limits.join(" and ")));
    }
    let pick = recommendation.pick().and_then(|pick| lines.iter().find(|(_, summary)| summary.row == pick.row));
    notes.extend(pick.and_then(|(_, summary)| Some(cold_start::sentence(&summary.row, summary.cold_start.as_ref()?))));
    notes.extend(pick.and_then(|(_, summary)| hardware::capacity(run, summary)));
    notes.extend(recommendation.flags.iter().map(ToString::to_string));
    notes
}

/// How many of a row's measured requests failed, and what the first of them said.
fn failures(row: &Row) -> Option<String> {
    let measured = row.trials.iter().filter(|trial| trial.key.phase() == Phase::Measured);
    let messages: Vec<&str> = measured
        .filter_map(|trial| match &trial.outcome {
            Outcome::Failed { message, .. } => Some(message.as_str()),
            Outcome::Completed { .. } => None,
        })
        .collect();
    let requests = if messages.len() == 1 { "request" } else { "requests" };
    Some(format!(
        "{}: {} {requests} failed, the first with: {}",
        row.candidate.row(),
        messages.len(),
        messages.first()?
    ))
}

/// How many trials had to share the processors, with what, and with how much at the most.
fn disturbed(run: &Run) -> Option<String> {
    let measured = run.rows.iter().map(|row| row.trials.iter().filter(|trial| trial.key.phase() == Phase::Measured));
    let rows: Vec<Vec<&Trial>> = measured.map(Iterator::collect).collect();
    let busy: Vec<Disturbance> = rows.iter().flat_map(|trials| disturbances(trials, &run.environment)).collect();
    let most = busy.iter().map(|one| one.processors).max_by(f64::total_cmp)?;
    let trials: usize = rows.iter().map(Vec::len).sum();
    Some(format!(
        "! {} were busy on this machine during {} of {trials} trials, on up to {most:.1} processors: run again when it is quiet",
        other_programs(&culprits(&busy)),
        busy.len(),
    ))
}

/// Why a percentile or an interval is a dash, and how many repetitions would give it.
fn too_few(lines: &[Line]) -> Vec<String> {
    let mut notes = Vec::new();
    let figure = |summary: &Summary, metric| Some((summary.overall.get(metric)?.n, repetitions(summary)));
    let texts = || lines.iter().filter_map(|(_, summary)| summary.text.as_ref());
    for (name, percentile) in [("p50", Percentile::P50), ("p95", Percentile::P95)] {
        let fewest = texts().filter_map(|text| figure(text, &TTFT)).min();
        notes.extend(fewest.and_then(|fewest| more_trials(name, percentile.needs(), fewest)));
    }
    let tokens = lines.iter().filter_map(|(_, summary)| summary.tokens.as_ref());
    let fewest = texts().chain(tokens).filter_map(|summary| figure(summary, &DECODE)).min();
    notes.extend(fewest.and_then(|fewest| more_trials("an interval", Interval::NEEDS, fewest)));
    notes
}

/// How often each prompt was asked.
fn repetitions(summary: &Summary) -> usize {
    summary.measured.div_ceil(summary.prompts.max(1))
}

/// So many repetitions gave `n` figures: not every prompt gives every figure, and some may fail.
fn more_trials(what: &str, needs: usize, (n, repetitions): (usize, usize)) -> Option<String> {
    let each = n / repetitions.max(1);
    if n >= needs || each == 0 {
        return None;
    }
    let repeat = needs.div_ceil(each);
    let gives = repeat * each;
    Some(format!("— {what} needs {needs} requests and there are {n}: `--repeat {repeat}` gives {gives}"))
}

fn advice(recommendation: &Recommendation, layout: &Layout) -> String {
    let mut advice = explain(recommendation).into_iter();
    let verdict = advice.next().map(|verdict| bold(&paragraph(&verdict, layout), layout));
    let rest: Vec<String> = advice.collect();
    verdict.into_iter().chain((!rest.is_empty()).then(|| paragraphs(&rest, layout))).collect::<Vec<_>>().join("\n")
}

fn paragraphs(lines: &[String], layout: &Layout) -> String {
    lines.iter().map(|line| paragraph(line, layout)).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests;
