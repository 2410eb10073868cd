//! Comparing: whether one run is worse than another by more than is tolerated, and more than chance would have it.
//!
//! Pure. What is computed, why, and how often it errs stands in `docs/statistics.md`.

mod bootstrap;
mod change;
mod change_points;
mod holm;
mod verdict;

pub use change::{Change, PROMPTS_TO_GENERALIZE, Pair, Unjudged, fixed_change, paired_change, relative_change};
pub use change_points::{ChangePoint, MIN_SEGMENT, SIGNIFICANCE, change_points};
pub use verdict::{Comparison, Evidence, FALSE_ALARMS, Incomparable, Judgement, RECOMMENDED_TRIALS, Verdict, judge};
