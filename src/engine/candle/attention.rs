//! Grouped-query attention over a preallocated cache.

use candle_core::{DType, Device, Result, Tensor};

/// Keys and values of one layer, written in place: `[kv_heads, capacity, head_dim]` each.
pub struct LayerCache {
    keys: Tensor,
    values: Tensor,
}

impl LayerCache {
    pub fn new(kv_heads: usize, capacity: usize, head_dim: usize, device: &Device) -> Result<Self> {
        let make = || Tensor::zeros((kv_heads, capacity, head_dim), DType::F32, device);
        Ok(Self { keys: make()?, values: make()? })
    }

    /// Writes the keys and values of new tokens, `[kv_heads, tokens, head_dim]`, at `position`; gives those of positions
    /// `from..position + tokens` as views.
    pub fn append(&self, keys: &Tensor, values: &Tensor, position: usize, from: usize) -> Result<(Tensor, Tensor)> {
        self.keys.slice_set(&keys.contiguous()?, 1, position)?;
        self.values.slice_set(&values.contiguous()?, 1, position)?;
        let length = position + keys.dim(1)? - from;
        Ok((self.keys.narrow(1, from, length)?, self.values.narrow(1, from, length)?))
    }
}

/// Attention of `queries [kv_heads, group, tokens, head_dim]` over `keys` and `values [kv_heads, length, head_dim]`.
///
/// All query heads of a group are stacked as rows of one product with their shared keys, so keys and values are never
/// copied to the full head count. `mask [tokens, length]` is added to the scores; `None` lets every query see every key.
/// Gives `[kv_heads, group, tokens, head_dim]`.
pub fn attend(queries: &Tensor, keys: &Tensor, values: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
    let (kv_heads, group, tokens, head_dim) = queries.dims4()?;
    let length = keys.dim(1)?;
    let stacked = (queries * (1.0 / (head_dim as f64).sqrt()))?.reshape((kv_heads, group * tokens, head_dim))?;
    let scores = stacked.matmul(&keys.transpose(1, 2)?)?;
    let scores = match mask {
        Some(mask) => scores.reshape((kv_heads, group, tokens, length))?.broadcast_add(mask)?.reshape((
            kv_heads,
            group * tokens,
            length,
        ))?,
        None => scores,
    };
    let weights = candle_nn::ops::softmax_last_dim(&scores)?;
    weights.matmul(values)?.reshape((kv_heads, group, tokens, head_dim))
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
    if queries.clone().all(|query| (from..position + tokens).all(|key| visible(query, key))) {
        return Ok(None);
    }
    let mask: Vec<f32> = queries
        .flat_map(|query| {
            (from..position + tokens).map(move |key| if visible(query, key) { 0.0 } else { f32::NEG_INFINITY })
        })
        .collect();
    Tensor::from_vec(mask, (tokens, length), device).map(Some)
}

/// First position that any of the queries from `position` on can see.
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
    fn a_single_query_needs_no_mask() {
        assert!(causal_mask(1, 7, 0, None, &Device::Cpu).unwrap().is_none());
        assert!(causal_mask(1, 7, first_visible(7, Some(3)), Some(3), &Device::Cpu).unwrap().is_none());
    }
}
