//! A rate: how many of so many, with where the true share lies.

use serde::{Serialize, Serializer};

use super::interval::Interval;

/// How many of so many answers were as they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rate {
    /// Answers that were.
    pub passed: usize,
    /// All answers that were judged.
    pub of: usize,
}

/// The 97.5th percentile of the normal distribution.
const Z: f64 = 1.959_963_984_540_054;

/// Prompts beyond which a larger sample is no advice any more.
const MOST_MORE: usize = 100_000;

impl Rate {
    /// Of verdicts, each `true` for an answer as it should be.
    pub(super) fn of(verdicts: impl IntoIterator<Item = bool>) -> Self {
        verdicts
            .into_iter()
            .fold(Self::default(), |rate, passed| Self { passed: rate.passed + usize::from(passed), of: rate.of + 1 })
    }

    /// Of both samples together.
    pub(super) fn plus(self, other: Self) -> Self {
        Self { passed: self.passed + other.passed, of: self.of + other.of }
    }

    /// Passed ÷ all, 0 to 1; higher is better. Undefined of nothing.
    pub fn share(&self) -> Option<f64> {
        (self.of > 0).then(|| self.passed as f64 / self.of as f64)
    }

    /// Where the share lies at 95 %, by Wilson (1927): a normal interval is too narrow under a few hundred, and has no width
    /// where all or none passed (arXiv 2503.01747). Undefined of nothing.
    pub fn interval(&self) -> Option<Interval> {
        self.share().map(|share| wilson(share, self.of as f64))
    }

    /// How many more answers, passing as often as these, would put the whole interval on one side of a limit. `None` where it is
    /// on one side already, and where no number of them that anyone asks would.
    pub fn more_to_decide(&self, limit: f64) -> Option<usize> {
        let share = self.share()?;
        let decided = |of: usize| {
            let interval = wilson(share, of as f64);
            interval.low >= limit || interval.high < limit
        };
        if decided(self.of) {
            return None;
        }
        // The interval narrows as the sample grows: halve the distance.
        let (mut low, mut high) = (self.of, self.of + MOST_MORE);
        if !decided(high) {
            return None;
        }
        while high - low > 1 {
            let middle = usize::midpoint(low, high);
            *(if decided(middle) { &mut high } else { &mut low }) = middle;
        }
        Some(high - self.of)
    }
}

fn wilson(share: f64, n: f64) -> Interval {
    let centre = (share + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
    let half = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt() / (1.0 + Z * Z / n);
    // Where none or all passed it ends there, which rounding would miss by a hair.
    Interval {
        low: if share == 0.0 { 0.0 } else { (centre - half).max(0.0) },
        high: if share == 1.0 { 1.0 } else { (centre + half).min(1.0) },
    }
}

/// `62 of 220: 28 % (23 to 34)`.
impl std::fmt::Display for Rate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {}", self.passed, self.of)?;
        match (self.share(), self.interval()) {
            (Some(share), Some(interval)) => {
                let percent = |share: f64| (100.0 * share).round();
                write!(f, ": {} % ({} to {})", percent(share), percent(interval.low), percent(interval.high))
            }
            _ => Ok(()),
        }
    }
}

/// With its share and interval.
impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Written {
            passed: usize,
            of: usize,
            share: Option<f64>,
            interval: Option<Interval>,
        }
        let (share, interval) = (self.share(), self.interval());
        Written { passed: self.passed, of: self.of, share, interval }.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(passed: usize, of: usize) -> (f64, f64) {
        let Interval { low, high } = Rate { passed, of }.interval().unwrap();
        ((low * 1e4).round() / 1e4, (high * 1e4).round() / 1e4)
    }

    /// By `statsmodels.stats.proportion.proportion_confint(passed, of, method="wilson")` 0.14.
    #[test]
    fn the_interval_is_wilsons() {
        assert_eq!(interval(8, 10), (0.4902, 0.9433));
        assert_eq!(interval(0, 10), (0.0, 0.2775));
        assert_eq!(interval(10, 10), (0.7225, 1.0));
        assert_eq!(interval(50, 100), (0.4038, 0.5962));
    }

    #[test]
    fn a_share_of_nothing_is_unknown() {
        let nothing = Rate::default();
        assert_eq!((nothing.share(), nothing.interval(), nothing.more_to_decide(0.5)), (None, None, None));
    }

    #[test]
    fn more_answers_decide_and_one_fewer_does_not() {
        let rate = Rate { passed: 8, of: 10 };
        assert_eq!(rate.more_to_decide(0.3), None, "the interval lies above");
        let more = rate.more_to_decide(0.7).unwrap();
        let low = |of: usize| wilson(0.8, of as f64).low;
        assert!(low(10 + more) >= 0.7 && low(10 + more - 1) < 0.7, "{more}");
        assert_eq!(rate.more_to_decide(0.8), None, "no sample tells a share from itself");
    }
}
