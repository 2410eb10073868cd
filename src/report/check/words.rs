//! Words: what a check found, said the same way in every format.

use crate::compare::{ChangedAnswer, Check, Difference, Doubt, FigureCheck, Outcome, RowCheck, Side, Subject, Verdict};
use crate::measure::Direction;
use crate::measure::units::UNKNOWN;
use crate::summarize::Interval;

/// A verdict in a word or two.
pub(super) fn verdict(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Improved => "improved",
        Verdict::Regressed => "REGRESSED",
        Verdict::WithinNoise => "~",
        Verdict::Inconclusive(_) => "inconclusive",
        Verdict::Incomparable(_) => "incomparable",
    }
}

/// The whole check in a line.
pub(super) fn outcome(check: &Check) -> String {
    let count =
        |wanted: fn(&Verdict) -> bool| check.figures().filter(|figure| wanted(&figure.judgement.verdict)).count();
    let counts = [
        (count(|verdict| matches!(verdict, Verdict::Regressed)), "regressed"),
        (count(|verdict| matches!(verdict, Verdict::Improved)), "improved"),
        (count(|verdict| matches!(verdict, Verdict::WithinNoise)), "within noise"),
        (count(|verdict| matches!(verdict, Verdict::Inconclusive(_))), "inconclusive"),
        (count(|verdict| matches!(verdict, Verdict::Incomparable(_))), "incomparable"),
        (check.rows.iter().map(|row| row.answers.len()).sum(), "with another answer"),
        (check.rows.iter().filter(|row| row.failure.is_some()).count(), "failing"),
    ];
    let counts: Vec<String> =
        counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    let said = match check.outcome() {
        Outcome::Passed => "passed",
        Outcome::Regressed => "regressed",
        Outcome::Incomparable => "could not be compared",
        Outcome::Inconclusive => "not decided",
    };
    format!("Check {said}: {}", if counts.is_empty() { "nothing to compare".to_owned() } else { counts.join(", ") })
}

/// `run 20261120-051733-4f2a (0.1.0, 1f2e3d4c5b6a)`
pub(super) fn side(side: &Side) -> String {
    let commit = side.program_commit.as_ref().map(|commit| format!(", {commit}")).unwrap_or_default();
    format!("run {} (bench {}{commit})", side.run, side.program_version)
}

/// A share as a change: `+10.4 %`.
pub(super) fn percent(ratio: f64) -> String {
    format!("{:+.1} %", 100.0 * (ratio - 1.0))
}

/// A share as it is: `5 %`, `3.5 %`.
pub(super) fn share(share: f64) -> String {
    let percents = (1000.0 * share).round() / 10.0;
    format!("{percents} %")
}

/// `+8.1 … +12.9 %`
pub(super) fn interval(interval: Interval) -> String {
    format!("{:+.1} … {:+.1} %", 100.0 * (interval.low - 1.0), 100.0 * (interval.high - 1.0))
}

/// A figure's change, and where it lies.
pub(super) fn change(figure: &FigureCheck) -> String {
    let Some(evidence) = figure.judgement.evidence else { return UNKNOWN.to_owned() };
    match evidence.interval {
        Some(within) if within.low < within.high => format!("{} ({})", percent(evidence.ratio), interval(within)),
        _ => percent(evidence.ratio),
    }
}

/// A value of a figure with its unit.
pub(super) fn value(subject: Subject, value: Option<f64>) -> String {
    value.map_or(UNKNOWN.to_owned(), |value| subject.show(value))
}

/// Why a figure's verdict is what it is, in a sentence without its place. `None` where there is nothing to add.
pub(super) fn reason(figure: &FigureCheck) -> Option<String> {
    let judgement = &figure.judgement;
    let measured = || {
        let (before, after) = (value(figure.metric, figure.before), value(figure.metric, figure.after));
        let level = judgement.evidence.map_or(0.0, |evidence| 100.0 * evidence.level);
        let within =
            judgement.evidence.and_then(|evidence| evidence.interval).filter(|within| within.low < within.high);
        let within = within.map(|within| format!(", {level:.1} % interval {}", interval(within))).unwrap_or_default();
        let ratio = judgement.evidence.map_or(UNKNOWN.to_owned(), |evidence| percent(evidence.ratio));
        format!("{} was {before} and is {after}: {ratio}{within}", figure.metric.label())
    };
    let tolerance = share(figure.tolerance);
    Some(match &judgement.verdict {
        Verdict::WithinNoise => return None,
        Verdict::Regressed => format!("{}; the tolerance is {tolerance}", measured()),
        Verdict::Improved => format!("{}; better by more than the tolerance of {tolerance}", measured()),
        Verdict::Inconclusive(Doubt::Straddles { more_trials }) => {
            let more = match more_trials {
                Some(more) => format!("about {more} more trials on each side would decide"),
                None => "more trials would hardly decide: the change lies at the tolerance itself".to_owned(),
            };
            let detectable = judgement.evidence.and_then(|evidence| evidence.detectable);
            let worse = if figure.metric.direction() == Direction::Higher { "fall" } else { "rise" };
            let seen = detectable
                .map(|seen| format!("; the smallest {worse} that this run could have seen is {}", share(seen)))
                .unwrap_or_default();
            format!("{}, which reaches over the tolerance of {tolerance}; {more}{seen}", measured())
        }
        Verdict::Inconclusive(Doubt::TooFew { more_trials }) => {
            format!(
                "{} trials before and {} now are too few for an interval: it takes {more_trials} more",
                figure.n.0, figure.n.1
            )
        }
        Verdict::Inconclusive(Doubt::Disturbed { disturbed, trials }) => format!(
            "other programs were busy on the machine, or its GPU was too hot, during {disturbed} of {trials} trials: run \
             again when it is quiet"
        ),
        Verdict::Incomparable(differences) => self::differences(differences),
    })
}

/// `cpu was "A" and is "B"`
pub(super) fn differences(differences: &[Difference]) -> String {
    differences.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// What to do about what does not compare.
pub(super) const INCOMPARABLE: &str = "run again what the baseline ran (bench check --measure), save a new baseline (bench baseline save), or compare two builds \
     on this machine (bench check --ab)";

/// Which answer parts where.
pub(super) fn answer(answer: &ChangedAnswer) -> String {
    let token = |id: Option<u32>| id.map_or("the end".to_owned(), |id| format!("token {id}"));
    format!(
        "{} {}, trial {}: the answer parts at output token {}: {} before, {} now",
        answer.suite,
        answer.prompt,
        answer.trial,
        answer.position,
        token(answer.before),
        token(answer.after)
    )
}

/// Everything that has to be said of a candidate beside its figures' cells, each with its place.
pub(super) fn remarks(row: &RowCheck) -> Vec<String> {
    let failure = row.failure.iter().map(|failure| format!("{}: {failure}", row.row));
    // Many figures have the same reason where all of a candidate does not compare.
    let mut reasons: Vec<(String, String)> = Vec::new();
    for figure in &row.figures {
        let Some(reason) = reason(figure) else { continue };
        match reasons.iter_mut().find(|(_, known)| *known == reason) {
            Some((place, _)) => row.row.clone_into(place),
            None => reasons.push((figure.place.to_string(), reason)),
        }
    }
    let answers = row.answers.iter().map(|changed| format!("{}: {}", row.row, answer(changed)));
    failure.chain(reasons.into_iter().map(|(place, reason)| format!("{place}: {reason}"))).chain(answers).collect()
}
