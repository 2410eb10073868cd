//! Ranking: a weighted score over the criteria that are known of every row, and what it does not tell apart.

use serde::{Serialize, Serializer};

use super::contender::Contender;
use super::cost::MonthlyCost;
use super::difference::QualityDifference;
use super::pareto;
use crate::catalog::Budget;
use crate::metric::{Aspect, CHARACTERS, DECODE, Direction, FIDELITY, MEMORY, PASS_RATE, RATES, TTFT};
use crate::suite::Language;
use crate::summarize::{Attainment, Interval};

/// Something that rows are ranked by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Criterion {
    /// What is compared.
    pub aspect: Aspect,
    /// Share of the score, before the weights of criteria that drop out are spread over the others.
    pub weight: f64,
}

/// As the key of what rows are ranked by.
impl Serialize for Criterion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.aspect.serialize(serializer)
    }
}

/// The criteria of a recommendation and their weights, which sum to 1. A judgement, not a finding, and so printed with every
/// ranking: what the answers are worth weighs more than all speed together, because a fast wrong answer serves nobody; of the
/// speeds, waiting for the answer weighs as much as reading it in either language.
pub const CRITERIA: [Criterion; 6] = [
    Criterion { aspect: Aspect::overall(PASS_RATE), weight: 0.4 },
    Criterion { aspect: Aspect::overall(FIDELITY), weight: 0.2 },
    Criterion { aspect: Aspect::overall(TTFT), weight: 0.15 },
    Criterion { aspect: Aspect::in_language(CHARACTERS, Language::Ko), weight: 0.075 },
    Criterion { aspect: Aspect::in_language(CHARACTERS, Language::En), weight: 0.075 },
    Criterion { aspect: Aspect::overall(MEMORY), weight: 0.1 },
];

/// The criteria of a screening, where nothing is known of the answers, and their weights: waiting for the answer, watching it
/// being decoded and reading it weigh the same; memory weighs little, because the limit on it is a requirement already.
pub const SCREENING: [Criterion; 5] = [
    Criterion { aspect: Aspect::overall(DECODE), weight: 0.3 },
    Criterion { aspect: Aspect::overall(TTFT), weight: 0.3 },
    Criterion { aspect: Aspect::in_language(CHARACTERS, Language::Ko), weight: 0.15 },
    Criterion { aspect: Aspect::in_language(CHARACTERS, Language::En), weight: 0.15 },
    Criterion { aspect: Aspect::overall(MEMORY), weight: 0.1 },
];

/// Rows whose scores differ by no more than this are tied, if their intervals overlap as well. 0.05 is a sixth faster in
/// one of the heavier criteria.
pub const TIE_MARGIN: f64 = 0.05;

/// A wait that a person takes for none, in seconds (Miller 1968; Nielsen 1993).
pub const INSTANT: f64 = 0.1;

/// One criterion's part of a score.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Scored {
    /// Which criterion.
    pub criterion: Criterion,
    /// In the unit of its metric.
    pub value: f64,
    /// [`Direction::score`] against the best of the qualified rows.
    pub score: f64,
}

/// A row that breaks no enforced limit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Standing {
    /// [`crate::catalog::Candidate::row`].
    pub row: String,
    /// Weighted mean of the criteria's scores, from just over 0 to 1, the best in everything.
    pub score: f64,
    /// What the score is made of; only criteria that are known of every qualified row.
    pub criteria: Vec<Scored>,
    /// Where the median decode rate lies, in tokens per second.
    pub decode_interval: Option<Interval>,
    /// Where the median time to first token lies, in seconds.
    pub ttft_interval: Option<Interval>,
    /// Its memory is an estimate from the shape, not what was measured.
    pub memory_estimated: bool,
    /// What was measured where that is not the memory that it is ranked by: the table shows it.
    pub measured_memory_bytes: Option<u64>,
    /// A row that is at least as good in every criterion and better in one.
    pub dominated_by: Option<String>,
    /// How many of its requests met the limits; `None` where none is stated.
    pub attainment: Option<Attainment>,
    /// What a month of it costs; `None` without a budget, and of prompts of token ids.
    pub cost: Option<MonthlyCost>,
}

/// Rows between which the figures do not decide.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tie {
    /// Beside the pick.
    pub rows: Vec<String>,
    /// Some interval is unknown: not shown to be equal, but not measured often enough to differ.
    pub too_few_trials: bool,
}

/// Every qualified row with its score, best first. What dominates a row scores higher in the criterion that it is better
/// in and as high in the others, so the first is always of the Pareto set.
pub(super) fn rank(of: &[Criterion], qualified: &[Contender], budget: Option<&Budget>) -> Vec<Standing> {
    let criteria: Vec<Criterion> = of.iter().copied().filter(|criterion| known_of_all(criterion, qualified)).collect();
    let directions: Vec<Direction> = criteria.iter().map(|criterion| criterion.aspect.metric.direction).collect();
    let values: Vec<Vec<f64>> = qualified
        .iter()
        .map(|contender| criteria.iter().filter_map(|criterion| worth(criterion, contender)).collect())
        .collect();
    let dominators = pareto::dominators(&directions, &values);

    let mut standings: Vec<Standing> = qualified
        .iter()
        .zip(dominators)
        .map(|(contender, dominator)| {
            let scored: Vec<Scored> =
                criteria.iter().filter_map(|criterion| scored(criterion, contender, qualified)).collect();
            Standing {
                row: contender.summary.row.clone(),
                score: weighted_mean(&criteria, &scored),
                criteria: scored,
                decode_interval: contender.decode.and_then(|decode| decode.interval),
                ttft_interval: contender.ttft.interval,
                memory_estimated: contender.memory_bytes != contender.summary.memory.measured_bytes,
                measured_memory_bytes: contender
                    .summary
                    .memory
                    .measured_bytes
                    .filter(|measured| contender.memory_bytes != Some(*measured)),
                dominated_by: dominator.map(|index| qualified[index].summary.row.clone()),
                attainment: contender.attainment.clone(),
                cost: budget.and_then(|budget| Some(MonthlyCost::of(budget, contender.latency?.median))),
            }
        })
        .collect();
    standings.sort_by(|a, b| b.score.total_cmp(&a.score));
    standings
}

/// Criteria that some of the qualified rows have and others do not.
pub(super) fn dropped<'a>(of: &'a [Criterion], qualified: &'a [Contender]) -> impl Iterator<Item = Criterion> + 'a {
    of.iter().copied().filter(|criterion| {
        !known_of_all(criterion, qualified) && qualified.iter().any(|contender| value(criterion, contender).is_some())
    })
}

/// Rows that the figures do not tell from the pick.
pub(super) fn tie(ranking: &[Standing], quality: &[QualityDifference]) -> Option<Tie> {
    let (pick, others) = ranking.split_first()?;
    let is_worse = |other: &&Standing| quality.iter().any(|against| against.row == other.row && against.is_shown());
    let tied: Vec<&Standing> = others
        .iter()
        .filter(|other| !is_worse(other))
        .filter(|other| pick.score - other.score <= TIE_MARGIN)
        .filter(|other| !differ(pick.decode_interval, other.decode_interval))
        .filter(|other| !differ(pick.ttft_interval, other.ttft_interval))
        .collect();
    let unknown = |standing: &Standing| standing.decode_interval.is_none() || standing.ttft_interval.is_none();
    (!tied.is_empty()).then(|| Tie {
        too_few_trials: unknown(pick) || tied.iter().any(|other| unknown(other)),
        rows: tied.iter().map(|other| other.row.clone()).collect(),
    })
}

/// Whether two intervals show a difference; with one unknown, nothing does.
fn differ(a: Option<Interval>, b: Option<Interval>) -> bool {
    matches!((a, b), (Some(a), Some(b)) if !a.overlaps(&b))
}

fn known_of_all(criterion: &Criterion, qualified: &[Contender]) -> bool {
    qualified.iter().all(|contender| value(criterion, contender).is_some())
}

/// Only what is above zero can be scored as a ratio; a rate of zero scores nothing.
fn value(criterion: &Criterion, contender: &Contender) -> Option<f64> {
    let is_rate = RATES.contains(&criterion.aspect.metric);
    contender.value(criterion.aspect).filter(|value| *value > 0.0 || is_rate)
}

/// A value as far as it is worth something: speed beyond what a reader takes in adds nothing. A screening, which knows of no
/// reader, takes it as it is.
fn worth(criterion: &Criterion, contender: &Contender) -> Option<f64> {
    let value = value(criterion, contender)?;
    if contender.summary.quality.is_none() {
        return Some(value);
    }
    Some(match (criterion.aspect.metric, criterion.aspect.language) {
        (CHARACTERS, Some(language)) => value.min(contender.requirements.reading_pace(language)),
        (TTFT, None) => value.max(INSTANT),
        _ => value,
    })
}

fn scored(criterion: &Criterion, contender: &Contender, qualified: &[Contender]) -> Option<Scored> {
    let direction = criterion.aspect.metric.direction;
    let own = worth(criterion, contender)?;
    let best =
        qualified.iter().filter_map(|contender| worth(criterion, contender)).reduce(|a, b| direction.better(a, b))?;
    // Of rates that are all zero none is better than another.
    let score = if RATES.contains(&criterion.aspect.metric) {
        if best > 0.0 { own / best } else { 1.0 }
    } else {
        direction.score(own, best)?
    };
    Some(Scored { criterion: *criterion, value: value(criterion, contender)?, score })
}

fn weighted_mean(criteria: &[Criterion], scored: &[Scored]) -> f64 {
    let weights: f64 = criteria.iter().map(|criterion| criterion.weight).sum();
    let sum: f64 = criteria.iter().zip(scored).map(|(criterion, scored)| criterion.weight * scored.score).sum();
    // TTFT is known of every contender, so there is always a weight; a TTFT of zero would leave none.
    if weights > 0.0 { sum / weights } else { 0.0 }
}
