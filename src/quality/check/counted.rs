//! Counts within bounds.

use super::super::verdict::Verdict;
use crate::suite::Bounds;

/// Passes if a count is within its bounds.
pub(super) fn count(count: usize, what: &str, bounds: Bounds) -> Verdict {
    if bounds.hold(count) {
        return Verdict::Pass;
    }
    let asked = match (bounds.min, bounds.max) {
        (min, Some(max)) if min == max => format!("{max}"),
        (0, Some(max)) => format!("at most {max}"),
        (min, Some(max)) => format!("{min} to {max}"),
        (min, None) => format!("at least {min}"),
    };
    Verdict::missing(format!("{count} {what}, asked for {asked}"))
}
