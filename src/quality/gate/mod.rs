//! Gates: what an answer in a language must not be, whatever it says. An answer that breaks one fails.
//!
//! Each gate is a rule over characters, so that two people find the same; docs/quality.md states them with an example of
//! each, and its examples are tests.

mod echo;
mod encoding;
mod language;
mod repetition;
mod stray_script;

use serde::{Deserialize, Serialize};

use super::exchange::Exchange;
use super::verdict::Verdict;

/// A rule that every answer must keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gate {
    /// The answer is in the language that is due.
    Language,
    /// No letters of a script that the language is not written in.
    StrayScript,
    /// The answer does not repeat itself to its end.
    Loop,
    /// The answer is not mostly the prompt again.
    Echo,
    /// No U+FFFD, which stands where text was lost.
    Replacement,
    /// No Hangul syllable written as separate jamo.
    Decomposed,
}

impl Gate {
    /// All gates, in the order in which they are reported.
    pub const ALL: [Self; 6] =
        [Self::Language, Self::StrayScript, Self::Loop, Self::Echo, Self::Replacement, Self::Decomposed];

    /// Its name for machines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Language => "language",
            Self::StrayScript => "stray_script",
            Self::Loop => "loop",
            Self::Echo => "echo",
            Self::Replacement => "replacement",
            Self::Decomposed => "decomposed",
        }
    }

    /// What it says of an answer.
    pub fn judge(self, exchange: &Exchange) -> Verdict {
        match self {
            Self::Language => language::judge(exchange),
            Self::StrayScript => stray_script::judge(exchange),
            Self::Loop => repetition::judge(exchange),
            Self::Echo => echo::judge(exchange),
            Self::Replacement => encoding::replacement(exchange),
            Self::Decomposed => encoding::decomposed(exchange),
        }
    }
}
