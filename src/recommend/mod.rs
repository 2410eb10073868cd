//! Recommending: summaries and requirements in, a pick with its reasons out.
//!
//! Pure, and in three steps: hard requirements reject; of those left, some are beaten in everything by another; the rest
//! are ranked by stated weights. What was decided is data; [`explain`] says it in words.

mod contender;
mod cost;
mod explain;
mod pareto;
mod rank;
mod requirements;

use serde::Serialize;

use crate::metric::{Aspect, MEMORY};
use crate::record::{FailureKind, RowOutcome, Run};
use crate::summarize::{Impossible, RowSummary};

use contender::Contender;

pub use contender::Basis;
pub use cost::{MonthlyCost, affordable_hours};
pub use explain::explain;
pub use rank::{CRITERIA, Criterion, Scored, Standing, TIE_MARGIN, Tie};
pub use requirements::{Broken, Limit};

/// What to put behind the service, and why not the others.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Recommendation {
    /// Which requests the figures are of; the same for every row.
    pub basis: Basis,
    /// Rows that break no enforced limit, best score first.
    pub ranking: Vec<Standing>,
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
    pub flags: Vec<Flag>,
    /// GPU hours that a month's budget buys; `None` without a budget.
    pub affordable_hours: Option<f64>,
}

impl Recommendation {
    /// The recommended row; `None` if nothing qualifies.
    pub fn pick(&self) -> Option<&Standing> {
        self.ranking.first()
    }

    /// The second of the ranking; `None` if fewer than two rows qualify.
    pub fn runner_up(&self) -> Option<&Standing> {
        self.ranking.get(1)
    }
}

/// A row that is not recommended.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rejected {
    pub row: String,
    pub reason: Reason,
}

/// Why a row is not recommended.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    Requirements(Vec<Broken>),
    Skipped {
        reason: String,
    },
    Failed {
        kind: FailureKind,
        message: String,
    },
    /// Not run, the run having been interrupted.
    Pending,
    /// It ran, and took more of the GPU than there is, so that its figures are not to be believed.
    Impossible(Vec<Impossible>),
    /// It ran, and no request of the basis gave a token.
    NotMeasured {
        measured: usize,
        failed: usize,
    },
}

/// The row that comes closest where none qualifies.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NearestMiss {
    pub row: String,
    /// By what share it exceeds the requirement that it breaks most: 0.1 is a tenth too much.
    pub excess: f64,
}

/// The run was made on another device than the service's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Provisional {
    pub wanted_device: String,
    pub run_device: String,
}

/// Something that a reader of the ranking must know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Flag {
    /// The rows that ran differ in precision, so neither speed nor memory compares the models alone.
    MixedPrecision(Vec<String>),
    /// Nothing here says how good the answers are; of these rows, with random weights, nothing could.
    QualityNotJudged { synthetic: Vec<String> },
    /// Known of some qualified rows only, and left out of the ranking of all.
    CriterionDropped { criterion: Aspect },
    /// The program was built without optimization.
    DebugBuild,
}

/// Recommends one of a run's rows. `summaries` are [`crate::summarize::summarize`]'s of the same run.
pub fn recommend(run: &Run, summaries: &[RowSummary]) -> Recommendation {
    let basis = Basis::of_run(run, summaries);
    let elsewhere = elsewhere(run);
    let (enforced, not_judged) = requirements::limits(&run.requirements, |limit| is_judged(limit, basis, elsewhere));
    let mut qualified = Vec::new();
    let mut rejected = Vec::new();
    for (row, summary) in run.rows.iter().zip(summaries) {
        let reason = match &row.outcome {
            RowOutcome::Skipped { reason } => Reason::Skipped { reason: reason.clone() },
            RowOutcome::Failed { kind, message } => Reason::Failed { kind: *kind, message: message.clone() },
            RowOutcome::Pending => Reason::Pending,
            RowOutcome::Ran if !summary.impossible.is_empty() => Reason::Impossible(summary.impossible.clone()),
            RowOutcome::Ran => match Contender::of(summary, basis, elsewhere) {
                None => not_measured(summary, basis),
                Some(contender) => {
                    let broken = requirements::broken(
                        &contender,
                        row.candidate.licence.as_deref(),
                        &run.requirements,
                        &enforced,
                    );
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

    let budget = run.requirements.budget.as_ref().filter(|_| !not_judged.contains(&Limit::Budget));
    let ranking = rank::rank(&qualified, budget);
    Recommendation {
        basis,
        tie: rank::tie(&ranking),
        nearest_miss: if ranking.is_empty() { nearest_miss(run, &rejected) } else { None },
        provisional: run
            .requirements
            .device
            .clone()
            .filter(|_| elsewhere)
            .map(|wanted_device| Provisional { wanted_device, run_device: run.environment.device_name.clone() }),
        enforced,
        not_judged,
        flags: flags(run, summaries, &qualified),
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

/// Limits on speed and cost say nothing of another device, and a cost needs requests that are the service's.
fn is_judged(limit: Limit, basis: Basis, elsewhere: bool) -> bool {
    !(limit.is_on_speed_or_cost() && elsewhere || limit == Limit::Budget && basis == Basis::Tokens)
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

fn flags(run: &Run, summaries: &[RowSummary], qualified: &[Contender]) -> Vec<Flag> {
    let ran = || run.rows.iter().zip(summaries).filter(|(row, _)| row.outcome == RowOutcome::Ran);
    let precisions: std::collections::BTreeSet<&str> =
        ran().filter_map(|(_, summary)| summary.precision_type()).collect();
    let synthetic = ran().filter(|(_, summary)| summary.synthetic).map(|(_, summary)| summary.row.clone()).collect();

    let mut flags = Vec::new();
    if precisions.len() > 1 {
        flags.push(Flag::MixedPrecision(precisions.into_iter().map(String::from).collect()));
    }
    flags.extend(rank::dropped(qualified).map(|criterion| Flag::CriterionDropped { criterion: criterion.aspect }));
    if ran().next().is_some() {
        flags.push(Flag::QualityNotJudged { synthetic });
    }
    if run.environment.debug_build {
        flags.push(Flag::DebugBuild);
    }
    flags
}

#[cfg(test)]
mod tests;
