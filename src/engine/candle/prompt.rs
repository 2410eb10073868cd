//! A prompt's attention by our own kernels: two launches for each sequence, whatever it brings.

use candle_core::{DType, Result, Tensor};

use super::address::address;
use super::batch::{Batch, CachePlace};
use crate::gpu::params::{self, Append};
use crate::gpu::{Launch, Machine};
use crate::spec::Heads;

/// Numbers of a head that the kernels have room for.
pub(super) const LONGEST_HEAD: usize = 256;
/// Rows and columns of what tensor cores multiply: queries have zeros up to whole ones.
const TILE: usize = 16;

/// How a layer attends.
pub(super) struct Prompt {
    pub heads: Heads,
    /// Of queries and of keys.
    pub norms: [params::Norm; 2],
    pub scale: f32,
    /// 0 for none.
    pub softcap: f32,
}

impl Prompt {
    /// Appends each sequence's rows of `queries, keys, values [rows, heads · dim]` to its cache, and attends. Gives
    /// `[rows, heads · dim]`.
    pub(super) fn attend(&self, machine: &dyn Machine, batch: &Batch, new: [&Tensor; 3]) -> Result<Tensor> {
        let Heads { queries: heads, keys: kv_heads, dim } = self.heads;
        let [queries, ..] = new;
        let (rows, device) = (queries.dim(0)?, queries.device());
        // SAFETY: the rows of the spans are all rows, and the kernels write those that they are given.
        let out = unsafe { Tensor::empty((rows, heads * dim), DType::F32, device)? };
        for place in batch.places() {
            let (rows, position, cache) = place?;
            let own = |y: &Tensor| address(&y.narrow(0, rows.start, rows.len())?);
            let [queries, keys, values] = new.map(own);
            // SAFETY: `append` writes all of it.
            let turned = unsafe { Tensor::empty((heads, rows.len(), dim.next_multiple_of(TILE)), DType::F16, device)? };
            let [query_norm, key_norm] = self.norms;
            let append = Append {
                queries: queries?,
                keys: keys?,
                values: values?,
                query_norm,
                key_norm,
                turn: cache.turn,
                turned: address(&turned)?,
                key_cache: cache.keys,
                value_cache: cache.values,
                rows: rows.len() as u32,
                heads: heads as u32,
                kv_heads: kv_heads as u32,
                dim: dim as u32,
                capacity: cache.capacity as u32,
                position: position as u32,
                half: u32::from(cache.half),
                unused: 0,
            };
            let window = batch.window.unwrap_or_default() as u32;
            let attended = own(&out)?;
            let attend = self.after(&append, &cache, window, attended);
            // SAFETY: the products have a row for each token and a number for each of a head's, the cache has room for the
            // sequence, and what is freed here is freed behind the launches.
            unsafe { machine.launch(&[Launch::new(append), Launch::new(attend)])? };
        }
        Ok(out)
    }

    /// Attention over what `append` leaves.
    fn after(&self, append: &Append, cache: &CachePlace, window: u32, out: u64) -> params::Prompt {
        params::Prompt {
            queries: append.turned,
            key_cache: cache.keys,
            value_cache: cache.values,
            out,
            rows: append.rows,
            heads: append.heads,
            kv_heads: append.kv_heads,
            dim: append.dim,
            capacity: append.capacity,
            position: append.position,
            window,
            half: append.half,
            scale: self.scale,
            softcap: self.softcap,
        }
    }
}
