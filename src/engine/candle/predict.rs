//! Predictions of a text of any length, by one engine or by several side by side.

use std::ops::Range;

use candle_core::D;

use super::{CandleEngine, Logits};
use crate::engine::{EngineError, Input};

/// Tokens whose predictions an engine holds at once: with 256,000 tokens to choose from, 128 MB.
pub(super) const PREDICTED_AT_ONCE: usize = 128;

/// How a text that is longer than a context is taken: in windows of so many tokens, each beginning `stride` tokens after the
/// one before.
///
/// A token is predicted in the first window that holds it: so each but those of the first window has at least
/// `length - stride` tokens of context.
#[derive(Debug, Clone, Copy)]
pub struct Windows {
    length: usize,
    stride: usize,
}

/// One window of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Window {
    tokens: Range<usize>,
    /// The first position that no window before predicts.
    fresh: usize,
}

impl Windows {
    /// Windows that overlap, so that no token lacks context: `length` is 2 at least, and `stride` less than it.
    pub fn new(length: usize, stride: usize) -> Self {
        let length = length.max(2);
        Self { length, stride: stride.clamp(1, length - 1) }
    }

    /// The windows of a text of so many tokens. Its first token has no context, and a text of it alone no window.
    fn over(self, tokens: usize) -> impl Iterator<Item = Window> {
        let window = move |start: usize| Window {
            tokens: start..(start + self.length).min(tokens),
            fresh: if start == 0 { 1 } else { start - self.stride + self.length },
        };
        (0..tokens).step_by(self.stride).map(window).take_while(move |window| window.fresh < tokens)
    }
}

/// Tells, for every token but the first, the log-probabilities (natural logarithms) of all tokens in its place: one row of
/// each engine.
///
/// # Errors
/// Ids outside of a vocabulary, windows longer than a model's context, or predictions that are not numbers.
pub fn predict(
    engines: &mut [CandleEngine],
    ids: &[u32],
    windows: Windows,
    each: &mut dyn FnMut(usize, &[&[f32]]),
) -> Result<(), EngineError> {
    engines.iter().try_for_each(|engine| engine.check_ids(ids))?;
    for Window { tokens, fresh } in windows.over(ids.len()) {
        engines.iter_mut().try_for_each(|engine| engine.make_room(tokens.len()))?;
        // The last token predicts what is not there.
        let chunks = ids[tokens.start..tokens.end - 1].chunks(PREDICTED_AT_ONCE);
        for (chunk, first) in chunks.zip((tokens.start + 1..).step_by(PREDICTED_AT_ONCE)) {
            let rows = engines.iter_mut().map(|engine| engine.log_probs(chunk)).collect::<Result<Vec<_>, _>>()?;
            for position in (first..first + chunk.len()).skip_while(|position| *position < fresh) {
                let rows: Vec<&[f32]> = rows.iter().map(|rows| rows[position - first].as_slice()).collect();
                if let Some(wrong) = rows.iter().position(|row| row[ids[position] as usize].is_nan()) {
                    return Err(engines[wrong].not_a_number(position));
                }
                each(position, &rows);
            }
        }
    }
    Ok(())
}

impl CandleEngine {
    /// See [`crate::engine::Engine::predictions`].
    pub(super) fn predict_answer(&mut self, input: &Input, answer: &[u32]) -> Result<Vec<Vec<f32>>, EngineError> {
        let prompt = self.encode(input, &|| false)?;
        self.check(&prompt)?;
        self.check_ids(answer)?;
        self.make_room(prompt.len() + answer.len())?;
        let (Some((last, before)), Some((_, known))) = (prompt.split_last(), answer.split_last()) else {
            return Ok(Vec::new());
        };
        if !before.is_empty() {
            self.decoder.forward(&[before], Logits::Last)?;
        }
        let rows = self.log_probs(&[std::slice::from_ref(last), known].concat())?;
        match rows.iter().position(|row| row.first().is_none_or(|first| first.is_nan())) {
            Some(place) => Err(self.not_a_number(prompt.len() + place)),
            None => Ok(rows),
        }
    }

    /// Appends tokens to the sequence; gives the log-probabilities of what follows each.
    pub(super) fn log_probs(&mut self, ids: &[u32]) -> Result<Vec<Vec<f32>>, EngineError> {
        let logits = self.decoder.forward(&[ids], Logits::Every)?;
        Ok(candle_nn::ops::log_softmax(&logits, D::Minus1)?.to_vec2::<f32>()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn over(length: usize, stride: usize, tokens: usize) -> Vec<(Range<usize>, usize)> {
        Windows::new(length, stride).over(tokens).map(|window| (window.tokens, window.fresh)).collect()
    }

    #[test]
    fn windows_begin_a_stride_apart_until_one_reaches_the_end() {
        assert_eq!(over(4, 2, 9), [(0..4, 1), (2..6, 4), (4..8, 6), (6..9, 8)]);
        assert_eq!(over(4, 2, 8), [(0..4, 1), (2..6, 4), (4..8, 6)]);
        assert_eq!(over(4, 3, 5), [(0..4, 1), (3..5, 4)]);
    }

    #[test]
    fn a_text_that_fits_is_one_window_and_a_single_token_none() {
        assert_eq!(over(4, 2, 3), [(0..3, 1)]);
        assert_eq!(over(4, 2, 1), []);
        assert_eq!(over(4, 2, 0), []);
    }

    #[test]
    fn every_token_but_the_first_is_predicted_once_with_context() {
        for (length, stride, tokens) in [(5, 1, 23), (5, 4, 23), (6, 3, 24), (2, 1, 9), (1, 0, 9), (3, 9, 9)] {
            let mut next = 1;
            for window in Windows::new(length, stride).over(tokens) {
                assert!(window.fresh == next && window.tokens.start < next && next < window.tokens.end);
                next = window.tokens.end;
            }
            assert_eq!(next, tokens);
        }
    }
}
