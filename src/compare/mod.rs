//! Comparing: whether one run is worse than another by more than is tolerated, and more than chance would have it.
//!
//! Pure. What is computed, why, and how often it errs stands in `docs/statistics.md`.

#![warn(missing_docs)]

mod asked;
mod baseline;
mod bootstrap;
mod change;
mod change_points;
mod check;
pub mod difference;
mod digest;
mod figures;
mod holm;
mod noise;
mod quality;
mod rates;
mod subject;
mod variants;
#[cfg(test)]
pub(crate) mod testing;
mod verdict;

pub use asked::{Asked, AskedError};
pub use baseline::{Baseline, BaselineError};
pub use change::{Change, Pair, Scale, Unjudged, fixed_change, paired_change, relative_change};
pub use change_points::{ChangePoint, MIN_SEGMENT, SIGNIFICANCE, change_points};
pub use check::{ChangedAnswer, Check, FigureCheck, Outcome, RowCheck, Side, check, incomparable};
pub use difference::Difference;
pub use digest::{Digest, JudgedAnswer, PooledDigest, PooledValue, PromptDigest, PromptKey, RowDigest};
pub use figures::{Place, Values, places, values};
pub(crate) use holm::{Adjustment, holm};
pub use noise::{Noise, NoiseFigure};
pub use quality::QualityCheck;
pub use rates::PairedRates;
pub use subject::Subject;
pub use variants::{Figure, FigureChange, Flip, InTurn, RateChange, TEXT, VariantChange, VariantComparison, variants};
pub use verdict::{
    Comparison, Disturbance, Doubt, Evidence, FALSE_ALARMS, Judgement, RECOMMENDED_TRIALS, Verdict, judge,
};
