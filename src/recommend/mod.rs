//! Recommending: summaries and requirements in, a pick with its reasons out.
//!
//! Pure, and in three steps: hard requirements reject; of those left, some are beaten in everything by another; the rest
//! are ranked by stated weights. What was decided is data; [`explain`] says it in words.

#![warn(missing_docs)]

mod contender;
mod cost;
mod difference;
mod explain;
mod pareto;
mod rank;
mod requirements;

use serde::Serialize;

use crate::metric::{Aspect, DECODE, MEMORY};
use crate::record::{FailureKind, RowOutcome, Run, Stated};
use crate::summarize::{Impossible, Rate, RowSummary, attainment};

use contender::Contender;

pub use contender::Basis;
pub use cost::{MonthlyCost, affordable_hours};
pub use difference::QualityDifference;
pub use explain::{explain, provenance};
pub use rank::{CRITERIA, Criterion, INSTANT, SCREENING, Scored, Standing, TIE_MARGIN, Tie};
pub use requirements::{Broken, Limit, Undecided};

/// What to put behind the service, and why not the others.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Recommendation {
    /// Which requests the figures are of; the same for every row.
    pub basis: Basis,
    /// Nothing is known of the answers, so the ranking is an order by speed and size, and recommends nobody.
    pub screening: Option<Screening>,
    /// Rows that break no enforced limit, best score first.
    pub ranking: Vec<Standing>,
    /// The pick's answers beside those of each other ranked row.
    pub quality_differences: Vec<QualityDifference>,
    /// Floors on which the answers of ranked rows do not decide.
    pub undecided: Vec<Undecided>,
    /// Rows that are not told apart from the pick.
    pub tie: Option<Tie>,
    /// In the order of the plan.
    pub rejected: Vec<Rejected>,
    /// If nothing qualifies: which came closest.
    pub nearest_miss: Option<NearestMiss>,
    /// Why the recommendation does not settle the question yet.
    pub provisional: Option<Provisional>,
    /// Limits that rows were held to.
    pub enforced: Vec<Limit>,
    /// Stated limits that this run could not judge, and that were not enforced.
    pub not_judged: Vec<Limit>,
    /// What a reader of it must know.
    pub flags: Vec<Flag>,
    /// Where the requirements come from; `None` for runs stored before this was kept.
    pub stated: Option<Stated>,
    /// GPU hours that a month's budget buys; `None` without a budget.
    pub affordable_hours: Option<f64>,
}

impl Recommendation {
    /// The recommended row; `None` if nothing qualifies, and of a screening.
    pub fn pick(&self) -> Option<&Standing> {
        self.ranking.first().filter(|_| self.screening.is_none())
    }

    /// The first of the ranking, recommended or not; `None` if nothing qualifies.
    pub fn first(&self) -> Option<&Standing> {
        self.ranking.first()
    }

    /// The second of the ranking; `None` if fewer than two rows qualify.
    pub fn runner_up(&self) -> Option<&Standing> {
        self.ranking.get(1)
    }
}

/// What an order by speed and size says, where nothing is known of the answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Screening {
    /// The row of the highest decode rate; `None` where none is known.
    pub fastest: Option<String>,
    /// The row that takes the least memory; likewise.
    pub smallest: Option<String>,
}

/// A row that is not recommended.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rejected {
    /// [`crate::catalog::Candidate::row`].
    pub row: String,
    /// Why not this one.
    pub reason: Reason,
}

/// Why a row is not recommended.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// It breaks limits that were enforced.
    Requirements(Vec<Broken>),
    /// It cannot run here, which was known beforehand.
    Skipped {
        /// Why, for people.
        reason: String,
    },
    /// It could not be acquired or loaded.
    Failed {
        /// What kind of failure that was.
        kind: FailureKind,
        /// What the failure said.
        message: String,
    },
    /// Not run, the run having been interrupted.
    Pending,
    /// It ran, and took more of the GPU than there is, so that its figures are not to be believed.
    Impossible(Vec<Impossible>),
    /// It ran, and these of its weight files changed meanwhile.
    FilesChanged(Vec<String>),
    /// It ran, and nothing is known of its answers, unlike of the others'.
    NotJudged,
    /// It ran, and no request of the basis gave a token.
    NotMeasured {
        /// Requests that were made.
        measured: usize,
        /// Of them, those that failed.
        failed: usize,
    },
}

/// The row that comes closest where none qualifies.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NearestMiss {
    /// [`crate::catalog::Candidate::row`].
    pub row: String,
    /// By what share it exceeds the requirement that it breaks most: 0.1 is a tenth too much.
    pub excess: f64,
}

/// The run was made on another device than the service's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Provisional {
    /// The service's device, as the requirements name it.
    pub wanted_device: String,
    /// The run's device.
    pub run_device: String,
}

/// Something that a reader of the ranking must know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Flag {
    /// The rows that ran differ in precision, so neither speed nor memory compares the models alone.
    MixedPrecision(Vec<String>),
    /// Nothing here says how good the answers are; of these rows, with random weights, nothing could.
    QualityNotJudged {
        /// By [`crate::catalog::Candidate::row`]; none where no row is of random weights.
        synthetic: Vec<String>,
    },
    /// Known of some qualified rows only, and left out of the ranking of all.
    CriterionDropped {
        /// What they would have been compared in.
        criterion: Aspect,
    },
    /// The program was built without optimization.
    DebugBuild,
}

/// Recommends one of a run's rows. `summaries` are [`crate::summarize::summarize`]'s of the same run.
pub fn recommend(run: &Run, summaries: &[RowSummary]) -> Recommendation {
    let basis = Basis::of_run(run, summaries);
    let elsewhere = elsewhere(run);
    let by_hand = |key: &str| run.stated.as_ref().is_some_and(|stated| stated.is_by_hand(key));
    // What is given by hand is a limit on this machine, whatever the service will run on.
    let held = if elsewhere { run.requirements.without_speed_and_cost(by_hand) } else { run.requirements.clone() };
    let is_known = |limit: Limit| match limit.floor() {
        Some(aspect) => summaries.iter().any(|summary| rate(summary, aspect).is_some()),
        None => limit != Limit::Budget || basis == Basis::Text,
    };
    let enforced = requirements::limits(&held, is_known);
    let mut not_judged = requirements::limits(&run.requirements, |_| true);
    not_judged.retain(|limit| *limit != Limit::Answered && !enforced.contains(limit));
    let mut qualified = Vec::new();
    let mut rejected = Vec::new();
    for (row, summary) in run.rows.iter().zip(summaries) {
        let reason = match &row.outcome {
            RowOutcome::Skipped { reason } => Reason::Skipped { reason: reason.clone() },
            RowOutcome::Failed { kind, message } => Reason::Failed { kind: *kind, message: message.clone() },
            RowOutcome::Pending => Reason::Pending,
            RowOutcome::Ran if row.load.as_ref().is_some_and(|load| !load.files_changed.is_empty()) => {
                Reason::FilesChanged(row.load.as_ref().map_or_else(Vec::new, |load| load.files_changed.clone()))
            }
            RowOutcome::Ran if !summary.impossible.is_empty() => Reason::Impossible(summary.impossible.clone()),
            RowOutcome::Ran => match Contender::of(summary, &run.requirements, basis, elsewhere) {
                None => not_measured(summary, basis),
                Some(mut contender) => {
                    if elsewhere && enforced.contains(&Limit::Attainment) {
                        contender.attainment = attainment(row, basis == Basis::Text, &held);
                    }
                    let broken = requirements::broken(&contender, row.candidate.licence.as_deref(), &held, &enforced);
                    if broken.is_empty() {
                        qualified.push(contender);
                        continue;
                    }
                    Reason::Requirements(broken)
                }
            },
        };
        rejected.push(Rejected { row: summary.row.clone(), reason });
    }

    let is_judged = |contender: &Contender| basis == Basis::Text && contender.summary.quality.is_some();
    let screens = !qualified.iter().any(is_judged);
    if !screens {
        let (judged, unknown): (Vec<Contender>, Vec<Contender>) = qualified.into_iter().partition(is_judged);
        qualified = judged;
        let unknown = unknown.into_iter().map(|contender| contender.summary.row.clone());
        rejected.extend(unknown.map(|row| Rejected { row, reason: Reason::NotJudged }));
    }
    let criteria: &[Criterion] = if screens { &SCREENING } else { &CRITERIA };
    let budget = held.budget.as_ref().filter(|_| !not_judged.contains(&Limit::Budget));
    let ranking = rank::rank(criteria, &qualified, budget);
    let rows: Vec<&str> = ranking.iter().map(|standing| standing.row.as_str()).collect();
    let quality_differences = if screens { Vec::new() } else { difference::differences(&rows, summaries) };
    let undecided =
        qualified.iter().flat_map(|contender| requirements::undecided(contender, &held, &enforced)).collect();
    Recommendation {
        basis,
        screening: (screens && !ranking.is_empty()).then(|| screening(&qualified)),
        tie: rank::tie(&ranking, &quality_differences),
        quality_differences,
        undecided,
        nearest_miss: if ranking.is_empty() { nearest_miss(run, &rejected) } else { None },
        provisional: run
            .requirements
            .device
            .clone()
            .filter(|_| elsewhere)
            .map(|wanted_device| Provisional { wanted_device, run_device: run.environment.device_name.clone() }),
        enforced,
        not_judged,
        stated: run.stated.clone(),
        flags: flags(run, summaries, criteria, &qualified),
        affordable_hours: run.requirements.budget.as_ref().and_then(affordable_hours),
        ranking,
        rejected,
    }
}

/// Whether the service will run on another device than this run did.
fn elsewhere(run: &Run) -> bool {
    run.requirements
        .device
        .as_ref()
        .is_some_and(|wanted| !run.environment.device_name.to_lowercase().contains(&wanted.to_lowercase()))
}

fn rate(summary: &RowSummary, aspect: Aspect) -> Option<Rate> {
    summary.quality.as_ref()?.rate(aspect)
}

/// The fastest and the smallest of some rows.
fn screening(qualified: &[Contender]) -> Screening {
    let best = |aspect: Aspect| {
        let known = qualified.iter().filter_map(|contender| Some((contender.value(aspect)?, contender)));
        let better = aspect.metric.direction;
        let best = known.reduce(|a, b| if better.better(a.0, b.0) == a.0 { a } else { b })?;
        Some(best.1.summary.row.clone())
    };
    Screening { fastest: best(Aspect::overall(DECODE)), smallest: best(Aspect::overall(MEMORY)) }
}

fn not_measured(summary: &RowSummary, basis: Basis) -> Reason {
    let group = basis.of(summary);
    Reason::NotMeasured {
        measured: group.map_or(0, |group| group.measured),
        failed: group.map_or(0, |group| group.failed),
    }
}

/// The rejected row whose worst excess is smallest; of a row that does not fit, how much more memory it needs than is
/// there. Rows with something unknown, or a licence that is not accepted, cannot be said to be near.
fn nearest_miss(run: &Run, rejected: &[Rejected]) -> Option<NearestMiss> {
    let misses = rejected.iter().filter_map(|rejected| {
        let excess = match &rejected.reason {
            Reason::Requirements(broken) => {
                let excesses: Option<Vec<f64>> = broken.iter().map(Broken::excess).collect();
                excesses?.into_iter().max_by(f64::total_cmp)?
            }
            Reason::Skipped { .. } => {
                let fit = run.rows.iter().find(|row| row.candidate.row() == rejected.row)?.fit.as_ref()?;
                fit.missing_bytes()?;
                MEMORY.direction.excess(fit.total_bytes() as f64, fit.available_bytes as f64)?
            }
            _ => return None,
        };
        Some(NearestMiss { row: rejected.row.clone(), excess })
    });
    misses.min_by(|a, b| a.excess.total_cmp(&b.excess))
}

fn flags(run: &Run, summaries: &[RowSummary], criteria: &[Criterion], qualified: &[Contender]) -> Vec<Flag> {
    let ran = || run.rows.iter().zip(summaries).filter(|(row, _)| row.outcome == RowOutcome::Ran);
    let precisions: std::collections::BTreeSet<&str> =
        ran().filter_map(|(_, summary)| summary.precision_type()).collect();
    let synthetic = ran().filter(|(_, summary)| summary.synthetic).map(|(_, summary)| summary.row.clone()).collect();

    let mut flags = Vec::new();
    if precisions.len() > 1 {
        flags.push(Flag::MixedPrecision(precisions.into_iter().map(String::from).collect()));
    }
    flags.extend(
        rank::dropped(criteria, qualified).map(|criterion| Flag::CriterionDropped { criterion: criterion.aspect }),
    );
    if ran().next().is_some() && ran().all(|(_, summary)| summary.quality.is_none()) {
        flags.push(Flag::QualityNotJudged { synthetic });
    }
    if run.environment.debug_build {
        flags.push(Flag::DebugBuild);
    }
    flags
}

#[cfg(test)]
mod tests;
