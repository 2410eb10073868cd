//! Drawing the next token from logits.

use candle_core::{DType, Result, Tensor};
use candle_transformers::generation::{LogitsProcessor, Sampling as Kind};

use super::matrix::all_finite;
use crate::engine::Sampling;

/// Draws token ids; seeded, so that a run can be repeated.
pub struct Sampler(LogitsProcessor);

/// Below this temperature the most likely token is drawn anyway, and logits divided by it would leave float32's range.
const COLDEST: f64 = 1e-7;

impl Sampler {
    pub fn new(sampling: Sampling) -> Self {
        let (seed, kind) = match sampling {
            Sampling::Greedy => (0, Kind::ArgMax),
            Sampling::Random { temperature, .. } if temperature < COLDEST => (0, Kind::ArgMax),
            Sampling::Random { temperature, top_p, seed } => (seed, Kind::TopP { p: top_p, temperature }),
        };
        Self(LogitsProcessor::from_sampling(seed, kind))
    }

    /// The next token after logits `[1, vocabulary]`; `None` if the largest of them is not a number.
    pub fn next(&mut self, logits: &Tensor) -> Result<Option<u32>> {
        let logits = logits.squeeze(0)?;
        let id = match self.0.sample(&logits) {
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
