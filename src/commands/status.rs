//! The answer to a command's question, and how the program exits with it.

use std::process::ExitCode;

/// Exit status of a question that could not be answered.
pub const NO_ANSWER: u8 = 2;

/// The answer to the command's question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Yes,
    /// Nothing qualifies, or some candidate failed.
    No,
    /// What there is to be compared does not compare, or the user stopped it before there was an answer.
    Unanswered,
    /// The evidence does not decide.
    Inconclusive,
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
