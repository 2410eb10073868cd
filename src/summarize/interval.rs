//! How certain a median is: a seeded bootstrap.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde::Serialize;

use super::distribution::quantile;

/// Share of intervals that cover the true median, if trials are independent.
pub const LEVEL: f64 = 0.95;

/// Resamples of one interval. At 2,000 its ends move by about a tenth of its width from seed to seed.
pub const RESAMPLES: usize = 2_000;

/// Where a figure lies, at [`LEVEL`], in the figure's unit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    pub low: f64,
    pub high: f64,
}

impl Interval {
    /// Whether some value lies in both: then the two figures are not shown to differ.
    pub fn overlaps(&self, other: &Interval) -> bool {
        self.low <= other.high && other.low <= self.high
    }
}

/// The percentile bootstrap of the median (Efron & Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13) for
/// samples of one size.
///
/// The median of a resample is decided by the ranks that it happened to draw, not by the values at them. So the ranks
/// are drawn once and serve every sample of that size, which makes thousands of intervals cheap.
#[derive(Debug, Clone)]
pub struct MedianBootstrap {
    n: usize,
    /// Of each resample, the ranks whose values have the median between them; both the same if n is odd.
    middles: Vec<(usize, usize)>,
}

impl MedianBootstrap {
    /// Fewest trials of which an interval is stated. The widest that n trials can give, from the smallest to the largest,
    /// covers the median with probability 1 − 2 × (1/2)^n, since all n fall on the same side of it otherwise: 93.8 % for
    /// 5 and 96.9 % for 6 (David & Nagaraja, "Order Statistics", 2003, section 7.1).
    pub const NEEDS: usize = 6;

    /// `None` below [`Self::NEEDS`]. The same seed gives the same interval.
    pub fn new(n: usize, seed: u64) -> Option<Self> {
        if n < Self::NEEDS {
            return None;
        }
        let mut random = StdRng::seed_from_u64(seed);
        let mut ranks = vec![0; n];
        let middles = (0..RESAMPLES)
            .map(|_| {
                ranks.fill_with(|| random.random_range(0..n));
                let (lower, upper, _) = ranks.select_nth_unstable(n / 2);
                let upper = *upper;
                let below = lower.iter().copied().max().unwrap_or(upper);
                (if n.is_multiple_of(2) { below } else { upper }, upper)
            })
            .collect();
        Some(Self { n, middles })
    }

    /// The interval of the median of `sorted`; `None` if that is not the number of values that this was drawn for.
    pub fn interval(&self, sorted: &[f64]) -> Option<Interval> {
        if sorted.len() != self.n {
            return None;
        }
        let mut medians: Vec<f64> =
            self.middles.iter().map(|&(below, above)| sorted[below].midpoint(sorted[above])).collect();
        medians.sort_by(f64::total_cmp);
        Some(Interval { low: quantile(&medians, (1.0 - LEVEL) / 2.0)?, high: quantile(&medians, (1.0 + LEVEL) / 2.0)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(values: &[f64], seed: u64) -> Option<Interval> {
        MedianBootstrap::new(values.len(), seed)?.interval(values)
    }

    fn ramp(n: u32) -> Vec<f64> {
        (1..=n).map(f64::from).collect()
    }

    #[test]
    fn the_seed_decides() {
        let draw = |seed| MedianBootstrap::new(25, seed).map(|bootstrap| bootstrap.middles);
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }

    #[test]
    fn five_trials_are_too_few() {
        assert_eq!(interval(&ramp(5), 1), None);
        assert!(interval(&ramp(6), 1).is_some());
    }

    #[test]
    fn an_interval_holds_the_median_and_stays_within_the_sample() {
        for n in 6..60 {
            let values = ramp(n);
            let Interval { low, high } = interval(&values, u64::from(n)).unwrap();
            let median = quantile(&values, 0.5).unwrap();
            assert!(1.0 <= low && low <= median && median <= high && high <= f64::from(n), "{n}: {low}..{high}");
        }
    }

    #[test]
    fn it_agrees_with_the_order_statistics_of_a_large_sample() {
        // Of 101 values the binomial interval runs from the 41st to the 61st: 50.5 ± 1.96 × √101 ÷ 2.
        let Interval { low, high } = interval(&ramp(101), 3).unwrap();
        assert!((low - 41.0).abs() <= 1.5 && (high - 61.0).abs() <= 1.5, "{low}..{high}");
    }

    #[test]
    fn equal_values_leave_no_doubt() {
        assert_eq!(interval(&[4.0; 9], 1), Some(Interval { low: 4.0, high: 4.0 }));
    }

    #[test]
    fn intervals_that_touch_overlap() {
        let between = |low, high| Interval { low, high };
        assert!(between(1.0, 2.0).overlaps(&between(2.0, 3.0)));
        assert!(between(1.0, 9.0).overlaps(&between(2.0, 3.0)));
        assert!(!between(1.0, 2.0).overlaps(&between(2.1, 3.0)));
        assert!(!between(2.1, 3.0).overlaps(&between(1.0, 2.0)));
    }
}
