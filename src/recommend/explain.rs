//! A recommendation in words, a paragraph a line.

use std::fmt;

use super::rank::TIE_MARGIN;
use super::{Basis, Broken, Flag, Limit, Reason, Recommendation, Screening, Standing};
use crate::metric::MEMORY;
use crate::units::{Bytes, Won};

/// The pick and why, then the others and why not, then what the decision rests on. Lines that belong to the one above
/// start with two spaces. [`Flag`]s print themselves, and belong with the figures that they are about.
pub fn explain(recommendation: &Recommendation) -> Vec<String> {
    let mut lines = Vec::new();
    verdict(recommendation, &mut lines);
    others(recommendation, &mut lines);
    rejected(recommendation, &mut lines);
    caveats(recommendation, &mut lines);
    lines
}

/// Where the requirements come from; `None` of runs stored before that was kept.
pub fn provenance(recommendation: &Recommendation) -> Option<String> {
    let stated = recommendation.stated.as_ref()?;
    let file = match &stated.file {
        Some(file) => format!("those of {file}"),
        None => "those that ship with bench".to_owned(),
    };
    let by_hand = match stated.by_hand.as_slice() {
        [] => String::new(),
        keys => format!(", and by hand {}", keys.join(", ")),
    };
    Some(format!("Requirements: {file}{by_hand}."))
}

/// An order by speed and size, where nothing is known of the answers.
fn screening(recommendation: &Recommendation, screening: &Screening, lines: &mut Vec<String>) {
    lines.push(
        "Screening: nothing is known of the answers, so this is an order by speed and size, no recommendation.".into(),
    );
    let named = [("fastest", &screening.fastest), ("smallest", &screening.smallest)];
    let named: Vec<String> =
        named.into_iter().filter_map(|(what, row)| Some(format!("{what}: {}", row.as_ref()?))).collect();
    lines.push(format!("  {}", named.join("; ")));
    if let Some(first) = recommendation.first() {
        lines.push(format!("First: {}", first.row));
        lines.push(format!("  {}", figures(first, recommendation)));
    }
    lines.extend(tie(recommendation));
}

/// Which rows are not told apart from the first, and why.
fn tie(recommendation: &Recommendation) -> Option<String> {
    let tie = recommendation.tie.as_ref()?;
    let why = match (tie.too_few_trials, recommendation.basis) {
        (true, Basis::Text) => "too few prompts for intervals of decode rate and time to first token",
        (true, Basis::Tokens) => "too few trials for intervals of decode rate and time to first token (see `--repeat`)",
        (false, _) => "the intervals of decode rate and time to first token overlap",
    };
    Some(format!("  A tie with {}: {why}, and the scores are within {TIE_MARGIN}.", tie.rows.join(", ")))
}

fn verdict(recommendation: &Recommendation, lines: &mut Vec<String>) {
    if let Some(found) = &recommendation.screening {
        screening(recommendation, found, lines);
        return;
    }
    let Some(pick) = recommendation.pick() else {
        let unmet = match enforced(recommendation) {
            None => "meets the requirements".to_owned(),
            Some(enforced) => format!("is within the limits that were enforced ({enforced})"),
        };
        lines.push(format!("Recommendation: none. No candidate {unmet}."));
        if let Some(miss) = &recommendation.nearest_miss {
            let worst = rejected_for(recommendation, &miss.row);
            lines.push(format!("Nearest miss: {}{worst}", miss.row));
        }
        return;
    };
    let provisional = if recommendation.provisional.is_some() { ", provisionally" } else { "" };
    lines.push(format!("Recommendation{provisional}: {}", pick.row));
    lines.push(format!("  {}", figures(pick, recommendation)));
    lines.extend(tie(recommendation));
}

/// The reason that weighs most, after a colon.
fn rejected_for(recommendation: &Recommendation, row: &str) -> String {
    let Some(rejected) = recommendation.rejected.iter().find(|rejected| rejected.row == row) else {
        return String::new();
    };
    let excess = |broken: &Broken| broken.excess().unwrap_or(f64::NEG_INFINITY);
    match &rejected.reason {
        Reason::Requirements(broken) => {
            let worst = broken.iter().max_by(|a, b| excess(a).total_cmp(&excess(b)));
            worst.map(|worst| format!(": {worst}")).unwrap_or_default()
        }
        other => format!(": {}", reason(other, recommendation.basis)),
    }
}

fn others(recommendation: &Recommendation, lines: &mut Vec<String>) {
    if let Some(second) = recommendation.runner_up() {
        let place = if recommendation.screening.is_some() { "Second" } else { "Runner-up" };
        lines.push(format!("{place}: {}", second.row));
        lines.push(format!("  {}", figures(second, recommendation)));
        lines.extend(quality_against(second, recommendation).map(|line| format!("  {line}")));
    }
    let rest = recommendation.ranking.iter().skip(2);
    let rest: Vec<String> =
        rest.map(|standing| format!("  {}: {}", standing.row, standing_in_brief(standing))).collect();
    if !rest.is_empty() {
        lines.push(match enforced(recommendation) {
            None => "Also meet the requirements:".to_owned(),
            Some(enforced) => format!("Also within the limits that were enforced ({enforced}):"),
        });
        lines.extend(rest);
    }
}

/// What the pick's answers are beside a row's.
fn quality_against(other: &Standing, recommendation: &Recommendation) -> Option<String> {
    let against = recommendation.quality_differences.iter().find(|against| against.row == other.row)?;
    let points = |share: f64| format!("{:+.1}", 100.0 * share);
    let (low, high) = (points(against.interval.low), points(against.interval.high));
    let difference = points(against.difference);
    let verdict = match against.more_to_decide {
        _ if against.is_shown() => String::new(),
        Some(more) => format!(": a tie, {more} more prompts would decide"),
        None => ": a tie".to_owned(),
    };
    let (pick, its) = against.passed;
    Some(format!(
        "of the same {} answers {its} pass, of the pick's {pick}: {difference} points ({low} to {high}){verdict}",
        against.prompts
    ))
}

/// The limits that rows were held to, where that was not all that is stated.
fn enforced(recommendation: &Recommendation) -> Option<String> {
    (!recommendation.not_judged.is_empty()).then(|| list(&recommendation.enforced))
}

fn list(limits: &[Limit]) -> String {
    limits.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn figures(standing: &Standing, recommendation: &Recommendation) -> String {
    let values: Vec<String> = standing
        .criteria
        .iter()
        .map(|scored| {
            let aspect = scored.criterion.aspect;
            let estimated = aspect.metric == MEMORY && standing.memory_estimated;
            let told = aspect.tell(if estimated { "~" } else { "" }, scored.value);
            match standing.measured_memory_bytes.filter(|_| estimated) {
                Some(measured) => format!("{told} by its shape ({} measured here)", Bytes(measured)),
                None => told,
            }
        })
        .collect();
    let cost = standing.cost.map(|cost| format!("; {} a month", Won(cost.krw))).unwrap_or_default();
    let enforced =
        if recommendation.not_judged.contains(&Limit::Attainment) { ", which were not enforced" } else { "" };
    let attained = standing
        .attainment
        .as_ref()
        .map(|attained| format!("; {} of {} requests within the limits{enforced}", attained.met, attained.of));
    format!("{}: {}{}{cost}", standing_in_brief(standing), values.join(", "), attained.unwrap_or_default())
}

fn standing_in_brief(standing: &Standing) -> String {
    match &standing.dominated_by {
        Some(better) => format!("score {:.2}, no better than {better} in anything", standing.score),
        None => format!("score {:.2}", standing.score),
    }
}

fn rejected(recommendation: &Recommendation, lines: &mut Vec<String>) {
    if recommendation.rejected.is_empty() {
        return;
    }
    lines.push("Rejected:".to_owned());
    lines.extend(
        recommendation
            .rejected
            .iter()
            .map(|rejected| format!("  {}: {}", rejected.row, reason(&rejected.reason, recommendation.basis))),
    );
}

fn reason(reason: &Reason, basis: Basis) -> String {
    match reason {
        Reason::Requirements(broken) => broken.iter().map(Broken::to_string).collect::<Vec<_>>().join("; "),
        Reason::Skipped { reason } => format!("skipped, {reason}"),
        Reason::Failed { message, .. } => format!("failed, {message}"),
        Reason::NotJudged => "nothing is known of its answers, unlike of the others'".to_owned(),
        Reason::Pending => "not run yet (`--resume` goes on)".to_owned(),
        Reason::Impossible(figures) => {
            let figures: Vec<String> = figures.iter().map(ToString::to_string).collect();
            format!("impossible, {}: its figures are not to be believed", figures.join("; "))
        }
        Reason::FilesChanged(files) => format!("its files changed while it ran: {}", files.join(", ")),
        Reason::NotMeasured { measured: 0, .. } => {
            format!("ran no {}, which the others are compared by", prompts(basis))
        }
        Reason::NotMeasured { measured, failed } => {
            format!("none of {measured} requests gave a token ({failed} failed)")
        }
    }
}

fn caveats(recommendation: &Recommendation, lines: &mut Vec<String>) {
    if let Some(provisional) = &recommendation.provisional {
        lines.push(format!(
            "Provisional: the service is to run on {}, this run was on {}, whose speed says nothing of it.",
            provisional.wanted_device, provisional.run_device
        ));
    }
    if let Some(enforced) = enforced(recommendation) {
        let why = if recommendation.provisional.is_some() {
            "another device's speed and cost are not the service's"
        } else {
            "prompts of token ids are not the service's requests, and have no cost"
        };
        // Two kinds of limit, for two reasons.
        let (floors, others): (Vec<Limit>, Vec<Limit>) =
            recommendation.not_judged.iter().partition(|limit| limit.floor().is_some());
        let groups = [(others, why), (floors, "no answer was judged by them")];
        let because = |(limits, why): &(Vec<Limit>, &str)| format!("{}, because {why}", list(limits));
        let groups: Vec<String> = groups.iter().filter(|(limits, _)| !limits.is_empty()).map(because).collect();
        lines.push(format!("Enforced: {enforced}. Not enforced: {}.", groups.join("; ")));
    }
    if let Some(pick) = recommendation.first() {
        let weights: Vec<String> = pick
            .criteria
            .iter()
            .map(|scored| format!("{} {}", scored.criterion.aspect, scored.criterion.weight))
            .collect();
        lines.push(format!(
            "Compared by {}. Score: mean of each figure against the best qualified one, weighted {}.",
            prompts(recommendation.basis),
            weights.join(", ")
        ));
    }
    if let Some(hours) = recommendation.affordable_hours {
        let bought = if hours < HOURS_PER_MONTH {
            format!("{hours:.0} of a month's {HOURS_PER_MONTH:.0} GPU hours")
        } else {
            "the GPU for the whole month".to_owned()
        };
        let costs = recommendation.ranking.iter().any(|standing| standing.cost.is_some());
        let costs = if costs { "; costs above count only the time spent answering" } else { "" };
        lines.push(format!("The budget buys {bought}{costs}."));
    }
}

/// 365.25 days ÷ 12.
const HOURS_PER_MONTH: f64 = 730.5;

impl fmt::Display for Flag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Flag::MixedPrecision(precisions) => {
                write!(f, "mixed precision ({}): ", precisions.join(", "))?;
                write!(f, "speed and memory of these rows do not compare the models alone")
            }
            Flag::QualityNotJudged { synthetic } if synthetic.is_empty() => {
                write!(f, "quality is not judged: read the answers before you decide (`bench export`)")
            }
            Flag::QualityNotJudged { synthetic } => {
                match synthetic.as_slice() {
                    [only] => write!(f, "quality is not judged: {only} has")?,
                    rows => write!(f, "quality is not judged: {} rows have", rows.len())?,
                }
                write!(f, " random weights, whose speed and memory are real and whose text is not")
            }
            Flag::CriterionDropped { criterion } => {
                write!(f, "{criterion} is left out of the ranking, being unknown of some row")
            }
            Flag::DebugBuild => write!(f, "debug build: these speeds are not the program's, build with --release"),
        }
    }
}

fn prompts(basis: Basis) -> &'static str {
    match basis {
        Basis::Text => "prompts in Korean or English",
        Basis::Tokens => "prompts of token ids",
    }
}
