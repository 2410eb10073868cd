//! Whether the pick's answers are better than another row's: the same prompts, pair by pair.

use serde::Serialize;

use crate::compare::{Adjustment, PairedRates, holm};
use crate::summarize::{Interval, LEVEL, RowSummary};

/// By how much more of the same answers one row passes than another.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct QualityDifference {
    /// The other row.
    pub row: String,
    /// Prompts that both answered.
    pub prompts: usize,
    /// Answers of the pick, and of the other row, that pass.
    pub passed: (usize, usize),
    /// The pick's share less the other's, −1 to 1; higher is better for the pick.
    pub difference: f64,
    /// Where the difference lies at 95 %, over all the rows that the pick is compared with (Holm).
    pub interval: Interval,
    /// How many more prompts would show a difference of this size; `None` where it is shown, or there is none.
    pub more_to_decide: Option<usize>,
}

impl QualityDifference {
    /// Whether the sample tells the two apart.
    pub fn is_shown(&self) -> bool {
        self.interval.low > 0.0 || self.interval.high < 0.0
    }
}

/// Prompts beyond which a larger sample is no advice.
const MOST_MORE: f64 = 100_000.0;

/// The first row's answers beside those of each other row of the ranking. What is resampled is the pair of a prompt in both
/// languages, whose answers are not independent of each other.
pub(super) fn differences(ranking: &[&str], summaries: &[RowSummary]) -> Vec<QualityDifference> {
    let passes = |row: &str| {
        let summary = summaries.iter().find(|summary| summary.row == row);
        summary.and_then(|summary| Some(&summary.quality.as_ref()?.passes))
    };
    let Some((pick, others)) = ranking.split_first() else { return Vec::new() };
    let Some(ours) = passes(pick) else { return Vec::new() };
    let samples: Vec<(&str, PairedRates)> =
        others.iter().filter_map(|other| Some((*other, PairedRates::of(ours, passes(other)?)))).collect();
    let p_values: Vec<f64> = samples.iter().map(|(_, paired)| paired.p_value()).collect();
    let adjusted = holm(&p_values, 1.0 - LEVEL);
    let difference = |((row, paired), adjusted): ((&str, PairedRates), Adjustment)| {
        QualityDifference::of(row, &paired, adjusted.tail)
    };
    samples.into_iter().zip(adjusted).filter_map(difference).collect()
}

impl QualityDifference {
    fn of(row: &str, paired: &PairedRates, tail: f64) -> Option<Self> {
        let PairedRates { prompts, passed, .. } = *paired;
        let (difference, interval) = (paired.difference(), paired.interval(tail)?);
        let mut made = Self { row: row.to_owned(), prompts, passed, difference, interval, more_to_decide: None };
        if !made.is_shown() && difference != 0.0 {
            // An interval narrows with the root of the sample.
            let reach = if difference > 0.0 { difference - interval.low } else { interval.high - difference };
            let needed = prompts as f64 * (reach / difference.abs()).powi(2);
            let more = (needed - prompts as f64).ceil();
            made.more_to_decide = (more <= MOST_MORE).then_some(more.max(1.0) as usize);
        }
        Some(made)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(pairs: &[(usize, f64)]) -> QualityDifference {
        QualityDifference::of("b", &PairedRates::of_pairs(pairs.to_vec(), (0, 0)), 0.05).unwrap()
    }

    #[test]
    fn equal_answers_differ_by_nothing_and_no_number_would_decide() {
        let equal = difference(&[(2, 0.0); 20]);
        assert_eq!((equal.difference, equal.is_shown(), equal.more_to_decide), (0.0, false, None));
    }

    #[test]
    fn a_large_difference_is_shown_and_a_small_one_says_what_would_decide() {
        let shown = difference(&[[(2, 2.0); 15].as_slice(), &[(2, 0.0); 5]].concat());
        assert_eq!((shown.difference, shown.is_shown(), shown.more_to_decide), (0.75, true, None));
        let small = difference(&[[(2, 1.0); 3].as_slice(), &[(2, -1.0); 2], &[(2, 0.0); 15]].concat());
        assert!(!small.is_shown() && small.more_to_decide.is_some_and(|more| more > 100), "{small:?}");
    }
}
