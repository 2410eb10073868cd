//! A review: which of two answers a person preferred, without knowing whose they were.

use serde::{Deserialize, Serialize};

use crate::suite::Language;

/// One pair of answers that a person looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// The prompt's suite.
    pub suite: String,
    /// That the prompt is asked in.
    pub language: Option<Language>,
    /// The prompt's id.
    pub prompt: String,
    /// The row whose answer stood on the left, by [`crate::catalog::Candidate::row`].
    pub left: String,
    /// The row whose answer stood on the right.
    pub right: String,
    /// What the person said of the two.
    pub choice: Choice,
    /// When, by the wall clock.
    pub at: jiff::Timestamp,
}

/// What the person said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Choice {
    /// The left answer is better.
    Left,
    /// The right answer is better.
    Right,
    /// As good, or as bad, as each other.
    Tie,
    /// Nothing was said.
    Skip,
}

impl Review {
    /// The row whose answer was preferred, and the other; `None` of a tie, and where nothing was said.
    pub fn decided(&self) -> Option<(&str, &str)> {
        match self.choice {
            Choice::Left => Some((&self.left, &self.right)),
            Choice::Right => Some((&self.right, &self.left)),
            Choice::Tie | Choice::Skip => None,
        }
    }
}
