//! A note: something that a reader must know beside the figures, as data. How it is said stands in [`super::words`].

use serde::{Serialize, Serializer};

use crate::measure::EnergySource;
use crate::metric::Metric;
use crate::recommend::{Flag, Undecided};
use crate::record::FailureKind;
use crate::suite::Language;
use crate::summarize::{Capacity, ColdStart, Failed, Impossible, Interval, MachineState, ReaderView};

/// Something to know, and what it is about.
#[derive(Debug, Clone)]
pub struct Note {
    /// What it is about.
    pub subject: Subject,
    /// What it says.
    pub kind: Kind,
}

/// What a note is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// The whole run: its machine, its settings, or several rows together.
    Run,
    /// One row, by [`crate::catalog::Candidate::row`].
    Row(String),
}

impl Subject {
    /// The row's name; `None` of the run.
    pub fn row(&self) -> Option<&str> {
        match self {
            Subject::Run => None,
            Subject::Row(row) => Some(row),
        }
    }
}

/// What a note means for those who decide by the figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Some figures are not to be believed.
    Warning,
    /// The figures hold, and say less than they seem to.
    Caution,
    /// What a figure or a mark means, and what else is known.
    Info,
}

/// Every kind of note, with what it says. Displayed, it is a sentence without its subject.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
#[allow(missing_docs, reason = "a kind's sentence says what its numbers are, and so does the schema")]
pub enum Kind {
    /// The run was interrupted, or goes on.
    NotFinished,
    /// The row cannot run here, which was known beforehand.
    Skipped { reason: String },
    /// The row could not be loaded or acquired.
    Failed { failure: FailureKind, message: String },
    /// The row's turn did not come.
    Pending,
    /// The row's engine does not know its weights, its cache or what memory they take.
    Unknown { reason: String },
    /// The row's prompts were put together without a chat template.
    JoinedPlainly { reason: String },
    /// The row's file does not say how texts are split.
    SplitByDefault,
    /// Measured requests that failed, and what the first of them said.
    FailedRequests { failed: usize, measured: usize, first: String },
    /// Answers that were cut because the model's context was full; their latency is in no figure.
    ContextFull { cut: usize, of: usize },
    /// The row's weight files changed while it ran.
    FilesChanged { files: Vec<String> },
    /// Figures that take more than the device has.
    Impossible { device: String, figures: Vec<Impossible> },
    /// Other programs took processors that the engine computes with, during some measured trials.
    OtherPrograms { programs: Vec<String>, disturbed: usize, trials: usize, most_processors: f64 },
    /// Trials during which this process did not run for a while, in their second attempt too; and for how long at the most.
    Stopped { trials: usize, of: usize, longest_seconds: f64 },
    /// Trials that were run a second time, since this process was stopped during the first.
    StoppedRepeated { trials: usize, of: usize },
    /// Trials during which a processor quota held the program back, and for how long together, all processors counted.
    Throttled { trials: usize, of: usize, seconds: f64 },
    /// Suites of token ids that were measured before they were warm.
    NotSteady { suites: Vec<WarmedUp> },
    /// The run's rounds ended before each interval was as narrow as asked for. `precision` is a share of the median.
    PrecisionNotReached { precision: f64, rounds: u32, most_rounds: u32, figures: Vec<Reached> },
    /// The run's rounds ended before each suite had taken as long as asked for.
    TooShort { seconds: f64, rounds: u32, most_rounds: u32, suites: Vec<Took> },
    /// Figures that rose or fell over the run.
    Drift { figures: Vec<Drifted> },
    /// Trials far from the others.
    Outliers { figures: Vec<Outlying> },
    /// Trials during which heat held the GPU's clocks down.
    GpuHot { trials: usize, of: usize },
    /// Trials during which another process was on the GPU.
    GpuShared { trials: usize, of: usize },
    /// Trials that were run a second time, since the GPU's state made the first invalid.
    GpuRepeated { trials: usize, of: usize },
    /// Trials during which the power limit held the GPU's clocks down. `None` where the driver does not tell the limit.
    GpuPowerCapped { trials: usize, of: usize, limit_watts: Option<f64> },
    /// The state of the GPU over all measured trials.
    GpuState(MachineState),
    /// What energy is of, and how it is known. Idle power is that before the first load.
    GpuEnergy { sources: Vec<EnergySource>, idle_watts: Option<f64> },
    /// Rows of random weights.
    RandomWeights { rows: Vec<String> },
    /// Rows whose memory is an estimate.
    EstimatedMemory { rows: Vec<String> },
    /// Figures in which rows are not told apart from the best.
    NotToldApart { figures: Vec<Tied> },
    /// A percentile or an interval that too few texts gave, which no repetition of them gives.
    TooFewPrompts { figure: Scarce, needs: usize, there_are: usize },
    /// A percentile or an interval that too few requests of token ids gave, and the least `--repeat` that gives it.
    TooFewTrials { figure: Scarce, needs: usize, there_are: usize, repeat: usize, gives: usize },
    /// The limits that a request must meet to be within limits.
    WithinLimits { limits: Vec<RequestLimit> },
    /// What the first user of the pick waits for.
    ColdStart(ColdStart),
    /// How many chats the device holds beside the pick's weights.
    Capacity { device: String, capacity: Capacity },
    /// A floor under the quality of answers on which the row's answers do not decide.
    UndecidedFloor(Undecided),
    /// Answers that are not in the language that is due, and are in no speed of that language.
    OtherLanguage { language: Language, answers: usize, of: usize },
    /// What a reader sees of the answers to prompts in a language, where the stream keeps them waiting.
    Reader { language: Language, view: ReaderView },
    /// Answers that break a gate or a check, and the first of them.
    FailedAnswers { failed: usize, of: usize, shown: Vec<Failed> },
    /// What a reader of the ranking must know. Its fields are the recommendation's.
    Flag(Flag),
}

/// Each kind's name for machines, never renamed, and the list of all: both of the same lines, so that no kind is missing.
macro_rules! names {
    ($($kind:pat => $name:literal,)*) => {
        impl Kind {
            /// The name of every kind.
            pub const NAMES: &[&str] = &[$($name),*];

            /// Its name for machines.
            pub fn name(&self) -> &'static str {
                match self {
                    $($kind => $name,)*
                }
            }
        }
    };
}

names! {
    Kind::NotFinished => "not_finished",
    Kind::Skipped { .. } => "skipped",
    Kind::Failed { .. } => "failed",
    Kind::Pending => "pending",
    Kind::Unknown { .. } => "unknown",
    Kind::JoinedPlainly { .. } => "joined_plainly",
    Kind::SplitByDefault => "split_by_default",
    Kind::FailedRequests { .. } => "failed_requests",
    Kind::ContextFull { .. } => "context_full",
    Kind::FilesChanged { .. } => "files_changed",
    Kind::Impossible { .. } => "impossible",
    Kind::OtherPrograms { .. } => "other_programs",
    Kind::Stopped { .. } => "stopped",
    Kind::StoppedRepeated { .. } => "stopped_repeated",
    Kind::Throttled { .. } => "throttled",
    Kind::NotSteady { .. } => "not_steady",
    Kind::PrecisionNotReached { .. } => "precision_not_reached",
    Kind::TooShort { .. } => "too_short",
    Kind::Drift { .. } => "drift",
    Kind::Outliers { .. } => "outliers",
    Kind::GpuHot { .. } => "gpu_hot",
    Kind::GpuShared { .. } => "gpu_shared",
    Kind::GpuRepeated { .. } => "gpu_repeated",
    Kind::GpuPowerCapped { .. } => "gpu_power_capped",
    Kind::GpuState(_) => "gpu_state",
    Kind::GpuEnergy { .. } => "gpu_energy",
    Kind::RandomWeights { .. } => "random_weights",
    Kind::EstimatedMemory { .. } => "estimated_memory",
    Kind::NotToldApart { .. } => "not_told_apart",
    Kind::TooFewPrompts { .. } => "too_few_prompts",
    Kind::TooFewTrials { .. } => "too_few_trials",
    Kind::WithinLimits { .. } => "within_limits",
    Kind::ColdStart(_) => "cold_start",
    Kind::Capacity { .. } => "capacity",
    Kind::UndecidedFloor(_) => "undecided_floor",
    Kind::OtherLanguage { .. } => "other_language",
    Kind::Reader { .. } => "reader",
    Kind::FailedAnswers { .. } => "failed_answers",
    Kind::Flag(Flag::MixedPrecision(_)) => "mixed_precision",
    Kind::Flag(Flag::QualityNotJudged { .. }) => "quality_not_judged",
    Kind::Flag(Flag::CriterionDropped { .. }) => "criterion_dropped",
    Kind::Flag(Flag::DebugBuild) => "debug_build",
}

impl Kind {
    /// What it means for those who decide by the figures.
    pub fn severity(&self) -> Severity {
        match self {
            Kind::FilesChanged { .. }
            | Kind::Impossible { .. }
            | Kind::OtherPrograms { .. }
            | Kind::Stopped { .. }
            | Kind::GpuHot { .. }
            | Kind::GpuShared { .. }
            | Kind::Flag(Flag::DebugBuild) => Severity::Warning,
            Kind::NotFinished
            | Kind::Skipped { .. }
            | Kind::Failed { .. }
            | Kind::Pending
            | Kind::Unknown { .. }
            | Kind::JoinedPlainly { .. }
            | Kind::SplitByDefault
            | Kind::FailedRequests { .. }
            | Kind::ContextFull { .. }
            | Kind::Throttled { .. }
            | Kind::NotSteady { .. }
            | Kind::PrecisionNotReached { .. }
            | Kind::TooShort { .. }
            | Kind::Drift { .. }
            | Kind::TooFewPrompts { .. }
            | Kind::TooFewTrials { .. }
            | Kind::UndecidedFloor(_)
            | Kind::OtherLanguage { .. }
            | Kind::Reader { .. }
            | Kind::FailedAnswers { .. }
            | Kind::Flag(Flag::MixedPrecision(_) | Flag::QualityNotJudged { .. } | Flag::CriterionDropped { .. }) => {
                Severity::Caution
            }
            Kind::Outliers { .. }
            | Kind::StoppedRepeated { .. }
            | Kind::GpuRepeated { .. }
            | Kind::GpuPowerCapped { .. }
            | Kind::GpuState(_)
            | Kind::GpuEnergy { .. }
            | Kind::RandomWeights { .. }
            | Kind::EstimatedMemory { .. }
            | Kind::NotToldApart { .. }
            | Kind::WithinLimits { .. }
            | Kind::ColdStart(_)
            | Kind::Capacity { .. } => Severity::Info,
        }
    }
}

/// A suite with as many warm-up trials as it may have.
#[derive(Debug, Clone, Serialize)]
pub struct WarmedUp {
    /// The suite's name.
    pub suite: String,
    /// Warm-up trials that it had.
    pub trials: usize,
}

/// How long the measured trials of a suite took together, in seconds.
#[derive(Debug, Clone, Serialize)]
pub struct Took {
    /// The suite's name.
    pub suite: String,
    /// See [`crate::summarize::seconds`].
    pub seconds: f64,
}

/// A metric of a prompt of token ids.
#[derive(Debug, Clone, Serialize)]
pub struct Place {
    /// Which metric.
    pub metric: Metric,
    /// The prompt's id.
    pub prompt: String,
}

/// How precisely a figure is known; see [`crate::summarize::precision`].
#[derive(Debug, Clone, Serialize)]
pub struct Reached {
    /// Which figure.
    #[serde(flatten)]
    pub place: Place,
    /// Half the interval as a share of the median; `None` without an interval.
    pub precision: Option<f64>,
}

/// By what share of its median a figure moved from the first trial to the last, and where that lies at 95 %.
#[derive(Debug, Clone, Serialize)]
pub struct Drifted {
    /// Which figure.
    #[serde(flatten)]
    pub place: Place,
    /// A share; negative of a fall.
    pub change: f64,
    /// Where the change lies, likewise a share.
    pub interval: Interval,
}

/// How many of a figure's trials are outliers.
#[derive(Debug, Clone, Serialize)]
pub struct Outlying {
    /// Which figure.
    #[serde(flatten)]
    pub place: Place,
    /// Trials that are.
    pub outliers: usize,
    /// Trials in all.
    pub of: usize,
}

/// The rows that are not told apart from the best in a metric of the same work, the best among them.
#[derive(Debug, Clone, Serialize)]
pub struct Tied {
    /// What they are compared in.
    pub metric: Metric,
    /// On what work.
    pub work: Work,
    /// [`crate::catalog::Candidate::row`] of each.
    pub rows: Vec<String>,
}

/// Work that rows are compared by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Work {
    /// All prompts in a natural language.
    Text,
    /// All prompts of token ids.
    Tokens,
    /// One prompt of token ids.
    Prompt(String),
}

/// What too few requests do not give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scarce {
    /// The median as a percentile.
    P50,
    /// The 95th percentile.
    P95,
    /// Where a median lies.
    Interval,
}

/// A limit on each request, in the metric's unit.
#[derive(Debug, Clone, Serialize)]
pub struct RequestLimit {
    /// What is limited.
    pub metric: Metric,
    /// In the metric's unit.
    pub limit: f64,
}

impl Serialize for Note {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Written<'n> {
            kind: &'static str,
            severity: Severity,
            subject: Option<&'n str>,
            text: String,
            #[serde(flatten)]
            fields: Option<&'n Kind>,
        }
        let Self { subject, kind } = self;
        let written = Written {
            kind: kind.name(),
            severity: kind.severity(),
            subject: subject.row(),
            text: kind.to_string(),
            fields: Some(kind).filter(|kind| !matches!(kind, Kind::Flag(_))),
        };
        written.serialize(serializer)
    }
}
