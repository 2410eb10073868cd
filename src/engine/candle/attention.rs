//! Grouped-query attention over a preallocated cache.

use candle_core::{Result, Tensor};

use super::batch::{Batch, CachePlace, New};
use super::decode_step::{Room, Row, StepBuilder};
use super::loader::{Loaded, Loader};
use super::matrix::Matrix;
use super::norm::Norm;
use super::prompt::{LONGEST_HEAD, Prompt};
use crate::gpu;
use crate::spec::{FusedQkv, Heads, Part};

/// One layer's attention with its weights.
pub(super) struct GroupedAttention {
    heads: Heads,
    scale: f64,
    softcap: Option<f64>,
    query: Matrix,
    key: Matrix,
    value: Matrix,
    query_norm: Option<Norm>,
    key_norm: Option<Norm>,
    output: Matrix,
}

impl GroupedAttention {
    pub(super) fn load(loader: &Loader, layer: usize) -> Loaded<Self> {
        let attention = &loader.spec().attention;
        let heads = attention.heads;
        let norm = |part| if attention.qk_norm { loader.norm(part, layer).map(Some) } else { Ok(None) };
        let [query, key, value] = match attention.fused {
            FusedQkv::No => [Part::Query, Part::Key, Part::Value].map(|part| loader.matrix(part, layer, None)),
            fused => fused_rows(heads, fused).map(|rows| loader.matrix(Part::QueryKeyValue, layer, Some(&rows))),
        };
        Ok(Self {
            heads,
            scale: attention.scale,
            softcap: attention.softcap,
            query: query?,
            key: key?,
            value: value?,
            query_norm: norm(Part::QueryNorm)?,
            key_norm: norm(Part::KeyNorm)?,
            output: loader.matrix(Part::Output, layer, None)?,
        })
    }

    pub(super) fn matrices(&self) -> Vec<&Matrix> {
        vec![&self.query, &self.key, &self.value, &self.output]
    }

    pub(super) fn norms(&self) -> impl Iterator<Item = &Norm> {
        self.query_norm.iter().chain(&self.key_norm)
    }

    /// Whether our own kernels for a GPU have room for its heads, and take their numbers by four.
    fn has_kernels(&self) -> bool {
        let Heads { queries, keys, dim } = self.heads;
        dim <= LONGEST_HEAD && dim.is_multiple_of(4) && keys > 0 && queries.is_multiple_of(keys)
    }

    /// The norms of queries and keys, for those kernels.
    fn placed_norms(&self) -> Result<[gpu::params::Norm; 2]> {
        let place = |norm: &Option<Norm>| norm.as_ref().map_or(Ok(gpu::params::Norm::default()), Norm::place);
        Ok([place(&self.query_norm)?, place(&self.key_norm)?])
    }

    /// The matrices that take the attention's input.
    pub(super) fn first(&self) -> [&Matrix; 3] {
        [&self.query, &self.key, &self.value]
    }

    /// Puts its kernels on the plan of a decode step; gives where the results will be.
    pub(super) fn plan(
        &self,
        plan: &mut StepBuilder,
        x: &Row,
        room: &Room,
        cache: &CachePlace,
        window: Option<usize>,
    ) -> Result<u64> {
        let Heads { queries, keys: kv_heads, dim } = self.heads;
        if !self.has_kernels() {
            plan.refuse();
            return Ok(0);
        }
        plan.product(self.first(), x, room.qkv, None)?;
        let [query_norm, key_norm] = self.placed_norms()?;
        let float = size_of::<f32>() as u64;
        let (keys, values) =
            (room.qkv + (queries * dim) as u64 * float, room.qkv + ((queries + kv_heads) * dim) as u64 * float);
        plan.launch(gpu::params::Attend {
            state: plan.state()?,
            queries: room.qkv,
            keys,
            values,
            query_norm,
            key_norm,
            turn: cache.turn,
            key_cache: cache.keys,
            value_cache: cache.values,
            partial: room.partial,
            heads: queries as u32,
            kv_heads: kv_heads as u32,
            dim: dim as u32,
            capacity: cache.capacity as u32,
            window: window.unwrap_or_default() as u32,
            splits: room.splits as u32,
            half: u32::from(cache.half),
            scale: self.scale as f32,
            softcap: self.softcap.unwrap_or_default() as f32,
            unused: 0,
        });
        let gather = gpu::params::Gather {
            partial: room.partial,
            out: room.attended.numbers,
            quantized: plan.quantized_for(&room.attended, &[&self.output]),
            heads: queries as u32,
            dim: dim as u32,
            splits: room.splits as u32,
            unused: 0,
        };
        plan.launch(gather);
        plan.product([&self.output], &room.attended, room.attention, None)?;
        Ok(room.attention)
    }

    /// `x [rows, hidden]` to the same shape, appending each sequence's rows to its cache.
    pub(super) fn forward(&self, x: &Tensor, batch: &Batch) -> Result<Tensor> {
        let rows = x.dim(0)?;
        let Heads { queries, keys: kv_heads, dim } = self.heads;
        let split = |y: Tensor, heads: usize, norm: Option<&Norm>| {
            let y = y.reshape((rows, heads, dim))?;
            match norm {
                Some(norm) => norm.forward(&y),
                None => Ok(y),
            }
        };
        let [query, key, value] = Matrix::forward_each([&self.query, &self.key, &self.value], x)?;
        if let Some(machine) = batch.machine.filter(|_| self.has_kernels()) {
            let attention = Prompt {
                heads: self.heads,
                norms: self.placed_norms()?,
                scale: self.scale as f32,
                softcap: self.softcap.unwrap_or_default() as f32,
            };
            return self.output.forward(&attention.attend(machine, batch, [&query, &key, &value])?);
        }
        let query = split(query, queries, self.query_norm.as_ref())?;
        let key = split(key, kv_heads, self.key_norm.as_ref())?;
        let value = split(value, kv_heads, None)?;
        if x.device().is_cpu() && !batch.plain {
            let new = New { queries: &query, keys: &key, values: Some(&value), value_dim: dim, turned_from: 0 };
            return self.output.forward(&batch.attend(new, self.scale, self.softcap)?);
        }
        let attended = batch.each(|context| {
            // [tokens, heads, dim] → [heads, tokens, dim]
            let own = |y: &Tensor| context.rows_of(y)?.transpose(0, 1);
            let query = context.turn(&own(&query)?)?;
            let keys = context.append(context.cache.keys(), &context.turn(&own(&key)?)?)?;
            let values = context.append(context.cache.values()?, &own(&value)?)?;
            let query = query.reshape((kv_heads, queries / kv_heads, (), dim))?;
            let attended = attend(&(query * self.scale)?, &keys, &values, self.softcap, context.mask)?;
            attended.reshape((queries, (), dim))?.transpose(0, 1)
        })?;
        self.output.forward(&attended.reshape((rows, queries * dim))?)
    }
}

/// Which rows of a fused matrix are query, key and value.
fn fused_rows(heads: Heads, fused: FusedQkv) -> [super::weights::Rows; 3] {
    let (queries, keys) = (heads.queries * heads.dim, heads.keys * heads.dim);
    let parts = [0..queries, queries..queries + keys, queries + keys..queries + 2 * keys];
    let mut index = 0;
    parts.map(|concatenated| {
        let part = index;
        index += 1;
        let per_head = |head: usize| {
            let start = (3 * head + part) * heads.dim;
            start..start + heads.dim
        };
        let scattered = (fused == FusedQkv::PerHead).then(|| (0..heads.queries).map(per_head).collect());
        super::weights::Rows { concatenated, scattered }
    })
}

/// Attention of scaled `queries [kv_heads, group, tokens, dim]` over `keys` and `values [kv_heads, length, dim]`.
///
/// All query heads of a group are stacked as rows of one product with their shared keys, so keys and values are never
/// copied to the full head count. `mask [tokens, length]` is added to the scores, after `softcap` has squashed them.
/// Gives `[kv_heads, group, tokens, dim]`.
pub(super) fn attend(
    queries: &Tensor,
    keys: &Tensor,
    values: &Tensor,
    softcap: Option<f64>,
    mask: Option<&Tensor>,
) -> Result<Tensor> {
    let (kv_heads, group, tokens, dim) = queries.dims4()?;
    let length = keys.dim(1)?;
    let scores = queries.reshape((kv_heads, group * tokens, dim))?.matmul(&keys.transpose(1, 2)?)?;
    let scores = match softcap {
        Some(cap) => ((scores / cap)?.tanh()? * cap)?,
        None => scores,
    };
    let scores = match mask {
        Some(mask) => scores.reshape((kv_heads, group, tokens, length))?.broadcast_add(mask)?.reshape((
            kv_heads,
            group * tokens,
            length,
        ))?,
        None => scores,
    };
    let attended = candle_nn::ops::softmax_last_dim(&scores)?.matmul(values)?;
    attended.reshape((kv_heads, group, tokens, values.dim(2)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fused_rows_of_each_head_are_gathered() {
        let heads = Heads { queries: 2, keys: 2, dim: 4 };
        let [query, key, value] = fused_rows(heads, FusedQkv::PerHead);
        assert_eq!(query.scattered, Some(vec![0..4, 12..16]));
        assert_eq!(key.scattered, Some(vec![4..8, 16..20]));
        assert_eq!((value.concatenated, value.scattered), (16..24, Some(vec![8..12, 20..24])));
    }
}
