//! From a candidate to the engine that runs it: the one place where it is decided which that is.

use super::prepared::{PrepareListener, Prepared, Settings, Unprepared};
use super::{candle, scripted};
use crate::catalog::{Candidate, Source};

/// Makes a candidate's engine ready to answer.
///
/// # Errors
/// Whatever keeps it from that, with what became known until then.
pub fn prepare(
    candidate: &Candidate,
    settings: &Settings,
    listener: &mut dyn PrepareListener,
) -> Result<Prepared, Unprepared> {
    match &candidate.source {
        Source::Hub { .. } | Source::Local { .. } | Source::Synthetic { .. } => {
            candle::prepare(candidate, settings, listener)
        }
        Source::Scripted { script } => {
            scripted::prepare(script, settings).map_err(|error| Unprepared { facts: Box::default(), error })
        }
    }
}
