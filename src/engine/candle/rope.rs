//! Rotary position embedding, its tables always in float32.
//!
//! In bfloat16 the angle of position 257 is already off by up to 0.86 in its cosine, and by more beyond: tables in the
//! model's own precision compute another model.

use candle_core::{D, Device, Error, Result, Tensor};

use super::address::address;
use super::host;
use crate::cpu::isa::Isa;
use crate::cpu::pool::Pool;
use crate::cpu::rope::{Turn, turn};
use crate::gpu;
use crate::spec::RopeSpec;

/// Cosines and sines of every position up to a limit.
pub(super) struct Rope {
    dims: usize,
    interleaved: bool,
    table: Table,
    /// Longrope: the table of sequences that are to hold more than so many tokens.
    long: Option<(usize, Table)>,
}

/// `[positions, dims / 2]` each.
struct Table {
    cos: Tensor,
    sin: Tensor,
}

impl Rope {
    /// Tables of so many positions.
    pub(super) fn new(spec: &RopeSpec, positions: usize, device: &Device) -> Result<Self> {
        let table = |frequencies: &[f64]| -> Result<Table> {
            // The product is taken in double precision: position 4095 in float32 would already lose three digits of its
            // angle.
            let angles = |function: fn(f64) -> f64| {
                let of = |position| frequencies.iter().map(move |frequency| function(position as f64 * frequency));
                let table: Vec<f32> = (0..positions).flat_map(of).map(|value| (value * spec.factor) as f32).collect();
                Tensor::from_vec(table, (positions, frequencies.len()), device)
            };
            Ok(Table { cos: angles(f64::cos)?, sin: angles(f64::sin)? })
        };
        let long = spec.long.as_ref().filter(|(limit, _)| positions > *limit);
        Ok(Self {
            dims: spec.dims,
            interleaved: spec.interleaved,
            table: table(&spec.frequencies)?,
            long: long.map(|(limit, frequencies)| Ok::<_, Error>((*limit, table(frequencies)?))).transpose()?,
        })
    }

    /// Turns the first numbers of each head of `x [heads, tokens, head_dim]`, whose first token stands at `position` of a
    /// sequence that is to hold `room` tokens.
    pub(super) fn apply(&self, x: &Tensor, position: usize, room: usize) -> Result<Tensor> {
        let (_, tokens, head_dim) = x.dims3()?;
        let Table { cos, sin } = self.angles(position, tokens, room)?;
        let turn = |x: &Tensor| {
            let x = x.contiguous()?.unsqueeze(0)?;
            let turned = if self.interleaved {
                candle_nn::rotary_emb::rope_i(&x, &cos, &sin)
            } else {
                candle_nn::rotary_emb::rope(&x, &cos, &sin)
            };
            turned?.squeeze(0)
        };
        if self.dims == head_dim {
            return turn(x);
        }
        let turned = turn(&x.narrow(D::Minus1, 0, self.dims)?)?;
        Tensor::cat(&[turned, x.narrow(D::Minus1, self.dims, head_dim - self.dims)?.contiguous()?], D::Minus1)
    }

    /// On the host, and in place: turns the numbers from `first` on of each head of `x [tokens, heads, head_dim]`.
    pub(super) fn turn(&self, x: &Tensor, first: usize, position: usize, room: usize) -> Result<()> {
        let (tokens, heads, dim) = x.dims3()?;
        let Table { cos, sin } = self.angles(position, tokens, room)?;
        let (cos, sin) = (host::numbers(&cos)?, host::numbers(&sin)?);
        let turned = Turn { dim, first, dims: self.dims, interleaved: self.interleaved };
        host::in_place(x, |x| turn(Isa::best(), Pool::global(), turned, heads, x, &cos, &sin))
    }

    /// How a sequence that is to hold `room` tokens is turned, for the kernels of a GPU.
    pub(super) fn place(&self, room: usize) -> Result<gpu::params::Turn> {
        let Table { cos, sin } = self.table(room);
        Ok(gpu::params::Turn {
            cos: address(cos)?,
            sin: address(sin)?,
            dims: self.dims as u32,
            interleaved: u32::from(self.interleaved),
        })
    }

    /// Whether a sequence that is to hold `room` tokens has the table of long ones.
    pub(super) fn is_long(&self, room: usize) -> bool {
        self.long.as_ref().is_some_and(|(limit, _)| room > *limit)
    }

    fn table(&self, room: usize) -> &Table {
        match &self.long {
            Some((_, long)) if self.is_long(room) => long,
            _ => &self.table,
        }
    }

    /// The angles of some positions of a sequence that is to hold `room` tokens.
    fn angles(&self, position: usize, tokens: usize, room: usize) -> Result<Table> {
        let table = self.table(room);
        Ok(Table { cos: table.cos.narrow(0, position, tokens)?, sin: table.sin.narrow(0, position, tokens)? })
    }
}
