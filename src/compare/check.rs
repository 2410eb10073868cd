//! A check: a run against a baseline, figure by figure and answer by answer, with one outcome.

use serde::Serialize;

use super::asked::Asked;
use super::baseline::Baseline;
use super::difference::{self, Difference};
use super::figures::{Place, Values, places, values};
use super::quality::{QualityCheck, quality};
use super::verdict::{Comparison, Disturbance, Doubt, Judgement, Verdict, judge};
use super::{Digest, RowDigest, Scale, Subject};
use crate::record::RowOutcome;

/// A run against a baseline.
#[derive(Debug, Clone, Serialize)]
pub struct Check {
    /// The baseline.
    pub before: Side,
    /// What is held against it.
    pub after: Side,
    /// Whether the sides were run in turn.
    pub paired: bool,
    /// In which versions the environments differ by a patch level, which does not keep them from being compared.
    pub patches: Vec<Difference>,
    /// In what else they differ that was allowed to.
    pub allowed: Vec<Difference>,
    /// In the order of the baseline's candidates.
    pub rows: Vec<RowCheck>,
    /// Candidates that only the run has: there is nothing to judge them against.
    pub new_rows: Vec<String>,
}

/// One side's run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Side {
    /// The run's id.
    pub run: String,
    /// When it began, by the wall clock.
    pub started_at: jiff::Timestamp,
    /// The version of bench that made it.
    pub program_version: String,
    /// The commit that it was built from, where that is known.
    pub program_commit: Option<String>,
    /// What it ran on.
    pub device_name: String,
}

/// One candidate.
#[derive(Debug, Clone, Serialize)]
pub struct RowCheck {
    /// [`crate::catalog::Candidate::row`].
    pub row: String,
    /// What went wrong with it that had not before.
    pub failure: Option<String>,
    /// Each figure that was asked for and that the baseline has.
    pub figures: Vec<FigureCheck>,
    /// What its answers are worth; empty where they were not judged on both sides.
    pub quality: Vec<QualityCheck>,
    /// Prompts that are answered with other tokens than before.
    pub answers: Vec<ChangedAnswer>,
    /// Answers that were held against each other.
    pub answers_compared: usize,
}

/// One figure.
#[derive(Debug, Clone, Serialize)]
pub struct FigureCheck {
    /// Where it belongs.
    #[serde(flatten)]
    pub place: Place,
    /// What is compared.
    #[serde(serialize_with = "as_key")]
    pub metric: Subject,
    /// By what share it may be worse.
    pub tolerance: f64,
    /// What the machine's own runs differ by, as measured, or presumed of memory; `None` where nobody knows.
    pub noise: Option<f64>,
    /// Median before and after, in the metric's unit.
    pub before: Option<f64>,
    /// Likewise, of the run that is judged.
    pub after: Option<f64>,
    /// Observations on each side: trials, processes, or the prompts of texts.
    pub n: (usize, usize),
    /// What that comes to.
    #[serde(flatten)]
    pub judgement: Judgement,
}

/// An answer that parts from the one before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChangedAnswer {
    /// The prompt's suite.
    pub suite: String,
    /// With its language where it has one.
    pub prompt: String,
    /// Which of the prompt's trials, counted from 0.
    pub trial: usize,
    /// The first output token that differs, counted from 0.
    pub position: usize,
    /// `None` where the answer had ended.
    pub before: Option<u32>,
    /// Likewise, of the run that is judged.
    pub after: Option<u32>,
}

/// What a check comes to, the first that applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A figure is worse by more than its tolerance, a candidate fails, or an answer is another.
    Regressed,
    /// Something could not be compared at all.
    Incomparable,
    /// Some figure was not decided.
    Inconclusive,
    /// Nothing is worse, and everything was decided.
    Passed,
}

/// Holds a run against a baseline, whose noise the asked tolerances are not below: see [`Asked::against`].
pub fn check(baseline: &Baseline, current: &Digest, asked: &Asked) -> Check {
    let before = &baseline.digest;
    let common = difference::runs(before, current, &asked.allowed);
    let environments = (&before.environment, &current.environment);
    let mut allowed = difference::environments(environments.0, environments.1);
    allowed.retain(|difference| asked.allowed.contains(&difference.what));
    // What never ran is no baseline for anything.
    let ran: Vec<&RowDigest> = before.rows.iter().filter(|row| row.trials() > 0).collect();
    let qualities = quality(&ran, before, current, asked);
    let pending: Vec<(&RowDigest, Vec<Pending>)> =
        ran.into_iter().map(|row| (row, pending(row, baseline, current, &common, asked))).collect();
    // Together: the more figures a check has, the more certain each of its alarms must be.
    let comparisons: Vec<Comparison> =
        pending.iter().flat_map(|(_, figures)| figures).filter_map(|figure| figure.comparison.clone()).collect();
    let mut judgements = judge(&comparisons).into_iter();
    let rows = pending
        .into_iter()
        .zip(qualities)
        .map(|((row, figures), quality)| {
            let now = current.row(&row.candidate.row());
            let comparable = common.is_empty() && now.is_some_and(|now| difference::rows(row, now).is_none());
            let (answers, answers_compared) = match now {
                Some(now) if comparable => answers(row, now, before, current),
                _ => (Vec::new(), 0),
            };
            RowCheck {
                row: row.candidate.row(),
                failure: now.and_then(|now| failure(row, now)),
                figures: figures.into_iter().map(|figure| figure.decided(&mut judgements)).collect(),
                quality,
                answers,
                answers_compared,
            }
        })
        .collect();
    let new_rows = current.rows.iter().map(|row| row.candidate.row()).filter(|name| before.row(name).is_none());
    Check {
        before: Side::of(before),
        after: Side::of(current),
        paired: asked.paired,
        patches: difference::patches(environments.0, environments.1),
        allowed,
        rows,
        new_rows: new_rows.collect(),
    }
}

/// In what a run differs from another so that it cannot take its place.
pub fn incomparable(before: &Digest, after: &Digest) -> Vec<Difference> {
    let mut differences = difference::runs(before, after, &[]);
    differences.extend(before.settings.suites.keys().filter_map(|suite| difference::suites(suite, before, after)));
    for row in before.rows.iter().filter(|row| row.trials() > 0) {
        let now = after.row(&row.candidate.row());
        differences.extend(now.map_or_else(|| Some(missing(row, after)), |now| difference::rows(row, now)));
    }
    differences
}

impl Check {
    /// Every figure of every candidate.
    pub fn figures(&self) -> impl Iterator<Item = &FigureCheck> {
        self.rows.iter().flat_map(|row| &row.figures)
    }

    /// Every rate of every candidate.
    pub fn qualities(&self) -> impl Iterator<Item = &QualityCheck> {
        self.rows.iter().flat_map(|row| &row.quality)
    }

    /// Of every figure and every rate.
    pub fn verdicts(&self) -> impl Iterator<Item = &Verdict> {
        let figures = self.figures().map(|figure| &figure.judgement.verdict);
        figures.chain(self.qualities().map(|quality| &quality.verdict))
    }

    /// Whether a run is held against itself, which shows nothing.
    pub fn is_of_itself(&self) -> bool {
        self.before.run == self.after.run && !self.paired
    }

    /// The widest tolerance, if it is so wide that a check means little; with its figure.
    pub fn widest_tolerance(&self) -> Option<&FigureCheck> {
        let wide = self.figures().filter(|figure| figure.tolerance > WIDE);
        wide.max_by(|a, b| a.tolerance.total_cmp(&b.tolerance))
    }

    /// Whether an undecided figure is far worse, so that nobody may take the check for passed.
    pub fn is_far_worse(&self) -> bool {
        let far = |figure: &FigureCheck| {
            matches!(figure.judgement.verdict, Verdict::Inconclusive(Doubt::Disturbed { far: true, .. }))
        };
        self.figures().any(far)
    }

    /// What all figures and answers come to.
    pub fn outcome(&self) -> Outcome {
        let verdicts = || self.verdicts();
        let any = |wanted: fn(&Verdict) -> bool| verdicts().any(wanted);
        let broken = self.rows.iter().any(|row| row.failure.is_some() || !row.answers.is_empty());
        if broken || any(|verdict| matches!(verdict, Verdict::Regressed)) {
            Outcome::Regressed
        } else if any(|verdict| matches!(verdict, Verdict::Incomparable(_))) || verdicts().next().is_none() {
            Outcome::Incomparable
        } else if any(|verdict| matches!(verdict, Verdict::Inconclusive(_))) {
            Outcome::Inconclusive
        } else {
            Outcome::Passed
        }
    }
}

impl Side {
    fn of(digest: &Digest) -> Self {
        let environment = &digest.environment;
        Self {
            run: digest.run.clone(),
            started_at: digest.started_at,
            program_version: environment.program_version.clone(),
            program_commit: environment.program_commit.clone(),
            device_name: environment.device_name.clone(),
        }
    }
}

/// A figure that is not judged yet.
struct Pending {
    place: Place,
    subject: Subject,
    tolerance: f64,
    noise: Option<f64>,
    before: Option<f64>,
    after: Option<f64>,
    n: (usize, usize),
    /// What is judged, together with all others of the check; `None` if something stands against it.
    comparison: Option<Comparison>,
    /// Said in place of what would be judged.
    instead: Option<Verdict>,
}

fn pending(
    row: &RowDigest,
    baseline: &Baseline,
    current: &Digest,
    common: &[Difference],
    asked: &Asked,
) -> Vec<Pending> {
    let now = current.row(&row.candidate.row());
    let of_row = match now {
        Some(now) => difference::rows(row, now),
        None => Some(missing(row, current)),
    };
    let figures = places(row, &asked.subjects().collect::<Vec<_>>());
    let figures = figures.into_iter().filter_map(|(place, subject)| {
        let (before, after) = (values(row, &place, subject)?, now.and_then(|now| values(now, &place, subject)));
        let measured = baseline.noise.as_ref().and_then(|noise| noise.share(&place, subject));
        let noise = measured.or_else(|| presumed_noise(subject, &before)).filter(|_| !asked.paired);
        // One load says nothing where nobody knows how much two of them differ.
        if matches!(subject, Subject::Load) && before.count() == 1 && noise.is_none() {
            return None;
        }
        let of_suite = place.suite.as_ref().and_then(|suite| difference::suites(suite, &baseline.digest, current));
        let differences: Vec<Difference> = common.iter().cloned().chain(of_row.clone()).chain(of_suite).collect();
        // One figure a side lies anywhere within its noise, so at the noise itself nothing could ever be decided.
        let least = noise.map(|noise| if place.suite.is_none() { 2.0 * noise } else { noise });
        let tolerance = asked.tolerance(subject, least);
        // What is zero somewhere has no ratio: a count goes from none to some.
        let least =
            subject.least_difference().filter(|_| before.has_zero() || after.as_ref().is_some_and(Values::has_zero));
        let scale = if least.is_some() { Scale::Difference } else { Scale::Ratio };
        let accepted = tolerance * before.median().unwrap_or_default().abs();
        let comparison = after.as_ref().map(|after| Comparison {
            accepted_difference: accepted.max(least.unwrap_or_default()),
            disturbance: disturbed(row, now).filter(|_| !subject.is_size()),
            ..Comparison::new(before.change(after, asked.paired, noise, scale), subject.direction(), tolerance)
        });
        let n = (before.count(), after.as_ref().map_or(0, Values::count));
        let instead = if !differences.is_empty() {
            Some(Verdict::Incomparable(differences))
        } else if after.is_none() {
            let none =
                Difference { what: subject.label().into(), before: before.count().to_string(), after: "0".into() };
            Some(Verdict::Incomparable(vec![Difference { what: format!("values of {}", none.what), ..none }]))
        } else {
            None
        };
        let (before, after) = (before.median(), after.and_then(|after| after.median()));
        let comparison = comparison.filter(|_| instead.is_none());
        Some(Pending { place, subject, tolerance, noise, before, after, n, comparison, instead })
    });
    figures.collect()
}

/// Pages that an allocator happens to hold or not: what two runs of the same may differ by where nobody measured it.
pub(super) const HELD_PAGES_BYTES: f64 = 8.0 * 1024.0 * 1024.0;

/// What is presumed of a subject's noise where it was not measured: of memory, a share that matters to small models only.
fn presumed_noise(subject: Subject, before: &Values) -> Option<f64> {
    match subject {
        Subject::Memory => Some(HELD_PAGES_BYTES / before.median()?.max(1.0)),
        Subject::Load | Subject::Metric(_) | Subject::Rate(_) => None,
    }
}

impl Pending {
    fn decided(self, judgements: &mut impl Iterator<Item = Judgement>) -> FigureCheck {
        let Self { place, subject, tolerance, noise, before, after, n, comparison, instead } = self;
        let judged = comparison.and_then(|_| judgements.next());
        let verdict = instead.unwrap_or(Verdict::Inconclusive(Doubt::Straddles { more_trials: None }));
        let judgement = judged.unwrap_or(Judgement { verdict, evidence: None });
        FigureCheck { place, metric: subject, tolerance, noise, before, after, n, judgement }
    }
}

/// A tolerance beyond this passes what every user notices.
const WIDE: f64 = 0.25;

/// A share of disturbed trials that makes a run's figures doubtful: medians bear some.
const DOUBTFUL: f64 = 0.2;

impl RowDigest {
    /// Whether so many of its trials were disturbed that its figures are not its own.
    pub fn is_doubtful(&self) -> bool {
        self.disturbed as f64 > DOUBTFUL * self.trials() as f64
    }
}

fn disturbed(before: &RowDigest, after: Option<&RowDigest>) -> Option<Disturbance> {
    let after = after.filter(|row| row.is_doubtful());
    let of_baseline = before.is_doubtful();
    let row = after.or(Some(before).filter(|_| of_baseline))?;
    let (disturbed, trials, on_gpu, by) = (row.disturbed, row.trials(), row.gpu_disturbed, row.disturbed_by.clone());
    Some(Disturbance {
        doubt: Doubt::Disturbed { disturbed, trials, on_gpu, by, far: false },
        bound: after.map_or(Some(1.0), |row| row.slowdown_bound),
        of_baseline,
    })
}

fn missing(row: &RowDigest, current: &Digest) -> Difference {
    let same_id = current.rows.iter().filter(|other| other.candidate.id == row.candidate.id);
    let others: Vec<String> = same_id.map(|other| other.candidate.row()).collect();
    let after = if others.is_empty() { "not run".into() } else { others.join(", ") };
    Difference { what: "candidate".into(), before: row.candidate.row(), after }
}

/// What went wrong with a candidate, or with more of its requests than before.
fn failure(before: &RowDigest, after: &RowDigest) -> Option<String> {
    match &after.outcome {
        RowOutcome::Failed { message, .. } => return Some(format!("it fails: {message}")),
        RowOutcome::Skipped { reason } => return Some(format!("it is skipped: {reason}")),
        RowOutcome::Pending => return Some("it was not run to the end".into()),
        RowOutcome::Ran => {}
    }
    let share = |row: &RowDigest| row.failed() as f64 / row.trials().max(1) as f64;
    (share(after) > share(before)).then(|| {
        format!(
            "{} of {} requests fail, and {} of {} did",
            after.failed(),
            after.trials(),
            before.failed(),
            before.trials()
        )
    })
}

/// The first difference of each prompt's answers, and how many answers were held against each other.
///
/// Answers are greedy: the same weights on the same machine give the same tokens.
fn answers(row: &RowDigest, now: &RowDigest, before: &Digest, current: &Digest) -> (Vec<ChangedAnswer>, usize) {
    let mut compared = 0;
    let mut changed = Vec::new();
    for prompt in &row.prompts {
        let Some(after) = now.prompt(prompt.key()) else { continue };
        // A trial that failed has no answer, and shifts those after it.
        if prompt.failed + after.failed > 0 || difference::suites(&prompt.suite, before, current).is_some() {
            continue;
        }
        let pairs = || prompt.token_ids.iter().zip(&after.token_ids).enumerate();
        compared += pairs().count();
        let parted = pairs().find_map(|(trial, (old, new))| {
            let position = (0..old.len().max(new.len())).find(|at| old.get(*at) != new.get(*at))?;
            let language = prompt.language.map(|language| format!("{} ", language.tag())).unwrap_or_default();
            Some(ChangedAnswer {
                suite: prompt.suite.clone(),
                prompt: format!("{language}{}", prompt.prompt),
                trial,
                position,
                before: old.get(position).copied(),
                after: new.get(position).copied(),
            })
        });
        changed.extend(parted);
    }
    (changed, compared)
}

fn as_key<S: serde::Serializer>(subject: &Subject, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(subject.key())
}
