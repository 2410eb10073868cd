//! Enough: when to stop warming up, and when to stop measuring.

use super::distribution::quantile;
use super::interval::Interval;

/// Trials in a row that must agree for a candidate to count as warm.
pub const STEADY_TRIALS: usize = 3;

/// How far each of them may lie from their median, as a share of it.
pub const STEADY_WITHIN: f64 = 0.05;

/// Whether the last [`STEADY_TRIALS`] lie within [`STEADY_WITHIN`] of their median, after Georges, Buytaert & Eeckhout,
/// "Statistically Rigorous Java Performance Evaluation", 2007, section 4.1. It is a rule for stopping, not a proof: some
/// programs never settle, so a caller must give up after some number of trials (Barrett et al., "Virtual Machine Warmup
/// Blows Hot and Cold", 2017), and what drifts on is for [`super::Drift`] to show.
pub fn is_steady(series: &[f64]) -> bool {
    let Some(start) = series.len().checked_sub(STEADY_TRIALS) else { return false };
    let mut last = series[start..].to_vec();
    last.sort_by(f64::total_cmp);
    quantile(&last, 0.5).is_some_and(|median| last.iter().all(|value| (value - median).abs() <= STEADY_WITHIN * median))
}

/// Half the width of the median's 95 % interval, as a share of the median: 0.02 is ±2 %. Smaller is better. `None` below
/// [`Interval::NEEDS`] values, or if the median is no positive number.
///
/// To measure until it is small does not bias a comparison, since it looks at the width and not at which way the median
/// moves.
pub fn precision(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Interval { low, high } = Interval::of_median(&sorted)?;
    let median = quantile(&sorted, 0.5).filter(|median| *median > 0.0)?;
    Some((high - low) / 2.0 / median).filter(|precision| precision.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_three_decide_whether_it_is_warm() {
        assert!(is_steady(&[900.0, 400.0, 100.0, 104.0, 99.0]));
        assert!(!is_steady(&[100.0, 100.0, 100.0, 106.0]));
        assert!(!is_steady(&[900.0, 400.0, 200.0, 150.0]));
    }

    #[test]
    fn two_trials_or_no_numbers_are_not_steady() {
        assert!(!is_steady(&[]) && !is_steady(&[1.0, 1.0]));
        assert!(!is_steady(&[1.0, f64::NAN, 1.0]) && !is_steady(&[f64::INFINITY; 3]));
    }

    #[test]
    fn what_does_not_vary_is_steady_and_precise() {
        assert!(is_steady(&[0.0; 3]) && is_steady(&[7.0; 3]));
        assert_eq!(precision(&[7.0; 6]), Some(0.0));
    }

    #[test]
    fn precision_is_half_the_interval_by_the_median() {
        // The interval of 101 to 110 is 102.65766 to 107.34234 + 1, its median 105.5.
        let values: Vec<f64> = (101..=110).map(f64::from).collect();
        let precision = precision(&values).unwrap();
        assert!((precision - (108.34234 - 102.65766) / 2.0 / 105.5).abs() < 1e-6, "{precision}");
    }

    #[test]
    fn no_interval_or_no_positive_median_has_no_precision() {
        assert_eq!(precision(&[1.0; 5]), None);
        assert_eq!(precision(&[0.0; 9]), None);
        assert_eq!(precision(&[f64::INFINITY; 9]), None);
    }
}
