//! A sparkline: a course as a line of bars.

/// From the lowest value to the highest.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// A run without a value.
const MISSING: char = '·';

/// Between two runs whose figures do not compare.
pub(super) const BREAK: char = '│';

/// A bar for each value on one scale, in the order given, with a [`BREAK`] before each of `breaks`. What does not vary is in
/// the middle.
pub(super) fn sparkline(values: &[Option<f64>], breaks: &[usize]) -> String {
    let known = || values.iter().flatten().copied();
    let (low, high) = (known().fold(f64::INFINITY, f64::min), known().fold(f64::NEG_INFINITY, f64::max));
    let bar = |value: f64| {
        let height = if high > low { (value - low) / (high - low) } else { 0.4 };
        BARS[((height * BARS.len() as f64) as usize).min(BARS.len() - 1)]
    };
    let mut line = String::new();
    for (index, value) in values.iter().enumerate() {
        line.extend(breaks.contains(&index).then_some(BREAK));
        line.push(value.map_or(MISSING, bar));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_is_the_lowest_bar_and_the_highest_the_highest() {
        let values: Vec<Option<f64>> = (1..=8).map(|value| Some(f64::from(value))).collect();
        assert_eq!(sparkline(&values, &[]), "▁▂▃▄▅▆▇█");
        assert_eq!(sparkline(&[Some(10.0), Some(20.0), Some(15.0)], &[]), "▁█▅");
    }

    #[test]
    fn a_missing_run_is_a_dot_and_another_environment_a_line() {
        assert_eq!(sparkline(&[Some(1.0), None, Some(2.0), Some(1.0)], &[2]), "▁·│█▁");
    }

    #[test]
    fn what_does_not_vary_is_level() {
        assert_eq!(sparkline(&[Some(5.0); 3], &[]), "▄▄▄");
        assert_eq!(sparkline(&[None, None], &[]), "··");
        assert_eq!(sparkline(&[], &[]), "");
    }
}
