//! What came of the run and its rows: what did not run, and what failed.

use super::note::Kind;
use crate::record::{FinishReason, Outcome, Phase, Row, RowOutcome, Run};

pub(super) fn not_finished(run: &Run) -> Option<Kind> {
    run.finished_at.is_none().then_some(Kind::NotFinished)
}

/// Why a row has no trials, or not all.
pub(super) fn not_run(row: &Row) -> Option<Kind> {
    match &row.outcome {
        RowOutcome::Skipped { reason } => Some(Kind::Skipped { reason: reason.clone() }),
        RowOutcome::Failed { kind, message } => Some(Kind::Failed { failure: *kind, message: message.clone() }),
        RowOutcome::Pending => Some(Kind::Pending),
        RowOutcome::Ran => None,
    }
}

/// What the row's engine could not tell.
pub(super) fn unknown(row: &Row) -> Option<Kind> {
    let reason = row.load.as_ref()?.unknown.clone()?;
    Some(Kind::Unknown { reason })
}

/// Why the row's prompts were put together without a chat template.
pub(super) fn joined_plainly(row: &Row) -> Option<Kind> {
    let reason = row.load.as_ref()?.joins_plainly.clone()?;
    Some(Kind::JoinedPlainly { reason })
}

/// That the row's file does not say how texts are split.
pub(super) fn split_by_default(row: &Row) -> Option<Kind> {
    row.load.as_ref()?.splits_by_default.then_some(Kind::SplitByDefault)
}

/// Which of the row's weight files changed while it ran.
pub(super) fn files_changed(row: &Row) -> Option<Kind> {
    let files = row.load.as_ref()?.files_changed.clone();
    (!files.is_empty()).then_some(Kind::FilesChanged { files })
}

/// How many of a row's measured requests failed, and what the first of them said.
pub(super) fn failed_requests(row: &Row) -> Option<Kind> {
    let measured = || row.trials.iter().filter(|trial| trial.key.phase() == Phase::Measured);
    let mut messages = measured().filter_map(|trial| match &trial.outcome {
        Outcome::Failed { message, .. } => Some(message),
        Outcome::Completed { .. } => None,
    });
    let first = messages.next()?.clone();
    Some(Kind::FailedRequests { failed: 1 + messages.count(), measured: measured().count(), first })
}

/// How many of a row's measured answers ended because the context was full.
pub(super) fn context_full(row: &Row) -> Option<Kind> {
    let measured = || row.trials.iter().filter(|trial| trial.key.phase() == Phase::Measured);
    let full = Outcome::Completed { finish: FinishReason::Context };
    let cut = measured().filter(|trial| trial.outcome == full).count();
    (cut > 0).then(|| Kind::ContextFull { cut, of: measured().count() })
}
