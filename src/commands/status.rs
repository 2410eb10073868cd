//! The answer to a command's question, and how the program exits with it.

use std::process::ExitCode;

use crate::recommend::{Recommendation, Standing};

/// Exit status of a question that could not be answered.
pub const NO_ANSWER: u8 = 2;

/// The answer to the command's question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// The answer is yes.
    Yes,
    /// Nothing qualifies, or some candidate failed.
    No,
    /// What there is to be compared does not compare, or the user stopped it before there was an answer.
    Unanswered,
    /// The evidence does not decide.
    Inconclusive,
}

/// Whether some row qualifies, and answered at least one request as the limits ask: a row of which none was within them is no
/// answer, also where the limits were not enforced.
pub(super) fn qualifies(recommendation: &Recommendation) -> bool {
    let served = |standing: &Standing| standing.attainment.as_ref().is_none_or(|attained| attained.met > 0);
    recommendation.first().is_some_and(served)
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        ExitCode::from(match status {
            Status::Yes => 0,
            Status::No => 1,
            Status::Unanswered => NO_ANSWER,
            Status::Inconclusive => 3,
        })
    }
}
