//! The sequences that a decoder holds, and how their new tokens go through it together.
//!
//! A batch is ragged: the new tokens of all sequences are rows of one matrix, without padding, however many each sequence
//! has. Only attention tells the sequences apart: each has its own positions, mask and cache.

use std::cell::RefCell;
use std::mem::MaybeUninit;
use std::ops::Range;

use candle_core::{DType, Device, Result, Tensor};
use half::f16;

use super::address::address;
use super::host::{self, Writable};
use super::mask::{causal_mask, first_visible};
use super::rope::Rope;
use crate::cpu::attention;
use crate::cpu::isa::Isa;
use crate::cpu::pool::Pool;
use crate::gpu::Machine;
use crate::gpu::params::Turn;
use crate::plan::PREFILL_CHUNK;
use crate::spec::{self, DecoderSpec, Heads};

/// A sequence, and what every layer keeps of it.
pub(super) struct Sequence {
    /// Tokens in the caches.
    position: usize,
    /// Tokens that it is to hold.
    room: usize,
    capacity: usize,
    caches: Vec<Cache>,
}

impl Sequence {
    pub(super) fn new(spec: &DecoderSpec, room: usize, cache_type: DType, device: &Device) -> Result<Self> {
        let capacity = room.next_multiple_of(PREFILL_CHUNK);
        let cache = |_| Cache::new(&spec.attention, capacity, cache_type, device);
        let caches = (0..spec.layers.len()).map(cache).collect::<Result<_>>()?;
        Ok(Self { position: 0, room, capacity, caches })
    }

    /// Whether it could hold so many tokens without growing.
    pub(super) fn fits(&self, room: usize) -> bool {
        room <= self.capacity
    }

    /// Forgets its tokens, to hold so many others.
    pub(super) fn restart(&mut self, room: usize) {
        self.restart_at(0, room);
    }

    /// Forgets all but its first tokens.
    pub(super) fn restart_at(&mut self, position: usize, room: usize) {
        (self.position, self.room) = (position, room);
    }

    /// So many more tokens are in the caches.
    pub(super) fn advance(&mut self, tokens: usize) {
        self.position += tokens;
    }
}

/// What one layer keeps of one sequence, written in place: `[heads, capacity, dim]` each.
pub(super) struct Cache {
    keys: Tensor,
    /// `None` in latent attention, where they are a part of the keys.
    values: Option<Tensor>,
}

impl Cache {
    fn new(attention: &spec::Attention, capacity: usize, cache_type: DType, device: &Device) -> Result<Self> {
        let make = |heads: usize, dim: usize| Tensor::zeros((heads, capacity, dim), cache_type, device);
        Ok(match attention.latent {
            Some(latent) => Self { keys: make(1, latent.kv_rank + latent.rope)?, values: None },
            None => {
                let Heads { keys, dim, .. } = attention.heads;
                Self { keys: make(keys, dim)?, values: Some(make(keys, dim)?) }
            }
        })
    }

    pub(super) fn keys(&self) -> &Tensor {
        &self.keys
    }

    pub(super) fn values(&self) -> Result<&Tensor> {
        self.values.as_ref().ok_or_else(|| candle_core::Error::Msg("the cache is of latent attention".into()))
    }
}

/// Where the caches of a layer and the angles of its positions lie, for the kernels of a GPU.
pub(super) struct CachePlace {
    pub keys: u64,
    pub values: u64,
    pub capacity: usize,
    /// The numbers are float16, else float32.
    pub half: bool,
    pub turn: Turn,
}

impl Sequence {
    pub(super) fn position(&self) -> usize {
        self.position
    }

    pub(super) fn room(&self) -> usize {
        self.room
    }

    /// The caches of a layer with the angles of a rotary embedding.
    pub(super) fn place(&self, layer: usize, rope: Option<&Rope>) -> Result<CachePlace> {
        let cache = &self.caches[layer];
        Ok(CachePlace {
            keys: address(&cache.keys)?,
            values: address(cache.values()?)?,
            capacity: self.capacity,
            half: cache.keys.dtype() == DType::F16,
            turn: rope.map_or(Ok(Turn::default()), |rope| rope.place(self.room))?,
        })
    }
}

/// A sequence's tokens in one forward pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    /// Which sequence.
    pub sequence: usize,
    pub ids: &'a [u32],
    /// The last of the sequence's new tokens is among them.
    pub ends: bool,
}

/// Deals the new tokens of every sequence, in order, into forward passes of at most `rows`.
pub(super) fn passes<'a>(ids: &[&'a [u32]], rows: usize) -> Vec<Vec<Piece<'a>>> {
    let mut passes = Vec::new();
    let (mut pass, mut left) = (Vec::new(), rows);
    for (sequence, mut rest) in ids.iter().copied().enumerate() {
        while !rest.is_empty() {
            if left == 0 {
                passes.push(std::mem::take(&mut pass));
                left = rows;
            }
            let (ids, after) = rest.split_at(rest.len().min(left));
            pass.push(Piece { sequence, ids, ends: after.is_empty() });
            left -= ids.len();
            rest = after;
        }
    }
    if !pass.is_empty() {
        passes.push(pass);
    }
    passes
}

/// One sequence's rows in a forward pass.
pub(super) struct Span<'a> {
    sequence: &'a Sequence,
    rows: Range<usize>,
    /// Those that were asked for: layers with the same window share one.
    masks: RefCell<Vec<(Option<usize>, Option<Tensor>)>>,
}

impl<'a> Span<'a> {
    /// The spans of a pass, each sequence's rows after those of the one before.
    pub(super) fn of(pass: &[Piece], sequences: &'a [Sequence]) -> Vec<Self> {
        let mut end = 0;
        let span = |piece: &Piece| {
            let start = end;
            end += piece.ids.len();
            Self { sequence: &sequences[piece.sequence], rows: start..end, masks: RefCell::default() }
        };
        pass.iter().map(span).collect()
    }

    /// What its queries may see within a window; `None` where nothing is hidden.
    fn mask(&self, window: Option<usize>, device: &Device) -> Result<Option<Tensor>> {
        let mut masks = self.masks.borrow_mut();
        if let Some((_, mask)) = masks.iter().find(|(known, _)| *known == window) {
            return Ok(mask.clone());
        }
        let position = self.sequence.position;
        let mask = causal_mask(self.rows.len(), position, first_visible(position, window), window, device)?;
        masks.push((window, mask.clone()));
        Ok(mask)
    }
}

/// The rows of a forward pass, as the attention of one layer sees them.
pub(super) struct Batch<'a> {
    pub spans: &'a [Span<'a>],
    pub layer: usize,
    pub window: Option<usize>,
    pub rope: Option<&'a Rope>,
    /// What computes with our own kernels, if anything does beside the host.
    pub machine: Option<&'a dyn Machine>,
    /// On the host, operation by operation instead of by its kernel.
    pub plain: bool,
}

impl Batch<'_> {
    /// Attends in each sequence by itself, giving `[tokens, heads, dim]`; the same of all rows.
    pub(super) fn each(&self, attend: impl Fn(&Context) -> Result<Tensor>) -> Result<Tensor> {
        let attended = |span: &Span| {
            let cache = &span.sequence.caches[self.layer];
            let mask = span.mask(self.window, cache.keys.device())?;
            attend(&Context { cache, mask: mask.as_ref(), span, batch: self })
        };
        match self.spans {
            [span] => attended(span),
            spans => Tensor::cat(&spans.iter().map(attended).collect::<Result<Vec<_>>>()?, 0),
        }
    }

    /// Each sequence's rows, the position of the first of them, and its caches.
    pub(super) fn places(&self) -> impl Iterator<Item = Result<(Range<usize>, usize, CachePlace)>> {
        self.spans.iter().map(|span| {
            let place = span.sequence.place(self.layer, self.rope)?;
            Ok((span.rows.clone(), span.sequence.position, place))
        })
    }
}

/// What new tokens bring to the attention of a layer, `[rows, heads, dim]` each, and nobody else holds.
#[derive(Clone, Copy)]
pub(super) struct New<'a> {
    pub queries: &'a Tensor,
    pub keys: &'a Tensor,
    /// `None` where they are the first numbers of the keys.
    pub values: Option<&'a Tensor>,
    pub value_dim: usize,
    /// The first number of a query or key that is turned by its position.
    pub turned_from: usize,
}

impl Batch<'_> {
    /// On the host: turns queries and keys, puts keys and values into the caches, and attends in each sequence by itself.
    /// Gives `[rows, heads · value_dim]`.
    pub(super) fn attend(&self, new: New, scale: f64, softcap: Option<f64>) -> Result<Tensor> {
        let (rows, heads, _) = new.queries.dims3()?;
        let width = heads * new.value_dim;
        // SAFETY: the rows of the spans are all rows, and the kernel writes those that it is given.
        unsafe {
            host::made((rows, width), |out| {
                for span in self.spans {
                    let own = |y: &Tensor| y.narrow(0, span.rows.start, span.rows.len());
                    let (queries, keys) = (own(new.queries)?, own(new.keys)?);
                    let values = new.values.map(own).transpose()?;
                    let new = New { queries: &queries, keys: &keys, values: values.as_ref(), ..new };
                    let out = &mut out[span.rows.start * width..span.rows.end * width];
                    match span.sequence.caches[self.layer].keys.dtype() {
                        DType::F16 => self.attend_in::<f16>(span, new, scale, softcap, out)?,
                        _ => self.attend_in::<f32>(span, new, scale, softcap, out)?,
                    }
                }
                Ok(())
            })
        }
    }

    /// The same of one sequence, whose cache is of this type.
    fn attend_in<E: Writable>(
        &self,
        span: &Span,
        new: New,
        scale: f64,
        softcap: Option<f64>,
        out: &mut [MaybeUninit<f32>],
    ) -> Result<()> {
        let Sequence { position, room, capacity, .. } = *span.sequence;
        let cache = &span.sequence.caches[self.layer];
        let (tokens, heads, dim) = new.queries.dims3()?;
        if let Some(rope) = self.rope {
            rope.turn(new.queries, new.turned_from, position, room)?;
            rope.turn(new.keys, new.turned_from, position, room)?;
        }
        let append = |new: &Tensor, cached: &Tensor| {
            let (_, heads, dim) = new.dims3()?;
            let new = host::numbers(new)?;
            host::in_place::<E>(cached, |cached| {
                E::append(Isa::best(), &new, cached, heads, dim, position..position + tokens);
            })
        };
        append(new.keys, &cache.keys)?;
        if let Some(values) = new.values {
            append(values, cache.values()?)?;
        }
        let keys = host::numbers::<E>(&cache.keys)?;
        let values = cache.values.as_ref().map(host::numbers::<E>).transpose()?;
        let shape = attention::Shape {
            tokens,
            position,
            window: self.window,
            heads,
            kv_heads: new.keys.dim(1)?,
            dim,
            value_dim: new.value_dim,
            capacity,
            scale: scale as f32,
            softcap: softcap.map(|cap| cap as f32),
        };
        let cache = attention::Cache { keys: &keys, values: values.as_deref() };
        E::attend(Isa::best(), Pool::global(), shape, &host::numbers(new.queries)?, cache, out);
        Ok(())
    }
}

/// Where one sequence stands, and what its queries may see.
pub(super) struct Context<'a> {
    pub cache: &'a Cache,
    /// Added to the scores; `None` where nothing is hidden.
    pub mask: Option<&'a Tensor>,
    span: &'a Span<'a>,
    batch: &'a Batch<'a>,
}

impl Context<'_> {
    /// The sequence's own rows of those of all.
    pub(super) fn rows_of(&self, y: &Tensor) -> Result<Tensor> {
        y.narrow(0, self.span.rows.start, self.span.rows.len())
    }

    /// Turns queries or keys `[heads, tokens, dim]` by their positions; gives them contiguous.
    pub(super) fn turn(&self, y: &Tensor) -> Result<Tensor> {
        let Sequence { position, room, .. } = *self.span.sequence;
        match self.batch.rope {
            Some(rope) => rope.apply(y, position, room),
            None => y.contiguous(),
        }
    }

    /// Writes the new tokens' keys or values, `[heads, tokens, dim]`, into their cache; gives all that a query can see, in the
    /// new tokens' type.
    pub(super) fn append(&self, cached: &Tensor, new: &Tensor) -> Result<Tensor> {
        let position = self.span.sequence.position;
        cached.slice_set(&new.to_dtype(cached.dtype())?.contiguous()?, 1, position)?;
        let from = first_visible(position, self.batch.window);
        cached.narrow(1, from, position + new.dim(1)? - from)?.to_dtype(new.dtype())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_are_filled_with_the_sequences_in_order() {
        let piece = |sequence, ids, ends| Piece { sequence, ids, ends };
        let ids: [&[u32]; 4] = [&[1, 2, 3], &[], &[4], &[5, 6, 7, 8, 9]];
        let expected = [
            vec![piece(0, &[1, 2, 3], true), piece(2, &[4], true)],
            vec![piece(3, &[5, 6, 7, 8], false)],
            vec![piece(3, &[9], true)],
        ];
        assert_eq!(passes(&ids, 4), expected);
        assert_eq!(passes(&[&[], &[]], 4), Vec::<Vec<Piece>>::new());
    }
}
