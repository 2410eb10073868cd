//! A run: what was run, where, and what came of each candidate.

use serde::{Deserialize, Serialize};

use super::{Environment, Row};
use crate::catalog::Requirements;
use crate::suite::Prompt;

/// One invocation of `compare` and everything that it observed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Sortable by time, short enough to type: `20261120-051733-4f2a`.
    pub id: String,
    /// By the wall clock, for people.
    pub started_at: jiff::Timestamp,
    /// `None` while it runs, and after it was interrupted.
    pub finished_at: Option<jiff::Timestamp>,
    /// Where it ran.
    pub environment: Environment,
    /// What was asked of it.
    pub settings: Settings,
    /// What candidates had to satisfy.
    pub requirements: Requirements,
    /// Where the requirements come from; `None` for runs stored before this was kept.
    #[serde(default)]
    pub stated: Option<Stated>,
    /// The texts that were asked, with what their answers are held to: answers can be judged again without the files.
    /// Empty for runs stored before this was kept, and of prompts of token ids.
    #[serde(default)]
    pub prompts: Vec<Asked>,
    /// In the order of the plan.
    pub rows: Vec<Row>,
}

/// A text that was asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// The suite's name.
    pub suite: String,
    /// What was asked, and what the answer is held to.
    #[serde(flatten)]
    pub prompt: Prompt,
}

/// Where requirements come from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stated {
    /// The file that states them; `None` where it is the one that ships with the program.
    pub file: Option<String>,
    /// Keys that the user gave by hand, which are limits on this machine too.
    pub by_hand: Vec<String>,
}

impl Stated {
    /// Whether the user gave a key by hand.
    pub fn is_by_hand(&self, key: &str) -> bool {
        self.by_hand.iter().any(|given| given == key)
    }
}

/// What the user chose for the whole run; a resumed run must have the same.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Base of every seed in the run.
    pub seed: u64,
    /// Overrides each suite's own number of measured repetitions.
    pub repeat: Option<u32>,
    /// Prompts of token ids go on until the interval of each headline metric lies within this share of its median.
    #[serde(default)]
    pub precision: Option<f64>,
    /// Prompts of token ids go on until the trials of a suite took so long together.
    #[serde(default)]
    pub min_seconds: Option<f64>,
    /// Rounds after which they end for all that; `None` where neither was asked for.
    #[serde(default)]
    pub max_repeat: Option<u32>,
    /// Warm-up trials of each suite, exactly; `None` leaves them to the suite, and to how soon it is steady.
    pub warmup: Option<u32>,
    /// Longest answer, where prompts allow more.
    pub max_new_tokens: Option<u32>,
    /// SHA-256 over the prompts of each suite that ran, by suite: figures of other prompts do not compare.
    pub suites: std::collections::BTreeMap<String, String>,
    /// Languages asked for; empty means all.
    pub languages: Vec<crate::suite::Language>,
    /// The day that chat templates are told, for prompts that are the same on every day. Absent for runs stored before this
    /// was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub today: Option<jiff::civil::Date>,
}
