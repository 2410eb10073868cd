//! Pooled: a quantile of what many observations have together, as the gaps between the tokens of many answers.

use super::distribution::Distribution;
use super::interval::Interval;
use super::student::student;
use crate::measure::percentile;

/// The `share`-quantile of the values of all observations together, with where it lies; `None` of fewer values than `needs`.
pub(super) fn of(observations: &[Vec<f64>], share: f64, needs: usize) -> Option<Distribution> {
    let quantile = percentile(&observations.concat(), share, needs)?;
    let interval = interval(observations, share, quantile);
    Some(Distribution { interval, ..Distribution::point(observations.len(), quantile) })
}

/// Where the quantile lies at 95 %: between the quantiles at the share of values up to it, plus and minus that share's sampling
/// error (Woodruff, "Confidence Intervals for Medians and Other Position Measures", 1952). The gaps of one answer are not
/// independent, so the error is that of a share among clusters, which differ by more than gaps do (Cochran, "Sampling
/// Techniques", 1977, section 9A.5), with Student's t for their number.
///
/// `None` of fewer observations than an interval of a median needs, and where the interval would reach beyond all values.
fn interval(observations: &[Vec<f64>], share: f64, quantile: f64) -> Option<Interval> {
    let clusters = observations.len();
    if clusters < Interval::NEEDS {
        return None;
    }
    let at_most = |values: &[f64]| values.iter().filter(|value| **value <= quantile).count() as f64;
    let all: f64 = observations.iter().map(|values| values.len() as f64).sum();
    let found = observations.iter().map(|values| at_most(values)).sum::<f64>() / all;
    let squares: f64 = observations.iter().map(|values| (at_most(values) - found * values.len() as f64).powi(2)).sum();
    let count = clusters as f64;
    let error = (count / (count - 1.0) * squares).sqrt() / all;
    let reach = student(clusters - 1)? * error;
    let (below, above) = (share - reach, share + reach);
    if below < 0.0 || above > 1.0 {
        return None;
    }
    let values = observations.concat();
    Some(Interval { low: percentile(&values, below, 1)?, high: percentile(&values, above, 1)? })
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::*;

    #[test]
    fn it_is_the_quantile_of_all_values() {
        let found = of(&[vec![1.0, 2.0, 3.0], vec![4.0, 5.0]], 0.5, 5).unwrap();
        assert_eq!((found.n, found.median, found.interval), (2, 3.0, None));
        assert_eq!(of(&[vec![1.0; 4]], 0.5, 5), None);
    }

    #[test]
    fn equal_values_leave_no_doubt() {
        let found = of(&vec![vec![0.05; 64]; 12], 0.99, 662).unwrap();
        assert_eq!(found.interval, Some(Interval { low: 0.05, high: 0.05 }));
    }

    #[test]
    fn its_ends_are_those_worked_out_by_hand() {
        // Six of 1, 2 … 10 each; five more of 0.1 more. Up to 5.5 are 5 of each 10, so the shares do not differ.
        let alike: Vec<Vec<f64>> = (0..6).map(|_| (1..=10).map(f64::from).collect()).collect();
        let found = of(&alike, 0.5, 11).unwrap();
        assert_eq!((found.median, found.interval), (5.5, Some(Interval { low: 5.5, high: 5.5 })));
        // Three of all 1 and three of all 3: half of the values are up to 2, of each cluster all or none. The error is
        // √(6 ÷ 5 × 6 × 5²) ÷ 60 = 0.2236, and 2.571 times that is beyond 0.5.
        let apart: Vec<Vec<f64>> = (0..6).map(|index| vec![if index < 3 { 1.0 } else { 3.0 }; 10]).collect();
        assert_eq!(of(&apart, 0.5, 11).unwrap().interval, None, "six answers that differ so say nothing of others");
    }

    /// Share of intervals that hold the true quantile, of answers whose gaps are `apart` log-normal between answers and 0.2
    /// within.
    fn covered(share: f64, answers: usize, gaps: usize, apart: f64, truth: f64) -> f64 {
        let normal = |random: &mut StdRng| {
            let (u, v): (f64, f64) = (1.0 - random.random::<f64>(), random.random());
            (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
        };
        const SAMPLES: u64 = 400;
        let holds = |seed: &u64| {
            let random = &mut StdRng::seed_from_u64(*seed);
            let answer = |random: &mut StdRng| -> Vec<f64> {
                let level = apart * normal(random);
                (0..gaps).map(|_| (level + 0.2 * normal(random)).exp()).collect()
            };
            let sample: Vec<Vec<f64>> = (0..answers).map(|_| answer(random)).collect();
            of(&sample, share, 1).and_then(|found| found.interval).is_some_and(|at| at.low <= truth && truth <= at.high)
        };
        (0..SAMPLES).filter(holds).count() as f64 / SAMPLES as f64
    }

    #[test]
    fn it_holds_the_true_quantile_as_often_as_it_says_also_where_answers_differ() {
        // The pooled gaps are log-normal with a variance of 0.2² and that between answers.
        let truth = |apart: f64, normal: f64| (normal * (0.04 + apart * apart).sqrt()).exp();
        for apart in [0.0, 0.1] {
            let median = covered(0.5, 20, 64, apart, truth(apart, 0.0));
            let p99 = covered(0.99, 40, 64, apart, truth(apart, 2.326_348));
            assert!((0.92..=0.98).contains(&median), "median, {apart} apart: {median}");
            assert!((0.90..=0.98).contains(&p99), "p99, {apart} apart: {p99}");
        }
    }
}
