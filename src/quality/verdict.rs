//! Verdict: what a check or a gate says of an answer.

use serde::{Deserialize, Serialize};

/// What a check or a gate says of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// The answer is as it should be.
    Pass,
    /// The answer is not as it should be.
    Fail {
        /// What is wrong, in words.
        reason: String,
        /// The place in the answer, verbatim but shortened; `None` where the fault is that something is missing.
        place: Option<String>,
    },
    /// There is nothing to judge: an answer without letters has no language.
    NotApplicable,
}

/// Characters of a place that are quoted.
const QUOTED: usize = 40;

impl Verdict {
    /// A failure for what is missing.
    pub(crate) fn missing(reason: impl Into<String>) -> Self {
        Self::Fail { reason: reason.into(), place: None }
    }

    /// A failure at a place, which is quoted up to 40 characters.
    pub(crate) fn at(place: &str, reason: impl Into<String>) -> Self {
        let place = place.trim();
        let mut quoted: String = place.chars().take(QUOTED).collect();
        if place.chars().nth(QUOTED).is_some() {
            quoted.push('…');
        }
        Self::Fail { reason: reason.into(), place: Some(quoted) }
    }

    /// Its word for machines.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail { .. } => "fail",
            Self::NotApplicable => "not_applicable",
        }
    }

    /// Whether the answer broke it.
    pub fn is_fail(&self) -> bool {
        matches!(self, Self::Fail { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_place_is_shortened_by_characters() {
        let Verdict::Fail { place: Some(place), .. } = Verdict::at(&"가".repeat(100), "too long") else { panic!() };
        assert_eq!(place.chars().count(), 41);
        assert!(place.ends_with('…'));
    }
}
