//! Words: what a check found, said the same way in every format.

use std::fmt;

use crate::compare::{
    ChangedAnswer, Check, Difference, Doubt, FigureCheck, Outcome, Place, RowCheck, Side, Subject, Verdict,
};
use crate::measure::other_programs;
use crate::metric::Direction;
use crate::summarize::Interval;
use crate::units::{Change, Share, UNKNOWN};

/// A verdict in a word or two.
pub(super) fn verdict(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Improved => "improved",
        Verdict::Regressed => "regressed",
        Verdict::WithinNoise => "within noise",
        Verdict::Inconclusive(_) => "inconclusive",
        Verdict::Incomparable(_) => "incomparable",
    }
}

/// A verdict in a column of them, in which only what changed is to catch the eye.
pub(super) fn verdict_cell(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Regressed => "REGRESSED",
        Verdict::WithinNoise => "~",
        verdict => self::verdict(verdict),
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
        (check.rows.iter().map(|row| row.answers.len()).sum(), "answered otherwise"),
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

/// What is judged against what, and where.
pub(super) fn sides(check: &Check) -> String {
    let turns = if check.paired { ", run in turn" } else { "" };
    format!("{} against {}{turns}, on {}", side(&check.after), side(&check.before), check.after.device_name)
}

/// `run 20261120-051733-4f2a (0.1.0, 1f2e3d4c5b6a)`
fn side(side: &Side) -> String {
    let commit = side.program_commit.as_ref().map(|commit| format!(", {commit}")).unwrap_or_default();
    format!("run {} (bench {}{commit})", side.run, side.program_version)
}

/// `speed pp128+tg64`; nothing of what a candidate has once.
pub(super) fn prompts(place: &Place) -> String {
    [&place.suite, &place.prompt].into_iter().flatten().cloned().collect::<Vec<_>>().join(" ")
}

/// `20+20`
pub(super) fn counts(figure: &FigureCheck) -> String {
    format!("{}+{}", figure.n.0, figure.n.1)
}

/// `+8.1 … +12.9 %`
fn interval(interval: Interval) -> String {
    format!("{:+.1} … {:+.1} %", 100.0 * (interval.low - 1.0), 100.0 * (interval.high - 1.0))
}

/// By how much what is so many times as much differs.
fn by(ratio: f64) -> Change {
    Change(ratio - 1.0)
}

/// A figure's change, and where it lies.
pub(super) fn change(figure: &FigureCheck) -> String {
    let Some(evidence) = figure.judgement.evidence else { return UNKNOWN.to_owned() };
    match evidence.interval {
        Some(within) if within.low < within.high => format!("{} ({})", by(evidence.ratio), interval(within)),
        _ => by(evidence.ratio).to_string(),
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
        let level = Share(judgement.evidence.map_or(0.0, |evidence| evidence.level));
        let within =
            judgement.evidence.and_then(|evidence| evidence.interval).filter(|within| within.low < within.high);
        let within = within.map(|within| format!(", {level} interval {}", interval(within))).unwrap_or_default();
        let ratio = judgement.evidence.map_or(UNKNOWN.to_owned(), |evidence| by(evidence.ratio).to_string());
        format!("{} was {before} and is {after}: {ratio}{within}", figure.metric.label())
    };
    let tolerance = Share(figure.tolerance);
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
                .map(|seen| format!("; the smallest {worse} that this run could have seen is {}", Share(seen)))
                .unwrap_or_default();
            format!("{}, which reaches over the tolerance of {tolerance}; {more}{seen}", measured())
        }
        Verdict::Inconclusive(Doubt::TooFew { more_trials }) => {
            let (before, now) = figure.n;
            format!("too few trials for an interval, {before} before and {now} now: it takes {more_trials} more")
        }
        Verdict::Inconclusive(Doubt::Disturbed { disturbed, trials, by }) => format!(
            "{} were busy on the machine, or its GPU was too hot, during {disturbed} of {trials} trials: run again when it is \
             quiet",
            other_programs(by)
        ),
        Verdict::Incomparable(differences) => self::differences(differences),
    })
}

/// `cpu was "A" and is "B"`
fn differences(differences: &[Difference]) -> String {
    differences.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// What to do where something does not compare. `None` where everything does.
pub(super) fn advice(check: &Check) -> Option<&'static str> {
    let incomparable = |figure: &FigureCheck| matches!(figure.judgement.verdict, Verdict::Incomparable(_));
    check.figures().any(incomparable).then_some(
        "To compare: run again what the baseline ran (bench check --measure), save a new baseline (bench baseline save), \
         or compare two builds on this machine (bench check --ab)",
    )
}

/// Which candidates nothing is known of before. `None` if there are none.
pub(super) fn new_rows(check: &Check) -> Option<String> {
    let names = &check.new_rows;
    (!names.is_empty()).then(|| format!("not in the baseline, and not judged: {}", names.join(", ")))
}

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

/// Something that has to be said of a candidate beside its figures' cells.
pub(super) struct Remark {
    /// The figure, or the candidate where it concerns all of it.
    pub place: String,
    pub text: String,
    pub weight: Weight,
}

/// What a remark means for the outcome, the heaviest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    Worse,
    Incomparable,
    Undecided,
    Better,
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.text)
    }
}

/// All that there is to say of a candidate.
pub(super) fn remarks(row: &RowCheck) -> Vec<Remark> {
    let worse = |text| Remark { place: row.row.clone(), text, weight: Weight::Worse };
    // Many figures have the same reason where all of a candidate does not compare.
    let mut reasons: Vec<Remark> = Vec::new();
    for figure in &row.figures {
        let Some((text, weight)) = reason(figure).zip(weight(&figure.judgement.verdict)) else { continue };
        match reasons.iter_mut().find(|known| known.text == text) {
            Some(known) => row.row.clone_into(&mut known.place),
            None => reasons.push(Remark { place: figure.place.to_string(), text, weight }),
        }
    }
    let failure = row.failure.clone().map(worse);
    failure.into_iter().chain(reasons).chain(row.answers.iter().map(answer).map(worse)).collect()
}

fn weight(verdict: &Verdict) -> Option<Weight> {
    match verdict {
        Verdict::Regressed => Some(Weight::Worse),
        Verdict::Incomparable(_) => Some(Weight::Incomparable),
        Verdict::Inconclusive(_) => Some(Weight::Undecided),
        Verdict::Improved => Some(Weight::Better),
        Verdict::WithinNoise => None,
    }
}

/// All that there is to say of all candidates, the heaviest first.
pub(super) fn by_weight(check: &Check) -> Vec<Remark> {
    let mut remarks: Vec<Remark> = check.rows.iter().flat_map(remarks).collect();
    remarks.sort_by_key(|remark| remark.weight);
    remarks
}
