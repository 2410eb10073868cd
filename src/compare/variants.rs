//! Variants of one candidate: what a change does to speed and memory, and what it does to the answers.
//!
//! Both sides did the same work, pair by pair, so that what is compared is each pair by itself.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde::{Serialize, Serializer};

use super::change::{Change, Pair, fixed_change, paired_change};
use super::check::HELD_PAGES_BYTES;
use super::digest::{Digest, PromptDigest, RowDigest};
use super::holm::holm;
use super::rates::PairedRates;
use crate::metric::{DECODE, ENERGY, FIDELITY, LATENCY, MEMORY, Metric, PASS_RATE, TTFT, Unit};
use crate::quality::{Agreement, Divergence};
use crate::quantile::{median, quantile};
use crate::record::{Row, RowOutcome, Run};
use crate::suite::Language;
use crate::summarize::{BrokenRule, Interval, JudgedAnswer, LEVEL, Memory, PromptKey, Rate, judged};

/// One candidate's variants, held against the first of them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VariantComparison {
    /// What they differ in, as `--variants` names it.
    pub axis: &'static str,
    /// The row that the others are held against.
    pub before: String,
    /// How they were run in turn.
    pub in_turn: InTurn,
    /// One for each other variant that ran, in the order of the rows.
    pub changes: Vec<VariantChange>,
}

/// How the trials of variants took turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum InTurn {
    /// All were in memory at once: each prompt went through all of them before the next did.
    PromptByPrompt,
    /// Memory did not suffice for all: one at a time was loaded for a round of a suite.
    RoundByRound,
}

/// One variant against the first.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VariantChange {
    /// Its row.
    pub after: String,
    /// What was measured of it, against the first.
    pub figures: Vec<FigureChange>,
    /// What its answers are worth, against the first's.
    pub rates: Vec<RateChange>,
    /// How far its predictions are from the first one's, along the first one's answers, by the language of the prompt. Empty where
    /// nobody knows.
    pub divergence: BTreeMap<Language, Divergence>,
    /// Answers that are the same to the letter, of those to the same prompts.
    pub same_answers: Rate,
    /// Prompts whose answer passes on one side alone, in the order of the prompts.
    pub flips: Vec<Flip>,
}

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figure {
    /// A metric of the table of metrics.
    Metric(Metric),
    /// Requests ÷ the time that answering them took, one at a time, in requests per second; higher is better.
    Requests,
    /// Output tokens of an answer: a shorter answer takes less time. Neither direction is better.
    AnswerTokens,
    /// Memory above what was in use before, once the weights were loaded; lower is better.
    Loaded,
}

impl Figure {
    /// For machines, unit included.
    pub fn key(self) -> &'static str {
        match self {
            Self::Metric(metric) => metric.key,
            Self::Requests => "requests_per_second",
            Self::AnswerTokens => "answer_tokens",
            Self::Loaded => "loaded_bytes",
        }
    }

    /// For people.
    pub fn label(self) -> &'static str {
        match self {
            Self::Metric(metric) => metric.label,
            Self::Requests => "requests/s",
            Self::AnswerTokens => "tokens/answer",
            Self::Loaded => "memory, loaded",
        }
    }

    /// Of its values; `None` of a bare number.
    pub fn unit(self) -> Option<Unit> {
        match self {
            Self::Metric(metric) => Some(metric.unit),
            Self::Loaded => Some(MEMORY.unit),
            Self::Requests | Self::AnswerTokens => None,
        }
    }
}

/// As its key.
impl Serialize for Figure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.key())
    }
}

/// The work of a figure that is of all texts.
pub const TEXT: &str = "text";

/// One figure, before and after.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FigureChange {
    /// What it is of.
    pub figure: Figure,
    /// [`TEXT`] for all texts, else a prompt of token ids; `None` of what a variant has once.
    pub work: Option<String>,
    /// Medians over the prompts that both answered; `None` where it is not known.
    pub before: Option<f64>,
    /// Likewise.
    pub after: Option<f64>,
    /// The median of the pairs' changes, as a share: −0.5 is half as much. Of requests per second the change of the whole.
    pub change: Option<f64>,
    /// Where it lies at 95 %, over all figures and rates of the comparison (Holm). `None` where too few pairs say so little.
    pub interval: Option<Interval>,
    /// Pairs that it is of.
    pub pairs: usize,
    /// Pairs that an interval takes; `None` where there is one, or nothing to say one of.
    pub needs: Option<usize>,
}

impl FigureChange {
    /// Whether the interval lies on one side of no change.
    pub fn is_shown(&self) -> bool {
        self.interval.is_some_and(|interval| excludes_zero(&interval))
    }
}

/// How many answers are as they should be, before and after.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RateChange {
    /// The pass rate, or fidelity.
    pub metric: Metric,
    /// The language that the answers are due in.
    pub language: Language,
    /// Of the prompts that both answered.
    pub before: Rate,
    /// Likewise.
    pub after: Rate,
    /// After less before, −1 to 1.
    pub difference: f64,
    /// Where it lies at 95 %, over all figures and rates of the comparison (Holm). `None` of too few prompts.
    pub interval: Option<Interval>,
}

impl RateChange {
    /// Whether the interval lies on one side of no change.
    pub fn is_shown(&self) -> bool {
        self.interval.is_some_and(|interval| excludes_zero(&interval))
    }
}

fn excludes_zero(interval: &Interval) -> bool {
    interval.low > 0.0 || interval.high < 0.0
}

/// A prompt whose answer passes on one side and fails on the other.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Flip {
    /// The suite's name.
    pub suite: String,
    /// The language that the answer is due in.
    pub language: Option<Language>,
    /// The prompt's id.
    pub prompt: String,
    /// Whether the answer after the change passes, and the one before fails.
    pub passes: bool,
    /// What the one that fails breaks.
    pub broken: Vec<BrokenRule>,
    /// The first variant's answer.
    pub before: String,
    /// This one's.
    pub after: String,
}

/// Holds a run's variants against the first; `None` of a run of anything else, and where the first did not run.
pub fn variants(run: &Run) -> Option<VariantComparison> {
    let axis = run.rows.first()?.candidate.variant.as_ref()?.axis();
    let digest = Digest::of(run);
    let mut rows = run.rows.iter().zip(&digest.rows).filter(|(row, _)| row.outcome == RowOutcome::Ran);
    let before = rows.next().filter(|(row, _)| row.candidate == run.rows[0].candidate)?;
    let together = before.0.load.as_ref().is_some_and(|load| load.together);
    let mut compared: Vec<Compared> = rows.map(|after| Compared::of(run, before, after)).collect();
    // Together: the more is compared, the more certain each change must be.
    let p_values: Vec<f64> = compared.iter().flat_map(|compared| compared.p_values()).collect();
    let adjusted = holm(&p_values, 1.0 - LEVEL);
    let mut tails = adjusted.iter().map(|adjustment| adjustment.tail);
    Some(VariantComparison {
        axis: axis.name(),
        before: before.0.candidate.row(),
        in_turn: if together { InTurn::PromptByPrompt } else { InTurn::RoundByRound },
        changes: compared.drain(..).map(|compared| compared.decided(&mut tails)).collect(),
    })
}

/// A variant beside the first, before it is known how certain each of its figures must be.
struct Compared {
    change: VariantChange,
    /// In the order of the figures and then of the rates.
    figures: Vec<Option<Evidence>>,
    rates: Vec<PairedRates>,
}

/// What a figure's interval is made of.
enum Evidence {
    Change(Change),
    /// Of resamples, as logarithms of ratios, ascending.
    Resampled(Vec<f64>),
}

type Side<'a> = (&'a Row, &'a RowDigest);

impl Compared {
    fn of(run: &Run, before: Side, after: Side) -> Self {
        let mut figures = Vec::new();
        let mut both = |figure: Figure, work: Option<&str>, pairs: Vec<Pair>| {
            let changed = paired_change(&pairs);
            let needs = match &changed {
                Err(super::Unjudged::TooFew { needs, .. }) if !pairs.is_empty() => Some(*needs),
                _ => None,
            };
            let side = |of: fn(&Pair) -> f64| median(&pairs.iter().map(of).collect::<Vec<_>>());
            let change = FigureChange {
                figure,
                work: work.map(str::to_owned),
                before: side(|pair| pair.baseline),
                after: side(|pair| pair.candidate),
                change: changed.as_ref().ok().map(|change| change.size() - 1.0),
                interval: None,
                pairs: pairs.len(),
                needs,
            };
            figures.push((change, changed.ok().map(Evidence::Change)));
        };
        let texts = || prompts(before.1, after.1).filter(|(before, _)| before.language.is_some());
        if texts().next().is_some() {
            let text = Some(TEXT);
            let of = |metric: &Metric| pairs(texts(), |prompt| values(prompt, metric));
            both(Figure::Metric(TTFT), text, of(&TTFT));
            both(Figure::Metric(LATENCY), text, of(&LATENCY));
            both(Figure::Metric(DECODE), text, of(&DECODE));
            both(Figure::AnswerTokens, text, pairs(texts(), answer_tokens));
            both(Figure::Metric(ENERGY), text, of(&ENERGY));
        }
        for (old, new) in prompts(before.1, after.1).filter(|(before, _)| before.language.is_none()) {
            let of = |metric: &Metric| pairs(std::iter::once((old, new)), |prompt| values(prompt, metric));
            for metric in [TTFT, DECODE, ENERGY] {
                both(Figure::Metric(metric), Some(&old.prompt), of(&metric));
            }
        }
        if texts().next().is_some() {
            let latencies = pairs(texts(), |prompt| median(&values(prompt, &LATENCY)).into_iter().collect());
            let at = figures.iter().position(|(change, _)| change.figure == Figure::AnswerTokens).unwrap_or_default();
            figures.insert(at, requests(&latencies));
        }
        figures.push(memory(before.0, after.0));
        let (figures, evidence) = figures.into_iter().unzip();

        let (old, new) = (judged(run, before.0), judged(run, after.0));
        let rates = Language::ALL.into_iter().flat_map(|language| {
            [PASS_RATE, FIDELITY].map(|metric| {
                (
                    metric,
                    language,
                    PairedRates::of(&verdicts(&new, metric, language), &verdicts(&old, metric, language)),
                )
            })
        });
        let (rates, paired): (Vec<RateChange>, Vec<PairedRates>) = rates
            .filter(|(_, _, paired)| paired.prompts > 0)
            .map(|(metric, language, paired)| {
                let rate = |passed| Rate { passed, of: paired.prompts };
                let (after, before) = (rate(paired.passed.0), rate(paired.passed.1));
                let difference = paired.difference();
                (RateChange { metric, language, before, after, difference, interval: None }, paired)
            })
            .unzip();
        let (flips, same_answers) = answers(&old, &new);
        let change = VariantChange {
            after: after.0.candidate.row(),
            figures,
            rates,
            divergence: divergence(after.0),
            same_answers,
            flips,
        };
        Self { change, figures: evidence, rates: paired }
    }

    fn p_values(&self) -> impl Iterator<Item = f64> {
        let figures = self.figures.iter().flatten().filter_map(Evidence::p_value);
        figures.chain(self.rates.iter().map(PairedRates::p_value))
    }

    /// With intervals that leave out as much as `tails` say, in the order of the p-values.
    fn decided(mut self, tails: &mut impl Iterator<Item = f64>) -> VariantChange {
        for (figure, evidence) in self.change.figures.iter_mut().zip(&self.figures) {
            let Some(evidence) = evidence else { continue };
            let tail = evidence.p_value().and_then(|_| tails.next()).unwrap_or(1.0 - LEVEL);
            figure.interval = evidence.interval(tail);
            if figure.interval.is_none() {
                figure.needs = evidence.needs(tail);
            }
        }
        for (rate, paired) in self.change.rates.iter_mut().zip(&self.rates) {
            let tail = tails.next().unwrap_or(1.0 - LEVEL);
            rate.interval = paired.interval(tail).filter(|_| paired.prompts >= Interval::NEEDS);
        }
        self.change
    }
}

impl Evidence {
    /// Two-sided, against no change; `None` of what was measured once, of which nothing varies.
    fn p_value(&self) -> Option<f64> {
        match self {
            Self::Change(change) if change.trials() == 1 => None,
            Self::Change(change) => Some((2.0 * change.p_above(0.0).min(change.p_below(0.0))).min(1.0)),
            Self::Resampled(resamples) => {
                let count = |beyond: &dyn Fn(f64) -> bool| resamples.iter().filter(|value| beyond(**value)).count();
                let (low, high) = (count(&|value| value <= 0.0), count(&|value| value >= 0.0));
                Some((2.0 * (low.min(high) as f64 + 1.0) / (resamples.len() as f64 + 1.0)).min(1.0))
            }
        }
    }

    /// As shares more or less.
    fn interval(&self, tail: f64) -> Option<Interval> {
        let interval = match self {
            Self::Change(change) => change.interval(tail / 2.0)?,
            Self::Resampled(resamples) => Interval {
                low: quantile(resamples, tail / 2.0)?.exp(),
                high: quantile(resamples, 1.0 - tail / 2.0)?.exp(),
            },
        };
        Some(Interval { low: interval.low - 1.0, high: interval.high - 1.0 })
    }

    /// Pairs that an interval with so small a tail takes.
    fn needs(&self, tail: f64) -> Option<usize> {
        match self {
            Self::Change(change) => change.trials_for(tail / 2.0),
            Self::Resampled(_) => None,
        }
    }
}

/// Prompts that both sides answered.
fn prompts<'a>(
    before: &'a RowDigest,
    after: &'a RowDigest,
) -> impl Iterator<Item = (&'a PromptDigest, &'a PromptDigest)> {
    before.prompts.iter().filter_map(|prompt| Some((prompt, after.prompt(prompt.key())?)))
}

/// The values of prompts pair by pair; by their medians where one side has more of them.
fn pairs<'a>(
    prompts: impl Iterator<Item = (&'a PromptDigest, &'a PromptDigest)>,
    values: impl Fn(&PromptDigest) -> Vec<f64>,
) -> Vec<Pair> {
    let mut pairs = Vec::new();
    for (prompt, (before, after)) in prompts.enumerate() {
        let (before, after) = (values(before), values(after));
        let pair = |(baseline, candidate)| Pair { prompt, baseline, candidate };
        if before.len() == after.len() {
            pairs.extend(before.into_iter().zip(after).map(pair));
        } else {
            pairs.extend(median(&before).zip(median(&after)).map(pair));
        }
    }
    pairs
}

fn values(prompt: &PromptDigest, metric: &Metric) -> Vec<f64> {
    prompt.values.get(metric.key).cloned().unwrap_or_default()
}

fn answer_tokens(prompt: &PromptDigest) -> Vec<f64> {
    prompt.token_ids.iter().map(|ids| ids.len() as f64).collect()
}

/// Resamples that the interval of requests per second is made of.
const RESAMPLES: usize = 2_000;

/// Requests per second, of the latency of each prompt on both sides: as many requests in the sum of their times. What is
/// resampled are prompts.
fn requests(latencies: &[Pair]) -> (FigureChange, Option<Evidence>) {
    let rate = |of: fn(&Pair) -> f64| {
        let seconds: f64 = latencies.iter().map(of).sum();
        (seconds > 0.0).then(|| latencies.len() as f64 / seconds)
    };
    let (before, after) = (rate(|pair| pair.baseline), rate(|pair| pair.candidate));
    let log_ratio = before.zip(after).map(|(before, after)| (after / before).ln());
    let enough = latencies.len() >= Interval::NEEDS;
    let resamples = || {
        // The same pairs give the same interval.
        let mut random = StdRng::seed_from_u64(0);
        let mut draw = || {
            let drawn = (0..latencies.len()).map(|_| latencies[random.random_range(0..latencies.len())]);
            let (before, after) =
                drawn.fold((0.0, 0.0), |(before, after), pair| (before + pair.baseline, after + pair.candidate));
            (before / after).ln()
        };
        let mut values: Vec<f64> = (0..RESAMPLES).map(|_| draw()).collect();
        values.sort_by(f64::total_cmp);
        values
    };
    let change = FigureChange {
        figure: Figure::Requests,
        work: Some(TEXT.to_owned()),
        before,
        after,
        change: log_ratio.map(|log_ratio| log_ratio.exp() - 1.0),
        interval: None,
        pairs: latencies.len(),
        needs: (!enough && !latencies.is_empty()).then_some(Interval::NEEDS),
    };
    let evidence = log_ratio.filter(|_| enough).map(|_| Evidence::Resampled(resamples()));
    (change, evidence)
}

/// The most memory, where each variant was alone; else what each took as it was loaded.
fn memory(before: &Row, after: &Row) -> (FigureChange, Option<Evidence>) {
    let (before, after) = (Memory::of(before), Memory::of(after));
    let (figure, before, after) = match (before.measured_bytes, after.measured_bytes) {
        (Some(before), Some(after)) => (Figure::Metric(MEMORY), Some(before), Some(after)),
        _ => (Figure::Loaded, before.loaded_bytes, after.loaded_bytes),
    };
    let (before, after) = (before.map(|bytes| bytes as f64), after.map(|bytes| bytes as f64));
    let noise = before.map_or(0.0, |before| HELD_PAGES_BYTES / before.max(1.0));
    let changed = before.zip(after).and_then(|(before, after)| fixed_change(before, after, noise).ok());
    let change = FigureChange {
        figure,
        work: None,
        before,
        after,
        change: changed.as_ref().map(|change| change.size() - 1.0),
        interval: None,
        pairs: 1,
        needs: None,
    };
    (change, changed.map(Evidence::Change))
}

fn divergence(row: &Row) -> BTreeMap<Language, Divergence> {
    let of = |language| {
        let answers = row.agreements.iter().filter(|answer| answer.language == Some(language));
        let places = answers.flat_map(|answer| answer.kl_nats.iter().zip(&answer.same_top));
        let agreements = places.map(|(kl, same_top)| Agreement { kl_nats: f64::from(*kl), same_top: *same_top });
        Some((language, Divergence::of(&agreements.collect::<Vec<_>>())?))
    };
    Language::ALL.into_iter().filter_map(of).collect()
}

/// Whether each answer that is due in a language is as it should be.
fn verdicts(answers: &[JudgedAnswer], metric: Metric, language: Language) -> BTreeMap<PromptKey, bool> {
    let due = answers.iter().filter(|answer| answer.language() == Some(language));
    let verdicts = due.filter_map(|answer| match metric {
        FIDELITY => Some((answer.prompt(), answer.judgement.is_faithful())),
        _ if answer.judgement.checks.is_empty() => None,
        _ => Some((answer.prompt(), answer.judgement.passes())),
    });
    verdicts.collect()
}

/// The prompts whose verdict flipped, and how many answers stayed the same.
fn answers(before: &[JudgedAnswer], after: &[JudgedAnswer]) -> (Vec<Flip>, Rate) {
    let new: BTreeMap<PromptKey, &JudgedAnswer> = after.iter().map(|answer| (answer.prompt(), answer)).collect();
    let (mut flips, mut same) = (Vec::new(), Rate::default());
    for old in before {
        let Some(new) = new.get(&old.prompt()) else { continue };
        let text = |answer: &JudgedAnswer| answer.trial.text.clone().unwrap_or_default();
        let (before, after) = (text(old), text(new));
        same = Rate { passed: same.passed + usize::from(before == after), of: same.of + 1 };
        let passes = new.judgement.passes();
        if passes == old.judgement.passes() {
            continue;
        }
        let failing = if passes { old } else { *new };
        let broken = failing.judgement.failures().map(|(rule, verdict)| BrokenRule::of(rule, verdict));
        flips.push(Flip {
            suite: old.asked.suite.clone(),
            language: old.language(),
            prompt: old.asked.prompt.id.clone(),
            passes,
            broken: broken.collect(),
            before,
            after,
        });
    }
    (flips, same)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::testing::two_variants;

    fn change(run: &Run) -> VariantChange {
        let comparison = variants(run).unwrap();
        assert_eq!((comparison.axis, comparison.before.as_str()), ("quantization", "a q8_0"));
        comparison.changes.into_iter().next().unwrap()
    }

    fn figure(change: &VariantChange, figure: Figure) -> &FigureChange {
        change.figures.iter().find(|known| known.figure == figure).unwrap()
    }

    #[test]
    fn half_the_latency_is_twice_the_requests() {
        // 100, 200 … 1,600 ms to the first token, and twice that in all: a mean of 1.7 s.
        let before: Vec<(u64, bool)> = (1..=16).map(|n| (n * 100, true)).collect();
        let after: Vec<(u64, bool)> = before.iter().map(|(time, right)| (time / 2, *right)).collect();
        let change = change(&two_variants(&before, &after));
        let latency = figure(&change, Figure::Metric(LATENCY));
        assert!((latency.before.unwrap() - 1.7).abs() < 1e-9, "{latency:?}");
        assert!((latency.change.unwrap() + 0.5).abs() < 1e-9 && latency.pairs == 16, "{latency:?}");
        let Interval { low, high } = latency.interval.unwrap();
        assert!(latency.is_shown() && (low + 0.5).abs() < 1e-9 && (high + 0.5).abs() < 1e-9, "{low} … {high}");
        let requests = figure(&change, Figure::Requests);
        assert!((requests.before.unwrap() - 1.0 / 1.7).abs() < 1e-9 && (requests.change.unwrap() - 1.0).abs() < 1e-9);
        assert!(requests.is_shown());
        assert!(!figure(&change, Figure::AnswerTokens).is_shown());
        let energy = figure(&change, Figure::Metric(ENERGY));
        assert_eq!((energy.before, energy.change, energy.needs, energy.is_shown()), (None, None, None, false));
        assert_eq!((change.flips.len(), change.same_answers.passed, change.same_answers.of), (0, 16, 16));
    }

    #[test]
    fn memory_is_what_was_taken_at_loading_where_others_stood_beside_it() {
        let mut run = two_variants(&[(100, true); 4], &[(100, true); 4]);
        let set = |run: &mut Run, index: usize, loaded, peak| {
            let load = run.rows[index].load.as_mut().unwrap();
            (load.baseline_bytes, load.loaded_bytes, load.peak_bytes) = (Some(0), Some(loaded), peak);
        };
        set(&mut run, 0, 4 << 30, None);
        set(&mut run, 1, 3 << 30, None);
        let loaded = figure(&change(&run), Figure::Loaded).clone();
        assert!((loaded.change.unwrap() + 0.25).abs() < 1e-9 && loaded.is_shown(), "{loaded:?}");
        set(&mut run, 0, 4 << 30, Some(8 << 30));
        set(&mut run, 1, 3 << 30, Some(8 << 30));
        let peak = figure(&change(&run), Figure::Metric(MEMORY)).clone();
        assert_eq!((peak.before, peak.change, peak.is_shown()), (Some((8_u64 << 30) as f64), Some(0.0), false));
    }

    #[test]
    fn few_pairs_say_how_many_they_are_short_of() {
        let change = change(&two_variants(&[(100, true); 4], &[(50, false); 4]));
        let latency = figure(&change, Figure::Metric(LATENCY));
        assert_eq!((latency.interval, latency.pairs, latency.needs), (None, 4, Some(6)));
        // All of two Korean prompts fail now, which two prompts do not show.
        let korean = change.rates.iter().find(|rate| rate.language == Language::Ko).unwrap();
        assert_eq!((korean.difference, korean.interval, korean.is_shown()), (-1.0, None, false));
    }

    #[test]
    fn a_flip_has_both_answers_and_what_the_failing_one_breaks() {
        let mut after = [(100, true); 12];
        after[3].1 = false;
        let change = change(&two_variants(&[(100, true); 12], &after));
        let [flip] = change.flips.as_slice() else { panic!("{:?}", change.flips) };
        assert_eq!((flip.language, flip.prompt.as_str(), flip.passes), (Some(Language::Ko), "p1", false));
        assert_eq!((flip.before.as_str(), flip.after.as_str()), ("빨강입니다.", "파랑입니다."));
        assert_eq!(flip.broken.iter().map(|broken| broken.rule).collect::<Vec<_>>(), ["contains"]);
        assert_eq!((change.same_answers.passed, change.same_answers.of), (11, 12));
    }

    #[test]
    fn a_request_that_failed_on_one_side_is_in_no_pair() {
        let mut run = two_variants(&[(100, true); 14], &[(100, true); 14]);
        run.rows[1].trials[0] = crate::summarize::testing::failed(run.rows[1].trials[0].clone());
        let change = change(&run);
        assert_eq!(figure(&change, Figure::Metric(LATENCY)).pairs, 13);
        assert_eq!(change.same_answers.of, 13);
    }

    #[test]
    fn divergence_is_of_all_places_in_a_language() {
        let change = change(&two_variants(&[(100, true); 4], &[(100, true); 4]));
        let of = |language| &change.divergence[&language];
        assert_eq!((of(Language::En).positions, of(Language::En).mean_kl_nats), (6, 0.25));
        assert_eq!((of(Language::En).same_top_share, of(Language::Ko).same_top_share), (1.0, 2.0 / 3.0));
    }

    #[test]
    fn a_run_of_anything_else_has_no_variants() {
        assert_eq!(
            variants(&crate::summarize::testing::run(vec![crate::summarize::testing::ran("a", Vec::new())])),
            None
        );
    }

    /// The same variant twice: times that vary by a tenth or so, answers of which two thirds are right, each side by itself.
    #[test]
    fn a_null_change_shows_nothing_in_nineteen_of_twenty_runs() {
        let shown = (0..20).filter(|seed| {
            let mut random = StdRng::seed_from_u64(*seed);
            let base: Vec<f64> = (0..100).map(|_| random.random_range(500.0..2_000.0)).collect();
            let mut side = || -> Vec<(u64, bool)> {
                let answer = |time: &f64| ((time * random.random_range(0.9..1.1_f64)) as u64, random.random_bool(0.67));
                base.iter().map(answer).collect()
            };
            let change = change(&two_variants(&side(), &side()));
            let figures = change.figures.iter().any(FigureChange::is_shown);
            figures || change.rates.iter().any(RateChange::is_shown)
        });
        let shown = shown.count();
        assert!(shown <= 1, "{shown} of 20");
    }
}
