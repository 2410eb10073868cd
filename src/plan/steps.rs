//! The steps of a run: every trial that a candidate is to make, in order.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::run::TrialKey;
use crate::suite::{Language, Prompt, Suite};

/// What the user chose for all suites.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choices {
    /// Measured trials of each prompt; `None` leaves it to the suite.
    pub repeat: Option<u32>,
    /// Warm-up trials of each suite; `None` leaves it to the suite.
    pub warmup: Option<u32>,
    /// Upper bound of every answer's length.
    pub max_new_tokens: Option<u32>,
    /// Only texts in these languages; empty means all. Prompts of token ids have none and always run.
    pub languages: Vec<Language>,
    pub seed: u64,
}

/// One trial to be run.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    pub suite: Arc<str>,
    pub prompt: Arc<Prompt>,
    pub repetition: u32,
    pub warmup: bool,
    pub seed: u64,
    pub max_new_tokens: u32,
}

impl Step {
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

/// Longest answer of a warm-up trial: enough for every allocation, packing and clock that a decode step waits for.
const WARMUP_TOKENS: u32 = 8;

/// All steps of the suites, in order: each suite warms up on its first prompt, then runs all its prompts once a round, so
/// that drift during the run touches every prompt alike.
pub fn steps(suites: &[Suite], choices: &Choices) -> Vec<Step> {
    let mut steps = Vec::new();
    for suite in suites {
        let name: Arc<str> = suite.name.as_str().into();
        let chosen = |prompt: &&Prompt| {
            choices.languages.is_empty() || prompt.language.is_none_or(|language| choices.languages.contains(&language))
        };
        let prompts: Vec<Arc<Prompt>> = suite.prompts.iter().filter(chosen).cloned().map(Arc::new).collect();
        let mut add = |prompt: &Arc<Prompt>, repetition: u32, warmup: bool| {
            let limit = choices.max_new_tokens.unwrap_or(u32::MAX).min(if warmup { WARMUP_TOKENS } else { u32::MAX });
            steps.push(Step {
                suite: name.clone(),
                prompt: prompt.clone(),
                repetition,
                warmup,
                seed: seed(choices.seed, &name, prompt, repetition, warmup),
                max_new_tokens: prompt.max_new_tokens.min(limit),
            });
        };
        if let Some(first) = prompts.first() {
            (0..choices.warmup.unwrap_or(suite.warmup)).for_each(|repetition| add(first, repetition, true));
        }
        for repetition in 0..choices.repeat.unwrap_or(suite.repeat) {
            prompts.iter().for_each(|prompt| add(prompt, repetition, false));
        }
    }
    steps
}

/// A trial's own seed: the same for every candidate, and different for every trial of one, so that no two prompts of random
/// tokens are alike and no cache can have seen one before.
fn seed(base: u64, suite: &str, prompt: &Prompt, repetition: u32, warmup: bool) -> u64 {
    let mut hash = Sha256::new();
    hash.update(base.to_le_bytes());
    hash.update(format!("{suite}\0{:?}\0{}\0{repetition}\0{warmup}", prompt.language, prompt.id));
    let digest = hash.finalize();
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&digest[..8]);
    u64::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::suite;

    fn shipped(choices: &Choices) -> Vec<Step> {
        steps(&suite::shipped().unwrap(), choices)
    }

    #[test]
    fn every_trial_has_a_key_and_a_seed_of_its_own() {
        let steps = shipped(&Choices { repeat: Some(2), ..Choices::default() });
        let keys: HashSet<TrialKey> = steps.iter().map(|step| step.key("row")).collect();
        let seeds: HashSet<u64> = steps.iter().map(|step| step.seed).collect();
        assert_eq!((keys.len(), seeds.len()), (steps.len(), steps.len()));
    }

    #[test]
    fn a_language_leaves_the_other_out_and_keeps_token_prompts() {
        let steps = shipped(&Choices { languages: vec![Language::Ko], ..Choices::default() });
        let languages: HashSet<Option<Language>> = steps.iter().map(|step| step.prompt.language).collect();
        assert_eq!(languages, HashSet::from([None, Some(Language::Ko)]));
    }

    #[test]
    fn a_suite_warms_up_before_it_measures() {
        let steps = shipped(&Choices { warmup: Some(2), ..Choices::default() });
        let speed: Vec<bool> = steps.iter().filter(|step| &*step.suite == "speed").map(|step| step.warmup).collect();
        assert_eq!(speed[..3], [true, true, false]);
        assert!(speed[2..].iter().all(|warmup| !warmup));
        assert!(steps.iter().filter(|step| step.warmup).all(|step| step.max_new_tokens <= WARMUP_TOKENS));
    }

    #[test]
    fn a_limit_only_ever_shortens_answers() {
        let steps = shipped(&Choices { max_new_tokens: Some(100), ..Choices::default() });
        assert!(steps.iter().all(|step| step.max_new_tokens <= 100));
        assert!(steps.iter().any(|step| step.max_new_tokens == 1));
    }
}
