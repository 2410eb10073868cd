//! A matrix of weights of any type, as it lies in its file.

use std::ops::Range;

use candle_core::quantized::GgmlDType;

use super::dense::{self, Dense, DenseError, Kind};
use super::isa::Isa;
use super::pool::Pool;
use super::quantized::activations::Activations;
use super::quantized::dequantize::dequantize;
use super::quantized::product::{self as quantized, Blocks, BlocksError};
use crate::bytes::WeightBytes;

/// Weights `[rows, columns]`.
#[derive(Debug, Clone)]
pub struct HostMatrix {
    dtype: GgmlDType,
    rows: usize,
    columns: usize,
    bytes: WeightBytes,
}

/// Why bytes are no matrix that can be multiplied with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MatrixError {
    /// Of weights of 16 or 32 bits.
    #[error(transparent)]
    Dense(#[from] DenseError),
    /// Of weights in ggml's blocks.
    #[error(transparent)]
    Blocks(#[from] BlocksError),
    /// So many numbers are to be multiplied, which are no whole rows of `columns`.
    #[error("{inputs} inputs are not rows of the {columns} that a matrix has columns")]
    Inputs {
        /// Numbers given.
        inputs: usize,
        /// Weights of a row.
        columns: usize,
    },
}

/// A matrix as its kernels want it.
enum View<'a> {
    Dense(Dense<'a>),
    Blocks(Blocks<'a>),
}

impl HostMatrix {
    /// # Errors
    /// A type that is not multiplied with, or bytes that are not so many weights of it.
    pub fn new(dtype: GgmlDType, rows: usize, columns: usize, bytes: WeightBytes) -> Result<Self, MatrixError> {
        let matrix = Self { dtype, rows, columns, bytes };
        matrix.view()?;
        Ok(matrix)
    }

    /// As ggml calls the type of the weights.
    pub fn dtype(&self) -> GgmlDType {
        self.dtype
    }

    /// Results for a token.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Numbers of a token that is multiplied.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The weights as they lie.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Bytes that the weights take.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Widens some rows to float32, one after another into `wide`.
    ///
    /// # Panics
    /// If there are no such rows, or `wide` is not as long as they are.
    pub fn widen(&self, rows: Range<usize>, wide: &mut [f32]) {
        let row = self.bytes.len() / self.rows.max(1);
        let bytes = &self.bytes[rows.start * row..rows.end * row];
        assert_eq!(wide.len(), rows.len() * self.columns);
        match kind(self.dtype) {
            Some(kind) => dense::widen(kind, bytes, wide),
            // A matrix is made of no other types.
            None => dequantize(self.dtype, bytes, wide).unwrap_or_default(),
        }
    }

    fn view(&self) -> Result<View<'_>, MatrixError> {
        Ok(match kind(self.dtype) {
            Some(kind) => View::Dense(Dense::new(kind, self.rows, self.columns, &self.bytes)?),
            None => View::Blocks(Blocks::new(self.dtype, self.rows, self.columns, &self.bytes)?),
        })
    }
}

/// The products of rows `x [tokens, columns]` with each of several matrices, `[tokens, rows]` each, by all threads together.
///
/// # Errors
/// A matrix of another number of columns.
pub fn products(x: &[f32], matrices: &[&HostMatrix]) -> Result<Vec<Vec<f32>>, MatrixError> {
    let (pool, isa) = (Pool::global(), Isa::best());
    let columns = matrices.first().map_or(1, |matrix| matrix.columns).max(1);
    let tokens = x.len() / columns;
    for matrix in matrices {
        if matrix.columns != columns || !x.len().is_multiple_of(columns) {
            return Err(MatrixError::Inputs { inputs: x.len(), columns: matrix.columns });
        }
    }
    let views = matrices.iter().map(|matrix| matrix.view()).collect::<Result<Vec<_>, _>>()?;
    let mut products: Vec<Vec<f32>> = matrices.iter().map(|matrix| vec![0.0; tokens * matrix.rows]).collect();
    // What is multiplied with blocks is rounded to 8 bits, once for all of them.
    let mut activations = Activations::new();
    if views.iter().any(|view| matches!(view, View::Blocks(_))) {
        activations.quantize(pool, isa, x, columns);
    }
    let (mut with_dense, mut with_blocks) = (Vec::new(), Vec::new());
    for (view, y) in views.into_iter().zip(&mut products) {
        match view {
            View::Dense(weights) => with_dense.push(dense::Job { weights, y }),
            View::Blocks(weights) => with_blocks.push(quantized::Job { activations: &activations, weights, output: y }),
        }
    }
    dense::product(pool, isa, x, tokens, &mut with_dense);
    quantized::product(pool, isa, &mut with_blocks);
    Ok(products)
}

/// The kind of number that ggml's type is, if it is no type of block.
fn kind(dtype: GgmlDType) -> Option<Kind> {
    match dtype {
        GgmlDType::F32 => Some(Kind::F32),
        GgmlDType::F16 => Some(Kind::F16),
        GgmlDType::BF16 => Some(Kind::Bf16),
        _ => None,
    }
}
