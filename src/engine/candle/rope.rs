//! Rotary position embedding, its tables always in float32.
//!
//! In bfloat16 the angle of position 257 is already off by up to 0.86 in its cosine, and by more beyond: tables in the
//! model's own precision compute another model.

use candle_core::{Device, Result, Tensor};

/// Cosines and sines of every position up to a limit.
pub struct Rope {
    /// `[positions, head_dim / 2]`.
    cos: Tensor,
    sin: Tensor,
}

impl Rope {
    /// Frequencies `theta^(-2i / head_dim)` (Su et al., 2021, <https://arxiv.org/abs/2104.09864>).
    pub fn new(theta: f64, head_dim: usize, positions: usize, device: &Device) -> Result<Self> {
        let half = head_dim / 2;
        let frequencies: Vec<f32> =
            (0..half).map(|i| (1.0 / theta.powf(2.0 * i as f64 / head_dim as f64)) as f32).collect();
        let frequencies = Tensor::from_vec(frequencies, (1, half), device)?;
        let positions = Tensor::arange(0, positions as u32, device)?.to_dtype(candle_core::DType::F32)?;
        let angles = positions.unsqueeze(1)?.matmul(&frequencies)?;
        Ok(Self { cos: angles.cos()?, sin: angles.sin()? })
    }

    /// Turns `x [1, heads, tokens, head_dim]`, whose first token stands at `position`; halves are paired (`x_i` with
    /// `x_{i + head_dim/2}`), as in Hugging Face checkpoints.
    pub fn apply(&self, x: &Tensor, position: usize) -> Result<Tensor> {
        let tokens = x.dim(2)?;
        let cos = self.cos.narrow(0, position, tokens)?;
        let sin = self.sin.narrow(0, position, tokens)?;
        candle_nn::rotary_emb::rope(&x.contiguous()?, &cos, &sin)
    }
}
