//! Whether the pick's answers are better than another row's: the same prompts, pair by pair.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde::Serialize;

use crate::compare::holm;
use crate::summarize::{Interval, LEVEL, PromptKey, RowSummary};

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

/// Resamples that an interval is made of.
const RESAMPLES: usize = 2_000;

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
    let samples: Vec<Sample> =
        others.iter().filter_map(|other| Some(Sample::of(other, ours, passes(other)?))).collect();
    let p_values: Vec<f64> = samples.iter().map(Sample::p_value).collect();
    let adjusted = holm(&p_values, 1.0 - LEVEL);
    samples.into_iter().zip(adjusted).filter_map(|(sample, adjusted)| sample.difference(adjusted.tail)).collect()
}

/// Whether the answer to each prompt passes.
type Passes = BTreeMap<PromptKey, bool>;

/// What two rows made of the same prompts.
struct Sample {
    row: String,
    prompts: usize,
    passed: (usize, usize),
    /// For each pair: its prompts, and the sum of their differences.
    pairs: Vec<(usize, f64)>,
    /// Differences of the resamples, ascending.
    resamples: Vec<f64>,
}

impl Sample {
    fn of(row: &str, ours: &Passes, theirs: &Passes) -> Self {
        let mut pairs: BTreeMap<(&str, &str), (usize, f64)> = BTreeMap::new();
        let mut passed = (0, 0);
        let mut prompts = 0;
        for (key, our) in ours {
            let Some(their) = theirs.get(key) else { continue };
            prompts += 1;
            passed = (passed.0 + usize::from(*our), passed.1 + usize::from(*their));
            let pair = pairs.entry((&key.0, &key.1)).or_default();
            *pair = (pair.0 + 1, pair.1 + f64::from(u8::from(*our)) - f64::from(u8::from(*their)));
        }
        let pairs: Vec<(usize, f64)> = pairs.into_values().collect();
        Self { row: row.to_owned(), prompts, passed, resamples: resamples(&pairs), pairs }
    }

    fn observed(&self) -> f64 {
        share(self.pairs.iter().copied())
    }

    /// Twice the share of resamples on the other side of no difference.
    fn p_value(&self) -> f64 {
        if self.resamples.is_empty() {
            return 1.0;
        }
        let count = |beyond: &dyn Fn(f64) -> bool| self.resamples.iter().filter(|value| beyond(**value)).count();
        let (low, high) = (count(&|value| value <= 0.0), count(&|value| value >= 0.0));
        (2.0 * (low.min(high) as f64 + 1.0) / (self.resamples.len() as f64 + 1.0)).min(1.0)
    }

    fn difference(self, tail: f64) -> Option<QualityDifference> {
        let difference = self.observed();
        let interval = Interval {
            low: crate::quantile::quantile(&self.resamples, tail / 2.0)?,
            high: crate::quantile::quantile(&self.resamples, 1.0 - tail / 2.0)?,
        };
        let mut made = QualityDifference {
            row: self.row,
            prompts: self.prompts,
            passed: self.passed,
            difference,
            interval,
            more_to_decide: None,
        };
        if !made.is_shown() && difference != 0.0 {
            // An interval narrows with the root of the sample.
            let reach = if difference > 0.0 { difference - interval.low } else { interval.high - difference };
            let needed = self.prompts as f64 * (reach / difference.abs()).powi(2);
            let more = (needed - self.prompts as f64).ceil();
            made.more_to_decide = (more <= MOST_MORE).then_some(more.max(1.0) as usize);
        }
        Some(made)
    }
}

/// Mean difference over all prompts of some pairs.
fn share(pairs: impl Iterator<Item = (usize, f64)>) -> f64 {
    let (prompts, sum) = pairs.fold((0, 0.0), |(prompts, sum), (count, part)| (prompts + count, sum + part));
    if prompts == 0 { 0.0 } else { sum / prompts as f64 }
}

fn resamples(pairs: &[(usize, f64)]) -> Vec<f64> {
    if pairs.is_empty() {
        return Vec::new();
    }
    // The same pairs give the same interval.
    let mut random = StdRng::seed_from_u64(0);
    let mut draw = || share((0..pairs.len()).map(|_| pairs[random.random_range(0..pairs.len())]));
    let mut values: Vec<f64> = (0..RESAMPLES).map(|_| draw()).collect();
    values.sort_by(f64::total_cmp);
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(pairs: &[(usize, f64)]) -> Sample {
        let prompts = pairs.iter().map(|(count, _)| count).sum();
        Sample { row: "b".into(), prompts, passed: (0, 0), resamples: resamples(pairs), pairs: pairs.to_vec() }
    }

    #[test]
    fn equal_answers_differ_by_nothing_and_no_number_would_decide() {
        let difference = sample(&[(2, 0.0); 20]).difference(0.05).unwrap();
        assert_eq!((difference.difference, difference.is_shown(), difference.more_to_decide), (0.0, false, None));
    }

    #[test]
    fn a_large_difference_is_shown_and_a_small_one_says_what_would_decide() {
        let shown = sample(&[[(2, 2.0); 15].as_slice(), &[(2, 0.0); 5]].concat()).difference(0.05).unwrap();
        assert_eq!((shown.difference, shown.is_shown(), shown.more_to_decide), (0.75, true, None));
        let small =
            sample(&[[(2, 1.0); 3].as_slice(), &[(2, -1.0); 2], &[(2, 0.0); 15]].concat()).difference(0.05).unwrap();
        assert!(!small.is_shown() && small.more_to_decide.is_some_and(|more| more > 100), "{small:?}");
    }

    #[test]
    fn a_null_change_is_seldom_shown() {
        // Either of two rows passes alone as often as the other: seeded samples of 100 pairs.
        let shown = (0..400).filter(|seed| {
            let mut random = StdRng::seed_from_u64(*seed);
            let pairs: Vec<(usize, f64)> = (0..100).map(|_| (2, f64::from(random.random_range(-1..=1_i8)))).collect();
            sample(&pairs).difference(0.05).unwrap().is_shown()
        });
        let shown = shown.count();
        assert!(shown <= 28, "{shown} of 400, more than 7 %");
    }
}
