//! Products with dense weights, which stay as they lie in a file: bfloat16, float16 or float32.
//!
//! A weight is widened in a register, where it is exact, and its products are summed up in float32: with 16 bits the result is
//! that of the same weights in float32. One kernel serves one token and thousands: `tile`.
//!
//! With one exception: many tokens ([`ROUNDED_TOKENS`]) times bfloat16 weights, on a processor that has AVX512_BF16.
//! Activations are then rounded to bfloat16, once for all products with them, and pairs of columns multiplied by `vdpbf16ps`,
//! which does twice as many products: `round`. So do llama.cpp, whatever the number of tokens, and inference in bfloat16 on
//! GPUs. Each activation is off by up to 2^-8 of itself. Attention, norms and sums remain float32; weights of 16 and 32 bits of
//! other kinds, and all products of fewer tokens, decoding among them, are exact as ever.

mod lanes;
mod part;
mod product;
mod round;
mod tile;
mod widen;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use self::product::{Job, product};
pub use self::round::ROUNDED_TOKENS;
pub use self::widen::widen;

/// A type of weight, little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// bfloat16: the upper half of a float32.
    Bf16,
    /// IEEE 754's binary16.
    F16,
    /// IEEE 754's binary32.
    F32,
}

impl Kind {
    /// Bytes of a weight.
    pub fn size(self) -> usize {
        match self {
            Self::Bf16 | Self::F16 => 2,
            Self::F32 => 4,
        }
    }
}

/// A matrix of weights, one row after another.
#[derive(Debug, Clone, Copy)]
pub struct Dense<'a> {
    kind: Kind,
    rows: usize,
    columns: usize,
    bytes: &'a [u8],
}

/// Why bytes are no such matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{bytes} bytes are not {rows} rows of {columns} weights")]
pub struct DenseError {
    bytes: usize,
    rows: usize,
    columns: usize,
}

impl<'a> Dense<'a> {
    /// `bytes` need not be aligned.
    pub fn new(kind: Kind, rows: usize, columns: usize, bytes: &'a [u8]) -> Result<Self, DenseError> {
        if rows.checked_mul(columns).and_then(|weights| weights.checked_mul(kind.size())) != Some(bytes.len()) {
            return Err(DenseError { bytes: bytes.len(), rows, columns });
        }
        Ok(Self { kind, rows, columns, bytes })
    }

    /// Results for a token.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Values of a token.
    pub fn columns(&self) -> usize {
        self.columns
    }
}
