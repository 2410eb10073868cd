//! Quality, summarized: how many answers keep the gates and pass the checks, each language and each service apart.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::rate::Rate;
use crate::metric::{Aspect, FIDELITY, Metric, PASS_RATE};
use crate::quality::{Judgement, Manner, Verdict, lines_pass};
use crate::record::{Asked, FinishReason, Outcome, Phase, Row, Run, Trial};
use crate::suite::Language;

/// What one candidate's answers are worth.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Quality {
    /// Of all answers.
    pub overall: Rates,
    /// Of the answers that are due in a language.
    pub languages: BTreeMap<Language, Rates>,
    /// Answers all of whose lines are in the language that they are due in; see [`lines_pass`]. Reported, and fails nothing.
    pub line_pass: BTreeMap<Language, Rate>,
    /// What is worth a look in the Korean answers, and fails none.
    pub manner: Manner,
    /// Of each suite's answers, by language. A service that a model cannot do is not made up for by one that it can.
    pub suites: BTreeMap<String, BTreeMap<Language, Rates>>,
    /// Every answer that fails, in the order of the prompts.
    pub failures: Vec<Failed>,
    /// Whether the answer to each prompt passes, for comparing rows prompt by prompt.
    #[serde(skip)]
    pub passes: BTreeMap<PromptKey, bool>,
}

/// What tells a prompt from the others of a run: its suite, its id, and the language that it is asked in.
pub type PromptKey = (String, String, Option<Language>);

/// Rates over the same answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Rates {
    /// Answers that broke no gate.
    pub fidelity: Rate,
    /// Answers that broke neither a gate nor a check, of prompts that have checks.
    pub pass_rate: Rate,
}

/// An answer that fails, and everything that it breaks.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Failed {
    /// The suite's name.
    pub suite: String,
    /// The language that the answer is due in.
    pub language: Option<Language>,
    /// The prompt's id.
    pub prompt: String,
    /// Gates first, then checks.
    pub broken: Vec<BrokenRule>,
}

/// A gate or a check that an answer breaks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BrokenRule {
    /// Its name: `stray_script`, `label`.
    pub rule: &'static str,
    /// What is wrong, in words.
    pub reason: String,
    /// Where in the answer; `None` where something is missing.
    pub place: Option<String>,
}

/// An answer that was judged.
#[derive(Debug, Clone, PartialEq)]
pub struct JudgedAnswer<'a> {
    /// What was asked, and what the answer is held to.
    pub asked: &'a Asked,
    /// The trial that has the answer.
    pub trial: &'a Trial,
    /// All that is said of it.
    pub judgement: Judgement,
}

impl JudgedAnswer<'_> {
    /// The language that it is due in.
    pub fn language(&self) -> Option<Language> {
        self.asked.prompt.expected.language
    }

    /// Which prompt it answers.
    pub fn prompt(&self) -> PromptKey {
        let Asked { suite, prompt } = self.asked;
        (suite.clone(), prompt.id.clone(), prompt.language)
    }

    fn text(&self) -> &str {
        self.trial.text.as_deref().unwrap_or_default()
    }

    fn lines_pass(&self) -> Option<bool> {
        lines_pass(self.text(), self.language()?)
    }

    fn manner(&self) -> Manner {
        Manner::of(&self.asked.prompt.expected, self.text())
    }
}

/// The answers of a row that can be judged: the first one of each prompt, because a greedy answer is the same each time. None of
/// random weights, whose answers say nothing, and none of requests that failed.
pub fn judged<'a>(run: &'a Run, row: &'a Row) -> Vec<JudgedAnswer<'a>> {
    if is_random(row) {
        return Vec::new();
    }
    let prompts = asked(run);
    let mut seen = BTreeSet::new();
    let measured = row.trials.iter().filter(|trial| trial.key.phase() == Phase::Measured);
    measured
        .filter_map(|trial| {
            let key = key(trial);
            let asked = *prompts.get(&key)?;
            let Outcome::Completed { finish } = trial.outcome else { return None };
            let text = trial.text.as_deref()?;
            if !seen.insert(key) {
                return None;
            }
            let judgement = Judgement::of(&asked.prompt, text, finish != FinishReason::Stop)?;
            Some(JudgedAnswer { asked, trial, judgement })
        })
        .collect()
}

type Key<'a> = (&'a str, Option<Language>, &'a str);

/// What a run asked.
pub(super) fn asked(run: &Run) -> BTreeMap<Key<'_>, &Asked> {
    let prompts = run.prompts.iter();
    prompts.map(|asked| ((asked.suite.as_str(), asked.prompt.language, asked.prompt.id.as_str()), asked)).collect()
}

/// Which of them a trial answers.
pub(super) fn key(trial: &Trial) -> Key<'_> {
    (&trial.key.suite, trial.key.language, &trial.key.prompt)
}

/// Whether a row has random weights.
pub(super) fn is_random(row: &Row) -> bool {
    matches!(row.candidate.source, crate::catalog::Source::Synthetic { .. })
        || row.checkpoint.as_ref().is_some_and(|checkpoint| checkpoint.synthetic)
}

impl Rates {
    fn of<'j>(judged: impl Iterator<Item = &'j JudgedAnswer<'j>> + Clone) -> Self {
        let with_checks = judged.clone().filter(|answer| !answer.judgement.checks.is_empty());
        Self {
            fidelity: Rate::of(judged.map(|answer| answer.judgement.is_faithful())),
            pass_rate: Rate::of(with_checks.map(|answer| answer.judgement.passes())),
        }
    }
}

impl Quality {
    /// Of a row's [`judged`] answers; `None` of none.
    pub fn of(judged: &[JudgedAnswer]) -> Option<Self> {
        if judged.is_empty() {
            return None;
        }
        let in_language = |language| judged.iter().filter(move |answer| answer.language() == Some(language));
        let by_language = |suite: Option<&str>| -> BTreeMap<Language, Rates> {
            let rates = |language| {
                Rates::of(
                    in_language(language).filter(move |answer| suite.is_none_or(|suite| answer.asked.suite == suite)),
                )
            };
            Language::ALL
                .into_iter()
                .map(|language| (language, rates(language)))
                .filter(|(_, rates)| rates.fidelity.of > 0)
                .collect()
        };
        let suites: BTreeSet<&str> = judged.iter().map(|answer| answer.asked.suite.as_str()).collect();
        Some(Self {
            overall: Rates::of(judged.iter()),
            languages: by_language(None),
            line_pass: Language::ALL
                .into_iter()
                .map(|language| (language, Rate::of(in_language(language).filter_map(JudgedAnswer::lines_pass))))
                .filter(|(_, rate)| rate.of > 0)
                .collect(),
            manner: in_language(Language::Ko).map(JudgedAnswer::manner).fold(Manner::default(), Manner::plus),
            suites: suites.into_iter().map(|suite| (suite.to_owned(), by_language(Some(suite)))).collect(),
            failures: judged.iter().filter(|answer| !answer.judgement.passes()).map(Failed::of).collect(),
            passes: judged.iter().map(|answer| (answer.prompt(), answer.judgement.passes())).collect(),
        })
    }

    /// The rate that an aspect is of; `None` of other metrics, and where no answer was judged.
    pub fn rate(&self, aspect: Aspect) -> Option<Rate> {
        match aspect.language {
            Some(language) => self.languages.get(&language)?.rate(aspect.metric),
            None => self.overall.rate(aspect.metric),
        }
    }

    /// The same of one suite.
    pub fn rate_of_suite(&self, suite: &str, aspect: Aspect) -> Option<Rate> {
        let languages = self.suites.get(suite)?;
        match aspect.language {
            Some(language) => languages.get(&language)?.rate(aspect.metric),
            None => languages.values().fold(Rates::default(), |sum, rates| sum.plus(*rates)).rate(aspect.metric),
        }
    }
}

impl Rates {
    fn plus(self, other: Self) -> Self {
        Self { fidelity: self.fidelity.plus(other.fidelity), pass_rate: self.pass_rate.plus(other.pass_rate) }
    }

    fn rate(&self, metric: Metric) -> Option<Rate> {
        let rate = match metric {
            FIDELITY => self.fidelity,
            PASS_RATE => self.pass_rate,
            _ => return None,
        };
        (rate.of > 0).then_some(rate)
    }
}

impl BrokenRule {
    /// Of a verdict that fails.
    pub fn of(rule: &'static str, verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Fail { reason, place } => Self { rule, reason: reason.clone(), place: place.clone() },
            Verdict::Pass | Verdict::NotApplicable => Self { rule, reason: String::new(), place: None },
        }
    }
}

impl Failed {
    fn of(answer: &JudgedAnswer) -> Self {
        let broken = answer.judgement.failures().map(|(rule, verdict)| BrokenRule::of(rule, verdict));
        Self {
            suite: answer.asked.suite.clone(),
            language: answer.language(),
            prompt: answer.asked.prompt.id.clone(),
            broken: broken.collect(),
        }
    }
}
