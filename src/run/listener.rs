//! The listener: told how a run goes, for a progress bar or a log.

use crate::catalog::Candidate;
use crate::record::{LoadFacts, Row, Trial};

/// Told how a run goes. Every method has an empty default: a listener hears what it cares for.
pub trait RunListener {
    /// A candidate's turn has come; `trials` of its trials at the least are still to be run.
    fn candidate_started(&mut self, candidate: &Candidate, trials: usize) {
        let _ = (candidate, trials);
    }

    /// Weights are being loaded: so many parameters of the total.
    fn loading(&mut self, done: u64, total: u64) {
        let _ = (done, total);
    }

    fn loaded(&mut self, facts: &LoadFacts) {
        let _ = facts;
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
