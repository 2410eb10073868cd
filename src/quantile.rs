//! Quantiles of a sample.

/// The `share`-quantile of sorted values by linear interpolation between the two nearest: type 7 of Hyndman & Fan,
/// "Sample Quantiles in Statistical Packages" (1996), and numpy's default. Undefined of no values.
pub fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let position = share.clamp(0.0, 1.0) * last as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(last);
    let fraction = position - below as f64;
    Some(sorted[below] + fraction * (sorted[above] - sorted[below]))
}

/// The median of values in any order; undefined of none.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    quantile(&sorted, 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_equal_numpys() {
        // numpy.quantile([15, 20, 35, 40, 50], [0, .05, .25, .4, .5, .95, 1])
        let values = [15.0, 20.0, 35.0, 40.0, 50.0];
        for (share, expected) in
            [(0.0, 15.0), (0.05, 16.0), (0.25, 20.0), (0.4, 29.0), (0.5, 35.0), (0.95, 48.0), (1.0, 50.0)]
        {
            let actual = quantile(&values, share).unwrap();
            assert!((actual - expected).abs() < 1e-9, "at {share}: {actual}, expected {expected}");
        }
        // numpy.quantile([1, 2, 3, 10], [.5, .9, .99])
        for (share, expected) in [(0.5, 2.5), (0.9, 7.9), (0.99, 9.79)] {
            let actual = quantile(&[1.0, 2.0, 3.0, 10.0], share).unwrap();
            assert!((actual - expected).abs() < 1e-9, "at {share}: {actual}, expected {expected}");
        }
    }

    #[test]
    fn nothing_has_no_quantile_and_one_value_has_only_itself() {
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!(quantile(&[7.0], 0.99), Some(7.0));
    }
}
