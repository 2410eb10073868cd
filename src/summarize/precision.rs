//! How precisely a median is known.

use super::interval::Interval;
use crate::quantile::quantile;

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
    fn what_does_not_vary_is_precise() {
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
