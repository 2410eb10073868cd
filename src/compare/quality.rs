//! Quality before and after: whether a candidate's answers pass less often, held against each other prompt by prompt.
//!
//! Speeds compare only on one machine and with one checkpoint. What an answer is worth does not depend on the machine, and
//! another checkpoint or quantization of the candidate is just what is to be judged.

use std::collections::BTreeMap;

use serde::Serialize;

use super::difference::{self, Difference};
use super::holm::holm;
use super::verdict::{Doubt, FALSE_ALARMS, Verdict};
use super::{Asked, Digest, JudgedAnswer, RowDigest, Subject};
use crate::metric::{Aspect, FIDELITY, Metric, PASS_RATE, RATES};
use crate::suite::Language;
use crate::summarize::{Interval, Rate};

/// One rate of a candidate's answers in one language.
#[derive(Debug, Clone, Serialize)]
pub struct QualityCheck {
    /// The row that is held against the baseline's: of its name, or the only one of the candidate at another quantization.
    pub row: String,
    /// What is counted, and in which language.
    pub rate: Aspect,
    /// By what share of all answers it may be worse.
    pub tolerance: f64,
    /// Over the prompts that both sides answered.
    pub before: Rate,
    /// Over the same prompts, of the run that is judged.
    pub after: Rate,
    /// Prompts whose answer was as it should be, and is not.
    pub lost: Vec<String>,
    /// Prompts whose answer was not, and is.
    pub gained: Vec<String>,
    /// Where the change of the share lies at 95 %, after − before (Newcombe 1998, method 10).
    pub interval: Interval,
    /// One-sided, against no loss, by the exact sign test on the prompts that changed (McNemar), adjusted by Holm over all
    /// rates of the check.
    pub p: f64,
    /// What that comes to.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// Of each of these rows of the baseline, in their order.
pub(super) fn quality(rows: &[&RowDigest], before: &Digest, now: &Digest, asked: &Asked) -> Vec<Vec<QualityCheck>> {
    let differences = differences(before, now);
    let samples: Vec<Vec<Sample>> = rows.iter().map(|row| samples(row, before, now, asked)).collect();
    let p_values = |of: fn(&Sample) -> f64| -> Vec<f64> {
        let values: Vec<f64> = samples.iter().flatten().map(of).collect();
        holm(&values, FALSE_ALARMS).iter().map(|adjustment| adjustment.adjusted).collect()
    };
    let losses = p_values(|sample| sign_test(sample.lost.len(), sample.gained.len()));
    let gains = p_values(|sample| sign_test(sample.gained.len(), sample.lost.len()));
    let mut adjusted = losses.into_iter().zip(gains);
    let checks = samples.into_iter().map(|samples| {
        let decided = samples.into_iter().zip(&mut adjusted);
        decided.map(|(sample, (loss, gain))| sample.judged(loss, gain, &differences)).collect()
    });
    checks.collect()
}

/// What keeps answers from being held against each other: that they were judged by other rules, or may be of another length.
fn differences(before: &Digest, now: &Digest) -> Vec<Difference> {
    let rules = (before.rules != now.rules).then(|| {
        let show = |rules: Option<u32>| rules.map_or("unknown".to_owned(), |rules| rules.to_string());
        Difference { what: "rules of the judgement".into(), before: show(before.rules), after: show(now.rules) }
    });
    rules.into_iter().chain(difference::answer_lengths(&before.settings, &now.settings)).collect()
}

/// What became of the prompts that both sides answered.
struct Sample {
    row: String,
    rate: Aspect,
    tolerance: f64,
    /// Answers that were as they should be before and after, and neither before nor after.
    both: usize,
    neither: usize,
    lost: Vec<String>,
    gained: Vec<String>,
}

fn samples(row: &RowDigest, before: &Digest, now: &Digest, asked: &Asked) -> Vec<Sample> {
    let Some(after) = counterpart(row, before, now) else { return Vec::new() };
    let judged = |metric: Metric, language: Language| {
        let prompts = row.prompts.iter().filter(|prompt| difference::suites(&prompt.suite, before, now).is_none());
        let pairs = prompts.filter_map(move |prompt| {
            let (old, new) = (prompt.judged?, after.prompt(prompt.key())?.judged?);
            let verdicts = old.verdict(metric).zip(new.verdict(metric))?;
            let name = format!("{} {}", prompt.suite, prompt.prompt);
            (old.language == Some(language)).then_some((name, verdicts))
        });
        pairs.collect::<BTreeMap<String, (bool, bool)>>()
    };
    let asked_for = |metric: &&Metric| asked.subjects().any(|subject| subject == Subject::Rate(**metric));
    let aspects = RATES.iter().filter(asked_for).flat_map(|metric| Language::ALL.map(|language| (*metric, language)));
    aspects
        .map(|(metric, language)| (metric, language, judged(metric, language)))
        .filter(|(_, _, verdicts)| !verdicts.is_empty())
        .map(|(metric, language, verdicts)| {
            let count = |wanted| verdicts.values().filter(|verdicts| **verdicts == wanted).count();
            let named = |wanted| {
                let names = verdicts.iter().filter(|(_, verdicts)| **verdicts == wanted);
                names.map(|(name, _)| name.clone()).collect()
            };
            Sample {
                row: after.candidate.row(),
                rate: Aspect::in_language(metric, language),
                tolerance: asked.tolerance(Subject::Rate(metric), None),
                both: count((true, true)),
                neither: count((false, false)),
                lost: named((true, false)),
                gained: named((false, true)),
            }
        })
        .collect()
}

/// The row of the same name; else the only one of the candidate that the baseline does not have.
fn counterpart<'a>(row: &RowDigest, before: &Digest, now: &'a Digest) -> Option<&'a RowDigest> {
    now.row(&row.candidate.row()).or_else(|| {
        let is_new = |other: &&RowDigest| before.row(&other.candidate.row()).is_none();
        let mut others = now.rows.iter().filter(|other| other.candidate.id == row.candidate.id).filter(is_new);
        others.next().filter(|_| others.next().is_none())
    })
}

impl JudgedAnswer {
    fn verdict(&self, metric: Metric) -> Option<bool> {
        match metric {
            FIDELITY => Some(self.faithful),
            PASS_RATE => self.passes,
            _ => None,
        }
    }
}

impl Sample {
    fn judged(self, loss: f64, gain: f64, differences: &[Difference]) -> QualityCheck {
        let (lost, gained) = (self.lost.len(), self.gained.len());
        let of = self.both + self.neither + lost + gained;
        let (before, after) = (Rate { passed: self.both + lost, of }, Rate { passed: self.both + gained, of });
        let interval = interval(self.both, lost, gained, self.neither);
        let verdict = if !differences.is_empty() {
            Verdict::Incomparable(differences.to_vec())
        } else if gain < FALSE_ALARMS {
            Verdict::Improved
        } else if lost <= gained || interval.low >= -self.tolerance {
            Verdict::WithinNoise
        } else if loss < FALSE_ALARMS {
            Verdict::Regressed
        } else {
            Verdict::Inconclusive(Doubt::Straddles { more_trials: more_to_decide(lost, gained, of) })
        };
        let (row, rate, tolerance) = (self.row, self.rate, self.tolerance);
        QualityCheck {
            row,
            rate,
            tolerance,
            before,
            after,
            lost: self.lost,
            gained: self.gained,
            interval,
            p: loss,
            verdict,
        }
    }
}

/// Probability that at least so many of the prompts that changed were lost, if each was as likely to be gained.
fn sign_test(lost: usize, gained: usize) -> f64 {
    let changed = lost + gained;
    // ln of C(changed, k) ÷ 2^changed, from k to k + 1.
    let mut term = -(changed as f64) * std::f64::consts::LN_2;
    let mut sum = 0.0;
    for k in 0..=changed {
        if k >= lost {
            sum += term.exp();
        }
        term += ((changed - k) as f64).ln() - ((k + 1) as f64).ln();
    }
    sum.min(1.0)
}

/// Where a difference of two shares of the same prompts lies at 95 %: Newcombe, "Improved confidence intervals for the difference
/// between binomial proportions based on paired data", 1998, method 10. It joins the two Wilson intervals by the shares'
/// correlation, and so has a width where nothing changed.
fn interval(both: usize, lost: usize, gained: usize, neither: usize) -> Interval {
    let of = both + lost + gained + neither;
    let (before, after) = (Rate { passed: both + lost, of }, Rate { passed: both + gained, of });
    let nothing = Interval { low: -1.0, high: 1.0 };
    let parts = before.share().zip(before.interval()).zip(after.share().zip(after.interval()));
    let Some(((old, of_old), (new, of_new))) = parts else { return nothing };
    let [a, b, c, d] = [both, lost, gained, neither].map(|count| count as f64);
    let product = (a + b) * (c + d) * (a + c) * (b + d);
    let cross = a * d - b * c;
    let cross = if cross > 0.0 { (cross - of as f64 / 2.0).max(0.0) } else { cross };
    let correlation = if product > 0.0 { cross / product.sqrt() } else { 0.0 };
    let arm = |one: f64, other: f64| (one * one - 2.0 * correlation * one * other + other * other).max(0.0).sqrt();
    let difference = new - old;
    Interval {
        low: (difference - arm(new - of_new.low, of_old.high - old)).max(-1.0),
        high: (difference + arm(of_new.high - new, old - of_old.low)).min(1.0),
    }
}

/// Beyond this many times the prompts, more of them are no advice.
const MOST_TIMES_THE_PROMPTS: f64 = 100.0;

/// How many more prompts would about show a loss of this size: what a sign test rests on grows with the root of the prompts.
fn more_to_decide(lost: usize, gained: usize, of: usize) -> Option<usize> {
    /// The 97.5th percentile of the normal distribution.
    const Z: f64 = 1.96;
    let z = (lost as f64 - gained as f64) / ((lost + gained) as f64).sqrt();
    let times = (Z / z).powi(2);
    // Exactness costs a few prompts where the root says that there are enough.
    (times <= MOST_TIMES_THE_PROMPTS).then(|| ((times - 1.0) * of as f64).ceil().max(1.0) as usize)
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{Rng as _, SeedableRng as _};

    use super::*;
    use crate::compare::testing::{self, judged};
    use crate::compare::{Baseline, Check, Outcome, check};

    /// A candidate whose Korean answers pass as told, before and after; under another quantization if that is said.
    fn checked(before: &[bool], after: &[bool], metrics: &[&str], quantized: bool) -> Check {
        let digest = |passes: &[bool]| testing::digest_of(judged(passes));
        let (old, mut new) = (digest(before), digest(after));
        if quantized {
            new.rows[0].candidate.quantization = Some(crate::catalog::Quantization::Q8_0);
        }
        let metrics: Vec<String> = metrics.iter().map(|name| (*name).to_owned()).collect();
        let asked = Asked::new(&metrics, &[], false).expect("metrics");
        check(&Baseline { digest: old, noise: None }, &new, &asked)
    }

    fn verdict(check: &Check, key: &str) -> Verdict {
        let mut found = check.rows[0].quality.iter().filter(|one| one.rate.key() == key);
        found.next().expect("a rate").verdict.clone()
    }

    const ONLY_QUALITY: [&str; 2] = ["pass_rate", "fidelity"];

    #[test]
    fn answers_that_no_longer_pass_fail_the_gate() {
        let before = [true; 40];
        let mut after = before;
        after[..8].fill(false);
        let check = checked(&before, &after, &ONLY_QUALITY, false);
        assert_eq!((check.outcome(), verdict(&check, "korean_pass_rate")), (Outcome::Regressed, Verdict::Regressed));
        let of = &check.rows[0].quality[1];
        assert_eq!((of.before.passed, of.after.passed, of.lost.len(), of.gained.len()), (40, 32, 8, 0));
    }

    #[test]
    fn another_quantization_of_the_candidate_is_held_against_it() {
        let check = checked(&[true; 40], &[false; 40], &ONLY_QUALITY, true);
        assert_eq!(check.outcome(), Outcome::Regressed);
        assert_eq!(check.rows[0].quality[0].row, "qwen2.5-7b q8_0");
        let same = checked(&[true; 40], &[true; 40], &ONLY_QUALITY, true);
        assert_eq!(same.outcome(), Outcome::Passed, "a quality gate asks nothing of the speed");
    }

    #[test]
    fn a_loss_that_chance_explains_is_not_decided_and_says_what_would() {
        let before = [true; 40];
        let mut after = before;
        after[..3].fill(false);
        let check = checked(&before, &after, &ONLY_QUALITY, false);
        let Verdict::Inconclusive(Doubt::Straddles { more_trials: Some(more) }) = verdict(&check, "korean_pass_rate")
        else {
            panic!("{check:?}");
        };
        assert_eq!((check.outcome(), more), (Outcome::Inconclusive, 12));
    }

    #[test]
    fn as_many_gained_as_lost_is_no_loss_and_many_gained_an_improvement() {
        let (mut before, mut after) = ([true; 40], [true; 40]);
        after[0] = false;
        before[1] = false;
        let check = checked(&before, &after, &ONLY_QUALITY, false);
        assert_eq!(verdict(&check, "korean_pass_rate"), Verdict::WithinNoise);
        let better = checked(&[false; 40], &[true; 40], &ONLY_QUALITY, false);
        assert_eq!(verdict(&better, "korean_pass_rate"), Verdict::Improved);
    }

    #[test]
    fn other_rules_judge_otherwise() {
        let mut old = testing::digest_of(judged(&[true; 40]));
        let new = old.clone();
        old.rules = Some(0);
        let asked = Asked::new(&["pass_rate".into()], &[], false).unwrap();
        let check = check(&Baseline { digest: old, noise: None }, &new, &asked);
        assert_eq!(check.outcome(), Outcome::Incomparable);
    }

    #[test]
    fn the_sign_test_is_the_binomials_tail() {
        // scipy.stats.binomtest(8, 8), (6, 7), (3, 10), (600, 1200), alternative="greater"
        for (lost, gained, p) in [(8, 0, 0.003_906_25), (6, 1, 0.0625), (3, 7, 0.945_312_5), (600, 600, 0.511_515)] {
            assert!((sign_test(lost, gained) - p).abs() < 1e-5, "{lost} {gained}: {}", sign_test(lost, gained));
        }
        assert_eq!(sign_test(0, 0), 1.0);
    }

    #[test]
    fn the_interval_is_newcombes() {
        // His table II: 36, 12, 2, 0 gives 0.0569 to 0.3404, of before − after.
        let of = interval(36, 12, 2, 0);
        assert!((of.low + 0.3404).abs() < 5e-5 && (of.high + 0.0569).abs() < 5e-5, "{of:?}");
    }

    #[test]
    fn a_null_change_seldom_fails_and_a_loss_is_found() {
        // Of 115 prompts a fifth may fall either way; of a loss, three in ten of the others are lost.
        let regressed = |lost: f64| {
            let runs = (0..300).filter(|seed| {
                let mut random = StdRng::seed_from_u64(*seed);
                let mut draw = |share: f64| random.random_bool(share);
                let answers: Vec<(bool, bool)> = (0..115)
                    .map(|_| match draw(0.2) {
                        true => (draw(0.5), draw(0.5)),
                        false => (true, !draw(lost)),
                    })
                    .collect();
                let side = |of: fn(&(bool, bool)) -> bool| answers.iter().map(of).collect::<Vec<_>>();
                let check = checked(&side(|one| one.0), &side(|one| one.1), &ONLY_QUALITY, false);
                check.outcome() == Outcome::Regressed
            });
            runs.count()
        };
        let (null, loss) = (regressed(0.0), regressed(0.3));
        assert!(null <= 12 && loss >= 285, "{null} and {loss} of 300");
    }
}
