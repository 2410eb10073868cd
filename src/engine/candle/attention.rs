//! Grouped-query attention over a preallocated cache.

use candle_core::{DType, Device, Result, Tensor};

use super::loader::{Loaded, Loader};
use super::matrix::Matrix;
use super::norm::Norm;
use super::rope::Rope;
use crate::spec::{self, FusedQkv, Heads, Part};

/// One layer's attention with its weights.
pub struct GroupedAttention {
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

/// Keys and values of one layer, written in place: `[kv_heads, capacity, head_dim]` each.
pub struct GroupedCache {
    keys: Tensor,
    values: Tensor,
}

/// Where in the sequence a forward pass stands, and what its queries may see.
pub struct Context<'a> {
    /// Position of the first token.
    pub position: usize,
    /// First position that any of the queries can see.
    pub from: usize,
    /// Added to the scores; `None` where nothing is hidden.
    pub mask: Option<&'a Tensor>,
    pub rope: Option<&'a Rope>,
}

impl GroupedAttention {
    pub fn load(loader: &Loader, layer: usize) -> Loaded<Self> {
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

    pub fn matrices(&self) -> Vec<&Matrix> {
        vec![&self.query, &self.key, &self.value, &self.output]
    }

    pub fn norms(&self) -> impl Iterator<Item = &Norm> {
        self.query_norm.iter().chain(&self.key_norm)
    }

    /// `x [tokens, hidden]` to the same shape, appending to the cache.
    pub fn forward(&self, x: &Tensor, cache: &GroupedCache, context: &Context) -> Result<Tensor> {
        let tokens = x.dim(0)?;
        let Heads { queries, keys: kv_heads, dim } = self.heads;
        // [tokens, heads × dim] → [1, heads, tokens, dim]
        let split = |y: Tensor, heads: usize, norm: Option<&Norm>| {
            let y = y.reshape((1, tokens, heads, dim))?;
            let y = match norm {
                Some(norm) => norm.forward(&y)?,
                None => y,
            };
            y.transpose(1, 2)
        };
        let turn = |y: Tensor| match context.rope {
            Some(rope) => rope.apply(&y, context.position),
            None => y.contiguous(),
        };
        let query = turn(split(self.query.forward(x)?, queries, self.query_norm.as_ref())?)?;
        let key = turn(split(self.key.forward(x)?, kv_heads, self.key_norm.as_ref())?)?;
        let value = split(self.value.forward(x)?, kv_heads, None)?;
        let (keys, values) = cache.append(&key.squeeze(0)?, &value.squeeze(0)?, context)?;

        let query = query.reshape((kv_heads, queries / kv_heads, tokens, dim))?;
        let attended = attend(&(query * self.scale)?, &keys, &values, self.softcap, context.mask)?;
        let attended = attended.reshape((queries, tokens, dim))?.transpose(0, 1)?;
        self.output.forward(&attended.reshape((tokens, queries * dim))?)
    }
}

impl GroupedCache {
    pub fn new(attention: &spec::Attention, capacity: usize, device: &Device) -> Result<Self> {
        let Heads { keys, dim, .. } = attention.heads;
        let make = || Tensor::zeros((keys, capacity, dim), DType::F32, device);
        Ok(Self { keys: make()?, values: make()? })
    }

    /// Writes keys and values of new tokens, `[kv_heads, tokens, dim]`; gives those from `context.from` on as views.
    fn append(&self, keys: &Tensor, values: &Tensor, context: &Context) -> Result<(Tensor, Tensor)> {
        self.keys.slice_set(&keys.contiguous()?, 1, context.position)?;
        self.values.slice_set(&values.contiguous()?, 1, context.position)?;
        let length = context.position + keys.dim(1)? - context.from;
        Ok((self.keys.narrow(1, context.from, length)?, self.values.narrow(1, context.from, length)?))
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
pub fn attend(
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

/// The mask for queries at `position..position + tokens` over keys from `from` on: 0 where a query may look, -∞ at later
/// positions and at those `window` or more before it.
///
/// `None` where nothing is hidden, as for a single query whose window starts at `from`.
pub fn causal_mask(
    tokens: usize,
    position: usize,
    from: usize,
    window: Option<usize>,
    device: &Device,
) -> Result<Option<Tensor>> {
    let length = position + tokens - from;
    let visible = |query: usize, key: usize| key <= query && window.is_none_or(|window| query - key < window);
    let queries = position..position + tokens;
    if tokens == 1 {
        return Ok(None);
    }
    let mask: Vec<f32> = queries
        .flat_map(|query| {
            (from..position + tokens).map(move |key| if visible(query, key) { 0.0 } else { f32::NEG_INFINITY })
        })
        .collect();
    Tensor::from_vec(mask, (tokens, length), device).map(Some)
}

/// First position that a query at `position` can see.
pub fn first_visible(position: usize, window: Option<usize>) -> usize {
    window.map_or(0, |window| (position + 1).saturating_sub(window))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(tokens: usize, position: usize, from: usize, window: Option<usize>) -> Vec<String> {
        let mask = causal_mask(tokens, position, from, window, &Device::Cpu).unwrap().unwrap();
        let row = |row: Vec<f32>| row.iter().map(|x| if *x == 0.0 { '1' } else { '.' }).collect();
        mask.to_vec2().unwrap().into_iter().map(row).collect()
    }

    #[test]
    fn a_query_sees_itself_and_what_came_before() {
        assert_eq!(rows(3, 0, 0, None), ["1..", "11.", "111"]);
        assert_eq!(rows(2, 2, 0, None), ["111.", "1111"]);
    }

    #[test]
    fn a_window_counts_the_querys_own_position() {
        assert_eq!(rows(4, 0, 0, Some(2)), ["1...", "11..", ".11.", "..11"]);
        assert_eq!(first_visible(5, Some(2)), 4);
        assert_eq!(first_visible(0, Some(2)), 0);
        assert_eq!(rows(2, 5, first_visible(5, Some(2)), Some(2)), ["11.", ".11"]);
    }

    #[test]
    fn a_single_query_sees_all_that_its_window_left() {
        assert!(causal_mask(1, 7, first_visible(7, Some(3)), Some(3), &Device::Cpu).unwrap().is_none());
    }

    #[test]
    fn fused_rows_of_each_head_are_gathered() {
        let heads = Heads { queries: 2, keys: 2, dim: 4 };
        let [query, key, value] = fused_rows(heads, FusedQkv::PerHead);
        assert_eq!(query.scattered, Some(vec![0..4, 12..16]));
        assert_eq!(key.scattered, Some(vec![4..8, 16..20]));
        assert_eq!((value.concatenated, value.scattered), (16..24, Some(vec![8..12, 20..24])));
    }
}
