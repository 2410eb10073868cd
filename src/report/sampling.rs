//! Sampling: what has to be said of how a candidate's prompts of token ids were measured, in sentences.

use std::collections::BTreeSet;

use crate::plan::MOST_WARMUP;
use crate::record::{Phase, Row, RowOutcome, Settings, Trial};
use crate::summarize::{Course, Interval, courses, is_warm, seconds};
use crate::units::{Rate, Seconds};

/// A smaller change over a run is not worth a sentence, however certain.
const SHOWN_DRIFT: f64 = 0.01;

/// Everything that has to be said of a row.
pub(super) fn notes(row: &Row, settings: &Settings) -> Vec<String> {
    let mut found = Vec::new();
    // A row that is not through may yet come to what was asked for.
    if row.outcome == RowOutcome::Ran {
        found.extend(unsteady(row, settings));
        found.extend(imprecise(row, settings));
        found.extend(too_short(row, settings));
    }
    let courses = courses(&row.trials);
    found.extend(drifted(&courses));
    found.extend(outlying(&courses));
    let name = row.candidate.row();
    found.into_iter().map(|note| format!("{name}: {note}")).collect()
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
fn unsteady(row: &Row, settings: &Settings) -> Option<String> {
    let asked_for = settings.warmup.is_some();
    let cold = |(_, trials): &(&str, Vec<&Trial>)| trials.len() >= MOST_WARMUP as usize && !is_warm(trials);
    let cold: Vec<String> = suites(row, Phase::Warmup)
        .filter(|suite| !asked_for && cold(suite))
        .map(|(suite, trials)| format!("{suite} in {} warm-up trials", trials.len()))
        .collect();
    (!cold.is_empty()).then(|| {
        format!(
            "did not become steady ({}): its figures may be those of a machine that was still settling",
            cold.join(", ")
        )
    })
}

fn imprecise(row: &Row, settings: &Settings) -> Option<String> {
    let asked = settings.precision?;
    let wide: Vec<String> = courses(&row.trials)
        .iter()
        .filter_map(|course| match course.precision() {
            Some(reached) if reached <= asked => None,
            Some(reached) => Some(format!("{} ±{}", place(course), percent(reached))),
            None => Some(format!("{} has no interval", place(course))),
        })
        .collect();
    (!wide.is_empty())
        .then(|| format!("±{} was not reached in {}: {}", percent(asked), rounds(row, settings), wide.join(", ")))
}

fn too_short(row: &Row, settings: &Settings) -> Option<String> {
    let least = settings.min_seconds?;
    let short: Vec<String> = suites(row, Phase::Measured)
        .map(|(suite, trials)| (suite, seconds(&trials)))
        .filter(|(_, took)| *took < least)
        .map(|(suite, took)| format!("{suite} {}", Seconds(took)))
        .collect();
    (!short.is_empty())
        .then(|| format!("{} were not reached in {}: {}", Seconds(least), rounds(row, settings), short.join(", ")))
}

fn rounds(row: &Row, settings: &Settings) -> String {
    let most = settings.max_repeat.max(settings.repeat).unwrap_or_default();
    let made = suites(row, Phase::Measured).flat_map(|(_, trials)| trials).map(|trial| trial.key.repetition + 1).max();
    format!("{} rounds (`--max-repeat {most}`)", made.unwrap_or_default())
}

fn drifted(courses: &[Course]) -> Option<String> {
    let moved = |course: &Course| {
        let drift = course.drift()?;
        let certain = drift.interval.low > 0.0 || drift.interval.high < 0.0;
        let way = if drift.change > 0.0 { "rose" } else { "fell" };
        let (by, Interval { low, high }) = (percent(drift.change.abs()), drift.interval);
        (certain && drift.change.abs() >= SHOWN_DRIFT).then(|| {
            format!("{} {way} by {by} (95 % interval {:+.1} … {:+.1} %)", place(course), 100.0 * low, 100.0 * high)
        })
    };
    let moved: Vec<String> = courses.iter().filter_map(moved).collect();
    (!moved.is_empty()).then(|| format!("over the run {}", moved.join(", ")))
}

fn outlying(courses: &[Course]) -> Option<String> {
    // Of fewer trials, which of them are the odd ones is anyone's guess.
    let enough = courses.iter().filter(|course| course.values.len() >= Interval::NEEDS);
    let outliers: Vec<String> = enough
        .map(|course| (course, course.outliers()))
        .filter(|(_, outliers)| *outliers > 0)
        .map(|(course, outliers)| format!("{outliers} of {} in {}", course.values.len(), place(course)))
        .collect();
    (!outliers.is_empty()).then(|| format!("outliers, kept in all figures: {}", outliers.join(", ")))
}

/// `decode of pp128+tg64`
fn place(course: &Course) -> String {
    format!("{} of {}", course.metric.label, course.prompt)
}

/// `4.10 %`
fn percent(share: f64) -> String {
    format!("{} %", Rate(100.0 * share))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summarize::testing::{self, ran, speed_trial, warmup};

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
        assert_eq!(notes(&ran("a", of(&[1000; 8])), &asked), [""; 0]);
    }

    #[test]
    fn a_precision_that_was_not_reached_is_told_with_what_was() {
        let asked = Settings { precision: Some(0.02), max_repeat: Some(8), ..settings() };
        let noisy = ran("a", of(&[1000, 1500, 1100, 1400, 1200, 1300, 1000, 1500]));
        insta::assert_snapshot!(notes(&noisy, &asked).join("\n"), @"a: ±2.00 % was not reached in 8 rounds (`--max-repeat 8`): TTFT of pp128 ±20.0 %");
        let few = ran("a", of(&[1000; 5]));
        let asked = Settings { max_repeat: Some(5), min_seconds: Some(60.0), ..asked };
        insta::assert_snapshot!(notes(&few, &asked).join("\n"), @r"
        a: ±2.00 % was not reached in 5 rounds (`--max-repeat 5`): TTFT of pp128 has no interval, decode of pp128 has no interval
        a: 60.0 s were not reached in 5 rounds (`--max-repeat 5`): speed 20.8 s
        ");
        let pending = Row { outcome: RowOutcome::Pending, ..few };
        assert_eq!(notes(&pending, &asked), [""; 0], "it may yet be");
    }

    #[test]
    fn a_drift_is_told_with_its_interval_and_a_small_one_is_not() {
        let rising = |by: u64| ran("a", of(&(0..12).map(|trial| 1000 + trial * by).collect::<Vec<_>>()));
        insta::assert_snapshot!(notes(&rising(10), &settings()).join("\n"), @"a: over the run TTFT of pp128 rose by 10.4 % (95 % interval +10.4 … +10.4 %)");
        // 11 × 0.5 ‰.
        let slight = ran("a", of(&[1000, 1000, 1001, 1001, 1002, 1002, 1003, 1003, 1004, 1004, 1005, 1005]));
        assert_eq!(notes(&slight, &settings()), [""; 0]);
    }

    #[test]
    fn outliers_are_counted() {
        let odd = ran("a", of(&[1000, 1001, 1002, 1500, 1001, 1000, 1002, 1001]));
        insta::assert_snapshot!(notes(&odd, &settings()).join("\n"), @"a: outliers, kept in all figures: 1 of 8 in TTFT of pp128");
    }

    #[test]
    fn a_machine_that_never_settled_is_told_unless_so_many_trials_were_asked_for() {
        let mut trials: Vec<Trial> = of(&[1000, 2000, 1000, 2000, 1000, 2000, 1000, 2000, 1000, 2000]);
        trials = trials.into_iter().map(warmup).chain(of(&[1000])).collect();
        let row = ran("a", trials);
        insta::assert_snapshot!(notes(&row, &settings()).join("\n"), @"a: did not become steady (speed in 10 warm-up trials): its figures may be those of a machine that was still settling");
        assert_eq!(notes(&row, &Settings { warmup: Some(10), ..settings() }), [""; 0]);
    }
}
