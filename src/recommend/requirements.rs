//! Hard requirements: what rejects a row, and by how much it missed.
//!
//! A stated requirement must be shown to be met. Where the value is not known it is not, and the row is rejected.

use std::fmt;

use serde::Serialize;

use super::contender::Contender;
use super::cost::MonthlyCost;
use crate::catalog::{KOREAN_SPEED, Requirements};
use crate::metric::{Aspect, Direction, FIDELITY, ITL_P50, ITL_P99, MEMORY, PASS_RATE};
use crate::suite::Language;
use crate::summarize::{self, Attainment, DEFAULT_ATTAINMENT, LimitAttainment};
use crate::units::{Bytes, Rate, Share, Won};

/// A limit that a row can break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// On the memory that it takes.
    Memory,
    /// On the share of requests that meet every limit on a request.
    Attainment,
    /// On the median speed of Korean answers.
    KoreanSpeed,
    /// On the median of the gaps between tokens.
    ItlP50,
    /// On their 99th percentile.
    ItlP99,
    /// On what a month costs.
    Budget,
    /// The share of requests that must be answered at all. It holds where nothing is stated, and on every device.
    Answered,
    /// On the licence.
    Licence,
    /// A floor under the fidelity of Korean answers.
    KoreanFidelity,
    /// A floor under that of English ones.
    EnglishFidelity,
    /// A floor under the pass rate of all answers.
    PassRate,
    /// A floor under that of Korean ones.
    KoreanPassRate,
}

/// The limits on a figure of all requests together.
const FIGURES: [(Limit, Aspect); 3] = [
    (Limit::KoreanSpeed, KOREAN_SPEED),
    (Limit::ItlP50, Aspect::overall(ITL_P50)),
    (Limit::ItlP99, Aspect::overall(ITL_P99)),
];

/// The floors under the quality of answers.
const FLOORS: [(Limit, Aspect); 4] = [
    (Limit::KoreanFidelity, Aspect::in_language(FIDELITY, Language::Ko)),
    (Limit::EnglishFidelity, Aspect::in_language(FIDELITY, Language::En)),
    (Limit::PassRate, Aspect::overall(PASS_RATE)),
    (Limit::KoreanPassRate, Aspect::in_language(PASS_RATE, Language::Ko)),
];

impl Limit {
    /// What it is a floor under; `None` of limits on something else.
    pub(super) fn floor(self) -> Option<Aspect> {
        self.aspect_in(&FLOORS)
    }

    fn aspect_in(self, limits: &[(Limit, Aspect)]) -> Option<Aspect> {
        limits.iter().find(|(limit, _)| *limit == self).map(|(_, aspect)| *aspect)
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Limit::Memory => f.write_str(MEMORY.label),
            Limit::Attainment => f.write_str("attainment of the request limits"),
            Limit::KoreanSpeed | Limit::ItlP50 | Limit::ItlP99 => {
                self.aspect_in(&FIGURES).iter().try_for_each(|aspect| aspect.fmt(f))
            }
            Limit::Budget => f.write_str("budget"),
            Limit::Answered => f.write_str("requests answered"),
            Limit::Licence => f.write_str("licence"),
            Limit::KoreanFidelity | Limit::EnglishFidelity | Limit::PassRate | Limit::KoreanPassRate => {
                self.floor().iter().try_for_each(|aspect| aspect.fmt(f))
            }
        }
    }
}

/// A requirement that a row does not satisfy, or is not shown to.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "requirement")]
pub enum Broken {
    /// `measured` tells a peak from an estimate.
    Memory {
        /// The most that it may take.
        limit_bytes: u64,
        /// What it takes; `None` where that is not known.
        needed_bytes: Option<u64>,
        /// Whether that was measured, and not estimated.
        measured: bool,
    },
    /// `None` if no request was measured.
    Attainment {
        /// The share that must, 0 to 1.
        required: f64,
        /// How many did.
        attained: Option<Attainment>,
    },
    /// A median of all requests together, as characters per second of Korean answers; `None` where it is not known.
    Figure {
        /// What is limited.
        of: Aspect,
        /// In the metric's unit.
        required: f64,
        /// The median, in the metric's unit.
        measured: Option<f64>,
    },
    /// Requests failed or gave no token, which no other device mends.
    Failures {
        /// The share that must be answered, 0 to 1.
        required: f64,
        /// Requests that were.
        answered: usize,
        /// Of so many.
        of: usize,
    },
    /// A month costs more than it may.
    Budget {
        /// What a month may cost, in won.
        krw_per_month: f64,
        /// What it costs; `None` where no latency is known.
        cost: Option<MonthlyCost>,
    },
    /// Its licence is not among those that are accepted.
    Licence {
        /// Those that are.
        accepted: Vec<String>,
        /// Its own, as the catalog states it; `None` where it does not.
        stated: Option<String>,
    },
    /// Fewer answers are as they should be: the whole interval lies below. `None` if no answer was judged.
    Floor {
        /// What the floor is under.
        of: Aspect,
        /// The floor, a share from 0 to 1.
        required: f64,
        /// What its answers reach.
        rate: Option<summarize::Rate>,
    },
}

/// A floor on which a row's answers do not decide: their interval straddles it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Undecided {
    /// The row's name.
    pub row: String,
    /// What the floor is under.
    pub of: Aspect,
    /// The floor, a share from 0 to 1.
    pub required: f64,
    /// What the row's answers reach.
    pub rate: summarize::Rate,
    /// Answers that would decide it; `None` where no number that anyone asks would.
    pub more: Option<usize>,
}

impl Broken {
    /// Which requirement it is.
    pub fn limit(&self) -> Limit {
        match self {
            Broken::Memory { .. } => Limit::Memory,
            Broken::Attainment { .. } => Limit::Attainment,
            Broken::Failures { .. } => Limit::Answered,
            Broken::Figure { of, .. } => {
                FIGURES.into_iter().find(|(_, aspect)| aspect == of).map_or(Limit::KoreanSpeed, |(limit, _)| limit)
            }
            Broken::Budget { .. } => Limit::Budget,
            Broken::Licence { .. } => Limit::Licence,
            Broken::Floor { of, .. } => {
                FLOORS.into_iter().find(|(_, aspect)| aspect == of).map_or(Limit::PassRate, |(limit, _)| limit)
            }
        }
    }

    /// By what share the limit is exceeded: see [`Direction::excess`]. Of attainment it is that of the limit which is
    /// furthest from one that enough requests would have met. `None` where something is unknown, and for licences.
    pub fn excess(&self) -> Option<f64> {
        match self {
            Broken::Memory { limit_bytes, needed_bytes, .. } => {
                MEMORY.direction.excess((*needed_bytes)? as f64, *limit_bytes as f64)
            }
            Broken::Attainment { required, attained } => {
                let attained = attained.as_ref()?;
                let furthest = worst_excess(attained).filter(|excess| *excess > 0.0);
                // Each limit by itself is met often enough and all of them together are not.
                furthest.or_else(|| Direction::Higher.excess(attained.share(), *required))
            }
            Broken::Figure { of, required, measured } => of.metric.direction.excess((*measured)?, *required),
            Broken::Failures { required, answered, of } => {
                Direction::Higher.excess(*answered as f64 / *of as f64, *required)
            }
            Broken::Budget { krw_per_month, cost } => Direction::Lower.excess((*cost)?.krw, *krw_per_month),
            Broken::Licence { .. } => None,
            Broken::Floor { required, rate, .. } => {
                // An answer in ten thousand at least: none at all is as far off as a number says.
                Direction::Higher.excess((*rate)?.share()?.max(1e-4), *required)
            }
        }
    }
}

/// By what share the limit that is furthest off is exceeded.
fn worst_excess(attained: &Attainment) -> Option<f64> {
    let excess = |limit: &LimitAttainment| limit.metric.direction.excess(limit.attainable?, limit.limit);
    attained.limits.iter().filter_map(excess).max_by(f64::total_cmp)
}

/// What of the enforced limits a row breaks.
pub(super) fn broken(
    contender: &Contender,
    licence: Option<&str>,
    requirements: &Requirements,
    enforced: &[Limit],
) -> Vec<Broken> {
    let one = |limit: &Limit| match limit {
        Limit::Memory => memory(contender, requirements),
        Limit::Attainment => attainment(contender, requirements),
        Limit::KoreanSpeed | Limit::ItlP50 | Limit::ItlP99 => figure(contender, *limit, requirements),
        Limit::Budget => budget(contender, requirements),
        Limit::Answered => failures(contender, requirements),
        Limit::Licence => self::licence(licence, requirements),
        Limit::KoreanFidelity | Limit::EnglishFidelity | Limit::PassRate | Limit::KoreanPassRate => {
            floor(contender, *limit, requirements)
        }
    };
    enforced.iter().filter_map(one).collect()
}

/// A floor rejects only what lies below it with its whole interval, or is not known.
fn floor(contender: &Contender, limit: Limit, requirements: &Requirements) -> Option<Broken> {
    let (of, required) = stated_floor(limit, requirements)?;
    let rate = contender.summary.quality.as_ref().and_then(|quality| quality.rate(of));
    let is_below = rate.and_then(|rate| rate.interval()).is_none_or(|interval| interval.high < required);
    is_below.then_some(Broken::Floor { of, required, rate })
}

fn stated_floor(limit: Limit, requirements: &Requirements) -> Option<(Aspect, f64)> {
    let aspect = limit.floor()?;
    requirements.floors().into_iter().find(|(of, _)| *of == aspect)
}

/// The enforced floors that a row's answers do not decide.
pub(super) fn undecided(contender: &Contender, requirements: &Requirements, enforced: &[Limit]) -> Vec<Undecided> {
    let of = |limit: &Limit| {
        let (of, required) = stated_floor(*limit, requirements)?;
        let rate = contender.summary.quality.as_ref()?.rate(of)?;
        let interval = rate.interval()?;
        let straddles = interval.low < required && interval.high >= required;
        let row = contender.summary.row.clone();
        straddles.then(|| Undecided { row, of, required, rate, more: rate.more_to_decide(required) })
    };
    enforced.iter().filter_map(of).collect()
}

/// The stated limits that can be judged.
pub(super) fn limits(requirements: &Requirements, is_judged: impl Fn(Limit) -> bool) -> Vec<Limit> {
    let (figures, floors) = (requirements.figure_limits(), requirements.floors());
    let is_stated = |stated: &[(Aspect, f64)], aspect: Aspect| stated.iter().any(|(of, _)| *of == aspect);
    let figures = FIGURES.map(|(limit, aspect)| (limit, is_stated(&figures, aspect)));
    let floors = FLOORS.map(|(limit, aspect)| (limit, is_stated(&floors, aspect)));
    let first = [
        (Limit::Memory, requirements.memory_gib.is_some()),
        (Limit::Attainment, !requirements.request_limits().is_empty()),
    ];
    let then = [
        (Limit::Budget, requirements.budget.is_some()),
        (Limit::Answered, true),
        (Limit::Licence, !requirements.licences.is_empty()),
    ];
    let stated = first.into_iter().chain(figures).chain(then).chain(floors);
    let stated = stated.filter(|(_, stated)| *stated).map(|(limit, _)| limit);
    let mut judged: Vec<Limit> = stated.filter(|limit| is_judged(*limit)).collect();
    // A row whose requests attain their limits has answered as many.
    if judged.contains(&Limit::Attainment) {
        judged.retain(|limit| *limit != Limit::Answered);
    }
    judged
}

fn memory(contender: &Contender, requirements: &Requirements) -> Option<Broken> {
    let limit_bytes = (requirements.memory_gib? * 1024f64.powi(3)) as u64;
    let needed_bytes = contender.memory_bytes;
    let measured = needed_bytes.is_some() && needed_bytes == contender.summary.memory.measured_bytes;
    let met = needed_bytes.is_some_and(|needed| needed <= limit_bytes);
    (!met).then_some(Broken::Memory { limit_bytes, needed_bytes, measured })
}

fn attainment(contender: &Contender, requirements: &Requirements) -> Option<Broken> {
    let required = requirements.attainment.unwrap_or(DEFAULT_ATTAINMENT);
    let attained = contender.attainment.clone();
    let met = attained.as_ref().is_some_and(|attained| attained.share() >= required);
    (!met).then_some(Broken::Attainment { required, attained })
}

/// Requests that were not answered break the share that must be, whatever the limits on those that were.
fn failures(contender: &Contender, requirements: &Requirements) -> Option<Broken> {
    let required = requirements.attainment.unwrap_or(DEFAULT_ATTAINMENT);
    let (failed, of) = contender.failed;
    let answered = of.saturating_sub(failed);
    ((answered as f64) < required * of as f64).then_some(Broken::Failures { required, answered, of })
}

fn figure(contender: &Contender, limit: Limit, requirements: &Requirements) -> Option<Broken> {
    let aspect = limit.aspect_in(&FIGURES)?;
    let (of, required) = requirements.figure_limits().into_iter().find(|(of, _)| *of == aspect)?;
    let measured = contender.value(of);
    let met = measured.is_some_and(|measured| of.metric.direction.meets(measured, required));
    (!met).then_some(Broken::Figure { of, required, measured })
}

fn budget(contender: &Contender, requirements: &Requirements) -> Option<Broken> {
    let budget = requirements.budget.as_ref()?;
    let cost = contender.latency.map(|latency| MonthlyCost::of(budget, latency.median));
    let met = cost.is_some_and(|cost| cost.krw <= budget.krw_per_month);
    (!met).then_some(Broken::Budget { krw_per_month: budget.krw_per_month, cost })
}

fn licence(stated: Option<&str>, requirements: &Requirements) -> Option<Broken> {
    let accepted = &requirements.licences;
    let met = stated.is_some_and(|stated| accepted.iter().any(|licence| licence.eq_ignore_ascii_case(stated)));
    (!met).then(|| Broken::Licence { accepted: accepted.clone(), stated: stated.map(String::from) })
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Broken::Memory { limit_bytes, needed_bytes: None, .. } => {
                write!(f, "memory unknown, so not shown to fit in {}", Bytes(*limit_bytes))
            }
            Broken::Memory { limit_bytes, needed_bytes: Some(needed), measured } => {
                let how = if *measured { "takes" } else { "is estimated to take" };
                write!(f, "{how} {}, limit {}", Bytes(*needed), Bytes(*limit_bytes))?;
                write_beyond(f, MEMORY.direction, *needed as f64, *limit_bytes as f64)
            }
            Broken::Attainment { required, attained: None } => {
                write!(f, "no request was measured, {} must meet the limits", Share(*required))
            }
            Broken::Attainment { required, attained: Some(attained) } => {
                let Attainment { met, of, unanswered, limits } = attained;
                write!(f, "{met} of {of} requests ({}) met the limits", Share(attained.share()))?;
                write!(f, ", {} must", Share(*required))?;
                if *unanswered > 0 {
                    write!(f, "; {unanswered} failed or gave no token")?;
                }
                let must = (required * *of as f64 - 1e-9).ceil() as usize;
                let is_broken = |limit: &&LimitAttainment| limit.missed + limit.unknown > 0;
                limits.iter().filter(is_broken).try_for_each(|limit| write_limit(f, limit, must, *of))
            }
            Broken::Failures { required, answered, of } => {
                let failed = of - answered;
                write!(f, "{failed} of {of} requests failed, {} must be answered", Share(*required))
            }
            Broken::Figure { of, required, measured: None } => {
                let (metric, bound) = (of.metric, of.metric.direction.bound());
                write!(f, "{of} unknown, {bound} {} required", metric.unit.show(*required))
            }
            Broken::Figure { of, required, measured: Some(measured) } => {
                let direction = of.metric.direction;
                let required_at = format!("{} {} required", direction.bound(), of.metric.unit.show(*required));
                write!(f, "{}, {required_at}", of.tell("", *measured))?;
                write_beyond(f, direction, *measured, *required)
            }
            Broken::Budget { krw_per_month, cost: None } => {
                write!(f, "cost unknown, so not shown to stay within {} a month", Won(*krw_per_month))
            }
            Broken::Budget { krw_per_month, cost: Some(cost) } => {
                write!(f, "{} a month, budget {}", Won(cost.krw), Won(*krw_per_month))?;
                write_beyond(f, Direction::Lower, cost.krw, *krw_per_month)
            }
            Broken::Floor { of, required, rate: None } => {
                write!(f, "{of} unknown, so not shown to reach {}", Share(*required))
            }
            Broken::Floor { of, required, rate: Some(rate) } => {
                write!(f, "{of} {rate}, at least {} required", Share(*required))
            }
            Broken::Licence { accepted, stated } => {
                match stated {
                    Some(stated) => write!(f, "licence `{stated}` is not among those accepted")?,
                    None => write!(f, "licence not stated, and only some are accepted")?,
                }
                write!(f, " ({})", accepted.join(", "))
            }
        }
    }
}

/// One limit on a request: who missed it, and what would have been met.
fn write_limit(f: &mut fmt::Formatter<'_>, limit: &LimitAttainment, must: usize, of: usize) -> fmt::Result {
    let metric = limit.metric;
    let bound = metric.direction.bound();
    write!(f, "; {} {bound} {}", metric.label, metric.unit.show_in_text(limit.limit))?;
    match (limit.missed, limit.unknown) {
        (0, unknown) => write!(f, " not shown for {unknown}")?,
        (missed, 0) => write!(f, " missed by {missed}")?,
        (missed, unknown) => write!(f, " missed by {missed} and not shown for {unknown}")?,
    }
    match limit.attainable.filter(|attainable| !metric.direction.meets(*attainable, limit.limit)) {
        Some(attainable) => {
            // Counted: of few requests the share that must is no percentile.
            write!(f, ", {must} of {of} reach {}", metric.unit.show_in_text(attainable))?;
            write_beyond(f, metric.direction, attainable, limit.limit)
        }
        None => Ok(()),
    }
}

/// How far a value lies beyond its limit, in words.
fn write_beyond(f: &mut fmt::Formatter<'_>, direction: Direction, value: f64, limit: f64) -> fmt::Result {
    let percent = |share: f64| {
        if share < 0.01 { "less than 1 %".to_owned() } else { format!("{:.0} %", share * 100.0) }
    };
    match (direction, direction.excess(value, limit)) {
        (_, None) => Ok(()),
        (Direction::Lower, Some(excess)) if excess >= 1.0 => write!(f, ": {} times the limit", Rate(1.0 + excess)),
        (Direction::Lower, Some(excess)) => write!(f, ": {} over", percent(excess)),
        (Direction::Higher, Some(_)) => write!(f, ": {} below", percent(1.0 - value / limit)),
    }
}
