//! Metrics that the user names.

use crate::compare::Subject;
use crate::error::Error;
use crate::metric::{METRICS, Metric};
use crate::toml_error::nearest;

/// A metric of trials, by the names that a check knows too; what a candidate has once is in no trial.
///
/// # Errors
/// A name of none.
pub(super) fn named(name: &str) -> Result<Metric, Error> {
    if let Some(Subject::Metric(metric)) = Subject::named(name) {
        return Ok(metric);
    }
    let keys: Vec<&str> = METRICS.iter().map(|metric| metric.key).collect();
    let hint = match nearest(name, keys.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("the metrics are {}", keys.join(", ")),
    };
    Err(Error::usage(format!("there is no metric `{name}`"), hint))
}

/// All that are named.
///
/// # Errors
/// A name of none.
pub(super) fn all(names: &[String]) -> Result<Vec<Metric>, Error> {
    names.iter().map(|name| named(name)).collect()
}
