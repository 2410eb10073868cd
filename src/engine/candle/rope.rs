//! Rotary position embedding, its tables always in float32.
//!
//! In bfloat16 the angle of position 257 is already off by up to 0.86 in its cosine, and by more beyond: tables in the
//! model's own precision compute another model.

use candle_core::{D, Device, Result, Tensor};

use crate::spec::RopeSpec;

/// Cosines and sines of every position up to a limit.
pub struct Rope {
    dims: usize,
    interleaved: bool,
    /// `[positions, dims / 2]`.
    cos: Tensor,
    sin: Tensor,
}

impl Rope {
    /// Tables for sequences of up to `tokens`, of which room is made for `positions`.
    pub fn new(spec: &RopeSpec, tokens: usize, positions: usize, device: &Device) -> Result<Self> {
        let frequencies = match &spec.long {
            Some((limit, long)) if tokens > *limit => long,
            _ => &spec.frequencies,
        };
        // The product is taken in double precision: position 4095 in float32 would already lose three digits of its angle.
        let angles = |function: fn(f64) -> f64| {
            let of = |position| frequencies.iter().map(move |frequency| function(position as f64 * frequency));
            let table: Vec<f32> = (0..positions).flat_map(of).map(|value| (value * spec.factor) as f32).collect();
            Tensor::from_vec(table, (positions, frequencies.len()), device)
        };
        Ok(Self { dims: spec.dims, interleaved: spec.interleaved, cos: angles(f64::cos)?, sin: angles(f64::sin)? })
    }

    /// Turns the first numbers of each head of `x [1, heads, tokens, head_dim]`, whose first token stands at `position`.
    pub fn apply(&self, x: &Tensor, position: usize) -> Result<Tensor> {
        let (_, _, tokens, head_dim) = x.dims4()?;
        let cos = self.cos.narrow(0, position, tokens)?;
        let sin = self.sin.narrow(0, position, tokens)?;
        let turn = |x: &Tensor| {
            let x = x.contiguous()?;
            if self.interleaved {
                candle_nn::rotary_emb::rope_i(&x, &cos, &sin)
            } else {
                candle_nn::rotary_emb::rope(&x, &cos, &sin)
            }
        };
        if self.dims == head_dim {
            return turn(x);
        }
        let turned = turn(&x.narrow(D::Minus1, 0, self.dims)?)?;
        Tensor::cat(&[turned, x.narrow(D::Minus1, self.dims, head_dim - self.dims)?.contiguous()?], D::Minus1)
    }
}
