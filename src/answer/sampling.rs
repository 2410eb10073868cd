//! Sampling: what has to be said of how a candidate's prompts of token ids were measured.

use std::collections::BTreeSet;

use super::note::{Drifted, Kind, Outlying, Place, Reached, Took, WarmedUp};
use crate::plan::MOST_WARMUP;
use crate::record::{Phase, Row, RowOutcome, Settings, Trial};
use crate::summarize::{Course, Interval, courses, is_warm, seconds};

/// A smaller change over a run is not worth a sentence, however certain.
const SHOWN_DRIFT: f64 = 0.01;

/// Everything that has to be said of a row.
pub(super) fn notes(row: &Row, settings: &Settings) -> Vec<Kind> {
    let courses = courses(&row.trials);
    let mut found = Vec::new();
    // A row that is not through may yet come to what was asked for.
    if row.outcome == RowOutcome::Ran {
        found.extend(not_steady(row, settings));
        found.extend(not_precise(row, &courses, settings));
        found.extend(too_short(row, settings));
    }
    found.extend(drift(&courses));
    found.extend(outliers(&courses));
    found
}

/// Suites of token ids, and their trials of one phase.
fn suites(row: &Row, phase: Phase) -> impl Iterator<Item = (&str, Vec<&Trial>)> {
    let of_tokens = move |trial: &&Trial| trial.key.language.is_none() && trial.key.phase() == phase;
    let names: BTreeSet<&str> = row.trials.iter().filter(of_tokens).map(|trial| trial.key.suite.as_str()).collect();
    names.into_iter().map(move |name| {
        let of_suite = |trial: &&Trial| of_tokens(trial) && trial.key.suite == name;
        (name, row.trials.iter().filter(of_suite).collect())
    })
}

/// Suites that were measured before they were warm. Where the number of warm-up trials was asked for, that is what was wanted.
fn not_steady(row: &Row, settings: &Settings) -> Option<Kind> {
    if settings.warmup.is_some() {
        return None;
    }
    let cold = |(_, trials): &(&str, Vec<&Trial>)| trials.len() >= MOST_WARMUP as usize && !is_warm(trials);
    let suites: Vec<WarmedUp> = suites(row, Phase::Warmup)
        .filter(cold)
        .map(|(suite, trials)| WarmedUp { suite: suite.to_owned(), trials: trials.len() })
        .collect();
    (!suites.is_empty()).then_some(Kind::NotSteady { suites })
}

fn not_precise(row: &Row, courses: &[Course], settings: &Settings) -> Option<Kind> {
    let precision = settings.precision?;
    let figures: Vec<Reached> = courses
        .iter()
        .map(|course| Reached { place: place(course), precision: course.precision() })
        .filter(|figure| figure.precision.is_none_or(|reached| reached > precision))
        .collect();
    let (rounds, most_rounds) = (rounds(row), most_rounds(settings));
    (!figures.is_empty()).then_some(Kind::PrecisionNotReached { precision, rounds, most_rounds, figures })
}

fn too_short(row: &Row, settings: &Settings) -> Option<Kind> {
    let least = settings.min_seconds?;
    let suites: Vec<Took> = suites(row, Phase::Measured)
        .map(|(suite, trials)| Took { suite: suite.to_owned(), seconds: seconds(&trials) })
        .filter(|suite| suite.seconds < least)
        .collect();
    let (rounds, most_rounds) = (rounds(row), most_rounds(settings));
    (!suites.is_empty()).then_some(Kind::TooShort { seconds: least, rounds, most_rounds, suites })
}

/// Rounds that were made of the prompts of token ids.
fn rounds(row: &Row) -> u32 {
    let trials = suites(row, Phase::Measured).flat_map(|(_, trials)| trials);
    trials.map(|trial| trial.key.repetition + 1).max().unwrap_or_default()
}

fn most_rounds(settings: &Settings) -> u32 {
    settings.max_repeat.max(settings.repeat).unwrap_or_default()
}

fn drift(courses: &[Course]) -> Option<Kind> {
    let moved = |course: &Course| {
        let drift = course.drift()?;
        let certain = drift.interval.low > 0.0 || drift.interval.high < 0.0;
        let worth_saying = certain && drift.change.abs() >= SHOWN_DRIFT;
        worth_saying.then(|| Drifted { place: place(course), change: drift.change, interval: drift.interval })
    };
    let figures: Vec<Drifted> = courses.iter().filter_map(moved).collect();
    (!figures.is_empty()).then_some(Kind::Drift { figures })
}

fn outliers(courses: &[Course]) -> Option<Kind> {
    // Of fewer trials, which of them are the odd ones is anyone's guess.
    let enough = courses.iter().filter(|course| course.values.len() >= Interval::NEEDS);
    let figures: Vec<Outlying> = enough
        .map(|course| Outlying { place: place(course), outliers: course.outliers(), of: course.values.len() })
        .filter(|figure| figure.outliers > 0)
        .collect();
    (!figures.is_empty()).then_some(Kind::Outliers { figures })
}

fn place(course: &Course) -> Place {
    Place { metric: course.metric, prompt: course.prompt.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summarize::testing::{self, ran, speed_trial, warmup};

    /// What is said of a row, a sentence a line.
    fn said(row: &Row, settings: &Settings) -> String {
        notes(row, settings).iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    fn settings() -> Settings {
        testing::run(Vec::new()).settings
    }

    /// Trials of one prompt with these times to the first token, 50 ms apart.
    fn of(ttfts: &[u64]) -> Vec<Trial> {
        let trials = ttfts.iter().zip(0..).map(|(ttft, repetition)| {
            let mut trial = speed_trial("pp128", 128, *ttft, 50);
            trial.key.repetition = repetition;
            trial
        });
        trials.collect()
    }

    #[test]
    fn what_is_as_asked_needs_no_words() {
        let asked = Settings { precision: Some(0.02), min_seconds: Some(1.0), max_repeat: Some(100), ..settings() };
        assert_eq!(said(&ran("a", of(&[1000; 8])), &asked), "");
    }

    #[test]
    fn a_precision_that_was_not_reached_is_told_with_what_was() {
        let asked = Settings { precision: Some(0.02), max_repeat: Some(8), ..settings() };
        let noisy = ran("a", of(&[1000, 1500, 1100, 1400, 1200, 1300, 1000, 1500]));
        insta::assert_snapshot!(said(&noisy, &asked), @"±2.00 % was not reached in 8 rounds (`--max-repeat 8`): TTFT of pp128 ±20.0 %");
        let few = ran("a", of(&[1000; 5]));
        let asked = Settings { max_repeat: Some(5), min_seconds: Some(60.0), ..asked };
        insta::assert_snapshot!(said(&few, &asked), @r"
        ±2.00 % was not reached in 5 rounds (`--max-repeat 5`): TTFT of pp128 has no interval, decode of pp128 has no interval
        60.0 s were not reached in 5 rounds (`--max-repeat 5`): speed 20.8 s
        ");
        let pending = Row { outcome: RowOutcome::Pending, ..few };
        assert_eq!(said(&pending, &asked), "", "it may yet be");
    }

    #[test]
    fn a_drift_is_told_with_its_interval_and_a_small_one_is_not() {
        let rising = |by: u64| ran("a", of(&(0..12).map(|trial| 1000 + trial * by).collect::<Vec<_>>()));
        insta::assert_snapshot!(said(&rising(10), &settings()), @"over the run TTFT of pp128 rose by 10.4 % (95 % interval +10.4 … +10.4 %)");
        // 11 × 0.5 ‰.
        let slight = ran("a", of(&[1000, 1000, 1001, 1001, 1002, 1002, 1003, 1003, 1004, 1004, 1005, 1005]));
        assert_eq!(said(&slight, &settings()), "");
    }

    #[test]
    fn outliers_are_counted() {
        let odd = ran("a", of(&[1000, 1001, 1002, 1500, 1001, 1000, 1002, 1001]));
        insta::assert_snapshot!(said(&odd, &settings()), @"outliers, kept in all figures: 1 of 8 in TTFT of pp128");
    }

    #[test]
    fn a_machine_that_never_settled_is_told_unless_so_many_trials_were_asked_for() {
        let mut trials: Vec<Trial> = of(&[1000, 2000, 1000, 2000, 1000, 2000, 1000, 2000, 1000, 2000]);
        trials = trials.into_iter().map(warmup).chain(of(&[1000])).collect();
        let row = ran("a", trials);
        insta::assert_snapshot!(said(&row, &settings()), @"did not become steady (speed in 10 warm-up trials): its figures may be those of a machine that was still settling");
        assert_eq!(said(&row, &Settings { warmup: Some(10), ..settings() }), "");
    }
}
