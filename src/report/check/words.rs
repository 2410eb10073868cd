//! Words: what a check found, said the same way in every format.

use std::fmt;

use crate::compare::{
    ChangedAnswer, Check, Difference, Doubt, Evidence, FigureCheck, Outcome, Place, QualityCheck, RowCheck, Side,
    Subject, Verdict,
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
    let count = |wanted: fn(&Verdict) -> bool| check.verdicts().filter(|verdict| wanted(verdict)).count();
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

/// What must be known before anything else of a check; `None` where there is nothing of the kind.
pub(super) fn warning(check: &Check) -> Option<String> {
    let itself = check.is_of_itself().then(|| {
        format!(
            "Run {} is checked against itself: that shows nothing. Measure again (bench check --measure)",
            check.after.run
        )
    });
    let wide = check.widest_tolerance().map(|figure| {
        let (label, tolerance) = (figure.metric.label(), Share(figure.tolerance));
        format!(
            "A loss of up to {tolerance} passes: that is the tolerance of {label} in {}, because that is what was asked for or \
             what this machine's own runs differ by",
            figure.place
        )
    });
    let said: Vec<String> = itself.into_iter().chain(wide).collect();
    (!said.is_empty()).then(|| said.join(". "))
}

/// In what the environments differ although they are compared.
pub(super) fn environments(check: &Check) -> Vec<String> {
    let patches = check.patches.iter().map(|patch| format!("{patch}: a patch level, compared all the same"));
    let allowed = check.allowed.iter().map(|one| format!("{one}: compared, as --allow-environment {} says", one.what));
    patches.chain(allowed).collect()
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

/// A change of a share, in points of a hundred: `-22.5 (-38 … -8)`.
pub(super) fn points(quality: &QualityCheck) -> String {
    let Some((before, after)) = quality.before.share().zip(quality.after.share()) else { return UNKNOWN.to_owned() };
    let Interval { low, high } = quality.interval;
    format!("{:+.1} ({:+.0} … {:+.0})", 100.0 * (after - before), 100.0 * low, 100.0 * high)
}

/// Prompts that are named where many are meant.
const NAMED: usize = 5;

fn named(prompts: &[String]) -> String {
    let more = prompts.len().saturating_sub(NAMED);
    let first = prompts.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{first} and {more} more") } else { first }
}

/// Why a rate's verdict is what it is, in a sentence without its place. `None` where there is nothing to add.
pub(super) fn reason_of_quality(quality: &QualityCheck) -> Option<String> {
    let QualityCheck { rate, before, after, lost, gained, .. } = quality;
    let changed = || {
        let lost = match lost.len() {
            0 => "none was lost".to_owned(),
            count => format!("{count} lost ({})", named(lost)),
        };
        format!("{rate} was {before} and is {after}: {lost}, {} gained, p = {:.4}", gained.len(), quality.p)
    };
    Some(match &quality.verdict {
        Verdict::WithinNoise => return None,
        Verdict::Regressed => changed(),
        Verdict::Improved => format!("{rate} was {before} and is {after}: better than chance would have it"),
        Verdict::Inconclusive(Doubt::Straddles { more_trials: Some(more) }) => {
            format!("{}: chance alone may do that; about {more} more prompts would decide", changed())
        }
        Verdict::Inconclusive(_) => format!("{}: chance alone may do that", changed()),
        Verdict::Incomparable(differences) => format!("{rate}: {}", self::differences(differences)),
    })
}

/// By how much what is so many times as much differs.
fn by(ratio: f64) -> Change {
    Change(ratio - 1.0)
}

/// A figure's change, and where it lies.
pub(super) fn change(figure: &FigureCheck) -> String {
    let Some(evidence) = figure.judgement.evidence else { return UNKNOWN.to_owned() };
    match where_it_lies(figure.metric, &evidence) {
        Some(within) => format!("{} ({within})", size(figure.metric, &evidence)),
        None => size(figure.metric, &evidence),
    }
}

/// `+8.1 %`, or of what was zero somewhere a difference: `+63 stalls`.
fn size(subject: Subject, evidence: &Evidence) -> String {
    match (evidence.ratio, evidence.difference) {
        (Some(ratio), _) => by(ratio).to_string(),
        (None, Some(difference)) => differs(subject, difference),
        (None, None) => UNKNOWN.to_owned(),
    }
}

fn differs(subject: Subject, difference: f64) -> String {
    let sign = if difference > 0.0 { "+" } else { "" };
    format!("{sign}{}", subject.show(difference))
}

/// The interval of a change that is not just a point.
fn where_it_lies(subject: Subject, evidence: &Evidence) -> Option<String> {
    let within = evidence.interval.filter(|within| within.low < within.high)?;
    Some(match evidence.ratio {
        Some(_) => interval(within),
        None => format!("{} … {}", differs(subject, within.low), differs(subject, within.high)),
    })
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
        let label = figure.metric.label();
        let Some(evidence) = judgement.evidence else { return format!("{label} was {before} and is {after}") };
        let within = where_it_lies(figure.metric, &evidence);
        let within = within.map(|within| format!(", {} interval {within}", Share(evidence.level))).unwrap_or_default();
        let size = size(figure.metric, &evidence);
        if evidence.paired {
            // The medians of the sides need not differ by the median of what the pairs differ by, nor the same way.
            let pairs = if is_of_texts(figure) { "prompts" } else { "pairs of trials" };
            return format!(
                "{label}: {size}{within}, the median over {pairs}; the medians of the sides are {before} and {after}"
            );
        }
        format!("{label} was {before} and is {after}: {size}{within}")
    };
    let explained = judgement.evidence.and_then(|evidence| evidence.explained).filter(|bound| *bound > 1.0);
    let tolerance = Share(figure.tolerance);
    Some(match &judgement.verdict {
        Verdict::WithinNoise => return None,
        Verdict::Regressed => {
            let beside = explained.map(|bound| {
                format!("; other programs were busy, which explains a loss by a factor of {bound:.1} at most")
            });
            format!("{}; {}{}", measured(), accepted(figure, tolerance), beside.unwrap_or_default())
        }
        Verdict::Improved => format!("{}; better by more than the tolerance of {tolerance}", measured()),
        Verdict::Inconclusive(Doubt::Straddles { more_trials }) => {
            let more = match more_trials {
                Some(more) if is_of_texts(figure) => format!("about {more} more prompts would decide"),
                Some(more) => format!("about {more} more trials on each side would decide"),
                None if is_of_texts(figure) => {
                    "more prompts would hardly decide: the change lies at the tolerance itself".to_owned()
                }
                None => "more trials would hardly decide: the change lies at the tolerance itself".to_owned(),
            };
            let detectable = judgement.evidence.and_then(|evidence| evidence.detectable);
            let worse = if figure.metric.direction() == Direction::Higher { "fall" } else { "rise" };
            let seen = |seen: f64| match judgement.evidence.and_then(|evidence| evidence.ratio) {
                Some(_) => Share(seen).to_string(),
                None => figure.metric.show(seen),
            };
            let seen = detectable
                .map(|size| format!("; the smallest {worse} that this run could have seen is {}", seen(size)))
                .unwrap_or_default();
            format!("{}, which reaches over the tolerance of {tolerance}; {more}{seen}", measured())
        }
        Verdict::Inconclusive(Doubt::TooFew { more_trials }) => {
            let (before, now) = figure.n;
            let what = if is_of_texts(figure) { "prompts" } else { "trials" };
            format!("too few {what} for an interval, {before} before and {now} now: it needs {more_trials} more")
        }
        Verdict::Inconclusive(Doubt::Disturbed { disturbed, trials, on_gpu, by, far }) => {
            let cause = disturbance(*disturbed, *on_gpu, by);
            let far = if *far {
                let explained = explained.map_or("nobody knows how much of it that explains".to_owned(), |bound| {
                    format!("of which that explains a factor of {bound:.1} at most")
                });
                format!("; {}, {explained}: too much to be passed unseen", measured())
            } else {
                String::new()
            };
            format!("{cause} during {disturbed} of {trials} trials: run again when it is quiet{far}")
        }
        Verdict::Incomparable(differences) => self::differences(differences),
    })
}

/// Whether it is of texts, whose sample is the prompts: to repeat them decides nothing.
fn is_of_texts(figure: &FigureCheck) -> bool {
    figure.place.suite.is_some() && figure.place.prompt.is_none()
}

/// How much worse the figure may be.
fn accepted(figure: &FigureCheck, tolerance: Share) -> String {
    match figure.judgement.evidence.and_then(|evidence| evidence.difference) {
        Some(_) => "any more than the baseline had is a loss".into(),
        None => format!("the tolerance is {tolerance}"),
    }
}

/// What disturbed trials: only what did.
pub fn disturbance(disturbed: usize, on_gpu: usize, by: &[String]) -> String {
    let programs = (disturbed > on_gpu).then(|| format!("{} were busy on the machine", other_programs(by)));
    let gpu = (on_gpu > 0).then(|| "its GPU was too hot or shared with another process".to_owned());
    [programs, gpu].into_iter().flatten().collect::<Vec<_>>().join(", or ")
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
         compare two builds on this machine (bench check --ab), or let a field of the environment differ \
         (--allow-environment kernel)",
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
    let qualities = row.quality.iter().filter_map(|quality| {
        let (text, weight) = reason_of_quality(quality).zip(weight(&quality.verdict))?;
        let place =
            if quality.row == row.row { row.row.clone() } else { format!("{} in place of {}", quality.row, row.row) };
        Some(Remark { place, text, weight })
    });
    let failure = row.failure.clone().map(worse);
    failure.into_iter().chain(reasons).chain(qualities).chain(row.answers.iter().map(answer).map(worse)).collect()
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
