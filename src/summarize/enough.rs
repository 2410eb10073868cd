//! Enough: when to stop warming up, and when to stop measuring.

use super::course::courses;
use crate::measure::Measurement;
use crate::metric::{LATENCY, Metric, TTFT};
use crate::quantile::quantile;
use crate::record::{Outcome, Phase, Settings, Trial};

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

/// Whether the trials of a suite of token ids, those of one phase in their order, suffice for what was asked of the run: to be
/// warm, and then to take so long together and give every headline metric of every prompt so precisely.
pub fn suffices(phase: Phase, trials: &[&Trial], settings: &Settings) -> bool {
    match phase {
        Phase::Warmup => is_warm(trials),
        Phase::Measured => {
            let long_enough = settings.min_seconds.is_none_or(|least| seconds(trials) >= least);
            let precise = |asked| {
                courses(trials.iter().copied())
                    .iter()
                    .all(|course| course.precision().is_some_and(|reached| reached <= asked))
            };
            long_enough && settings.precision.is_none_or(precise)
        }
    }
}

/// Whether warm-up trials have become steady, in their time to first token and as a whole. One that failed ends them, since
/// more of them would tell nothing.
pub fn is_warm(warmup: &[&Trial]) -> bool {
    let values = |metric: &Metric| -> Vec<f64> {
        warmup.iter().filter_map(|trial| Measurement::of(trial).get(metric)).collect()
    };
    let failed = |trial: &&Trial| matches!(trial.outcome, Outcome::Failed { .. });
    warmup.iter().any(failed) || [TTFT, LATENCY].iter().all(|metric| is_steady(&values(metric)))
}

/// Seconds that trials took together, from the start of each request to the last that was heard of it.
pub fn seconds(trials: &[&Trial]) -> f64 {
    let took = |trial: &&Trial| {
        let timeline = &trial.timeline;
        timeline.arrivals_ns.last().copied().or(timeline.prefilled_ns).or(timeline.encoded_ns).unwrap_or(0) as f64 / 1e9
    };
    trials.iter().map(took).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summarize::testing::{self, failed, speed_trial, warmup};

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
    fn what_does_not_vary_is_steady() {
        assert!(is_steady(&[0.0; 3]) && is_steady(&[7.0; 3]));
    }

    fn settings(precision: Option<f64>, min_seconds: Option<f64>) -> Settings {
        Settings { precision, min_seconds, max_repeat: Some(100), ..testing::run(Vec::new()).settings }
    }

    fn measured_suffice(trials: &[Trial], settings: &Settings) -> bool {
        suffices(Phase::Measured, &trials.iter().collect::<Vec<_>>(), settings)
    }

    #[test]
    fn every_headline_metric_of_every_prompt_must_be_precise() {
        let asked = settings(Some(0.02), None);
        let long = |jitter: u64| (0..8).map(move |trial| speed_trial("long", 512, 2000 + trial * jitter, 50));
        let short = |jitter: u64| (0..8).map(move |trial| speed_trial("short", 128, 500, 50 + trial * jitter));
        let both = |ttft, decode| long(ttft).chain(short(decode)).collect::<Vec<_>>();
        assert!(measured_suffice(&both(1, 0), &asked));
        assert!(!measured_suffice(&both(100, 0), &asked));
        assert!(!measured_suffice(&both(1, 5), &asked));
        // Five trials have no interval, which is not precise.
        assert!(!measured_suffice(&long(0).take(5).collect::<Vec<_>>(), &asked));
    }

    #[test]
    fn a_prompt_that_only_fails_is_not_waited_for() {
        let fails = (0..8).map(|_| failed(speed_trial("long", 512, 2000, 50)));
        let trials: Vec<Trial> = (0..8).map(|_| speed_trial("short", 128, 500, 50)).chain(fails).collect();
        assert!(measured_suffice(&trials, &settings(Some(0.02), None)));
    }

    #[test]
    fn the_trials_must_take_so_long_by_their_own_timelines() {
        // 500 ms and 63 gaps of 50 ms: 3.65 s each.
        let trials: Vec<Trial> = (0..2).map(|_| speed_trial("short", 128, 500, 50)).collect();
        assert!((seconds(&trials.iter().collect::<Vec<_>>()) - 7.3).abs() < 1e-9);
        assert!(measured_suffice(&trials, &settings(None, Some(7.2))));
        assert!(!measured_suffice(&trials, &settings(None, Some(7.4))));
        assert!(measured_suffice(&trials, &settings(None, None)));
    }

    #[test]
    fn warm_is_steady_at_the_first_token_and_at_the_last() {
        let warm =
            |trials: &[Trial]| suffices(Phase::Warmup, &trials.iter().collect::<Vec<_>>(), &settings(None, None));
        let trial = |ttft, gap| warmup(speed_trial("short", 128, ttft, gap));
        assert!(warm(&[trial(900, 90), trial(500, 50), trial(500, 51), trial(505, 50)]));
        assert!(!warm(&[trial(900, 50), trial(500, 50), trial(500, 50)]));
        assert!(!warm(&[trial(500, 90), trial(500, 50), trial(500, 50)]));
        assert!(!warm(&[trial(500, 50), trial(500, 50)]));
        assert!(warm(&[failed(trial(500, 50))]));
    }
}
