//! A summary: what the trials of one candidate on one set of prompts amount to.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::attainment::Attainment;
use super::distribution::Distribution;
use super::pooled;
use crate::catalog::Requirements;
use crate::measure::{Ceiling, ITL_P50_GAPS, ITL_P99_GAPS, Measurement, gaps};
use crate::metric::{ITL_P50, ITL_P99, METRICS, Metric};
use crate::quality::is_written_in;
use crate::quantile;
use crate::record::{Outcome, Phase, Trial};
use crate::suite::Language;

/// A distribution for each metric that was defined in some trial, by [`Metric::key`].
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(transparent)]
pub struct Figures(BTreeMap<&'static str, Distribution>);

impl Figures {
    /// `None` if the metric was undefined in every trial.
    pub fn get(&self, metric: &Metric) -> Option<&Distribution> {
        self.0.get(metric.key)
    }

    /// In the metric's unit; `None` if it was undefined in every trial.
    pub fn median(&self, metric: &Metric) -> Option<f64> {
        self.get(metric).map(|distribution| distribution.median)
    }
}

/// Many trials of one candidate. Figures are of those that completed; those that failed are counted beside them.
///
/// The sample of texts is the prompts: to ask one again gives the same tokens, and tells how long they take more exactly, not what
/// other texts take. So each prompt is one observation, the median of its repetitions. Of token ids, which are drawn anew for each
/// trial, each trial is one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Measured trials, the failed ones included.
    pub measured: usize,
    /// Of them, those that failed.
    pub failed: usize,
    /// Warm-up trials, which enter no figure.
    pub warmup: usize,
    /// Distinct prompts among the measured trials.
    pub prompts: usize,
    /// Of them, those with a trial that completed.
    pub answered_prompts: usize,
    /// Of all that completed.
    pub overall: Figures,
    /// Of the prompts in each language. Characters mean different things in different languages: a Hangul syllable is one, and about
    /// three letters' worth. So what counts characters is of answers that are in the language alone, by their script
    /// ([`is_written_in`]).
    pub languages: BTreeMap<Language, Figures>,
    /// By the language that they were asked in and are due in, the answers in another one.
    pub other_language: BTreeMap<Language, OtherLanguage>,
    /// Prompts without a language, each apart, shortest first. Their lengths are chosen far from each other, so the
    /// median over all of them would lie where no trial does.
    pub cells: Vec<Cell>,
    /// How many met the limits on a request; `None` where none is stated.
    pub attainment: Option<Attainment>,
}

/// How many answers are not in the language that they are due in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct OtherLanguage {
    /// Answers in another language, repetitions included.
    pub answers: usize,
    /// Answers that are due in the language.
    pub of: usize,
}

/// One prompt of token ids.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cell {
    /// The prompt's id.
    pub prompt: String,
    /// Its length in tokens.
    pub prompt_tokens: Option<u32>,
    /// Of its trials that completed.
    pub figures: Figures,
}

impl Summary {
    /// `None` if no trial was measured.
    ///
    /// `due` says which language the answer of a trial is due in.
    pub(super) fn of<'t>(
        trials: impl Iterator<Item = &'t Trial>,
        due: &dyn Fn(&Trial) -> Option<Language>,
        requirements: &Requirements,
        ceiling: Option<&Ceiling>,
    ) -> Option<Self> {
        let (warmup, measured): (Vec<&Trial>, Vec<&Trial>) =
            trials.partition(|trial| trial.key.phase() == Phase::Warmup);
        if measured.is_empty() {
            return None;
        }
        let measured: Vec<(&Trial, Measurement)> =
            measured.into_iter().map(|trial| (trial, Measurement::under(trial, ceiling))).collect();
        let completed: Vec<(&Trial, Measurement)> =
            measured.iter().filter(|(trial, _)| matches!(trial.outcome, Outcome::Completed { .. })).copied().collect();

        let mut other_language: BTreeMap<Language, OtherLanguage> = BTreeMap::new();
        let in_its_language = completed.iter().map(|(trial, measurement)| {
            let language = trial.key.language.filter(|language| due(trial) == Some(*language));
            let written =
                language.zip(trial.text.as_deref()).and_then(|(language, text)| is_written_in(text, language));
            if let Some(counted) = language.map(|language| other_language.entry(language).or_default()) {
                counted.of += 1;
                counted.answers += usize::from(written == Some(false));
            }
            let speaks = |figure: Option<f64>| figure.filter(|_| written == Some(true));
            let measurement = Measurement {
                characters_per_second: speaks(measurement.characters_per_second),
                characters_per_token: speaks(measurement.characters_per_token),
                ..*measurement
            };
            (*trial, measurement)
        });
        let in_its_language: Vec<(&Trial, Measurement)> = in_its_language.collect();
        let languages = Language::ALL
            .into_iter()
            .filter(|language| measured.iter().any(|(trial, _)| trial.key.language == Some(*language)))
            .map(|language| (language, figures(&in_its_language, |trial| trial.key.language == Some(language))))
            .collect();

        Some(Self {
            measured: measured.len(),
            failed: measured.len() - completed.len(),
            warmup: warmup.len(),
            prompts: distinct_prompts(&measured),
            answered_prompts: distinct_prompts(&completed),
            overall: figures(&completed, |_| true),
            languages,
            other_language,
            cells: cells(&completed),
            attainment: Attainment::of(&measured, requirements),
        })
    }

    /// The figures of requests in a language; `None` if there were none.
    pub fn language(&self, language: Language) -> Option<&Figures> {
        self.languages.get(&language)
    }

    /// The figures of a prompt of token ids; `None` if it was not asked, or never answered.
    pub fn cell(&self, prompt: &str) -> Option<&Figures> {
        self.cells.iter().find(|cell| cell.prompt == prompt).map(|cell| &cell.figures)
    }
}

fn cells(completed: &[(&Trial, Measurement)]) -> Vec<Cell> {
    let prompts: BTreeMap<&str, Option<u32>> = completed
        .iter()
        .filter(|(trial, _)| trial.key.language.is_none())
        .map(|(trial, _)| (trial.key.prompt.as_str(), trial.prompt_tokens))
        .collect();
    let mut cells: Vec<Cell> = prompts
        .into_iter()
        .map(|(prompt, prompt_tokens)| Cell {
            prompt: prompt.to_owned(),
            prompt_tokens,
            figures: figures(completed, |trial| trial.key.language.is_none() && trial.key.prompt == prompt),
        })
        .collect();
    cells.sort_by_key(|cell| cell.prompt_tokens);
    cells
}

fn figures(completed: &[(&Trial, Measurement)], belongs: impl Fn(&Trial) -> bool) -> Figures {
    let observations = observations(completed.iter().filter(|(trial, _)| belongs(trial)));
    let of = |metric: &Metric| {
        let distribution = match *metric {
            ITL_P50 | ITL_P99 => pooled_gaps(&observations, metric),
            _ => Distribution::of(observations.iter().filter_map(|trials| typical(trials, metric)).collect()),
        };
        Some((metric.key, distribution?))
    };
    Figures(METRICS.iter().filter_map(of).collect())
}

/// The trials that are one observation together: all of a text, each by itself of token ids. At least one.
type Observation<'a> = Vec<&'a (&'a Trial, Measurement)>;

/// In the order of the trials.
fn observations<'a>(chosen: impl Iterator<Item = &'a (&'a Trial, Measurement)>) -> Vec<Observation<'a>> {
    let mut observations: Vec<Observation> = Vec::new();
    let mut texts: BTreeMap<_, usize> = BTreeMap::new();
    for measured in chosen {
        let (trial, _) = measured;
        let next = observations.len();
        let index = if trial.key.language.is_some() { *texts.entry(prompt(trial)).or_insert(next) } else { next };
        match observations.get_mut(index) {
            Some(same) => same.push(measured),
            None => observations.push(vec![measured]),
        }
    }
    observations
}

/// An observation's value: the median of its trials'.
fn typical(trials: &Observation, metric: &Metric) -> Option<f64> {
    let values: Vec<f64> = trials.iter().filter_map(|(_, measurement)| measurement.get(metric)).collect();
    quantile::median(&values)
}

/// A quantile of the gaps between the tokens of all these completed trials together, with where it lies. `None` of fewer gaps than it
/// takes, and of a metric that is no quantile of gaps.
pub fn of_gaps(trials: &[&Trial], metric: &Metric) -> Option<Distribution> {
    let measured: Vec<(&Trial, Measurement)> = trials.iter().map(|trial| (*trial, Measurement::default())).collect();
    pooled_gaps(&observations(measured.iter()), metric)
}

fn pooled_gaps(observations: &[Observation], metric: &Metric) -> Option<Distribution> {
    let (share, needs) = match *metric {
        ITL_P50 => (0.5, ITL_P50_GAPS),
        ITL_P99 => (0.99, ITL_P99_GAPS),
        _ => return None,
    };
    let gaps = |trials: &Observation| trials.iter().filter_map(|(trial, _)| gaps(trial)).flatten().collect();
    let each: Vec<Vec<f64>> = observations.iter().map(gaps).filter(|gaps: &Vec<f64>| !gaps.is_empty()).collect();
    pooled::of(&each, share, needs)
}

fn distinct_prompts(trials: &[(&Trial, Measurement)]) -> usize {
    trials.iter().map(|(trial, _)| prompt(trial)).collect::<BTreeSet<_>>().len()
}

/// What tells a prompt from the others of a run.
fn prompt(trial: &Trial) -> (&str, Option<Language>, &str) {
    (&trial.key.suite, trial.key.language, &trial.key.prompt)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::{CHARACTERS, CHARACTERS_PER_TOKEN, DECODE, TTFT};
    use crate::summarize::testing::{failed, in_suite, of_prompts, speed_trial, text_trial, warmup};

    fn summarize(trials: &[Trial]) -> Option<Summary> {
        Summary::of(trials.iter(), &|trial| trial.key.language, &Requirements::default(), None)
    }

    #[test]
    fn warm_up_is_counted_and_enters_no_figure() {
        let summary = summarize(&[warmup(text_trial(9000, 100, 5, "가")), text_trial(200, 100, 5, "가")]).unwrap();
        assert_eq!((summary.measured, summary.warmup), (1, 1));
        assert_eq!(summary.overall.median(&TTFT), Some(0.2));
        assert_eq!(summarize(&[warmup(text_trial(200, 100, 5, "가"))]), None);
    }

    #[test]
    fn failures_are_counted_and_enter_no_figure() {
        let summary = summarize(&[failed(text_trial(9000, 100, 5, "가")), text_trial(200, 100, 5, "가")]).unwrap();
        assert_eq!((summary.measured, summary.failed), (2, 1));
        assert_eq!(summary.overall.median(&TTFT), Some(0.2));
    }

    #[test]
    fn korean_characters_come_from_korean_prompts_alone() {
        let mut english = text_trial(200, 100, 11, "thirty characters, more or so.");
        english.key.language = Some(Language::En);
        let summary = summarize(&[text_trial(200, 100, 11, "열 글자쯤 되는 답."), english]).unwrap();
        // One second of decoding: 11 characters of Korean and 30 of English, but for those of the first of 11 tokens.
        let of = |language| summary.language(language).and_then(|figures| figures.median(&CHARACTERS));
        assert_eq!((of(Language::Ko), of(Language::En)), (Some(10.0), Some(30.0 - 30.0 / 11.0)));
    }

    #[test]
    fn the_speed_of_korean_is_that_of_answers_in_korean() {
        let answers = ["열 글자쯤 되는 답.", "Seoul is the capital.", "1, 2, 3", "네, 그렇습니다."];
        let trials: Vec<Trial> = of_prompts(answers.map(|answer| text_trial(200, 100, 11, answer)));
        let summary = summarize(&trials).unwrap();
        let korean = summary.language(Language::Ko).unwrap();
        // 11 and 9 characters, but for those of the first of 11 tokens, in one second.
        assert_eq!(
            (korean.get(&CHARACTERS).unwrap().n, korean.median(&CHARACTERS)),
            (2, Some((10.0 + 90.0 / 11.0) / 2.0))
        );
        assert_eq!(korean.get(&CHARACTERS_PER_TOKEN).map(|figure| figure.n), Some(2));
        assert_eq!(korean.get(&TTFT).map(|figure| figure.n), Some(4), "how long it takes is of every request");
        assert_eq!(summary.other_language[&Language::Ko], OtherLanguage { answers: 1, of: 4 });
        let english = summarize(&trials[1..2]).unwrap();
        assert_eq!(english.language(Language::Ko).unwrap().get(&CHARACTERS), None);
    }

    #[test]
    fn an_answer_that_is_due_in_another_language_is_no_speed_of_the_prompts_and_no_mistake() {
        let translated = text_trial(200, 100, 11, "Seoul is the capital.");
        let due = |_: &Trial| Some(Language::En);
        let summary = Summary::of([translated].iter(), &due, &Requirements::default(), None).unwrap();
        assert_eq!(summary.other_language, BTreeMap::new());
        assert_eq!(summary.language(Language::Ko).unwrap().get(&CHARACTERS), None);
    }

    #[test]
    fn gaps_are_pooled_over_a_suites_trials() {
        // Of 630 gaps of 50 ms and 63 of 90 ms the 99th percentile is 90 ms; of one trial there are too few for it.
        let mut trials = vec![speed_trial("a", 128, 500, 50); 10];
        let of = |trials: &[Trial]| {
            let summary = summarize(trials).unwrap();
            (summary.overall.median(&ITL_P50), summary.overall.median(&ITL_P99))
        };
        assert_eq!(of(&trials), (Some(0.05), None));
        trials.push(speed_trial("a", 128, 500, 90));
        assert_eq!(of(&trials), (Some(0.05), Some(0.09)));
    }

    #[test]
    fn an_unmeasured_metric_is_missing() {
        let summary = summarize(&[text_trial(200, 100, 1, "네")]).unwrap();
        assert_eq!(summary.overall.get(&DECODE), None);
    }

    #[test]
    fn prompts_of_token_ids_are_told_apart_by_length() {
        let summary = summarize(&[
            speed_trial("long", 512, 2000, 50),
            speed_trial("short", 128, 500, 50),
            speed_trial("short", 128, 500, 50),
        ])
        .unwrap();
        let cells: Vec<_> =
            summary.cells.iter().map(|cell| (cell.prompt.as_str(), cell.figures.median(&TTFT))).collect();
        assert_eq!(cells, [("short", Some(0.5)), ("long", Some(2.0))]);
        assert_eq!((summary.prompts, summary.measured), (2, 3));
    }

    /// A Korean text of this id, with its first token after so long.
    fn text(prompt: &str, ttft_ms: u64) -> Trial {
        let mut trial = text_trial(ttft_ms, 100, 11, "가나다");
        trial.key.prompt = prompt.into();
        trial
    }

    #[test]
    fn to_ask_texts_again_makes_no_larger_sample() {
        let once: Vec<Trial> = (1..=9).map(|prompt| text(&prompt.to_string(), 100 * prompt)).collect();
        let twice: Vec<Trial> = once.iter().chain(&once).cloned().collect();
        let (once, twice) = (summarize(&once).unwrap(), summarize(&twice).unwrap());
        assert_eq!((twice.measured, twice.prompts), (18, 9));
        assert_eq!(twice.overall, once.overall);
        assert_eq!(twice.languages, once.languages);
        let ttft = twice.overall.get(&TTFT).unwrap();
        assert_eq!((ttft.n, ttft.p50), (9, None));
    }

    #[test]
    fn repetitions_of_a_text_make_its_own_time_more_exact() {
        // Of a, 200 ms and once 900 ms; of b, 300 ms.
        let trials = [text("a", 200), text("a", 900), text("a", 200), text("b", 300)];
        let ttft = summarize(&trials).unwrap();
        let ttft = ttft.overall.get(&TTFT).unwrap();
        assert_eq!((ttft.n, ttft.median, ttft.max), (2, 0.25, 0.3));
    }

    #[test]
    fn each_trial_of_token_ids_is_an_observation() {
        let summary = summarize(&vec![speed_trial("short", 128, 500, 50); 7]).unwrap();
        assert_eq!(summary.overall.get(&TTFT).map(|ttft| ttft.n), Some(7));
        assert!(
            summary.cell("short").and_then(|figures| figures.get(&TTFT)).is_some_and(|ttft| ttft.interval.is_some())
        );
    }

    #[test]
    fn the_same_prompt_id_in_two_languages_is_two_prompts() {
        let mut english = text_trial(200, 100, 5, "a");
        english.key.language = Some(Language::En);
        let other = in_suite("other", text_trial(200, 100, 5, "가"));
        assert_eq!(summarize(&[text_trial(200, 100, 5, "가"), english, other]).unwrap().prompts, 3);
    }
}
