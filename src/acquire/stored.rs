//! A tensor as a file holds it.

use candle_core::{DType, Device, Result, Tensor};

use crate::cpu::bytes::{Buffer, WeightBytes};

/// Numbers of a type, row by row, with the bytes that they lie in.
#[derive(Debug, Clone)]
pub struct StoredTensor {
    pub dtype: DType,
    pub shape: Vec<usize>,
    pub bytes: WeightBytes,
}

impl StoredTensor {
    /// A copy of a tensor of the host.
    ///
    /// # Errors
    /// If memory does not suffice.
    pub fn copy_of(tensor: &Tensor) -> Result<Self> {
        let mut buffer = Buffer::zeroed(tensor.elem_count() * tensor.dtype().size_in_bytes())?;
        // What candle writes out are the numbers in order, little-endian, as in a file.
        tensor.write_bytes(&mut &mut buffer[..])?;
        Ok(Self { dtype: tensor.dtype(), shape: tensor.dims().to_vec(), bytes: buffer.into() })
    }

    /// A copy that can be computed with.
    ///
    /// # Errors
    /// As [`copy_of`](Self::copy_of).
    pub fn to_tensor(&self) -> Result<Tensor> {
        Tensor::from_raw_buffer(&self.bytes, self.dtype, &self.shape, &Device::Cpu)
    }
}
