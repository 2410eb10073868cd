//! What a query may look at: itself and what came before, within its layer's window.

use candle_core::{Device, Result, Tensor};

/// The mask for queries at `position..position + tokens` over keys from `from` on: 0 where a query may look, -∞ at later
/// positions and at those `window` or more before it.
///
/// `None` where nothing is hidden, as for a single query whose window starts at `from`.
pub(super) fn causal_mask(
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
pub(super) fn first_visible(position: usize, window: Option<usize>) -> usize {
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
}
