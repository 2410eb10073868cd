//! Quality: what the answers are worth, where that says less than it seems to, or needs an example.

use super::note::{Kind, Note, Subject};
use crate::recommend::Recommendation;
use crate::record::Run;
use crate::summarize::{OtherLanguage, RowSummary};

/// Answers that fail and are shown of each row: a reader sees what kind of fault it is, and the exports have all.
const SHOWN: usize = 5;

pub(super) fn notes(run: &Run, summaries: &[RowSummary], recommendation: &Recommendation) -> Vec<Note> {
    let mut notes = Vec::new();
    for undecided in &recommendation.undecided {
        let subject = Subject::Row(undecided.row.clone());
        notes.push(Note { subject, kind: Kind::UndecidedFloor(undecided.clone()) });
    }
    for (row, summary) in run.rows.iter().zip(summaries) {
        let subject = || Subject::Row(row.candidate.row());
        for (language, view) in &summary.reader {
            if view.stalls > 0 || view.waiting_share.is_some_and(|share| share > 0.0) {
                let kind = Kind::Reader { language: *language, view: view.clone() };
                notes.push(Note { subject: subject(), kind });
            }
        }
        for (language, OtherLanguage { answers, of }) in summary.text.iter().flat_map(|text| &text.other_language) {
            if *answers > 0 {
                let kind = Kind::OtherLanguage { language: *language, answers: *answers, of: *of };
                notes.push(Note { subject: subject(), kind });
            }
        }
        let Some(quality) = &summary.quality else { continue };
        if !quality.failures.is_empty() {
            let shown = quality.failures.iter().take(SHOWN).cloned().collect();
            let kind = Kind::FailedAnswers { failed: quality.failures.len(), of: quality.overall.fidelity.of, shown };
            notes.push(Note { subject: subject(), kind });
        }
    }
    notes
}
