//! Multi-head latent attention (DeepSeek-V2, <https://arxiv.org/abs/2405.04434>).
//!
//! What is cached is the latent that keys and values are made from, not the keys and values: the matrices that would make
//! them are applied to the query and to the result instead, where they cost the same and no cache.

use candle_core::{D, Result, Tensor};

use super::attention::attend;
use super::batch::{Batch, New};
use super::loader::{Loaded, Loader};
use super::matrix::{Matrix, all_finite};
use super::norm::Norm;
use crate::spec::{Latent, Part};

/// One layer's attention with its weights.
pub(super) struct LatentAttention {
    heads: usize,
    latent: Latent,
    scale: f64,
    query: Queries,
    down: Matrix,
    norm: Norm,
    /// Latent to each head's keys, `[heads, nope, kv_rank]`, and values, `[heads, kv_rank, value]`: float32, being applied
    /// to heads one by one.
    key_up: Tensor,
    value_up: Tensor,
    /// Of the matrix that both were.
    up_name: String,
    output: Matrix,
}

enum Queries {
    Direct(Matrix),
    ThroughLatent { down: Matrix, norm: Norm, up: Matrix },
}

impl LatentAttention {
    pub(super) fn load(loader: &Loader, layer: usize, latent: Latent) -> Loaded<Self> {
        let attention = &loader.spec().attention;
        let heads = attention.heads.queries;
        let query = if latent.query_rank.is_none() {
            Queries::Direct(loader.matrix(Part::Query, layer, None)?)
        } else {
            Queries::ThroughLatent {
                down: loader.matrix(Part::QueryDown, layer, None)?,
                norm: loader.norm(Part::QueryDownNorm, layer)?,
                up: loader.matrix(Part::QueryUp, layer, None)?,
            }
        };
        let up = loader.matrix(Part::LatentUp, layer, None)?;
        let up_name = up.name().to_owned();
        let up = up.dequantized()?.reshape((heads, latent.nope + latent.value, latent.kv_rank))?;
        Ok(Self {
            heads,
            latent,
            scale: attention.scale,
            query,
            down: loader.matrix(Part::LatentDown, layer, None)?,
            norm: loader.norm(Part::LatentNorm, layer)?,
            key_up: up.narrow(1, 0, latent.nope)?.contiguous()?,
            value_up: up.narrow(1, latent.nope, latent.value)?.transpose(1, 2)?.contiguous()?,
            up_name,
            output: loader.matrix(Part::Output, layer, None)?,
        })
    }

    pub(super) fn matrices(&self) -> Vec<&Matrix> {
        let mut matrices = match &self.query {
            Queries::Direct(query) => vec![query],
            Queries::ThroughLatent { down, up, .. } => vec![down, up],
        };
        matrices.extend([&self.down, &self.output]);
        matrices
    }

    pub(super) fn norms(&self) -> impl Iterator<Item = &Norm> {
        let query = match &self.query {
            Queries::Direct(_) => None,
            Queries::ThroughLatent { norm, .. } => Some(norm),
        };
        query.into_iter().chain([&self.norm])
    }

    /// The name of the matrix that is held as tensors, if any of its numbers is none or infinite.
    pub(super) fn damaged(&self) -> Result<Option<String>> {
        let whole = all_finite(&self.key_up)? && all_finite(&self.value_up)?;
        Ok((!whole).then(|| self.up_name.clone()))
    }

    /// Bytes of what is held in float32 beside the matrices.
    pub(super) fn float_bytes(&self) -> u64 {
        ((self.key_up.elem_count() + self.value_up.elem_count()) * size_of::<f32>()) as u64
    }

    /// `x [rows, hidden]` to the same shape, appending each sequence's rows to its cache.
    pub(super) fn forward(&self, x: &Tensor, batch: &Batch) -> Result<Tensor> {
        let rows = x.dim(0)?;
        let Latent { kv_rank, nope, rope, value, .. } = self.latent;
        let query = match &self.query {
            Queries::Direct(query) => query.forward(x)?,
            Queries::ThroughLatent { down, norm, up } => up.forward(&norm.forward(&down.forward(x)?)?)?,
        };
        // [heads, rows, nope + rope]
        let query = query.reshape((rows, self.heads, nope + rope))?.transpose(0, 1)?;
        let absorbed = query.narrow(D::Minus1, 0, nope)?.contiguous()?.matmul(&self.key_up)?.transpose(0, 1)?;
        let turning = query.narrow(D::Minus1, nope, rope)?.transpose(0, 1)?;

        let down = self.down.forward(x)?;
        let latent = self.norm.forward(&down.narrow(1, 0, kv_rank)?.contiguous()?)?.unsqueeze(1)?;
        let key = down.narrow(1, kv_rank, rope)?.unsqueeze(1)?;

        // All heads share one key, and the latent part of it is the value.
        let attended = if x.device().is_cpu() && !batch.plain {
            let queries = Tensor::cat(&[absorbed, turning], D::Minus1)?.contiguous()?;
            let keys = Tensor::cat(&[latent, key], D::Minus1)?.contiguous()?;
            let new = New { queries: &queries, keys: &keys, values: None, value_dim: kv_rank, turned_from: kv_rank };
            batch.attend(new, self.scale, None)?.reshape((rows, self.heads, kv_rank))?
        } else {
            batch.each(|context| {
                // [tokens, heads, dim] → [heads, tokens, dim]
                let own = |y: &Tensor| context.rows_of(y)?.transpose(0, 1);
                let join = |still: &Tensor, turning: &Tensor| {
                    Tensor::cat(&[own(still)?, context.turn(&own(turning)?)?], D::Minus1)
                };
                let query = (join(&absorbed, &turning)? * self.scale)?.unsqueeze(0)?;
                let keys = context.append(context.cache.keys(), &join(&latent, &key)?)?;
                let values = keys.narrow(D::Minus1, 0, kv_rank)?.contiguous()?;
                attend(&query, &keys, &values, None, context.mask)?.squeeze(0)?.transpose(0, 1)
            })?
        };
        let attended = attended.transpose(0, 1)?.contiguous()?.matmul(&self.value_up)?.transpose(0, 1)?;
        self.output.forward(&attended.reshape((rows, self.heads * value))?)
    }
}
