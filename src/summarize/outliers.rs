//! Outliers: values far from the others. They are pointed out and never dropped: a stall is a measurement, too.

use crate::quantile::quantile;

/// Modified Z-score beyond which a value is an outlier: Iglewicz & Hoaglin, "How to Detect and Handle Outliers", 1993.
pub const OUTLYING: f64 = 3.5;

/// Standard deviations in a mean and in a median absolute deviation, for normal values: √(π ÷ 2), and 1 ÷ the 75 % point.
const PER_MEAN_DEVIATION: f64 = 1.253_314;
const PER_MEDIAN_DEVIATION: f64 = 1.0 / 0.6745;

/// Where in `values` the outliers are: those further than [`OUTLYING`] estimated standard deviations from the median. The
/// estimate is of the median absolute deviation, which outliers do not widen; where that is zero, because more than half
/// of the values are equal, of the mean absolute deviation.
pub fn outliers(values: &[f64]) -> Vec<usize> {
    let Some(median) = median(values.to_vec()) else { return Vec::new() };
    let deviations: Vec<f64> = values.iter().map(|value| (value - median).abs()).collect();
    let mean = deviations.iter().sum::<f64>() / deviations.len() as f64;
    let deviation = match self::median(deviations.clone()) {
        Some(deviation) if deviation > 0.0 => deviation * PER_MEDIAN_DEVIATION,
        _ => mean * PER_MEAN_DEVIATION,
    };
    (0..values.len()).filter(|index| deviations[*index] > OUTLYING * deviation).collect()
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    quantile(&values, 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_of_ten_do_not_hide_each_other() {
        // The mean is 3.54 and the standard deviation 2.5, so that neither is 2 deviations off: the median and its do better.
        assert_eq!(outliers(&[2.1, 2.6, 2.4, 2.5, 2.3, 2.1, 2.3, 2.6, 8.2, 8.3]), [8, 9]);
    }

    #[test]
    fn the_line_is_three_and_a_half_deviations_from_the_median() {
        // Median 0, median absolute deviation 1: 3.5 ÷ 0.6745 = 5.189.
        let with = |last: f64| outliers(&[-2.0, -1.0, -1.0, 0.0, 0.0, 1.0, 1.0, -3.0, last]);
        assert!(with(5.18).is_empty());
        assert_eq!(with(5.2), [8]);
    }

    #[test]
    fn where_most_are_equal_the_mean_deviation_decides() {
        // Mean deviation 2 ÷ 20 = 0.1, so 3.5 × 0.125 = 0.44.
        let mut values = [5.0; 20];
        values[3] = 7.0;
        assert_eq!(outliers(&values), [3]);
    }

    #[test]
    fn equal_values_have_no_outlier_and_nothing_has_none() {
        assert!(outliers(&[4.0; 9]).is_empty());
        assert!(outliers(&[]).is_empty());
        assert!(outliers(&[f64::NAN, 1.0, 2.0]).is_empty());
    }
}
