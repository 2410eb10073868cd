//! The scripted engine: delays and failures by a script, on a manual clock, so that timing tests are exact and instant.

use std::time::Duration;

use super::{Completion, Engine, EngineError, Observer, Request};
use crate::clock::ManualClock;
use crate::record::FinishReason;

/// One thing that happens, in order.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Time passes.
    Wait(Duration),
    /// The prompt is known to have so many tokens.
    Encoded(usize),
    Prefilled,
    Token(u32, &'static str),
    /// The engine fails with this message.
    Fail(&'static str),
    OutOfMemory,
}

/// Follows its script for every request.
pub struct ScriptedEngine {
    pub clock: ManualClock,
    pub script: Vec<Step>,
}

impl Engine for ScriptedEngine {
    fn generate(&mut self, _: &Request, observer: &mut dyn Observer) -> Result<Completion, EngineError> {
        let mut completion = Completion {
            prompt_ids: None,
            token_ids: Some(Vec::new()),
            text: Some(String::new()),
            finish: FinishReason::Stop,
        };
        for step in &self.script {
            if observer.cancelled() {
                return Err(EngineError::Cancelled);
            }
            match step {
                Step::Wait(duration) => self.clock.advance(*duration),
                Step::Encoded(tokens) => {
                    observer.encoded(*tokens);
                }
                Step::Prefilled => observer.prefilled(),
                Step::Token(id, text) => {
                    observer.token(*id);
                    observer.text(text);
                    completion.token_ids.get_or_insert_default().push(*id);
                    completion.text.get_or_insert_default().push_str(text);
                }
                Step::Fail(message) => return Err(EngineError::Scripted((*message).into())),
                Step::OutOfMemory => return Err(EngineError::OutOfMemory("as scripted".into())),
            }
        }
        Ok(completion)
    }
}
