//! Figures: what of a candidate is compared, and the values that it is compared by.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::change::{change_on, paired_change_on};
use super::{Change, Pair, PooledValue, PromptDigest, RowDigest, Scale, Subject, Unjudged, fixed_change};
use crate::metric::{Metric, POOLED};
use crate::quantile::median;
use crate::suite::Language;
use crate::summarize::Interval;

/// Where a figure belongs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// [`crate::catalog::Candidate::row`].
    pub row: String,
    /// `None` for what a candidate has once: load time and memory.
    pub suite: Option<String>,
    /// A prompt of token ids: each is an amount of work of its own. `None` for the texts of a suite, which are its sample.
    pub prompt: Option<String>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.row)?;
        self.suite.iter().try_for_each(|suite| write!(f, ", {suite}"))?;
        self.prompt.iter().try_for_each(|prompt| write!(f, " {prompt}"))
    }
}

/// The values of a figure on one side.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Of trials that all do the same work.
    Alike(Vec<f64>),
    /// Of the processes that loaded the candidate, often just one.
    Once(Vec<f64>),
    /// Of texts, which differ from each other: by language and prompt.
    ByPrompt(BTreeMap<(Language, String), Vec<f64>>),
    /// Of each process, what all its trials of the work have together, with where it lies.
    Pooled(Vec<PooledValue>),
}

/// Every place of a candidate that has figures for these subjects, in the order of its prompts.
pub fn places(row: &RowDigest, subjects: &[Subject]) -> Vec<(Place, Subject)> {
    let name = row.candidate.row();
    let mut seen = BTreeSet::new();
    let of_prompts = row.prompts.iter().map(|prompt| Place {
        row: name.clone(),
        suite: Some(prompt.suite.clone()),
        prompt: prompt.language.is_none().then(|| prompt.prompt.clone()),
    });
    let once = Place { row: name.clone(), suite: None, prompt: None };
    let all: Vec<Place> = of_prompts.chain([once]).filter(|place| seen.insert(place.clone())).collect();
    let figures = all.into_iter().flat_map(|place| subjects.iter().map(move |subject| (place.clone(), *subject)));
    figures.filter(|(place, subject)| values(row, place, *subject).is_some()).collect()
}

/// The values of a figure; `None` if it has none there.
pub fn values(row: &RowDigest, place: &Place, subject: Subject) -> Option<Values> {
    let values = match (subject, &place.suite) {
        (Subject::Load, None) => Values::Once(row.load_seconds.clone()),
        (Subject::Memory, None) => Values::Once(row.memory_bytes.iter().map(|bytes| *bytes as f64).collect()),
        (Subject::Metric(metric), Some(_)) if POOLED.contains(&metric) => Values::Pooled(pooled(row, place, &metric)),
        (Subject::Metric(metric), Some(suite)) => of_prompts(row, suite, place.prompt.as_deref(), &metric),
        _ => return None,
    };
    Some(values).filter(|values| values.count() > 0)
}

fn pooled(row: &RowDigest, place: &Place, metric: &Metric) -> Vec<PooledValue> {
    let is_it = |of: &&super::PooledDigest| {
        place.suite.as_ref() == Some(&of.suite) && of.prompt == place.prompt && of.metric == metric.key
    };
    row.pooled.iter().find(is_it).map(|found| found.values.clone()).unwrap_or_default()
}

fn of_prompts(row: &RowDigest, suite: &str, prompt: Option<&str>, metric: &Metric) -> Values {
    let values = |of: &PromptDigest| of.values.get(metric.key).cloned().unwrap_or_default();
    let of_suite = row.prompts.iter().filter(|of| of.suite == suite);
    match prompt {
        Some(prompt) => {
            let tokens = of_suite.filter(|of| of.language.is_none() && of.prompt == prompt);
            Values::Alike(tokens.flat_map(values).collect())
        }
        None => {
            Values::ByPrompt(of_suite.filter_map(|of| Some(((of.language?, of.prompt.clone()), values(of)))).collect())
        }
    }
}

impl Values {
    /// Observations: trials, or processes; of texts the prompts, however often each was asked.
    pub fn count(&self) -> usize {
        match self {
            Values::Alike(values) | Values::Once(values) => values.len(),
            Values::ByPrompt(prompts) => prompts.values().filter(|values| !values.is_empty()).count(),
            Values::Pooled(processes) => match processes.as_slice() {
                [only] => only.n,
                processes => processes.len(),
            },
        }
    }

    /// Whether some value is zero, so that it has no ratio to another.
    pub fn has_zero(&self) -> bool {
        match self {
            Values::Alike(values) | Values::Once(values) => values.contains(&0.0),
            Values::ByPrompt(prompts) => prompts.values().flatten().any(|value| *value == 0.0),
            Values::Pooled(processes) => processes.iter().any(|one| one.value == 0.0),
        }
    }

    /// The median; of texts, of their medians.
    pub fn median(&self) -> Option<f64> {
        match self {
            Values::Alike(values) | Values::Once(values) => median(values),
            Values::ByPrompt(prompts) => {
                median(&prompts.values().filter_map(|values| median(values)).collect::<Vec<_>>())
            }
            Values::Pooled(processes) => median(&values_of(processes)),
        }
    }

    /// How this changed into `after`. `paired` says that the trials, or processes, were run in turn with those. `noise` is by
    /// what share a figure of one process differs from run to run, where that was measured.
    ///
    /// # Errors
    /// Too few values, or values that have no ratio.
    pub fn change(&self, after: &Values, paired: bool, noise: Option<f64>, scale: Scale) -> Result<Change, Unjudged> {
        match (self, after) {
            (Values::ByPrompt(before), Values::ByPrompt(after)) => {
                paired_change_on(scale, &pairs(before, after, paired))
            }
            (Values::Alike(before) | Values::Once(before), Values::Alike(after) | Values::Once(after))
                if paired && before.len() == after.len() =>
            {
                // Each trial of token ids, or process, is an observation of its own.
                let trials = before.chunks(1).zip(after.chunks(1)).enumerate();
                let pairs = trials.flat_map(|(trial, (before, after))| pairs_of(trial, before, after));
                paired_change_on(scale, &pairs.collect::<Vec<_>>())
            }
            (Values::Once(before), Values::Once(after)) if before.len().min(after.len()) == 1 => {
                let none = Unjudged::TooFew { has: 0, needs: 1 };
                fixed_change(median(before).ok_or(none)?, median(after).ok_or(none)?, noise.unwrap_or(0.0))
            }
            (Values::Alike(before) | Values::Once(before), Values::Alike(after) | Values::Once(after)) => {
                change_on(scale, before, after)
            }
            (Values::Pooled(before), Values::Pooled(after)) if paired && before.len() == after.len() => {
                Values::Once(values_of(before)).change(&Values::Once(values_of(after)), paired, noise, scale)
            }
            (Values::Pooled(before), Values::Pooled(after)) => pooled_change(before, after, noise),
            (Values::ByPrompt(_) | Values::Pooled(_), _) | (_, Values::ByPrompt(_) | Values::Pooled(_)) => {
                Err(Unjudged::TooFew { has: 0, needs: 1 })
            }
        }
    }

    /// The logarithm of how often as much `after` is; of texts, the median over prompts. `None` if either has no value, or
    /// one that has no logarithm.
    pub fn log_ratio(&self, after: &Values) -> Option<f64> {
        let log = |before: &[f64], after: &[f64]| Some((median(after)? / median(before)?).ln());
        let log_ratio = match (self, after) {
            (Values::ByPrompt(before), Values::ByPrompt(after)) => {
                let logs = before.iter().filter_map(|(prompt, values)| log(values, after.get(prompt)?));
                median(&logs.collect::<Vec<_>>())
            }
            (Values::Alike(before) | Values::Once(before), Values::Alike(after) | Values::Once(after)) => {
                log(before, after)
            }
            (Values::Pooled(before), Values::Pooled(after)) => log(&values_of(before), &values_of(after)),
            (Values::ByPrompt(_) | Values::Pooled(_), _) | (_, Values::ByPrompt(_) | Values::Pooled(_)) => None,
        };
        log_ratio.filter(|log_ratio| log_ratio.is_finite())
    }
}

fn values_of(processes: &[PooledValue]) -> Vec<f64> {
    processes.iter().map(|one| one.value).collect()
}

/// Of figures that each have an interval of their own: the ratio, give or take both intervals' arms and the noise between
/// processes, as independent errors add (Zou & Donner, "Construction of confidence limits about effect measures", 2008).
fn pooled_change(before: &[PooledValue], after: &[PooledValue], noise: Option<f64>) -> Result<Change, Unjudged> {
    let n = |side: &[PooledValue]| side.iter().map(|one| one.n).min().unwrap_or_default();
    let has = n(before).min(n(after));
    // Where there are as many as an interval of a median takes, one far out in the tail takes about twice as many.
    let too_few = Unjudged::TooFew { has, needs: Interval::NEEDS.max(2 * has) };
    let arm = |side: &[PooledValue]| -> Option<f64> {
        let arms = side.iter().map(|one| {
            let Interval { low, high } = one.interval.filter(|interval| interval.low > 0.0)?;
            Some((high / one.value).max(one.value / low).ln())
        });
        arms.collect::<Option<Vec<f64>>>()?.into_iter().max_by(f64::total_cmp)
    };
    let both = arm(before).zip(arm(after)).zip(median(&values_of(before)).zip(median(&values_of(after))));
    let ((a, b), (baseline, candidate)) = both.ok_or(too_few)?;
    let between = noise.unwrap_or_default().max(0.0).ln_1p();
    fixed_change(baseline, candidate, (a * a + b * b + between * between).sqrt().exp_m1())
}

fn pairs(
    before: &BTreeMap<(Language, String), Vec<f64>>,
    after: &BTreeMap<(Language, String), Vec<f64>>,
    paired: bool,
) -> Vec<Pair> {
    let both = before.iter().filter_map(|(prompt, values)| Some((values, after.get(prompt)?)));
    let pairs = both.enumerate().flat_map(|(prompt, (before, after))| {
        if paired && before.len() == after.len() {
            return pairs_of(prompt, before, after).collect::<Vec<_>>();
        }
        let middles = median(before).zip(median(after));
        middles.map(|(baseline, candidate)| Pair { prompt, baseline, candidate }).into_iter().collect()
    });
    pairs.collect()
}

fn pairs_of(prompt: usize, before: &[f64], after: &[f64]) -> impl Iterator<Item = Pair> {
    before.iter().zip(after).map(move |(baseline, candidate)| Pair {
        prompt,
        baseline: *baseline,
        candidate: *candidate,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pooled(value: f64, arm: f64) -> Vec<PooledValue> {
        vec![PooledValue { value, interval: Some(Interval { low: value / arm, high: value * arm }), n: 20 }]
    }

    #[test]
    fn the_arms_of_pooled_figures_add_as_independent_errors() {
        let [before, after] = [pooled(0.05, 1.03), pooled(0.06, 1.04)].map(Values::Pooled);
        let change = before.change(&after, false, None, Scale::Ratio).unwrap();
        let within = change.interval(0.025).unwrap();
        let arm = (1.03_f64.ln().powi(2) + 1.04_f64.ln().powi(2)).sqrt().exp();
        assert!((change.size() - 1.2).abs() < 1e-9);
        assert!((within.low - 1.2 / arm).abs() < 1e-9 && (within.high - 1.2 * arm).abs() < 1e-9, "{within:?}");
        let noisy = before.change(&after, false, Some(0.5), Scale::Ratio).unwrap().interval(0.025).unwrap();
        assert!(noisy.low < 1.0 && noisy.high > 1.2 * 1.5);
        assert_eq!((before.count(), after.median()), (20, Some(0.06)));
    }

    #[test]
    fn a_pooled_figure_without_an_interval_decides_nothing() {
        let mut few = pooled(0.06, 1.04);
        (few[0].interval, few[0].n) = (None, 4);
        let unjudged = Values::Pooled(pooled(0.05, 1.03)).change(&Values::Pooled(few), false, None, Scale::Ratio);
        assert_eq!(unjudged.unwrap_err(), Unjudged::TooFew { has: 4, needs: 8 });
    }

    #[test]
    fn processes_that_ran_in_turn_are_pairs() {
        let side =
            |value: f64| Values::Pooled((0..8).flat_map(|at| pooled(value + 0.001 * f64::from(at), 1.5)).collect());
        let change = side(0.05).change(&side(0.06), true, None, Scale::Ratio).unwrap();
        assert!(change.is_paired() && change.trials() == 8);
    }
}
