//! Attainment: the share of requests that met every limit on a request.

use serde::Serialize;

use crate::catalog::Requirements;
use crate::measure::Measurement;
use crate::metric::{DECODE, Direction, Metric, VISIBLE_TTFT};
use crate::record::{Outcome, Phase, Row, Trial};

/// Share of requests that must meet the limits where the requirements do not say.
pub const DEFAULT_ATTAINMENT: f64 = 0.95;

/// How many requests met every limit on a request that is stated. Higher is better; undefined without a limit or a
/// measured trial.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Attainment {
    /// Measured trials that met every limit.
    pub met: usize,
    /// All measured trials, those that failed included: a user who got an error was not served.
    pub of: usize,
    /// Trials that failed or gave no token.
    pub unanswered: usize,
    /// Each stated limit by itself.
    pub limits: Vec<LimitAttainment>,
}

/// One limit's part in it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LimitAttainment {
    /// What is limited.
    pub metric: Metric,
    /// The most of a time or the least of a rate, in the metric's unit.
    pub limit: f64,
    /// Answered trials that broke this limit. One may break several.
    pub missed: usize,
    /// Answered trials of which the metric is not known, and that are not shown to meet it: the latency of an answer that was cut.
    pub unknown: usize,
    /// The strictest limit that the required share of trials would have met, in the metric's unit: how far off it is.
    /// `None` if none would do, too many having failed, or if any would.
    pub attainable: Option<f64>,
}

/// What one limit says about one trial.
enum Judgement {
    /// Cannot be judged of this trial and is not held against it: a decode rate of one token, visible text of token ids.
    Exempt,
    Value(f64),
    /// Not known, so not shown to meet the limit.
    Unknown,
    /// Failed, or nothing came.
    Never,
}

impl Attainment {
    /// Of measured trials; `None` where no limit on a request is stated, or none was measured.
    pub(super) fn of(trials: &[(&Trial, Measurement)], requirements: &Requirements) -> Option<Self> {
        let limits = requirements.request_limits();
        if limits.is_empty() || trials.is_empty() {
            return None;
        }
        let required = requirements.attainment.unwrap_or(DEFAULT_ATTAINMENT);
        let met = trials
            .iter()
            .filter(|(trial, measurement)| {
                limits.iter().all(|(metric, limit)| judge(trial, measurement, metric).meets(metric.direction, *limit))
            })
            .count();
        let limits = limits
            .iter()
            .map(|(metric, limit)| {
                let judgements: Vec<Judgement> =
                    trials.iter().map(|(trial, measurement)| judge(trial, measurement, metric)).collect();
                LimitAttainment {
                    metric: *metric,
                    limit: *limit,
                    missed: judgements
                        .iter()
                        .filter(|judgement| matches!(judgement, Judgement::Value(_)))
                        .filter(|judgement| !judgement.meets(metric.direction, *limit))
                        .count(),
                    unknown: judgements.iter().filter(|judgement| matches!(judgement, Judgement::Unknown)).count(),
                    attainable: attainable(&judgements, metric.direction, required),
                }
            })
            .collect();
        let unanswered = trials.iter().filter(|(trial, measurement)| !answered(trial, measurement)).count();
        Some(Self { met, of: trials.len(), unanswered, limits })
    }

    /// Met ÷ all, from 0 to 1.
    pub fn share(&self) -> f64 {
        self.met as f64 / self.of as f64
    }
}

/// Of a row's measured requests of one kind, texts or prompts of token ids, under other limits than the run's.
pub fn attainment(row: &Row, is_text: bool, requirements: &Requirements) -> Option<Attainment> {
    let measured = |trial: &&Trial| trial.key.phase() == Phase::Measured && trial.key.language.is_some() == is_text;
    let trials: Vec<(&Trial, Measurement)> =
        row.trials.iter().filter(measured).map(|trial| (trial, Measurement::under(trial, None))).collect();
    Attainment::of(&trials, requirements)
}

fn answered(trial: &Trial, measurement: &Measurement) -> bool {
    matches!(trial.outcome, Outcome::Completed { .. }) && measurement.ttft_seconds.is_some()
}

fn judge(trial: &Trial, measurement: &Measurement, metric: &Metric) -> Judgement {
    match measurement.get(metric) {
        _ if !answered(trial, measurement) => Judgement::Never,
        Some(value) => Judgement::Value(value),
        None if *metric == DECODE => Judgement::Exempt,
        None if *metric == VISIBLE_TTFT && trial.key.language.is_none() => Judgement::Exempt,
        // An answer that was cut has no latency, for it never was whole; one that shows nothing serves nobody.
        None => Judgement::Unknown,
    }
}

impl Judgement {
    fn meets(&self, direction: Direction, limit: f64) -> bool {
        match self {
            Judgement::Exempt => true,
            Judgement::Value(value) => direction.meets(*value, limit),
            Judgement::Unknown | Judgement::Never => false,
        }
    }
}

fn attainable(judgements: &[Judgement], direction: Direction, required: f64) -> Option<f64> {
    let exempt = judgements.iter().filter(|judgement| matches!(judgement, Judgement::Exempt)).count();
    let mut values: Vec<f64> = judgements
        .iter()
        .filter_map(|judgement| match judgement {
            Judgement::Value(value) => Some(*value),
            Judgement::Exempt | Judgement::Unknown | Judgement::Never => None,
        })
        .collect();
    values.sort_by(|a, b| match direction {
        Direction::Lower => a.total_cmp(b),
        Direction::Higher => b.total_cmp(a),
    });
    // 0.95 × 20 is 19, whatever binary fractions make of it.
    let must_meet = (required * judgements.len() as f64 - 1e-9).ceil() as usize;
    values.get(must_meet.checked_sub(exempt + 1)?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::{LATENCY, TTFT};
    use crate::record::FinishReason;
    use crate::summarize::testing::{self, failed, text_trial};

    /// TTFT in milliseconds and tokens 100 ms apart, of each trial.
    fn attain(ttfts_ms: &[u64], requirements: &Requirements) -> Attainment {
        let trials: Vec<Trial> = ttfts_ms.iter().map(|ttft| text_trial(*ttft, 100, 11, "가나다")).collect();
        Attainment::of(&testing::measured(&trials), requirements).unwrap()
    }

    fn ttft(limit: f64) -> Requirements {
        Requirements { ttft_seconds: Some(limit), ..Requirements::default() }
    }

    #[test]
    fn a_request_meets_all_limits_or_is_not_attained() {
        let requirements = Requirements { latency_seconds: Some(2.5), ..ttft(2.0) };
        // Latency is a second more than the first token.
        let attainment = attain(&[500, 1500, 1600, 2100], &requirements);
        assert_eq!((attainment.met, attainment.of), (2, 4));
        let missed: Vec<_> = attainment.limits.iter().map(|limit| (limit.metric, limit.missed)).collect();
        assert_eq!(missed, [(TTFT, 1), (LATENCY, 2)]);
    }

    #[test]
    fn a_failed_request_is_not_met() {
        let trials = [text_trial(500, 100, 11, "가"), failed(text_trial(500, 100, 11, "가"))];
        let attainment = Attainment::of(&testing::measured(&trials), &ttft(2.0)).unwrap();
        assert_eq!((attainment.met, attainment.of, attainment.unanswered), (1, 2, 1));
        assert_eq!(attainment.limits[0].missed, 0);
    }

    #[test]
    fn a_request_that_nothing_came_of_is_not_met() {
        let trials = [text_trial(0, 0, 0, "")];
        assert_eq!(Attainment::of(&testing::measured(&trials), &ttft(2.0)).unwrap().met, 0);
    }

    #[test]
    fn a_one_token_answer_is_not_held_to_a_decode_rate() {
        let requirements = Requirements { decode_tokens_per_second: Some(50.0), ..Requirements::default() };
        let trials = [text_trial(500, 100, 1, "네"), text_trial(500, 100, 11, "아니요")];
        let attainment = Attainment::of(&testing::measured(&trials), &requirements).unwrap();
        assert_eq!((attainment.met, attainment.of), (1, 2));
    }

    #[test]
    fn an_answer_that_was_cut_because_the_context_was_full_meets_no_limit_on_latency() {
        let mut cut = text_trial(500, 100, 11, "가");
        cut.outcome = Outcome::Completed { finish: FinishReason::Context };
        let trials = [cut, text_trial(500, 100, 11, "가")];
        let requirements = Requirements { latency_seconds: Some(60.0), ..ttft(2.0) };
        let attainment = Attainment::of(&testing::measured(&trials), &requirements).unwrap();
        assert_eq!((attainment.met, attainment.unanswered), (1, 0));
        let unknown: Vec<usize> = attainment.limits.iter().map(|limit| limit.unknown).collect();
        assert_eq!(unknown, [0, 1]);
    }

    #[test]
    fn an_answer_that_shows_nothing_meets_no_limit_on_visible_text_and_token_ids_have_none() {
        let requirements = Requirements { visible_ttft_seconds: Some(1.0), ..Requirements::default() };
        let met = |trial: Trial| Attainment::of(&testing::measured(&[trial]), &requirements).unwrap().met;
        let shown_with = |characters: Vec<u32>| {
            let mut trial = text_trial(500, 100, 2, "가");
            trial.timeline.arrival_characters = Some(characters);
            trial
        };
        assert_eq!((met(shown_with(vec![0, 1])), met(shown_with(vec![0, 0]))), (1, 0));
        assert_eq!(met(testing::speed_trial("a", 128, 500, 50)), 1);
    }

    #[test]
    fn no_limit_has_no_attainment() {
        let trials = [text_trial(500, 100, 11, "가")];
        assert_eq!(Attainment::of(&testing::measured(&trials), &Requirements::default()), None);
        assert_eq!(Attainment::of(&[], &ttft(2.0)), None);
    }

    #[test]
    fn loosening_a_limit_never_lowers_attainment() {
        let ttfts = [120, 480, 790, 1310, 1990, 2010, 4000];
        let met: Vec<usize> = (0..50).map(|tenths| attain(&ttfts, &ttft(f64::from(tenths) / 10.0)).met).collect();
        assert!(met.is_sorted(), "{met:?}");
        assert_eq!((met.first(), met.last()), (Some(&0), Some(&ttfts.len())));
    }

    #[test]
    fn the_attainable_limit_is_one_that_would_be_attained() {
        let ttfts: Vec<u64> = (1..=20).map(|tenths| tenths * 100).collect();
        let attainable = attain(&ttfts, &ttft(0.5)).limits[0].attainable.unwrap();
        assert_eq!(attainable, 1.9);
        assert!(attain(&ttfts, &ttft(attainable)).share() >= DEFAULT_ATTAINMENT);
        assert!(attain(&ttfts, &ttft(attainable - 0.01)).share() < DEFAULT_ATTAINMENT);
    }
}
