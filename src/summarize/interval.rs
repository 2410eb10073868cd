//! How certain a median is: an interval between order statistics, which assumes nothing of the noise.

use serde::{Deserialize, Serialize};

/// Share of intervals that cover the true median, if trials are independent.
pub const LEVEL: f64 = 0.95;

/// Where a figure lies, at [`LEVEL`] unless another is said, in the figure's unit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

impl Interval {
    /// Fewest trials of which an interval of a median is stated. The widest that n trials can give, from the smallest to
    /// the largest, covers the median with probability 1 − 2 × (1/2)^n, since all n fall on the same side of it otherwise:
    /// 93.8 % for 5 and 96.9 % for 6 (David & Nagaraja, "Order Statistics", 2003, section 7.1).
    pub const NEEDS: usize = 6;

    /// Where the median of `sorted` lies, at [`LEVEL`]; `None` below [`Self::NEEDS`] values.
    pub fn of_median(sorted: &[f64]) -> Option<Self> {
        if sorted.len() < Self::NEEDS { None } else { Self::of_median_beyond((1.0 - LEVEL) / 2.0, sorted) }
    }

    /// As [`Self::of_median`], with the median beyond either end in a share `tail` of cases; `None` if that is less than
    /// the sample's extremes can promise.
    pub fn of_median_beyond(tail: f64, sorted: &[f64]) -> Option<Self> {
        let low = bound(tail, sorted.iter().copied())?;
        let high = -bound(tail, sorted.iter().rev().map(|value| -value))?;
        // Of so small a sample or so high a tail that the two would cross, nothing lies between.
        (low <= high).then_some(Self { low, high })
    }

    /// Where the `share`-quantile of `sorted` lies, at [`LEVEL`]: from one order statistic to another, of which the true
    /// quantile is below the lower or above the upper with at most 2.5 % each (David & Nagaraja, section 7.1). `None` if
    /// the sample's extremes cannot promise that.
    pub fn of_quantile(share: f64, sorted: &[f64]) -> Option<Self> {
        let tail = (1.0 - LEVEL) / 2.0;
        // With k values at or below the quantile, it lies between the k-th and the next; k is binomial.
        let mut at_most = 0.0;
        let mut ends = (None, None);
        for (k, probability) in binomial(sorted.len(), share).enumerate() {
            // Fewer than k + 1 in at most a tail of cases: the quantile is seldom below the (k + 1)-th.
            at_most += probability;
            if at_most <= tail {
                ends.0 = sorted.get(k);
            }
            if ends.1.is_none() && 1.0 - at_most <= tail {
                ends.1 = sorted.get(k);
            }
        }
        Some(Self { low: *ends.0?, high: *ends.1? })
    }

    /// Whether some value lies in both: then the two figures are not shown to differ.
    pub fn overlaps(&self, other: &Interval) -> bool {
        self.low <= other.high && other.low <= self.high
    }
}

/// The probabilities of 0, 1, 2 … n successes in n attempts that succeed with probability `share`, between 0 and 1.
fn binomial(n: usize, share: f64) -> impl Iterator<Item = f64> {
    // By its logarithm, which does not vanish for a large n.
    let mut ln_probability = n as f64 * (1.0 - share).ln();
    let ln_odds = (share / (1.0 - share)).ln();
    (0..=n).map(move |k| {
        let probability = ln_probability.exp();
        ln_probability += ((n - k) as f64 / (k + 1) as f64).ln() + ln_odds;
        probability
    })
}

/// One-sided p-value against the hypothesis that the true median is at most `value`: small if the sample says that it
/// is above. The interval's lower end is where it equals the tail.
pub fn p_median_above(value: f64, sorted: &[f64]) -> f64 {
    p_above(value, sorted.iter().copied())
}

/// As [`p_median_above`], against a true median of at least `value`.
pub fn p_median_below(value: f64, sorted: &[f64]) -> f64 {
    p_above(-value, sorted.iter().rev().map(|value| -value))
}

/// One gap between neighbours in a sorted sample. With k values at or below it, the sign test's p-value against a median
/// there is P(at most k of n fair coins show heads).
struct Gap {
    /// Values at or below it, and in all.
    k: f64,
    n: f64,
    low: f64,
    high: f64,
    /// The p-value just before it, and in it.
    before: f64,
    within: f64,
}

impl Gap {
    /// Where between the neighbours, 0 to 1, the p-value is a share `part` of its step: Hettmansperger & Sheather,
    /// "Confidence intervals based on interpolated order statistics", 1986. A straight line would be right for no
    /// symmetric distribution; this is nearly right for all.
    fn position(&self, part: f64) -> f64 {
        (self.n - self.k) * part / (self.k + (self.n - 2.0 * self.k) * part)
    }

    /// The inverse of [`Self::position`].
    fn part(&self, position: f64) -> f64 {
        self.k * position / (self.n - self.k - (self.n - 2.0 * self.k) * position)
    }
}

/// The gaps of values in rising order.
fn gaps(rising: impl ExactSizeIterator<Item = f64> + Clone) -> impl Iterator<Item = Gap> {
    let n = rising.len() as f64;
    // Of k heads, starting from none: its logarithm, which does not vanish for a large n.
    let mut ln_probability = -n * std::f64::consts::LN_2;
    let mut at_most_k = ln_probability.exp();
    let neighbours = rising.clone().zip(rising.skip(1));
    neighbours.zip(1_u32..).map(move |((low, high), k)| {
        let k = f64::from(k);
        ln_probability += ((n - k + 1.0) / k).ln();
        let before = at_most_k;
        at_most_k += ln_probability.exp();
        Gap { k, n, low, high, before, within: at_most_k }
    })
}

fn bound(tail: f64, rising: impl ExactSizeIterator<Item = f64> + Clone) -> Option<f64> {
    let gap = gaps(rising).find(|gap| tail < gap.within)?;
    if tail < gap.before {
        return None;
    }
    Some(gap.low + gap.position((tail - gap.before) / (gap.within - gap.before)) * (gap.high - gap.low))
}

fn p_above(value: f64, rising: impl ExactSizeIterator<Item = f64> + Clone) -> f64 {
    for gap in gaps(rising) {
        if value < gap.low {
            return gap.before;
        }
        if value < gap.high {
            let part = gap.part((value - gap.low) / (gap.high - gap.low));
            return gap.before + part * (gap.within - gap.before);
        }
    }
    1.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quantile::quantile;

    fn ramp(n: u32) -> Vec<f64> {
        (1..=n).map(f64::from).collect()
    }

    #[test]
    fn five_trials_are_too_few() {
        assert_eq!(Interval::of_median(&ramp(5)), None);
        assert!(Interval::of_median(&ramp(6)).is_some());
    }

    #[test]
    fn ends_on_an_order_statistic_are_the_sign_tests() {
        // Between the 2nd and the 9th of 10 values the median lies with 1 − 2 × (1 + 10) ÷ 1024.
        let interval = Interval::of_median_beyond(11.0 / 1024.0, &ramp(10)).unwrap();
        assert!((interval.low - 2.0).abs() < 1e-9 && (interval.high - 9.0).abs() < 1e-9, "{interval:?}");
    }

    #[test]
    fn ends_between_two_are_interpolated() {
        // 0.025 lies a share I = (25.6 − 11) ÷ 45 of the way from 11 to 56 outcomes of 1,024: λ = 8 I ÷ (2 + 6 I) = 0.65766.
        let Interval { low, high } = Interval::of_median(&ramp(10)).unwrap();
        assert!((low - 2.65766).abs() < 1e-5 && (high - 8.34234).abs() < 1e-5, "{low}..{high}");
    }

    #[test]
    fn the_ends_of_a_quantile_are_binomial() {
        // P(at most k of 200 are at or below it): 0.0238 for 183, 0.0444 for 184; 0.9736 for 195, 0.9910 for 196.
        let of = |n: u32, share| Interval::of_quantile(share, &ramp(n)).map(|interval| (interval.low, interval.high));
        assert_eq!(of(200, 0.95), Some((184.0, 197.0)));
        // As the median's, without interpolation: 1 − 2 × 11 ÷ 1,024 between the 2nd and the 9th.
        assert_eq!(of(10, 0.5), Some((2.0, 9.0)));
        // 0.95^72 is just below 2.5 %, 0.95^71 is not: then the largest of all may well lie below.
        assert!(of(71, 0.95).is_none() && of(72, 0.95).is_some());
        assert_eq!(of(0, 0.5), None);
    }

    #[test]
    fn an_interval_holds_the_median_and_stays_within_the_sample() {
        for n in (6..60).chain([1000, 1001, 5000]) {
            let values = ramp(n);
            let Interval { low, high } = Interval::of_median(&values).unwrap();
            let median = quantile(&values, 0.5).unwrap();
            assert!(1.0 <= low && low <= median && median <= high && high <= f64::from(n), "{n}: {low}..{high}");
        }
    }

    #[test]
    fn it_agrees_with_the_normal_approximation_of_a_large_sample() {
        // 5,000.5 ± 1.96 × √10,000 ÷ 2.
        let Interval { low, high } = Interval::of_median(&ramp(10_000)).unwrap();
        assert!((low - 4902.5).abs() < 1.0 && (high - 5098.5).abs() < 1.0, "{low}..{high}");
    }

    #[test]
    fn the_p_value_at_an_end_is_its_tail() {
        let values: Vec<f64> = ramp(17).iter().map(|value| value.powi(2)).collect();
        for tail in [0.3, 0.025, 0.001, 0.0001] {
            let Interval { low, high } = Interval::of_median_beyond(tail, &values).unwrap();
            assert!((p_median_above(low, &values) - tail).abs() < 1e-12, "{tail}");
            assert!((p_median_below(high, &values) - tail).abs() < 1e-12, "{tail}");
        }
    }

    #[test]
    fn a_small_sample_promises_no_small_tail() {
        // All of 10 on one side: 1 ÷ 1,024.
        assert_eq!(Interval::of_median_beyond(0.0009, &ramp(10)), None);
        assert!(Interval::of_median_beyond(0.0011, &ramp(10)).is_some());
        assert_eq!(p_median_above(-5.0, &ramp(10)), 1.0 / 1024.0);
    }

    #[test]
    fn equal_values_leave_no_doubt() {
        assert_eq!(Interval::of_median(&[4.0; 9]), Some(Interval { low: 4.0, high: 4.0 }));
        assert_eq!((p_median_above(4.0, &[4.0; 9]), p_median_below(4.0, &[4.0; 9])), (1.0, 1.0));
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
