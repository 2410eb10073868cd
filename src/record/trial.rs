//! A trial: one prompt run once, timed, kept raw.
//!
//! What is kept is what was observed (arrival instants, token ids, text, telemetry readings); every number that the
//! program prints is computed from it afterwards by [`crate::measure`], so a formula can be mended without a new run.

use serde::{Deserialize, Serialize};

use crate::record::{Fault, Reading};
use crate::suite::Language;

/// What a trial counts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Stored, never summarized: caches fill, clocks settle.
    Warmup,
    /// What figures are of.
    Measured,
}

/// Which step of the plan a trial is: unique within a run.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TrialKey {
    /// The candidate's row: [`crate::catalog::Candidate::row`].
    pub row: String,
    /// The prompt's suite.
    pub suite: String,
    /// `None` where the prompt has no natural language (token ids).
    pub language: Option<Language>,
    /// The prompt's id.
    pub prompt: String,
    /// Counted from 0, warm-up and measured apart.
    pub repetition: u32,
    /// See [`TrialKey::phase`].
    pub warmup: bool,
}

impl TrialKey {
    /// What its trial counts for.
    pub fn phase(&self) -> Phase {
        if self.warmup { Phase::Warmup } else { Phase::Measured }
    }
}

/// One prompt run once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// Which step of the plan it is.
    #[serde(flatten)]
    pub key: TrialKey,
    /// Seed of this trial's sampling and of its random token ids.
    pub seed: u64,
    /// Wall-clock time, for people; no duration is computed from it.
    pub started_at: jiff::Timestamp,
    /// Tokens in the prompt after the chat template; `None` if the trial failed before that was known.
    pub prompt_tokens: Option<u32>,
    /// When what arrived.
    pub timeline: Timeline,
    /// How it ended.
    pub outcome: Outcome,
    /// Ids of the output tokens, in order of arrival; `None` where the engine does not tell them.
    pub token_ids: Option<Vec<u32>>,
    /// The output text; `None` where there is no tokenizer to make text with.
    pub text: Option<String>,
    /// What the machine did meanwhile, in order; the first and the last are at its ends.
    pub readings: Vec<Reading>,
    /// What was wrong with the first attempt, which this one replaced; absent if there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeated: Option<Fault>,
}

/// How a trial ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "lowercase")]
pub enum Outcome {
    /// The engine came to an end.
    Completed {
        /// Why it ended there.
        finish: FinishReason,
    },
    /// The engine gave up.
    Failed {
        /// What kind of failure it was.
        kind: FailureKind,
        /// The error and its causes, for people.
        message: String,
    },
}

/// Why generation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FinishReason {
    /// The model ended its turn.
    Stop,
    /// The output limit was reached.
    Length,
    /// The model's context was full before the output limit: the answer is cut, and as long as its prompt left room.
    Context,
}

/// What kind of failure ended a trial or a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The checkpoint could not be had: network, access, hash, missing file.
    Acquire,
    /// The checkpoint is there and could not be loaded.
    Load,
    /// Neither host nor device memory sufficed.
    OutOfMemory,
    /// The engine failed while it ran.
    Engine,
}

/// Arrival instants of one trial, in nanoseconds since its request started (t0), on the monotonic clock.
///
/// t0 lies before templating and tokenizing: the user waits for those too.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeline {
    /// Prompt templated and tokenized. `None` over HTTP, where it is the server's affair.
    pub encoded_ns: Option<u64>,
    /// Forward pass over the prompt done and the device synchronised; before sampling. `None` over HTTP.
    pub prefilled_ns: Option<u64>,
    /// One instant per arrival of output.
    pub arrivals_ns: Vec<u64>,
    /// How many tokens each arrival was, `null` where nobody counted them; absent where each was one token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrival_tokens: Option<Vec<Option<u32>>>,
    /// How many characters became text with each arrival; absent where there is no text, and of trials stored before this was
    /// kept. A character may become certain some tokens after the first of it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrival_characters: Option<Vec<u32>>,
    /// The engine was done with the request, its text included; absent of one that failed, and of trials stored before this
    /// was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_ns: Option<u64>,
}

impl Timeline {
    /// All output tokens; `None` where some arrival was not counted.
    pub fn tokens(&self) -> Option<u64> {
        match &self.arrival_tokens {
            None => Some(self.arrivals_ns.len() as u64),
            Some(counts) => counts.iter().map(|count| count.map(u64::from)).sum(),
        }
    }

    /// Whether each arrival was one token, so that the gaps between arrivals are those between tokens.
    pub fn is_token_by_token(&self) -> bool {
        self.arrival_tokens.as_ref().is_none_or(|counts| counts.iter().all(|count| *count == Some(1)))
    }
}
