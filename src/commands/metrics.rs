//! Metrics that the user names, by the names that a check knows too.

use crate::compare::Subject;
use crate::error::Error;
use crate::metric::{METRICS, Metric, RATES};
use crate::toml_error::nearest;

/// What has a course over runs: a metric of trials or a rate of answers, and not what a candidate has once.
///
/// # Errors
/// A name of none.
pub(super) fn named(name: &str) -> Result<Metric, Error> {
    match Subject::named(name) {
        Some(Subject::Metric(metric) | Subject::Rate(metric)) => Ok(metric),
        _ => Err(unknown(name, METRICS.iter().chain(RATES))),
    }
}

/// Metrics of trials.
///
/// # Errors
/// A name of none.
pub(super) fn of_trials(names: &[String]) -> Result<Vec<Metric>, Error> {
    let named = |name: &String| match Subject::named(name) {
        Some(Subject::Metric(metric)) => Ok(metric),
        _ => Err(unknown(name, METRICS)),
    };
    names.iter().map(named).collect()
}

fn unknown<'m>(name: &str, known: impl IntoIterator<Item = &'m Metric>) -> Error {
    let keys: Vec<&str> = known.into_iter().map(|metric| metric.key).collect();
    let hint = match nearest(name, keys.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("the metrics are {}", keys.join(", ")),
    };
    Error::usage(format!("there is no metric `{name}`"), hint)
}
