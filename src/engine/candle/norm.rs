//! Norms of the stream that goes through the layers.

use candle_core::{Result, Tensor};

use super::address::address;
use super::host;
use super::matrix::{all_finite, bias_of};
use crate::cpu::isa::Isa;
use crate::cpu::norm;
use crate::cpu::pool::Pool;
use crate::{gpu, spec};

/// A norm with its weights on their device.
pub(super) struct Norm {
    /// In the checkpoint.
    name: String,
    kind: spec::NormKind,
    epsilon: f32,
    /// The scale as it is applied: with Gemma's 1 already added.
    scale: Tensor,
    bias: Option<Tensor>,
}

impl Norm {
    pub(super) fn new(name: &str, norm: spec::Norm, scale: Tensor, bias: Option<Tensor>) -> Self {
        Self { name: name.to_owned(), kind: norm.kind, epsilon: norm.epsilon as f32, scale, bias }
    }

    /// Its name, if any of its numbers is none or infinite.
    pub(super) fn damaged(&self) -> Result<Option<String>> {
        if !all_finite(&self.scale)? {
            return Ok(Some(self.name.clone()));
        }
        match &self.bias {
            Some(bias) if !all_finite(bias)? => Ok(Some(bias_of(&self.name))),
            _ => Ok(None),
        }
    }

    /// Its weights, for the kernels of a decode step.
    pub(super) fn place(&self) -> Result<gpu::params::Norm> {
        let layer = u32::from(self.kind == spec::NormKind::Layer);
        let bias = self.bias.as_ref().filter(|_| layer == 1).map_or(Ok(0), address)?;
        Ok(gpu::params::Norm { scale: address(&self.scale)?, bias, epsilon: self.epsilon, layer })
    }

    /// Norms the last dimension of `x`, which is contiguous.
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        if x.device().is_cpu() {
            return self.on_host(x);
        }
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

    fn on_host(&self, x: &Tensor) -> Result<Tensor> {
        let (numbers, scale) = (host::numbers(x)?, host::numbers(&self.scale)?);
        let (kind, bias) = match self.kind {
            spec::NormKind::Layer => (norm::Kind::Layer, self.bias.as_ref()),
            spec::NormKind::Rms | spec::NormKind::RmsPlusOne => (norm::Kind::Rms, None),
        };
        let bias = bias.map(host::numbers).transpose()?;
        let norm = norm::Norm { kind, epsilon: self.epsilon, scale: &scale, bias: bias.as_deref() };
        // SAFETY: the kernel writes as many numbers as it is given.
        unsafe {
            host::made(x.shape(), |out| {
                norm::norm(Isa::best(), Pool::global(), norm, &numbers, out);
                Ok(())
            })
        }
    }
}
