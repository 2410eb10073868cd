//! Drift: whether a series rises or falls over its course, as a machine that warms up makes it.

use super::interval::Interval;
use crate::quantile::quantile;

/// The 97.5 % point of the normal distribution.
const Z: f64 = 1.959_964;

/// Longest series whose every two values are looked at: beyond it, of every so manieth value, which tell the same.
const MOST: usize = 500;

/// How far a series moved from its first value to its last, as a share of its median: 0.03 is a rise by 3 %.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drift {
    /// Last against first, by the median slope; negative of a fall.
    pub change: f64,
    /// At 95 %. Drift is shown if it holds no zero.
    pub interval: Interval,
}

impl Drift {
    /// Of values in the order in which they came: the median of the slopes between every two (Theil 1950), which outliers
    /// do not tilt, with its interval from the variance of Kendall's tau (Sen, "Estimates of the Regression Coefficient
    /// Based on Kendall's Tau", 1968, ties included).
    ///
    /// `None` of fewer than [`Interval::NEEDS`] values, or if their median is no positive number.
    pub fn of(series: &[f64]) -> Option<Self> {
        if series.len() < Interval::NEEDS || !series.iter().all(|value| value.is_finite()) {
            return None;
        }
        let series: Vec<f64> = series.iter().copied().step_by(series.len().div_ceil(MOST)).collect();
        let mut sorted = series.clone();
        sorted.sort_by(f64::total_cmp);
        let median = quantile(&sorted, 0.5).filter(|median| *median > 0.0)?;
        let mut slopes: Vec<f64> = (1..series.len())
            .flat_map(|later| (0..later).map(move |earlier| (earlier, later)))
            .map(|(earlier, later)| (series[later] - series[earlier]) / (later - earlier) as f64)
            .collect();
        slopes.sort_by(f64::total_cmp);
        // Slopes that lie outside at each end.
        let outside = ((slopes.len() as f64 - Z * concordance_variance(&sorted).sqrt()) / 2.0).floor() as usize;
        let low = *slopes.get(outside.checked_sub(1)?)?;
        let high = *slopes.get(slopes.len().checked_sub(outside)?)?;
        let whole = (series.len() - 1) as f64 / median;
        Some(Self {
            change: quantile(&slopes, 0.5)? * whole,
            interval: Interval { low: low * whole, high: high * whole },
        })
    }
}

/// Variance of the number of rising pairs − falling pairs, if the order is by chance: Kendall, "Rank Correlation Methods",
/// 1955. Pairs that are tied can do neither.
fn concordance_variance(sorted: &[f64]) -> f64 {
    let of = |n: usize| n * (n - 1) * (2 * n + 5);
    let tied: usize = sorted.chunk_by(|a, b| a == b).map(|tied| of(tied.len())).sum();
    (of(sorted.len()) - tied) as f64 / 18.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_straight_line_has_its_own_slope() {
        // From 10 to 12 with a median of 11.
        let drift = Drift::of(&[10.0, 10.4, 10.8, 11.2, 11.6, 12.0]).unwrap();
        for value in [drift.change, drift.interval.low, drift.interval.high] {
            assert!((value - 2.0 / 11.0).abs() < 1e-12, "{drift:?}");
        }
    }

    #[test]
    fn an_outlier_does_not_tilt_it() {
        let mut series = [10.0; 11];
        series[10] = 1000.0;
        assert_eq!(Drift::of(&series), Some(Drift { change: 0.0, interval: Interval { low: 0.0, high: 0.0 } }));
    }

    #[test]
    fn ends_are_the_slopes_that_sens_ranks_name() {
        // Two of 6 values are equal, so the variance is (6 × 5 × 17 − 2 × 9) ÷ 18 = 27.33, and (15 − 1.96 × 5.228) ÷ 2 = 2.38:
        // the 2nd slope from either end of −4 −3 −0.5 −1/3 0 0.5 0.6 1 1 1.5 1.5 5/3 2 3 6. The median of the values is 13.
        let drift = Drift::of(&[11.0, 12.0, 15.0, 11.0, 17.0, 14.0]).unwrap();
        let whole = 5.0 / 13.0;
        assert_eq!(drift.interval, Interval { low: -3.0 * whole, high: 3.0 * whole });
        assert_eq!(drift.change, whole);
    }

    #[test]
    fn an_order_by_chance_shows_no_drift_and_a_rising_one_does() {
        let by_chance = Drift::of(&[5.0, 3.0, 8.0, 1.0, 9.0, 2.0, 7.0, 4.0, 6.0, 5.5]).unwrap().interval;
        assert!(by_chance.low < 0.0 && 0.0 < by_chance.high, "{by_chance:?}");
        let rising: Vec<f64> = (0..20).map(|trial| 100.0 + f64::from(trial) + 3.0 * f64::from(trial % 3)).collect();
        assert!(Drift::of(&rising).unwrap().interval.low > 0.0);
    }

    #[test]
    fn ties_narrow_the_interval() {
        assert_eq!(concordance_variance(&[1.0, 2.0, 3.0, 4.0]), 4.0 * 3.0 * 13.0 / 18.0);
        assert_eq!(concordance_variance(&[1.0, 1.0, 3.0, 4.0]), (4.0 * 3.0 * 13.0 - 2.0 * 9.0) / 18.0);
        assert_eq!(concordance_variance(&[1.0; 9]), 0.0);
    }

    #[test]
    fn a_long_series_takes_no_longer_and_says_the_same() {
        let series: Vec<f64> =
            (0..100_000).map(|trial| 100.0 + f64::from(trial) / 1e4 + f64::from(trial % 7)).collect();
        let drift = Drift::of(&series).unwrap();
        // 10 up from 100, around a median of 108.
        assert!((drift.change - 10.0 / 108.0).abs() < 0.01, "{drift:?}");
        assert!(drift.interval.low > 0.0);
    }

    #[test]
    fn what_has_no_drift_to_state_states_none() {
        assert_eq!(Drift::of(&[1.0; 5]), None);
        assert_eq!(Drift::of(&[0.0; 8]), None);
        assert_eq!(Drift::of(&[1.0, 2.0, f64::NAN, 3.0, 4.0, 5.0, 6.0]), None);
    }
}
