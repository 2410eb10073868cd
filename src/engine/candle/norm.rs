//! Norms of the stream that goes through the layers.

use candle_core::{Result, Tensor};

use super::matrix::{all_finite, bias_of};
use crate::spec;

/// A norm with its weights on their device.
pub struct Norm {
    /// In the checkpoint.
    name: String,
    kind: spec::NormKind,
    epsilon: f32,
    /// The scale as it is applied: with Gemma's 1 already added.
    scale: Tensor,
    bias: Option<Tensor>,
}

impl Norm {
    pub fn new(name: &str, norm: spec::Norm, scale: Tensor, bias: Option<Tensor>) -> Self {
        Self { name: name.to_owned(), kind: norm.kind, epsilon: norm.epsilon as f32, scale, bias }
    }

    /// Its name, if any of its numbers is none or infinite.
    pub fn damaged(&self) -> Result<Option<String>> {
        if !all_finite(&self.scale)? {
            return Ok(Some(self.name.clone()));
        }
        match &self.bias {
            Some(bias) if !all_finite(bias)? => Ok(Some(bias_of(&self.name))),
            _ => Ok(None),
        }
    }

    /// Norms the last dimension of `x`, which is contiguous.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match (self.kind, &self.bias) {
            (spec::NormKind::Layer, Some(bias)) => candle_nn::ops::layer_norm(x, &self.scale, bias, self.epsilon),
            (spec::NormKind::Layer, None) => {
                candle_nn::ops::layer_norm(x, &self.scale, &self.scale.zeros_like()?, self.epsilon)
            }
            (spec::NormKind::Rms | spec::NormKind::RmsPlusOne, _) => {
                candle_nn::ops::rms_norm(x, &self.scale, self.epsilon)
            }
        }
    }
}
