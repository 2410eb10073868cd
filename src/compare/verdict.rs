//! The verdict: whether a change matters, against a tolerance and together with every other change of the same check.

use serde::Serialize;

use super::change::{Change, Scale, Unjudged};
use super::difference::Difference;
use super::holm::{Adjustment, holm};
use crate::metric::Direction;
use crate::summarize::Interval;

/// Probability, at most, that any metric of a check is called regressed though none truly lies beyond its tolerance. As
/// much for improved, and for calling a single one unchanged that does lie beyond.
pub const FALSE_ALARMS: f64 = 0.025;

/// Trials on each side, or pairs, by which a loss of twice the tolerance is found in over 95 of 100 checks at the noise that
/// such measurements have. The table in `docs/statistics.md` says what fewer and more would do.
pub const RECOMMENDED_TRIALS: usize = 20;

/// Beyond this many times the trials, more of them are no advice.
const MOST_TIMES_THE_TRIALS: f64 = 100.0;

/// One metric of a check.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// The change, or why none can be stated.
    pub change: Result<Change, Unjudged>,
    /// Which way the metric becomes better.
    pub direction: Direction,
    /// Change that is accepted, as a share of the smaller of the two figures: 0.05 lets a time grow by 5 % and a rate fall
    /// to 1 ÷ 1.05, which are the same loss.
    pub tolerance: f64,
    /// The same in the metric's unit, for a change that is a difference.
    pub accepted_difference: f64,
    /// What kept the figures from being the candidate's own.
    pub disturbance: Option<Disturbance>,
}

impl Comparison {
    /// Of a change that nothing disturbed.
    pub fn new(change: Result<Change, Unjudged>, direction: Direction, tolerance: f64) -> Self {
        Self { change, direction, tolerance, accepted_difference: 0.0, disturbance: None }
    }
}

/// What other programs, or the state of the GPU, did to a comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct Disturbance {
    /// What is said if that leaves the change undecided.
    pub doubt: Doubt,
    /// By what factor it can have made the candidate worse, at most; `None` if nothing bounds it.
    pub bound: Option<f64>,
    /// It touched the baseline, which may be better than it looks.
    pub of_baseline: bool,
}

/// What is said of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Judgement {
    /// What it comes to.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// `None` if there was no change to judge.
    pub evidence: Option<Evidence>,
}

/// What a change means against its tolerance.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "verdict", content = "why")]
pub enum Verdict {
    /// The whole interval lies beyond the tolerance on the good side.
    Improved,
    /// The whole interval lies beyond the tolerance on the bad side.
    Regressed,
    /// The whole interval lies on the good side of the tolerance's bad edge, and not all of it beyond the other: shown to be
    /// no worse (a test of non-inferiority). By how much it may be better is not what a gate asks.
    WithinNoise,
    /// Not decided, and why.
    Inconclusive(Doubt),
    /// The figures cannot be held against each other: what differs beside them.
    Incomparable(Vec<Difference>),
}

/// Why a change is not decided.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Doubt {
    /// The interval reaches over the tolerance's bad edge.
    Straddles {
        /// Further trials on each side, prompts of texts, that would about decide it if the change stays as
        /// estimated. `None` if it lies at the edge itself, or so near that it would take over a hundred times as many.
        more_trials: Option<usize>,
    },
    /// There are too few observations for an interval, at the level that so many figures at once ask for.
    TooFew {
        /// Trials on each side, or prompts of texts, that are missing.
        more_trials: usize,
    },
    /// Other programs were busy on the machine, or its GPU was too hot, during so many of the trials.
    Disturbed {
        /// Trials that were disturbed.
        disturbed: usize,
        /// Of so many.
        trials: usize,
        /// Of them, those during which the GPU was too hot or another process on it.
        on_gpu: usize,
        /// Those programs by name, as far as the system named them.
        by: Vec<String>,
        /// The estimate is a loss of over `FAR`, which a gate must not pass unseen.
        far: bool,
    },
}

/// A loss by this factor is far more than programs beside a run usually make of it.
const FAR: f64 = 2.0;

/// What a verdict rests on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Evidence {
    /// Candidate ÷ baseline; `None` of what is zero somewhere.
    pub ratio: Option<f64>,
    /// Candidate − baseline in the metric's unit, of what is zero somewhere and has no ratio; `None` elsewhere.
    pub difference: Option<f64>,
    /// Whether that is the median over pairs: then it need not be the change of the sides' medians.
    pub paired: bool,
    /// By what factor other programs can have made the candidate worse, at most: what is beyond it and the tolerance is its own.
    /// `None` where none were busy, or nothing bounds it.
    pub explained: Option<f64>,
    /// Of the ratio or difference, at `level`; `None` if so few trials promise no interval at that level.
    pub interval: Option<Interval>,
    /// Share of such intervals that cover the true ratio, chosen so that verdict and interval agree. If the ratio lies beyond
    /// the tolerance, what Holm's step for this metric asks for: 95 % for one alone, more for several. If it lies within,
    /// 95 %: a check has not regressed only if no metric has, so that each may be shown by itself (intersection–union
    /// test: Berger 1982).
    pub level: f64,
    /// Holm's adjusted p-value, one-sided, against a change within the tolerance. Improved or regressed if it is below
    /// [`FALSE_ALARMS`].
    pub p: f64,
    /// The smallest change for the worse that would have been seen, as a share or in the metric's unit, as likely as not: the tolerance and the
    /// arm towards it of an interval at the level of Holm's step. `None` where so few trials have no such interval.
    pub detectable: Option<f64>,
}

/// Judges the changes of one check together.
pub fn judge(comparisons: &[Comparison]) -> Vec<Judgement> {
    let mut worsenings: Vec<Result<Worsening, Unjudged>> = comparisons.iter().map(Worsening::of).collect();
    let p_values: Vec<f64> = worsenings.iter().flatten().map(|worsening| worsening.adjustment.adjusted).collect();
    for (worsening, adjustment) in worsenings.iter_mut().flatten().zip(holm(&p_values, FALSE_ALARMS)) {
        worsening.adjustment = adjustment;
    }
    worsenings
        .into_iter()
        .map(|worsening| match worsening {
            Ok(worsening) => worsening.judgement(),
            Err(reason) => Judgement { verdict: Verdict::without_change(reason), evidence: None },
        })
        .collect()
}

impl Verdict {
    fn without_change(reason: Unjudged) -> Self {
        match reason {
            Unjudged::TooFew { has, needs } => {
                Verdict::Inconclusive(Doubt::TooFew { more_trials: needs.saturating_sub(has) })
            }
            Unjudged::NotPositive => Verdict::Incomparable(vec![Difference::not_positive()]),
        }
    }
}

/// A change, turned so that more is worse, on a logarithmic scale.
struct Worsening<'a> {
    change: &'a Change,
    direction: Direction,
    /// On the change's scale.
    tolerance: f64,
    /// How much worse it must be to be its own loss: the tolerance, and what disturbance explains.
    edge: f64,
    disturbance: Option<&'a Disturbance>,
    /// As if judged alone, until Holm's procedure has seen the others.
    adjustment: Adjustment,
}

impl<'a> Worsening<'a> {
    fn of(comparison: &'a Comparison) -> Result<Self, Unjudged> {
        let change = comparison.change.as_ref().map_err(|reason| *reason)?;
        let tolerance = match change.scale() {
            Scale::Ratio => comparison.tolerance.max(0.0).ln_1p(),
            Scale::Difference => comparison.accepted_difference,
        };
        let disturbance = comparison.disturbance.as_ref();
        let edge = match (disturbance, change.scale()) {
            (None, _) => tolerance,
            (Some(Disturbance { bound: Some(bound), .. }), Scale::Ratio) => tolerance + bound.max(1.0).ln(),
            (Some(_), _) => f64::INFINITY,
        };
        let mut worsening = Self {
            change,
            direction: comparison.direction,
            tolerance,
            edge,
            disturbance,
            adjustment: Adjustment { adjusted: 1.0, tail: FALSE_ALARMS },
        };
        worsening.adjustment.adjusted = worsening.p_worse_than(edge).min(worsening.p_better_than(-tolerance));
        Ok(worsening)
    }

    fn p_worse_than(&self, bound: f64) -> f64 {
        match self.direction {
            Direction::Lower => self.change.p_above(bound),
            Direction::Higher => self.change.p_below(-bound),
        }
    }

    fn p_better_than(&self, bound: f64) -> f64 {
        match self.direction {
            Direction::Lower => self.change.p_below(bound),
            Direction::Higher => self.change.p_above(-bound),
        }
    }

    fn estimate(&self) -> f64 {
        match self.direction {
            Direction::Lower => self.change.shift(),
            Direction::Higher => -self.change.shift(),
        }
    }

    /// Of the worsening, not of the change.
    fn interval(&self, tail: f64) -> Option<Interval> {
        self.change.shift_interval(tail).map(|interval| self.turn(interval))
    }

    fn turn(&self, Interval { low, high }: Interval) -> Interval {
        match self.direction {
            Direction::Lower => Interval { low, high },
            Direction::Higher => Interval { low: -high, high: -low },
        }
    }

    /// Turned back.
    fn back(&self, worsening: Interval) -> Interval {
        let Interval { low, high } = self.turn(worsening);
        match self.change.scale() {
            Scale::Ratio => Interval { low: low.exp(), high: high.exp() },
            Scale::Difference => Interval { low, high },
        }
    }

    fn judgement(&self) -> Judgement {
        let beyond = self.estimate().abs() > self.tolerance;
        let tail = if beyond { self.adjustment.tail } else { FALSE_ALARMS };
        let at_step = self.interval(self.adjustment.tail);
        let interval = if beyond { at_step } else { self.interval(tail) };

        let shown = |p: f64| p < tail;
        // Disturbance makes figures worse, never better: of the baseline's, nobody knows then what they would have been.
        let undecided = self.disturbance.filter(|disturbance| disturbance.of_baseline);
        let verdict = if shown(self.p_worse_than(self.edge)) {
            Verdict::Regressed
        } else if let Some(disturbance) = undecided {
            Verdict::Inconclusive(self.disturbed(disturbance))
        } else if shown(self.p_better_than(-self.tolerance)) {
            Verdict::Improved
        } else if shown(self.p_better_than(self.tolerance)) {
            Verdict::WithinNoise
        } else {
            let doubt = self.disturbance.map(|disturbance| self.disturbed(disturbance));
            Verdict::Inconclusive(doubt.unwrap_or_else(|| self.doubt(tail, interval)))
        };
        let (ratio, difference) = match self.change.scale() {
            Scale::Ratio => (Some(self.change.size()), None),
            Scale::Difference => (None, Some(self.change.size())),
        };
        let detectable = |interval: Interval| self.edge + self.estimate() - interval.low;
        let detectable = at_step.map(detectable).filter(|detectable| detectable.is_finite());
        let evidence = Evidence {
            ratio,
            difference,
            paired: self.change.is_paired(),
            explained: self.disturbance.and_then(|disturbance| disturbance.bound),
            interval: interval.map(|interval| self.back(interval)),
            level: 1.0 - 2.0 * tail,
            p: self.adjustment.adjusted,
            detectable: detectable.map(|size| match self.change.scale() {
                Scale::Ratio => size.exp_m1(),
                Scale::Difference => size,
            }),
        };
        Judgement { verdict, evidence: Some(evidence) }
    }

    fn disturbed(&self, disturbance: &Disturbance) -> Doubt {
        let is_far = self.change.scale() == Scale::Ratio && self.estimate() > FAR.ln();
        match disturbance.doubt.clone() {
            Doubt::Disturbed { disturbed, trials, on_gpu, by, .. } => {
                Doubt::Disturbed { disturbed, trials, on_gpu, by, far: is_far }
            }
            doubt => doubt,
        }
    }

    fn doubt(&self, tail: f64, interval: Option<Interval>) -> Doubt {
        match interval {
            Some(interval) => Doubt::Straddles { more_trials: self.more_trials(interval) },
            None => {
                let needs = self.change.trials_for(tail).unwrap_or(usize::MAX);
                Doubt::TooFew { more_trials: needs.saturating_sub(self.change.trials()) }
            }
        }
    }

    /// An interval narrows as 1 ÷ √n, so an arm that reaches a bound must shrink to the distance from the estimate to it.
    fn more_trials(&self, interval: Interval) -> Option<usize> {
        let (arm, distance) = (interval.high - self.estimate(), self.tolerance - self.estimate());
        let arm = if distance > 0.0 { arm } else { interval.low - self.estimate() };
        let times = (arm / distance).powi(2);
        // Not so of infinity, nor of 0 ÷ 0: what does not vary and lies on the edge stays there.
        let decides = times <= MOST_TIMES_THE_TRIALS;
        decides.then(|| ((times - 1.0).max(0.0) * self.change.trials() as f64).floor() as usize + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::change::change_on;
    use crate::compare::{fixed_change, relative_change};

    /// Twenty trials about 1 against twenty about `ratio`, each from `spread` below to `spread` above.
    fn change(ratio: f64, spread: f64) -> Result<Change, Unjudged> {
        let about = |middle: f64| -> Vec<f64> {
            (0..20).map(|step| middle * (1.0 + spread * (f64::from(step) / 9.5 - 1.0))).collect()
        };
        relative_change(&about(1.0), &about(ratio))
    }

    fn judge_one(change: Result<Change, Unjudged>, direction: Direction) -> Judgement {
        judge(&[Comparison::new(change, direction, 0.05)]).remove(0)
    }

    fn verdict(ratio: f64, spread: f64, direction: Direction) -> Verdict {
        judge_one(change(ratio, spread), direction).verdict
    }

    #[test]
    fn the_whole_interval_decides() {
        assert_eq!(verdict(1.2, 0.03, Direction::Lower), Verdict::Regressed);
        assert_eq!(verdict(1.2, 0.03, Direction::Higher), Verdict::Improved);
        assert_eq!(verdict(0.8, 0.03, Direction::Lower), Verdict::Improved);
        assert_eq!(verdict(0.8, 0.03, Direction::Higher), Verdict::Regressed);
        assert_eq!(verdict(1.01, 0.03, Direction::Lower), Verdict::WithinNoise);
        assert!(matches!(verdict(1.06, 0.05, Direction::Lower), Verdict::Inconclusive { .. }));
        assert!(matches!(verdict(1.0, 0.3, Direction::Lower), Verdict::Inconclusive { .. }));
    }

    #[test]
    fn a_verdict_agrees_with_the_interval_shown() {
        for step in 0..60 {
            let ratio = 0.85 + 0.005 * f64::from(step);
            let comparisons: Vec<Comparison> =
                [0.01, 0.05, 0.1].map(|spread| Comparison::new(change(ratio, spread), Direction::Lower, 0.05)).to_vec();
            for judgement in judge(&comparisons) {
                let evidence = judgement.evidence.unwrap();
                let Interval { low, high } = evidence.interval.unwrap();
                let (best, worst) = (1.0 / 1.05, 1.05);
                match judgement.verdict {
                    Verdict::Regressed => assert!(low > worst),
                    Verdict::Improved => assert!(high < best),
                    Verdict::WithinNoise => assert!(high > best && high < worst),
                    Verdict::Inconclusive { .. } => assert!((low..=high).contains(&worst)),
                    Verdict::Incomparable(_) => panic!("{judgement:?}"),
                }
                assert_eq!(
                    evidence.p < FALSE_ALARMS,
                    matches!(judgement.verdict, Verdict::Regressed | Verdict::Improved)
                );
            }
        }
    }

    #[test]
    fn among_many_metrics_more_must_be_shown() {
        let comparison = |ratio| Comparison::new(change(ratio, 0.06), Direction::Lower, 0.05);
        assert_eq!(judge(&[comparison(1.095)])[0].verdict, Verdict::Regressed);
        let family: Vec<Comparison> = std::iter::once(1.095).chain([1.0; 30]).map(comparison).collect();
        let among_many = &judge(&family)[0];
        assert!(matches!(among_many.verdict, Verdict::Inconclusive { .. }), "{among_many:?}");
        let level = among_many.evidence.unwrap().level;
        assert!((level - (1.0 - 0.05 / 31.0)).abs() < 1e-12, "{level}");
    }

    #[test]
    fn the_trials_advised_decide_it() {
        // The same spread at 20 × (arm ÷ distance)² trials.
        let Verdict::Inconclusive(Doubt::Straddles { more_trials: Some(more) }) = verdict(1.08, 0.1, Direction::Lower)
        else {
            panic!()
        };
        let about = |middle: f64, n: usize| -> Vec<f64> {
            (0..n).map(|step| middle * (1.0 + 0.1 * (2.0 * step as f64 / (n - 1) as f64 - 1.0))).collect()
        };
        let with = |n| judge_one(relative_change(&about(1.0, n), &about(1.08, n)), Direction::Lower).verdict;
        assert_eq!(with(20 + more + more / 5), Verdict::Regressed);
        assert!(matches!(with(20 + more / 2), Verdict::Inconclusive { .. }), "{more}");
    }

    #[test]
    fn no_number_of_trials_moves_an_estimate_off_the_edge() {
        assert_eq!(verdict(1.05, 0.1, Direction::Lower), Verdict::Inconclusive(Doubt::Straddles { more_trials: None }));
        assert_eq!(
            verdict(1.0501, 0.1, Direction::Lower),
            Verdict::Inconclusive(Doubt::Straddles { more_trials: None })
        );
    }

    #[test]
    fn what_is_detectable_would_have_been_detected() {
        let at = |ratio| judge_one(change(ratio, 0.05), Direction::Lower);
        let detectable = at(1.0).evidence.unwrap().detectable.unwrap();
        assert!(0.05 < detectable && detectable < 0.15, "{detectable}");
        assert_eq!(at(1.0 + detectable + 0.001).verdict, Verdict::Regressed);
        assert!(matches!(at(1.0 + detectable - 0.001).verdict, Verdict::Inconclusive { .. }));
    }

    #[test]
    fn too_few_trials_are_inconclusive_and_say_how_many_are_missing() {
        let judgement = judge_one(relative_change(&[1.0, 2.0, 3.0, 4.0], &[1.0; 9]), Direction::Lower);
        assert_eq!(judgement.verdict, Verdict::Inconclusive(Doubt::TooFew { more_trials: 2 }));
        assert_eq!(judgement.evidence, None);
    }

    #[test]
    fn too_few_for_so_many_metrics_say_how_many_are_missing() {
        let six = |ratio: f64| -> Vec<f64> { (0..6).map(|step| ratio + 0.001 * f64::from(step)).collect() };
        let family: Vec<Comparison> =
            (0..40).map(|_| Comparison::new(relative_change(&six(1.0), &six(2.0)), Direction::Lower, 0.05)).collect();
        // 0.025 ÷ 40 lies between 6! 6! ÷ 12! = 0.0011 and 7! 7! ÷ 14! = 0.0003.
        let judgement = &judge(&family)[0];
        assert_eq!(judgement.verdict, Verdict::Inconclusive(Doubt::TooFew { more_trials: 1 }));
        assert_eq!(judgement.evidence.unwrap().interval, None);
    }

    #[test]
    fn one_figure_on_each_side_is_judged_with_the_noise_of_one() {
        let noisy = |candidate| judge_one(fixed_change(100.0, candidate, 0.1), Direction::Lower).verdict;
        assert_eq!(noisy(120.0), Verdict::Regressed);
        // Within the tolerance of 5 % or beyond it, a further figure might be on the other side.
        assert!(matches!(noisy(110.0), Verdict::Inconclusive(Doubt::Straddles { .. })));
        assert!(matches!(noisy(100.0), Verdict::Inconclusive(Doubt::Straddles { .. })));
    }

    #[test]
    fn a_fixed_change_is_judged_by_its_size_alone() {
        let fixed = |candidate| judge_one(fixed_change(100.0, candidate, 0.0), Direction::Lower).verdict;
        assert_eq!(fixed(106.0), Verdict::Regressed);
        assert_eq!(fixed(104.0), Verdict::WithinNoise);
        assert_eq!(fixed(94.0), Verdict::Improved);
    }

    fn disturbed(bound: Option<f64>, of_baseline: bool) -> Option<Disturbance> {
        let by = vec!["cc1plus".to_owned()];
        let doubt = Doubt::Disturbed { disturbed: 9, trials: 20, on_gpu: 0, by, far: false };
        Some(Disturbance { doubt, bound, of_baseline })
    }

    #[test]
    fn what_disturbance_does_not_explain_has_regressed() {
        let of = |ratio, disturbance| {
            let comparison = Comparison { disturbance, ..Comparison::new(change(ratio, 0.03), Direction::Lower, 0.05) };
            judge(&[comparison]).remove(0)
        };
        // Three times as long, of which a busy program explains a factor of 2.2.
        let third = of(3.0, disturbed(Some(2.2), false));
        assert_eq!((third.verdict, third.evidence.unwrap().explained), (Verdict::Regressed, Some(2.2)));
        assert_eq!(
            of(3.0, disturbed(Some(1.0), true)).verdict,
            Verdict::Regressed,
            "a baseline on a quiet machine is better"
        );
        for (ratio, is_far) in [(1.5, false), (2.2, true)] {
            let undecided = of(ratio, disturbed(Some(2.2), false)).verdict;
            assert!(
                matches!(undecided, Verdict::Inconclusive(Doubt::Disturbed { far, .. }) if far == is_far),
                "{undecided:?}"
            );
        }
        let hot = of(3.0, disturbed(None, false)).verdict;
        assert!(matches!(hot, Verdict::Inconclusive(Doubt::Disturbed { far: true, .. })), "{hot:?}");
        // Disturbance makes nothing better: what is no worse in spite of it is no worse. Of a baseline that it touched, nobody
        // knows.
        assert_eq!(of(1.0, disturbed(Some(2.2), false)).verdict, Verdict::WithinNoise);
        assert!(matches!(of(1.0, disturbed(Some(1.0), true)).verdict, Verdict::Inconclusive(Doubt::Disturbed { .. })));
    }

    #[test]
    fn what_was_zero_is_judged_by_the_difference() {
        let stalls = |before: f64, after: f64| {
            let change = change_on(Scale::Difference, &[before; 20], &[after; 20]);
            let comparison = Comparison { accepted_difference: 0.5, ..Comparison::new(change, Direction::Lower, 0.05) };
            judge(&[comparison]).remove(0)
        };
        let worse = stalls(0.0, 63.0);
        let evidence = worse.evidence.unwrap();
        assert_eq!((worse.verdict, evidence.ratio, evidence.difference), (Verdict::Regressed, None, Some(63.0)));
        assert_eq!(stalls(63.0, 0.0).verdict, Verdict::Improved);
        assert_eq!(stalls(0.0, 0.0).verdict, Verdict::WithinNoise);
    }

    #[test]
    fn a_metric_without_a_ratio_is_incomparable_and_counts_for_nothing() {
        let judged = |ratio| Comparison::new(change(ratio, 0.03), Direction::Lower, 0.05);
        let refused = Comparison { change: fixed_change(0.0, 1.0, 0.0), ..judged(1.0) };
        let judgements = judge(&[refused, judged(1.2)]);
        assert_eq!(judgements[0].verdict, Verdict::Incomparable(vec![Difference::not_positive()]));
        assert_eq!(judgements[1], judge(&[judged(1.2)])[0]);
    }
}
