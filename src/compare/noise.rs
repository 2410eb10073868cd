//! Noise: how far a machine's own runs of the same thing lie apart, which no tolerance may be below.

use serde::{Deserialize, Serialize};

use super::figures::{Place, places, values};
use super::{Digest, Subject};
use crate::summarize::student;

/// How far two runs of the same build on one machine lie apart, measured by running it several times.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Noise {
    /// Processes that it was measured with.
    pub runs: usize,
    /// Each figure that all of them have.
    pub figures: Vec<NoiseFigure>,
}

/// The noise of one figure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NoiseFigure {
    /// Where it belongs.
    #[serde(flatten)]
    pub place: Place,
    /// [`Subject::key`].
    pub metric: String,
    /// A second run differs from a first by more than this share in one of twenty cases: 0.03 is 3 %.
    pub share: f64,
}

impl Noise {
    /// Of runs of the same build: of every figure that each of them has.
    ///
    /// The logarithms of the runs' medians are taken for normal, as the sum of many small causes is about. Two further runs
    /// then differ by more than t × √2 × s in one of twenty cases, s being the runs' standard deviation and t Student's
    /// 97.5 % quantile with a degree of freedom less than there are runs.
    pub fn of(runs: &[Digest]) -> Self {
        let subjects: Vec<Subject> = Subject::all().collect();
        let figures = runs.first().into_iter().flat_map(|first| &first.rows).flat_map(|row| {
            places(row, &subjects).into_iter().filter_map(|(place, subject)| {
                let first = values(row, &place, subject)?;
                let logs: Option<Vec<f64>> =
                    runs.iter().map(|run| first.log_ratio(&values(run.row(&place.row)?, &place, subject)?)).collect();
                Some(NoiseFigure { share: share(&logs?)?, place, metric: subject.key().into() })
            })
        });
        Self { runs: runs.len(), figures: figures.collect() }
    }

    /// Of one figure; `None` where it was not measured.
    pub fn share(&self, place: &Place, subject: Subject) -> Option<f64> {
        let figure = self.figures.iter().find(|figure| figure.place == *place && figure.metric == subject.key())?;
        Some(figure.share)
    }

    /// The noisiest figure of a subject.
    pub(super) fn worst(&self, subject: Subject) -> Option<&NoiseFigure> {
        let of_subject = self.figures.iter().filter(|figure| figure.metric == subject.key());
        of_subject.max_by(|a, b| a.share.total_cmp(&b.share))
    }
}

/// See [`Noise::of`]. `None` of fewer than two runs.
fn share(logs: &[f64]) -> Option<f64> {
    let freedom = logs.len().checked_sub(1)?;
    let student = student(freedom)?;
    let mean = logs.iter().sum::<f64>() / logs.len() as f64;
    let variance = logs.iter().map(|log| (log - mean).powi(2)).sum::<f64>() / freedom as f64;
    Some((student * (2.0 * variance).sqrt()).exp() - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_noise_of_two_runs_follows_from_students_t() {
        // s = 0.01 ÷ √2, so √2 × s = 0.01, and t is 12.706 at one degree of freedom.
        let found = share(&[0.0, 0.01]).unwrap();
        assert!((found - (0.127_06_f64.exp() - 1.0)).abs() < 1e-12, "{found}");
    }

    #[test]
    fn more_runs_know_the_noise_better() {
        let spread = |runs: usize| share(&[0.0, 0.01].repeat(runs / 2)).unwrap();
        assert!(spread(2) > spread(4) && spread(4) > spread(8) && spread(8) > spread(40));
    }

    #[test]
    fn runs_that_are_alike_have_none_and_one_run_shows_nothing() {
        assert_eq!(share(&[0.5, 0.5, 0.5]), Some(0.0));
        assert_eq!((share(&[0.5]), share(&[])), (None, None));
    }
}
