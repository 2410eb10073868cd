//! The listener: told how a run goes, for a progress bar or a log.

use crate::catalog::Candidate;
use crate::engine::{PrepareError, PrepareListener};
use crate::record::{LoadFacts, Row, Trial};

/// Something about a candidate that a person should know at once.
#[derive(Debug)]
pub enum Remark<'a> {
    /// It has no tokenizer, so only prompts of token ids run.
    TextsLeftOut,
    /// It is slower than it could be, and why.
    Slower(&'a str),
    /// Its prompts are put together without a chat template, and why.
    JoinedPlainly(&'a str),
    /// These of its weight files changed while it ran.
    FilesChanged(&'a [String]),
    /// Its file does not say how texts are split.
    SplitByDefault,
    /// Its files contradict themselves, and what is made of that.
    Doubt(&'a str),
    /// It is skipped or failed before its first trial.
    NotRun(&'a PrepareError),
}

/// Told how a run goes. Every method has an empty default: a listener hears what it cares for.
pub trait RunListener: PrepareListener {
    /// A candidate's turn has come; `trials` of its trials at the least are still to be run.
    fn candidate_started(&mut self, candidate: &Candidate, trials: usize) {
        let _ = (candidate, trials);
    }

    /// See [`Remark`].
    fn remark(&mut self, row: &str, remark: &Remark) {
        let _ = (row, remark);
    }

    /// A row's engine is ready.
    fn loaded(&mut self, row: &str, facts: &LoadFacts) {
        let _ = (row, facts);
    }

    /// The next trial starts.
    fn trial_started(&mut self) {}

    /// An output token came: so many of at most so many.
    fn token(&mut self, done: usize, most: usize) {
        let _ = (done, most);
    }

    /// A trial has ended and is stored.
    fn trial_ended(&mut self, trial: &Trial) {
        let _ = trial;
    }

    /// A candidate is through, whatever came of it.
    fn candidate_ended(&mut self, row: &Row) {
        let _ = row;
    }
}
