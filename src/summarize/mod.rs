//! Summarizing: the trials of a run in, distributions with their certainty out.
//!
//! Pure. A candidate is summarized suite by suite, and once more over all prompts in a natural language and over all
//! prompts of token ids. Those two are never pooled: one is a service's work, the other a fixed amount of computing.

#![warn(missing_docs)]

mod accuracy;
mod attainment;
mod capacity;
mod cold_start;
mod course;
mod distribution;
mod drift;
mod enough;
mod impossible;
mod interval;
mod machine;
mod memory;
mod outliers;
mod pooled;
mod precision;
mod quality;
mod rate;
mod reader;
mod review;
mod row;
mod student;
mod suite;
mod summary;
#[cfg(test)]
pub(crate) mod testing;
mod ties;

pub use accuracy::{Accuracy, Picked};
pub use attainment::{Attainment, DEFAULT_ATTAINMENT, LimitAttainment, attainment};
pub use capacity::Capacity;
pub use cold_start::ColdStart;
pub use course::{Course, HEADLINE, courses};
pub use distribution::{Distribution, Percentile};
pub use drift::Drift;
pub use enough::{STEADY_TRIALS, STEADY_WITHIN, is_steady, is_warm, seconds, suffices};
pub use impossible::Impossible;
pub use interval::{Interval, LEVEL, p_median_above, p_median_below};
pub use machine::MachineState;
pub use memory::Memory;
pub use outliers::{OUTLYING, outliers};
pub use precision::precision;
pub use quality::{BrokenRule, Failed, JudgedAnswer, PromptKey, Quality, Rates, judged};
pub use rate::Rate;
pub use reader::ReaderView;
pub use review::{Pair, Preference, Reviewed, agreement, pairs, preferences};
pub use row::{RowSummary, summarize};
pub use student::student;
pub use suite::SuiteSummary;
pub use summary::{Cell, Figures, OtherLanguage, Summary, of_gaps};
pub use ties::ties;
