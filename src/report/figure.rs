//! Figures as people read them: a median, and where it lies.

use crate::metric::{Metric, Unit};
use crate::summarize::Distribution;
use crate::units::UNKNOWN;

pub(super) fn median(metric: &Metric, distribution: Option<&Distribution>) -> String {
    distribution.map_or(UNKNOWN.into(), |distribution| metric.unit.show(distribution.median))
}

/// `18.2 – 19.1`
pub(super) fn interval(metric: &Metric, distribution: Option<&Distribution>) -> String {
    let interval = distribution.and_then(|distribution| distribution.interval);
    interval.map_or(UNKNOWN.into(), |interval| {
        format!("{} – {}", metric.unit.show(interval.low), metric.unit.show(interval.high))
    })
}

/// `18.7 (18.2 – 19.1)`, or the median alone of too few trials for an interval.
pub(super) fn with_interval(metric: &Metric, distribution: Option<&Distribution>) -> String {
    let median = median(metric, distribution);
    match distribution.and_then(|distribution| distribution.interval) {
        Some(_) => format!("{median} ({})", interval(metric, distribution)),
        None => median,
    }
}

/// The metric's label, with the unit where the figures do not carry it: `decode, tok/s`.
pub(super) fn heading(metric: &Metric) -> String {
    let symbol = metric.unit.symbol();
    // Durations and shares carry theirs; of a number of things, the label is the unit.
    let carried = matches!(metric.unit, Unit::Seconds | Unit::Count | Unit::Share);
    if carried || symbol == metric.label { metric.label.into() } else { format!("{}, {symbol}", metric.label) }
}

/// Whether the metric counts characters: a Hangul syllable is one, and worth about three letters.
pub(super) fn differs_by_language(metric: &Metric) -> bool {
    matches!(metric.unit, Unit::CharactersPerSecond | Unit::CharactersPerToken)
}
