//! A contender: a measured row with the figures that it is judged by.

use serde::Serialize;

use crate::catalog::Requirements;
use crate::metric::{Aspect, DECODE, LATENCY, MEMORY, RATES, TTFT};
use crate::record::{RowOutcome, Run};
use crate::summarize::{Attainment, Distribution, Figures, RowSummary, Summary};

/// Which requests candidates are compared by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Basis {
    /// All prompts in a natural language.
    Text,
    /// Prompts of token ids, where not every candidate ran text. Times to first token and latencies are the longest
    /// prompt's.
    Tokens,
}

impl Basis {
    /// What most of the measured rows ran; text where as many ran both.
    pub(super) fn of_run(run: &Run, summaries: &[RowSummary]) -> Self {
        let count = |basis| {
            let ran = run.rows.iter().zip(summaries).filter(|(row, _)| row.outcome == RowOutcome::Ran);
            ran.filter(|(_, summary)| Contender::of(summary, &run.requirements, basis, false).is_some()).count()
        };
        if count(Basis::Text) >= count(Basis::Tokens) { Basis::Text } else { Basis::Tokens }
    }

    pub(super) fn of(self, summary: &RowSummary) -> Option<&Summary> {
        match self {
            Basis::Text => summary.text.as_ref(),
            Basis::Tokens => summary.tokens.as_ref(),
        }
    }
}

/// A row with the figures that it is judged by.
#[derive(Debug, Clone)]
pub(super) struct Contender<'a> {
    pub summary: &'a RowSummary,
    /// What it is held to.
    pub requirements: &'a Requirements,
    /// Of all requests of the basis.
    overall: &'a Figures,
    pub ttft: &'a Distribution,
    pub decode: Option<&'a Distribution>,
    /// `None` for prompts of token ids, which are no requests of the service's.
    pub latency: Option<&'a Distribution>,
    /// Memory that it will take on the service's device, in bytes.
    pub memory_bytes: Option<u64>,
    pub attainment: Option<Attainment>,
    /// Requests that failed, of so many.
    pub failed: (usize, usize),
}

impl<'a> Contender<'a> {
    /// `None` if no request of the basis gave a token.
    ///
    /// Memory is what was measured, or else the estimate; the other way round if the run was made `elsewhere`, for on a CPU
    /// a measurement includes copies of the weights that a GPU does not hold.
    pub(super) fn of(
        summary: &'a RowSummary,
        requirements: &'a Requirements,
        basis: Basis,
        elsewhere: bool,
    ) -> Option<Self> {
        let group = basis.of(summary)?;
        let waits = match basis {
            Basis::Text => &group.overall,
            Basis::Tokens => &group.cells.last()?.figures,
        };
        Some(Self {
            summary,
            requirements,
            overall: &group.overall,
            ttft: waits.get(&TTFT)?,
            decode: group.overall.get(&DECODE),
            latency: waits.get(&LATENCY).filter(|_| basis == Basis::Text),
            memory_bytes: if elsewhere {
                summary.memory.estimated_bytes.or(summary.memory.measured_bytes)
            } else {
                summary.memory.measured_bytes.or(summary.memory.estimated_bytes)
            },
            attainment: group.attainment.clone(),
            failed: (group.failed, group.measured),
        })
    }

    /// The median, or what the process has once; `None` where it was not measured. Times to first token are
    /// [`Self::ttft`]'s.
    pub(super) fn value(&self, aspect: Aspect) -> Option<f64> {
        match (aspect.metric, aspect.language) {
            (metric, _) if RATES.contains(&metric) => self.summary.quality.as_ref()?.rate(aspect)?.share(),
            (MEMORY, _) => self.memory_bytes.map(|bytes| bytes as f64),
            (TTFT, None) => Some(self.ttft.median),
            (metric, None) => self.overall.median(&metric),
            (metric, Some(language)) => self.summary.text.as_ref()?.language(language)?.median(&metric),
        }
    }
}
