//! A digest: of a run, what judging it against another takes, and small enough to be reviewed and committed.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::catalog::Candidate;
use crate::measure::{Ceiling, Measurement, culprits, disturbances, slowdown_bound};
use crate::metric::{CHARACTERS, METRICS, Metric, POOLED};
use crate::quality::RULES;
use crate::record::{CheckpointFacts, Environment, Fault, Outcome, Phase, Row, RowOutcome, Run, Settings, Trial};
use crate::suite::Language;
use crate::summarize::{self, Interval, Memory, judged, of_gaps};

/// What of a run, or of several runs of the same, a check takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Digest {
    /// The run's id; the first one's of several.
    pub run: String,
    /// When that run began, by the wall clock.
    pub started_at: jiff::Timestamp,
    /// Where it ran.
    pub environment: Environment,
    /// What was asked of it.
    pub settings: Settings,
    /// How metrics were defined whose formula has changed: see `DEFINITIONS`.
    #[serde(default)]
    pub definitions: u32,
    /// Version of the rules that answers were judged by; `None` of baselines saved before they were.
    #[serde(default)]
    pub rules: Option<u32>,
    /// Its candidates, in their order.
    pub rows: Vec<RowDigest>,
}

/// 0 has the characters of the first arrival in characters/s, 1 leaves them out.
pub(super) const DEFINITIONS: u32 = 1;

/// A candidate's part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RowDigest {
    /// Which it was.
    pub candidate: Candidate,
    /// What came of it.
    pub outcome: RowOutcome,
    /// `None` before it was acquired.
    pub checkpoint: Option<CheckpointFacts>,
    /// Of each process that loaded it.
    pub load_seconds: Vec<f64>,
    /// Peak above what was in use before, of each process in which something could tell.
    pub memory_bytes: Vec<u64>,
    /// Measured trials whose times are not the candidate's: other programs were busy, or the GPU was hot or shared.
    pub disturbed: usize,
    /// Of them, those during which the GPU was hot or shared.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub gpu_disturbed: usize,
    /// By what factor the other programs can have made its times longer, at most: see [`slowdown_bound`]. `None` where none
    /// were busy, where nothing bounds it, and of baselines saved before this was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slowdown_bound: Option<f64>,
    /// Those programs by name, the busiest first; none where the system names none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disturbed_by: Vec<String>,
    /// Its prompts, in the order of their first trials.
    pub prompts: Vec<PromptDigest>,
    /// What the trials of a work have together; absent from baselines saved before this was kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pooled: Vec<PooledDigest>,
}

/// A quantile of the gaps of one work, over all its trials together: see [`crate::metric::POOLED`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PooledDigest {
    /// The work's suite.
    pub suite: String,
    /// A prompt of token ids; `None` for the texts of the suite.
    pub prompt: Option<String>,
    /// The metric's key.
    pub metric: String,
    /// Of each process, in the metric's unit.
    pub values: Vec<PooledValue>,
}

/// What the gaps of one process gave.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PooledValue {
    /// In the metric's unit.
    pub value: f64,
    /// Where it lies at 95 %; `None` of too few trials, or of texts too few prompts.
    pub interval: Option<Interval>,
    /// Trials, or prompts of texts.
    pub n: usize,
}

/// The measured trials of one prompt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PromptDigest {
    /// The prompt's suite.
    pub suite: String,
    /// The language that it is asked in; `None` of token ids.
    pub language: Option<Language>,
    /// Its id.
    pub prompt: String,
    /// Measured trials, the failed ones included.
    pub trials: usize,
    /// Of them, those that failed.
    pub failed: usize,
    /// By the metric's key, in its unit: of each completed trial in which it was defined and the program ran throughout, in the
    /// order of the trials. Six digits are kept.
    pub values: BTreeMap<String, Vec<f64>>,
    /// Of each completed trial, in the order of the trials.
    pub token_ids: Vec<Vec<u32>>,
    /// What its answer is worth; `None` where it cannot be judged.
    #[serde(default)]
    pub judged: Option<JudgedAnswer>,
}

/// What an answer is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct JudgedAnswer {
    /// The language that it is due in.
    pub language: Option<Language>,
    /// It breaks no gate.
    pub faithful: bool,
    /// It breaks neither a gate nor a check; `None` of a prompt without checks.
    pub passes: Option<bool>,
}

impl Digest {
    /// Of a run, or of the part of it that there is so far.
    pub fn of(run: &Run) -> Self {
        Self {
            run: run.id.clone(),
            started_at: run.started_at,
            environment: run.environment.clone(),
            settings: run.settings.clone(),
            definitions: DEFINITIONS,
            rules: Some(RULES),
            rows: run.rows.iter().map(|row| RowDigest::of(row, run)).collect(),
        }
    }

    /// Adds what a further run of the same candidates and prompts gave. What this one lacks is left out.
    pub fn add(&mut self, other: Digest) {
        for (row, more) in self.rows.iter_mut().filter_map(|row| {
            let more = other.rows.iter().find(|more| more.candidate.row() == row.candidate.row())?;
            Some((row, more))
        }) {
            row.add(more);
        }
    }

    /// Computes again what was defined otherwise when the digest was made. Of an answer's characters/s without those of its first
    /// arrival nothing more is known than that an arrival has as many as the others on average: then it is the decode rate ×
    /// the characters of a token.
    pub(super) fn upgrade(&mut self) {
        if self.definitions >= DEFINITIONS {
            return;
        }
        self.definitions = DEFINITIONS;
        for prompt in self.rows.iter_mut().flat_map(|row| &mut row.prompts) {
            let values = |metric: &Metric| prompt.values.get(metric.key).map(Vec::as_slice).unwrap_or_default();
            // One-token answers have no rates.
            let counts: Vec<f64> = prompt.token_ids.iter().map(|ids| ids.len() as f64).filter(|n| *n > 1.0).collect();
            let old = values(&CHARACTERS);
            let new = old.iter().zip(&counts).map(|(rate, n)| six_digits(rate * (n - 1.0) / n));
            let new: Vec<f64> = if old.len() == counts.len() { new.collect() } else { Vec::new() };
            prompt.values.remove(CHARACTERS.key);
            if !new.is_empty() {
                prompt.values.insert(CHARACTERS.key.to_owned(), new);
            }
        }
    }

    /// Whether no trial was measured.
    pub fn is_empty(&self) -> bool {
        self.rows.iter().all(|row| row.trials() == 0)
    }

    /// A candidate's part, by [`Candidate::row`].
    pub fn row(&self, name: &str) -> Option<&RowDigest> {
        self.rows.iter().find(|row| row.candidate.row() == name)
    }
}

impl RowDigest {
    fn of(row: &Row, run: &Run) -> Self {
        let environment = &run.environment;
        let judged = judged(run, row);
        let measured: Vec<&Trial> = row.trials.iter().filter(|trial| trial.key.phase() == Phase::Measured).collect();
        let mut seen = BTreeSet::new();
        let prompts = measured.iter().filter(|trial| seen.insert(prompt(trial)));
        let disturbed = Disturbed::of(&measured, environment);
        let ceiling = Ceiling::of(row, environment);
        Self {
            candidate: row.candidate.clone(),
            outcome: row.outcome.clone(),
            checkpoint: row.checkpoint.clone(),
            load_seconds: row.load.iter().map(|load| six_digits(load.load_seconds)).collect(),
            memory_bytes: Memory::of(row).measured_bytes.into_iter().collect(),
            disturbed: disturbed.trials,
            gpu_disturbed: disturbed.on_gpu,
            slowdown_bound: disturbed.slowdown_bound,
            disturbed_by: disturbed.by,
            prompts: prompts
                .map(|first| {
                    let trials = measured.iter().filter(|trial| prompt(trial) == prompt(first));
                    let judged = judged.iter().find(|answer| prompt(answer.trial) == prompt(first));
                    PromptDigest {
                        judged: judged.map(JudgedAnswer::of),
                        ..PromptDigest::of(&trials.copied().collect::<Vec<_>>(), first, ceiling.as_ref())
                    }
                })
                .collect(),
            pooled: pooled(&measured),
        }
    }

    fn add(&mut self, more: &RowDigest) {
        // A failure in one of them is what there is to tell.
        if self.outcome == RowOutcome::Ran {
            self.outcome = more.outcome.clone();
        }
        self.load_seconds.extend(&more.load_seconds);
        self.memory_bytes.extend(&more.memory_bytes);
        self.slowdown_bound = match (self.disturbed, more.disturbed) {
            (_, 0) => self.slowdown_bound,
            (0, _) => more.slowdown_bound,
            _ => self.slowdown_bound.zip(more.slowdown_bound).map(|(one, other)| one.max(other)),
        };
        self.disturbed += more.disturbed;
        self.gpu_disturbed += more.gpu_disturbed;
        let unheard: Vec<_> =
            more.disturbed_by.iter().filter(|name| !self.disturbed_by.contains(name)).cloned().collect();
        self.disturbed_by.extend(unheard);
        for prompt in &mut self.prompts {
            let Some(more) = more.prompts.iter().find(|more| more.key() == prompt.key()) else { continue };
            prompt.trials += more.trials;
            prompt.failed += more.failed;
            for (metric, values) in &more.values {
                prompt.values.entry(metric.clone()).or_default().extend(values);
            }
            prompt.token_ids.extend(more.token_ids.iter().cloned());
        }
        for pooled in &mut self.pooled {
            let work = |of: &PooledDigest| (of.suite.clone(), of.prompt.clone(), of.metric.clone());
            let more = more.pooled.iter().filter(|more| work(more) == work(pooled));
            pooled.values.extend(more.flat_map(|more| more.values.iter().copied()).collect::<Vec<_>>());
        }
    }

    /// Measured trials of all prompts.
    pub fn trials(&self) -> usize {
        self.prompts.iter().map(|prompt| prompt.trials).sum()
    }

    /// Measured trials of all prompts that failed.
    pub fn failed(&self) -> usize {
        self.prompts.iter().map(|prompt| prompt.failed).sum()
    }

    /// The prompt of this key.
    pub fn prompt(&self, key: PromptKey) -> Option<&PromptDigest> {
        self.prompts.iter().find(|prompt| prompt.key() == key)
    }
}

/// What tells a prompt from the others of a run: its suite, language and id.
pub type PromptKey<'a> = (&'a str, Option<Language>, &'a str);

impl PromptDigest {
    fn of(trials: &[&Trial], first: &Trial, ceiling: Option<&Ceiling>) -> Self {
        let completed = || trials.iter().filter(|trial| matches!(trial.outcome, Outcome::Completed { .. }));
        let timed = completed().filter(|trial| has_times(trial));
        let measurements: Vec<Measurement> = timed.map(|trial| Measurement::under(trial, ceiling)).collect();
        let values = METRICS.iter().filter(|metric| !POOLED.contains(metric)).filter_map(|metric| {
            let values: Vec<f64> = measurements.iter().filter_map(|one| one.get(metric)).map(six_digits).collect();
            (!values.is_empty()).then(|| (metric.key.to_owned(), values))
        });
        Self {
            suite: first.key.suite.clone(),
            language: first.key.language,
            prompt: first.key.prompt.clone(),
            trials: trials.len(),
            failed: trials.len() - completed().count(),
            values: values.collect(),
            token_ids: completed().filter_map(|trial| trial.token_ids.clone()).collect(),
            judged: None,
        }
    }

    /// What tells it from the other prompts of the run.
    pub fn key(&self) -> PromptKey<'_> {
        (&self.suite, self.language, &self.prompt)
    }
}

impl JudgedAnswer {
    fn of(answer: &summarize::JudgedAnswer) -> Self {
        let judgement = &answer.judgement;
        Self {
            language: answer.language(),
            faithful: judgement.is_faithful(),
            passes: (!judgement.checks.is_empty()).then(|| judgement.passes()),
        }
    }
}

/// The quantiles of gaps of every work: each prompt of token ids, and the texts of each suite.
fn pooled(measured: &[&Trial]) -> Vec<PooledDigest> {
    let work = |trial: &Trial| {
        let prompt = trial.key.language.is_none().then(|| trial.key.prompt.clone());
        (trial.key.suite.clone(), prompt)
    };
    let mut works: BTreeMap<(String, Option<String>), Vec<&Trial>> = BTreeMap::new();
    let completed = measured.iter().filter(|trial| matches!(trial.outcome, Outcome::Completed { .. }));
    for trial in completed.filter(|trial| has_times(trial)) {
        works.entry(work(trial)).or_default().push(trial);
    }
    let of = |((suite, prompt), trials): ((String, Option<String>), Vec<&Trial>)| {
        let figure = |metric: &Metric| {
            let found = of_gaps(&trials, metric)?;
            let interval =
                found.interval.map(|Interval { low, high }| Interval { low: six_digits(low), high: six_digits(high) });
            let values = vec![PooledValue { value: six_digits(found.median), interval, n: found.n }];
            Some(PooledDigest { suite: suite.clone(), prompt: prompt.clone(), metric: metric.key.into(), values })
        };
        POOLED.iter().filter_map(figure).collect::<Vec<_>>()
    };
    works.into_iter().flat_map(of).collect()
}

/// Trials whose times are not the candidate's.
struct Disturbed {
    trials: usize,
    /// The GPU being hot or shared, of which nobody knows how much longer that made them.
    on_gpu: usize,
    slowdown_bound: Option<f64>,
    /// The programs that kept the processors busy.
    by: Vec<String>,
}

impl Disturbed {
    fn of(trials: &[&Trial], environment: &Environment) -> Self {
        let (faulty, others): (Vec<&Trial>, Vec<&Trial>) =
            trials.iter().partition(|trial| matches!(Fault::of(&trial.readings), Some(Fault::Thermal | Fault::Shared)));
        let busy = disturbances(&others, environment);
        Self {
            trials: faulty.len() + busy.len(),
            on_gpu: faulty.len(),
            slowdown_bound: slowdown_bound(&busy, environment).filter(|_| !busy.is_empty() && faulty.is_empty()),
            by: culprits(&busy),
        }
    }
}

/// Whether a trial has times at all: one during which this process was stopped, twice, has none.
fn has_times(trial: &Trial) -> bool {
    Fault::of(&trial.readings) != Some(Fault::Stopped)
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

fn prompt(trial: &Trial) -> PromptKey<'_> {
    (&trial.key.suite, trial.key.language, &trial.key.prompt)
}

/// More digits than any measurement has; fewer make lines that can be read.
fn six_digits(value: f64) -> f64 {
    format!("{value:.5e}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::{ITL_P50, TTFT};
    use crate::summarize::testing::{beside, on_gpu, ran, run, speed_trial, stopped, text_trial};

    #[test]
    fn a_trial_during_which_the_program_was_stopped_has_an_answer_and_no_times() {
        let trials = vec![speed_trial("a", 128, 500, 50), stopped(4, speed_trial("a", 128, 4500, 50))];
        let row = &Digest::of(&run(vec![ran("row", trials)])).rows[0];
        let prompt = &row.prompts[0];
        assert_eq!((prompt.trials, prompt.failed, prompt.token_ids.len()), (2, 0, 2));
        assert_eq!(prompt.values[TTFT.key], [0.5]);
        let pooled = row.pooled.iter().find(|pooled| pooled.metric == ITL_P50.key).unwrap();
        assert_eq!((pooled.prompt.as_deref(), pooled.values[0].value, pooled.values[0].n), (Some("a"), 0.05, 1));
    }

    #[test]
    fn a_hot_or_shared_gpu_disturbs_and_one_at_its_power_limit_does_not() {
        let trial = || text_trial(200, 100, 5, "가");
        let trials =
            [on_gpu(0x20, 0, trial()), on_gpu(0, 1, trial()), on_gpu(4, 0, trial()), beside(2.0, trial()), trial()];
        let disturbed = Disturbed::of(&trials.iter().collect::<Vec<_>>(), &run(Vec::new()).environment);
        assert_eq!((disturbed.trials, disturbed.on_gpu, disturbed.slowdown_bound), (3, 2, None));
    }
}
