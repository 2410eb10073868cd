//! A change: by what factor a metric differs between two runs, or by how much where it may be zero, and how certain that is.

use std::collections::{BTreeMap, BTreeSet};

use super::bootstrap::{MedianBootstrap, MedianDistribution, least_p};
use crate::quantile::quantile;
use crate::summarize::{Interval, p_median_above, p_median_below};

/// How a change is stated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Candidate ÷ baseline, computed on logarithms: the change from A to B is then exactly the inverse of that from B to A, and
    /// a rate changes just as its time does.
    Ratio,
    /// Candidate − baseline, in the metric's unit: of counts and shares that are zero somewhere, which have no ratio.
    Difference,
}

impl Scale {
    /// The value on which differences are taken.
    fn of(self, value: f64) -> Result<f64, Unjudged> {
        match self {
            Scale::Ratio if value > 0.0 && value.is_finite() => Ok(value.ln()),
            Scale::Difference if value.is_finite() => Ok(value),
            Scale::Ratio | Scale::Difference => Err(Unjudged::NotPositive),
        }
    }

    /// What so large a difference means: a factor, or a difference.
    fn back(self, shift: f64) -> f64 {
        match self {
            Scale::Ratio => shift.exp(),
            Scale::Difference => shift,
        }
    }
}

/// What became of one metric.
#[derive(Debug, Clone)]
pub struct Change {
    scale: Scale,
    /// Candidate − baseline, on the scale.
    shift: f64,
    /// Of the smaller side; prompts if paired.
    trials: usize,
    evidence: Evidence,
}

#[derive(Debug, Clone)]
enum Evidence {
    /// Nothing varied, or there is one figure on each side: by how much a further one may differ, on the scale.
    Fixed { arm: f64 },
    /// Shifts in order.
    Paired(Vec<f64>),
    /// Of the values on the scale.
    Independent { baseline: MedianDistribution, candidate: MedianDistribution },
}

/// Why no change can be stated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unjudged {
    /// Fewer observations than an interval needs.
    TooFew {
        /// Observations of the smaller side.
        has: usize,
        /// Fewest of which an interval is stated.
        needs: usize,
    },
    /// Some value is zero, negative or not finite: it has no ratio.
    NotPositive,
}

/// The same prompt and repetition in both runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair {
    /// Any number that is the same for the same text, whose repetitions are one observation; of prompts that are drawn anew for each
    /// trial, another one for each.
    pub prompt: usize,
    /// The baseline's value, in the metric's unit.
    pub baseline: f64,
    /// The candidate's.
    pub candidate: f64,
}

/// Of independent trials of the same work: the ratio of the medians.
pub fn relative_change(baseline: &[f64], candidate: &[f64]) -> Result<Change, Unjudged> {
    change_on(Scale::Ratio, baseline, candidate)
}

/// … or their difference.
pub(super) fn change_on(scale: Scale, baseline: &[f64], candidate: &[f64]) -> Result<Change, Unjudged> {
    let trials = enough(baseline.len().min(candidate.len()))?;
    if let (Some(before), Some(after)) = (constant(baseline), constant(candidate)) {
        return fixed(before, after, trials, scale);
    }
    let (before, after) = (sorted(baseline, scale)?, sorted(candidate, scale)?);
    let distribution = |values: &[f64]| MedianBootstrap::new(values.len()).distribution(values);
    let change = || {
        Some(Change {
            scale,
            shift: quantile(&after, 0.5)? - quantile(&before, 0.5)?,
            trials,
            evidence: Evidence::Independent { baseline: distribution(&before)?, candidate: distribution(&after)? },
        })
    };
    change().ok_or(Unjudged::TooFew { has: trials, needs: Interval::NEEDS })
}

/// Of trials of different work, each done by both: the median of the ratios. A prompt that was repeated counts once, by
/// the median of its ratios.
pub fn paired_change(pairs: &[Pair]) -> Result<Change, Unjudged> {
    paired_change_on(Scale::Ratio, pairs)
}

/// … or of the differences.
pub(super) fn paired_change_on(scale: Scale, pairs: &[Pair]) -> Result<Change, Unjudged> {
    let trials = enough(pairs.iter().map(|pair| pair.prompt).collect::<BTreeSet<_>>().len())?;
    if pairs.iter().all(|pair| pair.baseline.is_finite() && pair.baseline == pair.candidate) {
        return fixed(1.0, 1.0, trials, scale);
    }
    let mut prompts: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    for pair in pairs {
        prompts.entry(pair.prompt).or_default().push(scale.of(pair.candidate)? - scale.of(pair.baseline)?);
    }
    let mut shifts: Vec<f64> = prompts.into_values().filter_map(|mut shifts| median(&mut shifts)).collect();
    let shift = median(&mut shifts).ok_or(Unjudged::TooFew { has: trials, needs: Interval::NEEDS })?;
    let evidence = if constant(&shifts).is_some() { Evidence::Fixed { arm: 0.0 } } else { Evidence::Paired(shifts) };
    Ok(Change { scale, shift, trials, evidence })
}

/// Of one figure on each side, which a further one may differ from by the share `noise`; zero for a size or a count.
pub fn fixed_change(baseline: f64, candidate: f64, noise: f64) -> Result<Change, Unjudged> {
    let change = fixed(baseline, candidate, 1, Scale::Ratio)?;
    Ok(Change { evidence: Evidence::Fixed { arm: noise.max(0.0).ln_1p() }, ..change })
}

impl Change {
    /// Candidate ÷ baseline, 1.1 being 10 % more, or candidate − baseline, by the [`Self::scale`].
    pub fn size(&self) -> f64 {
        self.scale.back(self.shift)
    }

    /// How it is stated.
    pub fn scale(&self) -> Scale {
        self.scale
    }

    /// Whether it is the median of the changes of pairs, and not the change of the sides' medians.
    pub fn is_paired(&self) -> bool {
        matches!(self.evidence, Evidence::Paired(_))
    }

    /// Where the true size lies, beyond either end in a share `tail` of cases. `None` if so few trials cannot promise so
    /// small a share.
    pub fn interval(&self, tail: f64) -> Option<Interval> {
        let back = |shift| self.scale.back(shift);
        self.shift_interval(tail).map(|interval| Interval { low: back(interval.low), high: back(interval.high) })
    }

    /// Observations on each side of which an interval with so small a `tail` could be stated; `None` if it is no share.
    pub(super) fn trials_for(&self, tail: f64) -> Option<usize> {
        let least_p = |n: usize| match self.evidence {
            Evidence::Fixed { .. } => 0.0,
            Evidence::Paired(_) => 0.5_f64.powi(n as i32),
            Evidence::Independent { .. } => least_p(n, n),
        };
        (Interval::NEEDS..).find(|n| least_p(*n) < tail).filter(|_| tail > 0.0)
    }

    /// Observations on the smaller side.
    pub fn trials(&self) -> usize {
        self.trials
    }

    pub(super) fn shift(&self) -> f64 {
        self.shift
    }

    pub(super) fn shift_interval(&self, tail: f64) -> Option<Interval> {
        match &self.evidence {
            Evidence::Fixed { arm } => Some(Interval { low: self.shift - arm, high: self.shift + arm }),
            Evidence::Paired(ratios) => Interval::of_median_beyond(tail, ratios),
            Evidence::Independent { baseline, candidate } => baseline.interval_to(candidate, tail),
        }
    }

    /// One-sided p-value against a true shift of at most `bound`.
    pub(super) fn p_above(&self, bound: f64) -> f64 {
        match &self.evidence {
            Evidence::Fixed { arm } => f64::from(self.shift - arm <= bound),
            Evidence::Paired(ratios) => p_median_above(bound, ratios),
            Evidence::Independent { baseline, candidate } => baseline.p_above(candidate, bound),
        }
    }

    /// One-sided p-value against a true shift of at least `bound`.
    pub(super) fn p_below(&self, bound: f64) -> f64 {
        match &self.evidence {
            Evidence::Fixed { arm } => f64::from(self.shift + arm >= bound),
            Evidence::Paired(ratios) => p_median_below(bound, ratios),
            Evidence::Independent { baseline, candidate } => candidate.p_above(baseline, -bound),
        }
    }
}

fn enough(trials: usize) -> Result<usize, Unjudged> {
    if trials < Interval::NEEDS { Err(Unjudged::TooFew { has: trials, needs: Interval::NEEDS }) } else { Ok(trials) }
}

fn fixed(baseline: f64, candidate: f64, trials: usize, scale: Scale) -> Result<Change, Unjudged> {
    let same = baseline == candidate && baseline.is_finite();
    let shift = if same { 0.0 } else { scale.of(candidate)? - scale.of(baseline)? };
    Ok(Change { scale, shift, trials, evidence: Evidence::Fixed { arm: 0.0 } })
}

fn constant(values: &[f64]) -> Option<f64> {
    let first = *values.first()?;
    values.iter().all(|value| *value == first).then_some(first)
}

fn sorted(values: &[f64], scale: Scale) -> Result<Vec<f64>, Unjudged> {
    let mut values = values.iter().map(|value| scale.of(*value)).collect::<Result<Vec<f64>, _>>()?;
    values.sort_by(f64::total_cmp);
    Ok(values)
}

/// Sorts them, too.
fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    quantile(values, 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten values about `middle`, from 0.955 to 1.045 of it.
    fn about(middle: f64) -> Vec<f64> {
        (0..10).map(|step| middle * (0.955 + 0.01 * f64::from(step))).collect()
    }

    fn pairs(prompts: usize, repetitions: usize, of: impl Fn(usize, usize) -> (f64, f64)) -> Vec<Pair> {
        let one = |index: usize| {
            let (prompt, repetition) = (index / repetitions, index % repetitions);
            let (baseline, candidate) = of(prompt, repetition);
            Pair { prompt, baseline, candidate }
        };
        (0..prompts * repetitions).map(one).collect()
    }

    #[test]
    fn the_change_is_the_ratio_of_the_medians() {
        let change = relative_change(&about(2.0), &about(3.0)).unwrap();
        assert!((change.size() - 1.5).abs() < 1e-12);
        let Interval { low, high } = change.interval(0.025).unwrap();
        assert!(1.4 < low && low < 1.5 && 1.5 < high && high < 1.6, "{low}..{high}");
    }

    #[test]
    fn the_way_back_is_exactly_the_inverse() {
        let (there, back) =
            (relative_change(&about(2.0), &about(3.0)).unwrap(), relative_change(&about(3.0), &about(2.0)).unwrap());
        assert_eq!(there.shift, -back.shift);
        let (there, back) = (there.shift_interval(0.01).unwrap(), back.shift_interval(0.01).unwrap());
        assert_eq!((there.low, there.high), (-back.high, -back.low));
    }

    #[test]
    fn a_rate_changes_as_its_time_does() {
        let rates = |times: Vec<f64>| -> Vec<f64> { times.iter().map(|time| 1.0 / time).collect() };
        let times = relative_change(&about(2.0), &about(3.0)).unwrap();
        let rates = relative_change(&rates(about(2.0)), &rates(about(3.0))).unwrap();
        assert!((times.shift + rates.shift).abs() < 1e-12);
        assert!((times.p_above(0.35) - rates.p_below(-0.35)).abs() < 1e-9);
    }

    #[test]
    fn what_never_varies_is_certain() {
        let change = relative_change(&[8.0; 6], &[10.0; 7]).unwrap();
        assert_eq!(change.interval(1e-9), Some(Interval { low: change.size(), high: change.size() }));
        assert_eq!((change.p_above(0.2), change.p_above(0.23)), (0.0, 1.0));
        assert_eq!(relative_change(&[0.0; 6], &[0.0; 6]).unwrap().size(), 1.0);
        assert_eq!(fixed_change(4.0, 5.0, 0.0).unwrap().size(), 1.25);
    }

    #[test]
    fn one_side_that_never_varies_leaves_the_others_doubt() {
        let interval = relative_change(&[2.0; 10], &about(2.0)).unwrap().interval(0.025).unwrap();
        assert!(interval.low < 1.0 && 1.0 < interval.high, "{interval:?}");
    }

    #[test]
    fn what_may_be_zero_changes_by_a_difference() {
        let change = change_on(Scale::Difference, &[0.0; 6], &[63.0; 6]).unwrap();
        assert_eq!((change.size(), change.p_above(0.5)), (63.0, 0.0));
        let values: Vec<f64> = (0..10).map(f64::from).collect();
        let more: Vec<f64> = values.iter().map(|value| value + 2.0).collect();
        let change = change_on(Scale::Difference, &values, &more).unwrap();
        let Interval { low, high } = change.interval(0.025).unwrap();
        assert!(change.size() == 2.0 && low < 2.0 && 2.0 < high, "{low}..{high}");
        let pairs = pairs(8, 1, |prompt, _| (prompt as f64, prompt as f64 + 3.0));
        assert_eq!(paired_change_on(Scale::Difference, &pairs).unwrap().size(), 3.0);
    }

    #[test]
    fn five_trials_are_too_few() {
        let too_few = Unjudged::TooFew { has: 5, needs: 6 };
        assert_eq!(relative_change(&[1.0, 2.0, 1.0, 2.0, 1.0], &about(1.0)).unwrap_err(), too_few);
        assert_eq!(paired_change(&pairs(5, 1, |_, _| (1.0, 2.0))).unwrap_err(), too_few);
    }

    #[test]
    fn what_has_no_ratio_is_refused() {
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let mut values = about(1.0);
            values[3] = bad;
            assert_eq!(relative_change(&about(1.0), &values).unwrap_err(), Unjudged::NotPositive, "{bad}");
            assert_eq!(relative_change(&values, &about(1.0)).unwrap_err(), Unjudged::NotPositive, "{bad}");
            assert_eq!(relative_change(&[bad; 6], &[1.0; 6]).unwrap_err(), Unjudged::NotPositive, "{bad}");
            assert_eq!(paired_change(&pairs(9, 1, |_, _| (1.0, bad))).unwrap_err(), Unjudged::NotPositive, "{bad}");
            assert_eq!(fixed_change(bad, 1.0, 0.0).unwrap_err(), Unjudged::NotPositive, "{bad}");
        }
    }

    #[test]
    fn pairs_take_out_what_prompts_differ_by() {
        let noise = |prompt: usize| 1.0 + 0.001 * (prompt % 5) as f64;
        let pairs =
            pairs(10, 1, |prompt, _| (2.0_f64.powi(prompt as i32), 1.1 * noise(prompt) * 2.0_f64.powi(prompt as i32)));
        let interval = paired_change(&pairs).unwrap().interval(0.025).unwrap();
        assert!(1.1 <= interval.low && interval.high <= 1.105, "{interval:?}");
    }

    #[test]
    fn repetitions_of_prompts_are_no_further_prompts() {
        let of = |prompt: usize, repetition: usize| (1.0, 1.0 + 0.01 * (prompt + repetition) as f64);
        let (once, often) = (paired_change(&pairs(8, 1, of)).unwrap(), paired_change(&pairs(8, 9, of)).unwrap());
        assert_eq!((once.trials(), often.trials()), (8, 8));
        let width = |change: Change| change.shift_interval(0.025).map(|within| within.high - within.low).unwrap();
        assert!(width(often) > 0.9 * width(once), "the prompts differ as much as before");
        assert_eq!(paired_change(&pairs(5, 9, of)).unwrap_err(), Unjudged::TooFew { has: 5, needs: 6 });
    }
}
