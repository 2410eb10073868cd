//! A distribution: many measurements of one metric, with as many percentiles as their number can carry.

use serde::Serialize;

use super::interval::Interval;
use crate::quantile::quantile;

/// How one metric is distributed over observations, in the metric's unit. An observation is a prompt of texts, by the median of its
/// repetitions, and a trial of token ids: see [`super::Summary`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Distribution {
    /// Observations in which the metric was defined.
    pub n: usize,
    /// Half of the observations lie above it.
    pub median: f64,
    /// The least observation.
    pub min: f64,
    /// The greatest observation.
    pub max: f64,
    /// The median again, if there are enough observations to certify it as a percentile. See [`Percentile`].
    pub p50: Option<f64>,
    /// The 90th percentile, likewise.
    pub p90: Option<f64>,
    /// The 95th percentile, likewise.
    pub p95: Option<f64>,
    /// The 99th percentile, likewise.
    pub p99: Option<f64>,
    /// Where the 95th percentile lies, at 95 %; `None` where that is.
    pub p95_interval: Option<Interval>,
    /// Where the median lies, at 95 %. `None` below [`Interval::NEEDS`] observations.
    pub interval: Option<Interval>,
}

impl Distribution {
    /// A figure that so many observations have together, and none by itself.
    pub(super) fn point(n: usize, value: f64) -> Self {
        let (p50, p90, p95, p99) = (None, None, None, None);
        Self { n, median: value, min: value, max: value, p50, p90, p95, p99, p95_interval: None, interval: None }
    }

    /// `None` of no values: there is no distribution of nothing.
    pub(super) fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let p95 = Percentile::P95.of(&values);
        Some(Self {
            n: values.len(),
            median: quantile(&values, 0.5)?,
            min,
            max,
            p50: Percentile::P50.of(&values),
            p90: Percentile::P90.of(&values),
            p95,
            p99: Percentile::P99.of(&values),
            p95_interval: p95.and_then(|_| Interval::of_quantile(0.95, &values)),
            interval: Interval::of_median(&values),
        })
    }
}

/// A percentile that is only stated of a sample large enough to bound it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Percentile {
    /// The median.
    P50,
    /// Nine of ten observations are at or below it.
    P90,
    /// Nineteen of twenty are.
    P95,
    /// Ninety-nine of a hundred are.
    P99,
}

impl Percentile {
    /// The share of observations at or below it, 0 to 1.
    pub fn share(self) -> f64 {
        match self {
            Percentile::P50 => 0.5,
            Percentile::P90 => 0.9,
            Percentile::P95 => 0.95,
            Percentile::P99 => 0.99,
        }
    }

    /// Observations that it takes to bound this percentile at 99 % confidence with one of them beyond it: the smallest n for
    /// which n draws hold at most one from the 1 − share beyond with a probability of at most 1 %. They are the entries of
    /// MLPerf Inference's early-stopping table,
    /// <https://github.com/mlcommons/inference_policies/blob/master/inference_rules.adoc>.
    pub fn needs(self) -> usize {
        match self {
            Percentile::P50 => 11,
            Percentile::P90 => 64,
            Percentile::P95 => 130,
            Percentile::P99 => 662,
        }
    }

    fn of(self, sorted: &[f64]) -> Option<f64> {
        if sorted.len() < self.needs() { None } else { quantile(sorted, self.share()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_has_no_distribution() {
        assert_eq!(Distribution::of(Vec::new()), None);
    }

    #[test]
    fn a_percentile_needs_its_number_of_trials() {
        for percentile in [Percentile::P50, Percentile::P90, Percentile::P95, Percentile::P99] {
            let needs = percentile.needs();
            assert_eq!(percentile.of(&vec![1.0; needs - 1]), None, "{percentile:?}");
            assert_eq!(percentile.of(&vec![1.0; needs]), Some(1.0), "{percentile:?}");
        }
    }

    #[test]
    fn the_numbers_needed_follow_from_the_binomial_distribution() {
        for percentile in [Percentile::P50, Percentile::P90, Percentile::P95, Percentile::P99] {
            let (within, needs) = (percentile.share(), percentile.needs() as i32);
            let at_most_one_beyond = |n: i32| within.powi(n) + f64::from(n) * (1.0 - within) * within.powi(n - 1);
            assert!(at_most_one_beyond(needs) <= 0.01, "{percentile:?}");
            assert!(at_most_one_beyond(needs - 1) > 0.01, "{percentile:?}");
        }
    }

    #[test]
    fn ten_trials_have_a_median_and_no_percentile() {
        let distribution = Distribution::of((1..=10).rev().map(f64::from).collect()).unwrap();
        assert_eq!((distribution.n, distribution.median), (10, 5.5));
        assert_eq!((distribution.min, distribution.max), (1.0, 10.0));
        assert_eq!((distribution.p50, distribution.p95), (None, None));
    }
}
