//! How likely each of several continuations of a context is.

use candle_core::D;

use super::predict::PREDICTED_AT_ONCE;
use super::{CandleEngine, Logits};
use crate::engine::EngineError;

/// An engine that is asked for continuations, of contexts that begin alike perhaps: what they share is computed once.
pub struct Continuations<'e> {
    engine: &'e mut CandleEngine,
    /// The tokens that are in its caches.
    held: Vec<u32>,
}

impl<'e> Continuations<'e> {
    /// Of an engine, whose present sequence is forgotten.
    pub fn of(engine: &'e mut CandleEngine) -> Self {
        Self { engine, held: Vec::new() }
    }

    /// The log-probability (natural logarithm) of each continuation as a whole, of one token at least, after the context, also
    /// of one token at least.
    ///
    /// # Errors
    /// Either of no tokens, ids outside of the vocabulary, more tokens than the model's longest context, or predictions that are
    /// not numbers.
    pub fn log_probs(&mut self, context: &[u32], continuations: &[&[u32]]) -> Result<Vec<f64>, EngineError> {
        let Some(longest) = continuations.iter().map(|ids| ids.len()).max() else { return Ok(Vec::new()) };
        if context.is_empty() || continuations.iter().any(|ids| ids.is_empty()) {
            return Err(EngineError::EmptyPrompt);
        }
        self.engine.check_ids(context)?;
        continuations.iter().try_for_each(|ids| self.engine.check_ids(ids))?;
        // The last token of a continuation predicts nothing that is asked.
        let room = context.len() + longest - 1;
        // The last token of the context goes through again at least: what follows it is asked.
        let shared = self.held.iter().zip(&context[..context.len() - 1]).take_while(|(held, id)| held == id).count();
        self.held.clear();
        let kept = self.engine.make_room_keeping(room, shared)?;
        let logits = self.engine.decoder.forward(&[&context[kept..]], Logits::Last)?;
        let first = candle_nn::ops::log_softmax(&logits, D::Minus1)?.squeeze(0)?.to_vec1::<f32>()?;
        let log_probs =
            continuations.iter().map(|ids| self.rest(context.len(), room, &first, ids)).collect::<Result<_, _>>()?;
        self.held.extend(context);
        Ok(log_probs)
    }

    /// The log-probability of a continuation after so many tokens of context, whose last predicts `first`.
    fn rest(&mut self, context: usize, room: usize, first: &[f32], ids: &[u32]) -> Result<f64, EngineError> {
        let mut sum = f64::from(first[ids[0] as usize]);
        let (fed, asked) = (&ids[..ids.len() - 1], &ids[1..]);
        if !fed.is_empty() {
            self.engine.make_room_keeping(room, context)?;
        }
        for (fed, asked) in fed.chunks(PREDICTED_AT_ONCE).zip(asked.chunks(PREDICTED_AT_ONCE)) {
            let rows = self.engine.log_probs(fed)?;
            sum += rows.iter().zip(asked).map(|(row, id)| f64::from(row[*id as usize])).sum::<f64>();
        }
        if sum.is_nan() { Err(self.engine.not_a_number(context)) } else { Ok(sum) }
    }
}
