//! The answer: what a run says, made once for every format.
//!
//! Pure. Whatever is judged of a run is judged here or before; a report only writes it down.

#![warn(missing_docs)]

mod figures;
mod gpu;
mod machine;
mod note;
mod outcomes;
mod pick;
mod quality;
mod sampling;
#[cfg(test)]
pub(crate) mod testing;
mod words;

use crate::compare::{VariantComparison, variants};
use crate::metric::Metric;
use crate::recommend::{Recommendation, recommend};
use crate::record::{Row, Run};
use crate::summarize::{RowSummary, summarize};

pub use note::{
    Drifted, Kind, Note, Outlying, Place, Reached, RequestLimit, Scarce, Severity, Subject, Tied, Took, WarmedUp, Work,
};

/// A run with all that is made of it.
#[derive(Debug)]
pub struct Answer<'r> {
    /// What was measured.
    pub run: &'r Run,
    /// One for each row, in their order.
    pub summaries: Vec<RowSummary>,
    /// What to take, and why not the others.
    pub recommendation: Recommendation,
    /// What the variants of a run of variants differ by; `None` of any other run.
    pub variants: Option<VariantComparison>,
    /// In the order in which they are to be read.
    pub notes: Vec<Note>,
}

impl<'r> Answer<'r> {
    /// What a run says, under the requirements that it holds.
    pub fn of(run: &'r Run) -> Self {
        let summaries = summarize(run);
        let recommendation = recommend(run, &summaries);
        let notes = notes(run, &summaries, &recommendation);
        Self { run, summaries, recommendation, variants: variants(run), notes }
    }

    /// Each row with its summary.
    pub fn rows(&self) -> impl Iterator<Item = (&'r Row, &RowSummary)> {
        self.run.rows.iter().zip(&self.summaries)
    }

    /// What is to be known of a subject.
    pub fn notes_on<'a>(&'a self, subject: &'a Subject) -> impl Iterator<Item = &'a Note> {
        self.notes.iter().filter(move |note| note.subject == *subject)
    }

    /// Whether a row is one of those that are not told apart from the best in a metric of some work.
    pub fn is_tied(&self, row: &str, metric: &Metric, work: &Work) -> bool {
        let mut figures = self.notes.iter().flat_map(|note| match &note.kind {
            Kind::NotToldApart { figures } => figures.as_slice(),
            _ => &[],
        });
        figures.any(|figure| {
            figure.metric == *metric && figure.work == *work && figure.rows.iter().any(|tied| tied == row)
        })
    }
}

fn notes(run: &Run, summaries: &[RowSummary], recommendation: &Recommendation) -> Vec<Note> {
    let of_run = |kind| Note { subject: Subject::Run, kind };
    let of_row = |row: &str, kind| Note { subject: Subject::Row(row.to_owned()), kind };
    let of_rows = |maker: &dyn Fn(&Row) -> Vec<Kind>| -> Vec<Note> {
        let found = run.rows.iter().flat_map(|row| maker(row).into_iter().map(|kind| (row.candidate.row(), kind)));
        found.map(|(row, kind)| of_row(&row, kind)).collect()
    };
    let impossible = |summary: &RowSummary| Some(of_row(&summary.row, figures::impossible(run, summary)?));
    let pick = recommendation.first().and_then(|pick| summaries.iter().find(|summary| summary.row == pick.row));

    let mut notes: Vec<Note> = outcomes::not_finished(run).map(of_run).into_iter().collect();
    notes.extend(of_rows(&|row| outcomes::not_run(row).into_iter().collect()));
    notes.extend(of_rows(&|row| outcomes::unknown(row).into_iter().collect()));
    notes.extend(of_rows(&|row| outcomes::files_changed(row).into_iter().collect()));
    notes.extend(of_rows(&|row| outcomes::joined_plainly(row).into_iter().collect()));
    notes.extend(of_rows(&|row| outcomes::split_by_default(row).into_iter().collect()));
    notes.extend(of_rows(&|row| outcomes::failed_requests(row).into_iter().collect()));
    notes.extend(of_rows(&|row| outcomes::context_full(row).into_iter().collect()));
    notes.extend(summaries.iter().filter_map(impossible));
    notes.extend(machine::notes(run).into_iter().map(of_run));
    notes.extend(of_rows(&|row| sampling::notes(row, &run.settings)));
    notes.extend(gpu::notes(run).into_iter().map(of_run));
    notes.extend(figures::notes(run, summaries).into_iter().map(of_run));
    notes.extend(
        pick.into_iter().flat_map(|pick| pick::notes(run, pick).into_iter().map(|kind| of_row(&pick.row, kind))),
    );
    notes.extend(quality::notes(run, summaries, recommendation));
    notes.extend(recommendation.flags.iter().cloned().map(|flag| of_run(Kind::Flag(flag))));
    notes
}
