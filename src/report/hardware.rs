//! What the GPU of a run has to say to its figures, in words: what it cannot have done, and what else fits into it.

use crate::record::Run;
use crate::summarize::RowSummary;
use crate::units::{Bytes, Count};

/// Rows with figures that the GPU cannot have given, and what to suspect.
pub(super) fn impossible(run: &Run, summary: &RowSummary) -> Option<String> {
    let figures = figures(summary)?;
    let device = &run.environment.device_name;
    Some(format!(
        "! {}: impossible on {device}: {figures}; suspect the card's row in gpus.toml, the count of tokens, or the clock",
        summary.row
    ))
}

/// Those figures, with what they take; `None` if there are none.
pub(super) fn figures(summary: &RowSummary) -> Option<String> {
    let figures: Vec<String> = summary.impossible.iter().map(ToString::to_string).collect();
    (!figures.is_empty()).then(|| figures.join("; "))
}

/// How many chats fit beside a row's weights.
pub(super) fn capacity(run: &Run, summary: &RowSummary) -> Option<String> {
    let capacity = summary.capacity?;
    Some(format!(
        "capacity: {} holds {} chats of {} tokens, their cache in 16 bits, beside the {} of {}'s weights",
        run.environment.device_name,
        Count(capacity.most_chats),
        Count(capacity.context_tokens),
        Bytes(capacity.weights_bytes),
        summary.row
    ))
}
