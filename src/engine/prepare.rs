//! From a candidate to the engine that runs it: the one place where it is decided which that is.

use super::prepared::{EngineSettings, Facts, PrepareListener, Prepared, Unprepared};
use super::{candle, scripted};
use crate::catalog::{Axis, Candidate, Source};

/// Makes a candidate's engine ready to answer.
///
/// # Errors
/// Whatever keeps it from that, with what became known until then.
pub fn prepare(
    candidate: &Candidate,
    settings: &EngineSettings,
    listener: &mut dyn PrepareListener,
) -> Result<Prepared, Box<Unprepared>> {
    match &candidate.source {
        Source::Hub { .. } | Source::Local { .. } | Source::Synthetic { .. } => {
            candle::prepare(candidate, settings, listener)
        }
        Source::Scripted { script } => scripted::prepare(script, candidate.variant.as_ref(), settings)
            .map_err(|error| Box::new(Unprepared { facts: Facts::default(), error })),
    }
}

/// In what the engine of a candidate can be varied on a device.
pub fn axes(candidate: &Candidate, device_name: &str) -> Vec<Axis> {
    match &candidate.source {
        Source::Hub { .. } | Source::Local { .. } | Source::Synthetic { .. } => candle::axes(candidate, device_name),
        Source::Scripted { script } => scripted::axes(script),
    }
}
