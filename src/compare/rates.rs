//! Verdicts on the same prompts of two rows, pair by pair.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use crate::quantile::quantile;
use crate::summarize::{Interval, PromptKey};

/// Resamples that an interval is made of.
const RESAMPLES: usize = 2_000;

/// How many answers of two rows to the same prompts are as they should be. What is resampled is the pair of a prompt in both
/// languages, whose answers are not independent of each other.
#[derive(Debug, Clone)]
pub struct PairedRates {
    /// Prompts that both answered.
    pub prompts: usize,
    /// Answers of the first row, and of the second, that are as they should be.
    pub passed: (usize, usize),
    /// For each pair: its prompts, and the sum of their differences.
    pairs: Vec<(usize, f64)>,
    /// Differences of the resamples, ascending.
    resamples: Vec<f64>,
}

impl PairedRates {
    /// Of what is known of each prompt's answers.
    pub fn of(first: &BTreeMap<PromptKey, bool>, second: &BTreeMap<PromptKey, bool>) -> Self {
        let mut pairs: BTreeMap<(&str, &str), (usize, f64)> = BTreeMap::new();
        let mut passed = (0, 0);
        for (key, first) in first {
            let Some(second) = second.get(key) else { continue };
            passed = (passed.0 + usize::from(*first), passed.1 + usize::from(*second));
            let pair = pairs.entry((&key.0, &key.1)).or_default();
            *pair = (pair.0 + 1, pair.1 + f64::from(u8::from(*first)) - f64::from(u8::from(*second)));
        }
        Self::of_pairs(pairs.into_values().collect(), passed)
    }

    /// Of pairs: the prompts of each, and the sum of their differences.
    pub(crate) fn of_pairs(pairs: Vec<(usize, f64)>, passed: (usize, usize)) -> Self {
        let prompts = pairs.iter().map(|(prompts, _)| prompts).sum();
        Self { prompts, passed, resamples: resamples(&pairs), pairs }
    }

    /// The first row's share less the second's, −1 to 1.
    pub fn difference(&self) -> f64 {
        share(self.pairs.iter().copied())
    }

    /// Twice the share of resamples on the other side of no difference.
    pub fn p_value(&self) -> f64 {
        if self.resamples.is_empty() {
            return 1.0;
        }
        let count = |beyond: &dyn Fn(f64) -> bool| self.resamples.iter().filter(|value| beyond(**value)).count();
        let (low, high) = (count(&|value| value <= 0.0), count(&|value| value >= 0.0));
        (2.0 * (low.min(high) as f64 + 1.0) / (self.resamples.len() as f64 + 1.0)).min(1.0)
    }

    /// Where the difference lies, beyond either end in half of a share `tail` of cases. `None` of no prompts.
    pub fn interval(&self, tail: f64) -> Option<Interval> {
        let low = quantile(&self.resamples, tail / 2.0)?;
        Some(Interval { low, high: quantile(&self.resamples, 1.0 - tail / 2.0)? })
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

    #[test]
    fn a_null_change_is_seldom_shown() {
        // Either of two rows passes alone as often as the other: seeded samples of 100 pairs.
        let shown = (0..400).filter(|seed| {
            let mut random = StdRng::seed_from_u64(*seed);
            let pairs: Vec<(usize, f64)> = (0..100).map(|_| (2, f64::from(random.random_range(-1..=1_i8)))).collect();
            let Interval { low, high } = PairedRates::of_pairs(pairs, (0, 0)).interval(0.05).unwrap();
            low > 0.0 || high < 0.0
        });
        let shown = shown.count();
        assert!(shown <= 28, "{shown} of 400, more than 7 %");
    }
}
