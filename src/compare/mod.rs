//! Comparing: whether one run is worse than another by more than is tolerated, and more than chance would have it.
//!
//! Pure. What is computed, why, and how often it errs stands in `docs/statistics.md`.

mod bootstrap;
mod change;
mod holm;
mod verdict;

pub use change::{Change, PROMPTS_TO_GENERALIZE, Pair, Unjudged, fixed_change, paired_change, relative_change};
pub use verdict::{Comparison, Evidence, FALSE_ALARMS, Incomparable, Judgement, Verdict, judge};
