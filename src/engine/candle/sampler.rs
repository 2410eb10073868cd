//! Drawing the next token from logits.

use candle_core::{DType, Result};
use candle_transformers::generation::{LogitsProcessor, Sampling as Kind};

use super::decoder::Next;
use super::matrix::all_finite;
use crate::engine::Sampling;

/// Draws token ids; seeded, so that a run can be repeated.
pub struct Sampler {
    processor: LogitsProcessor,
    /// The most likely token is always the next one.
    greedy: bool,
}

/// Below this temperature the most likely token is drawn anyway, and logits divided by it would leave float32's range.
const COLDEST: f64 = 1e-7;

impl Sampler {
    pub fn new(sampling: Sampling) -> Self {
        let (seed, kind) = match sampling {
            Sampling::Greedy => (0, Kind::ArgMax),
            Sampling::Random { temperature, .. } if temperature < COLDEST => (0, Kind::ArgMax),
            Sampling::Random { temperature, top_p, seed } => (seed, Kind::TopP { p: top_p, temperature }),
        };
        let greedy = matches!(kind, Kind::ArgMax);
        Self { processor: LogitsProcessor::from_sampling(seed, kind), greedy }
    }

    /// The next token; `None` if the largest of the logits is not a number.
    pub fn next(&mut self, next: &Next) -> Result<Option<u32>> {
        if let (Some((id, logit)), true) = (next.likeliest, self.greedy) {
            return Ok(logit.is_finite().then_some(id));
        }
        let logits = next.logits.squeeze(0)?;
        let id = match self.processor.sample(&logits) {
            Ok(id) => id,
            // No distribution can be made of them.
            Err(_) if !all_finite(&logits)? => return Ok(None),
            Err(error) => return Err(error),
        };
        // Copied out first: a view's number comes to the host with all that it is a view of.
        let chosen = logits.get(id as usize)?.force_contiguous()?.to_dtype(DType::F32)?.to_scalar::<f32>()?;
        Ok(chosen.is_finite().then_some(id))
    }
}
