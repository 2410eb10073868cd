//! Figures: which are not to be believed, which do not tell rows apart, and what the others mean.

use super::note::{Kind, RequestLimit, Scarce, Tied, Work};
use crate::metric::{DECODE, Metric, TTFT};
use crate::record::Run;
use crate::summarize::{Distribution, Interval, Percentile, RowSummary, Summary, ties};

/// The figures of a row that its device cannot have given.
pub(super) fn impossible(run: &Run, summary: &RowSummary) -> Option<Kind> {
    let figures = summary.impossible.clone();
    (!figures.is_empty()).then(|| Kind::Impossible { device: run.environment.device_name.clone(), figures })
}

/// What concerns several rows together.
pub(super) fn notes(run: &Run, summaries: &[RowSummary]) -> Vec<Kind> {
    let named = |is: fn(&RowSummary) -> bool| -> Option<Vec<String>> {
        let rows: Vec<String> =
            summaries.iter().filter(|summary| is(summary)).map(|summary| summary.row.clone()).collect();
        (!rows.is_empty()).then_some(rows)
    };
    let estimated =
        |summary: &RowSummary| summary.memory.measured_bytes.is_none() && summary.memory.estimated_bytes.is_some();
    let mut notes: Vec<Kind> = Vec::new();
    notes.extend(named(|summary| summary.synthetic).map(|rows| Kind::RandomWeights { rows }));
    notes.extend(named(estimated).map(|rows| Kind::EstimatedMemory { rows }));
    notes.extend(not_told_apart(summaries));
    notes.extend(too_few_prompts(summaries));
    notes.extend(too_few_trials(summaries));
    let limits = run.requirements.request_limits();
    let limits: Vec<RequestLimit> = limits.into_iter().map(|(metric, limit)| RequestLimit { metric, limit }).collect();
    notes.extend((!limits.is_empty()).then_some(Kind::WithinLimits { limits }));
    notes
}

/// Of the figures that rows are compared by, those in which some row is not told apart from the best.
fn not_told_apart(summaries: &[RowSummary]) -> Option<Kind> {
    let tied = |(metric, work): (Metric, Work)| {
        let figures: Vec<Option<&Distribution>> =
            summaries.iter().map(|summary| compared(summary, &metric, &work)).collect();
        let rows = summaries.iter().zip(ties(&figures, metric.direction));
        let rows: Vec<String> = rows.filter(|(_, tied)| *tied).map(|(summary, _)| summary.row.clone()).collect();
        (!rows.is_empty()).then_some(Tied { metric, work, rows })
    };
    let waits = prompts(summaries).into_iter().map(|prompt| (TTFT, Work::Prompt(prompt.to_owned())));
    let works = waits.chain([(DECODE, Work::Tokens), (TTFT, Work::Text), (DECODE, Work::Text)]);
    let figures: Vec<Tied> = works.filter_map(tied).collect();
    (!figures.is_empty()).then_some(Kind::NotToldApart { figures })
}

/// A row's figure, if there are enough requests to state it.
fn compared<'s>(summary: &'s RowSummary, metric: &Metric, work: &Work) -> Option<&'s Distribution> {
    match work {
        Work::Prompt(prompt) => summary.tokens.as_ref()?.cell(prompt)?.get(metric),
        Work::Tokens => summary.tokens.as_ref()?.overall.get(metric),
        Work::Text => {
            let is_stated = |figure: &&Distribution| metric.key != TTFT.key || figure.p50.is_some();
            summary.text.as_ref()?.overall.get(metric).filter(is_stated)
        }
    }
}

/// The prompts of token ids, each once.
fn prompts(summaries: &[RowSummary]) -> Vec<&str> {
    let cells = summaries.iter().filter_map(|summary| summary.tokens.as_ref()).flat_map(|tokens| &tokens.cells);
    let mut prompts: Vec<&str> = Vec::new();
    for cell in cells {
        if !prompts.contains(&cell.prompt.as_str()) {
            prompts.push(&cell.prompt);
        }
    }
    prompts
}

/// Why a percentile or an interval of texts is not stated.
fn too_few_prompts(summaries: &[RowSummary]) -> Vec<Kind> {
    let texts = || summaries.iter().filter_map(|summary| summary.text.as_ref());
    let fewest = |metric: &Metric| texts().filter_map(|text| Some(text.overall.get(metric)?.n)).min();
    [
        (Scarce::P50, Percentile::P50.needs(), fewest(&TTFT)),
        (Scarce::P95, Percentile::P95.needs(), fewest(&TTFT)),
        (Scarce::Interval, Interval::NEEDS, fewest(&DECODE)),
    ]
    .into_iter()
    .filter_map(|(figure, needs, fewest)| {
        let there_are = fewest.filter(|there_are| *there_are < needs)?;
        Some(Kind::TooFewPrompts { figure, needs, there_are })
    })
    .collect()
}

/// Why an interval of prompts of token ids is not stated, and how many repetitions would give it.
fn too_few_trials(summaries: &[RowSummary]) -> Option<Kind> {
    let tokens = summaries.iter().filter_map(|summary| summary.tokens.as_ref());
    let fewest = tokens.filter_map(|summary| Sampled::of(summary, &DECODE)).min()?;
    fewest.more_trials(Scarce::Interval, Interval::NEEDS)
}

/// How many figures so many repetitions of each prompt gave: not every prompt gives every figure, and some may fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Sampled {
    n: usize,
    repetitions: usize,
}

impl Sampled {
    fn of(summary: &Summary, metric: &Metric) -> Option<Self> {
        let repetitions = summary.measured.div_ceil(summary.prompts.max(1));
        Some(Self { n: summary.overall.get(metric)?.n, repetitions })
    }

    /// `None` if there are enough, or if more repetitions would give none.
    fn more_trials(self, figure: Scarce, needs: usize) -> Option<Kind> {
        let each = self.n / self.repetitions.max(1);
        if self.n >= needs || each == 0 {
            return None;
        }
        let repeat = needs.div_ceil(each);
        Some(Kind::TooFewTrials { figure, needs, there_are: self.n, repeat, gives: repeat * each })
    }
}
