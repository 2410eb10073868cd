//! A planned trial: which prompt is to be run, how often before, and with which seed.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::record::TrialKey;
use crate::suite::{Body, Prompt};

/// One trial to be run.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedTrial {
    /// The suite's name.
    pub suite: Arc<str>,
    /// What is asked.
    pub prompt: Arc<Prompt>,
    /// Counted from 0, warm-up and measured apart.
    pub repetition: u32,
    /// Whether it enters no figure.
    pub warmup: bool,
    /// Of its random token ids.
    pub seed: u64,
    /// Longest answer, in tokens.
    pub max_new_tokens: u32,
}

impl PlannedTrial {
    /// Whether its prompt is a text, and no token ids.
    pub fn is_text(&self) -> bool {
        matches!(self.prompt.body, Body::Text { .. })
    }

    /// The key under which its trial is kept for a candidate's row.
    pub fn key(&self, row: &str) -> TrialKey {
        TrialKey {
            row: row.into(),
            suite: self.suite.to_string(),
            language: self.prompt.language,
            prompt: self.prompt.id.clone(),
            repetition: self.repetition,
            warmup: self.warmup,
        }
    }
}

/// A trial's own seed: the same for every candidate, and different for every trial of one, so that no two prompts of random
/// tokens are alike and no cache can have seen one before.
pub(super) fn seed(base: u64, suite: &str, prompt: &Prompt, repetition: u32, warmup: bool) -> u64 {
    let mut hash = Sha256::new();
    hash.update(base.to_le_bytes());
    hash.update(format!("{suite}\0{:?}\0{}\0{repetition}\0{warmup}", prompt.language, prompt.id));
    let digest = hash.finalize();
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&digest[..8]);
    u64::from_le_bytes(bytes)
}
