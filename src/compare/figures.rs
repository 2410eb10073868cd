//! Figures: what of a candidate is compared, and the values that it is compared by.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::change::{change_on, paired_change_on};
use super::{Change, Pair, PromptDigest, RowDigest, Scale, Subject, Unjudged, fixed_change};
use crate::metric::Metric;
use crate::quantile::median;
use crate::suite::Language;

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
        (Subject::Metric(metric), Some(suite)) => of_prompts(row, suite, place.prompt.as_deref(), &metric),
        _ => return None,
    };
    Some(values).filter(|values| values.count() > 0)
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
        }
    }

    /// Whether some value is zero, so that it has no ratio to another.
    pub fn has_zero(&self) -> bool {
        match self {
            Values::Alike(values) | Values::Once(values) => values.contains(&0.0),
            Values::ByPrompt(prompts) => prompts.values().flatten().any(|value| *value == 0.0),
        }
    }

    /// The median; of texts, of their medians.
    pub fn median(&self) -> Option<f64> {
        match self {
            Values::Alike(values) | Values::Once(values) => median(values),
            Values::ByPrompt(prompts) => {
                median(&prompts.values().filter_map(|values| median(values)).collect::<Vec<_>>())
            }
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
            (Values::ByPrompt(_), _) | (_, Values::ByPrompt(_)) => Err(Unjudged::TooFew { has: 0, needs: 1 }),
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
            (Values::ByPrompt(_), _) | (_, Values::ByPrompt(_)) => None,
        };
        log_ratio.filter(|log_ratio| log_ratio.is_finite())
    }
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
