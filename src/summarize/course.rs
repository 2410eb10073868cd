//! A course: one metric over the trials of one prompt, in the order in which they ran.

use super::drift::Drift;
use super::outliers::outliers;
use super::precision::precision;
use crate::measure::Measurement;
use crate::metric::{DECODE, Metric, TTFT};
use crate::record::{Outcome, Phase, Trial};

/// What candidates are compared by in the first place.
pub const HEADLINE: [Metric; 2] = [TTFT, DECODE];

/// A headline metric over the completed measured trials of one prompt of token ids, which all do the same work. Texts have no
/// course: each is another amount of work.
#[derive(Debug, Clone)]
pub struct Course<'t> {
    /// The suite of the prompt.
    pub suite: &'t str,
    /// The prompt of token ids, by its id.
    pub prompt: &'t str,
    /// Which metric the values are of.
    pub metric: Metric,
    /// In the metric's unit; at least one.
    pub values: Vec<f64>,
}

impl Course<'_> {
    /// See [`precision()`].
    pub fn precision(&self) -> Option<f64> {
        precision(&self.values)
    }

    /// See [`Drift::of`].
    pub fn drift(&self) -> Option<Drift> {
        Drift::of(&self.values)
    }

    /// How many of the values are outliers. See [`outliers()`].
    pub fn outliers(&self) -> usize {
        outliers(&self.values).len()
    }
}

/// The courses of each prompt, in the order of the prompts' first trials; where a metric was never defined there is none.
pub fn courses<'t>(trials: impl IntoIterator<Item = &'t Trial>) -> Vec<Course<'t>> {
    let mut courses: Vec<Course> = Vec::new();
    let counts = |trial: &&Trial| {
        let completed = matches!(trial.outcome, Outcome::Completed { .. });
        completed && trial.key.phase() == Phase::Measured && trial.key.language.is_none()
    };
    for trial in trials.into_iter().filter(counts) {
        let (suite, prompt) = (trial.key.suite.as_str(), trial.key.prompt.as_str());
        let measurement = Measurement::of(trial);
        for metric in HEADLINE {
            let Some(value) = measurement.get(&metric) else { continue };
            let same = |course: &&mut Course| (course.suite, course.prompt, course.metric) == (suite, prompt, metric);
            match courses.iter_mut().find(same) {
                Some(course) => course.values.push(value),
                None => courses.push(Course { suite, prompt, metric, values: vec![value] }),
            }
        }
    }
    courses
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summarize::testing::{failed, speed_trial, text_trial, warmup};

    #[test]
    fn each_prompt_and_metric_has_its_values_in_order() {
        let one_token = |ttft| {
            let mut trial = speed_trial("long", 512, ttft, 50);
            trial.timeline.arrivals_ns.truncate(1);
            trial
        };
        let trials = [
            warmup(speed_trial("short", 128, 9000, 50)),
            speed_trial("short", 128, 300, 50),
            one_token(900),
            failed(speed_trial("short", 128, 400, 50)),
            speed_trial("short", 128, 200, 40),
            text_trial(100, 10, 5, "가"),
        ];
        let found: Vec<_> =
            courses(&trials).into_iter().map(|course| (course.prompt, course.metric.label, course.values)).collect();
        assert_eq!(
            found,
            [("short", "TTFT", vec![0.3, 0.2]), ("short", "decode", vec![20.0, 25.0]), ("long", "TTFT", vec![0.9])]
        );
    }
}
