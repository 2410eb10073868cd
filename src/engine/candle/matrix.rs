//! A weight matrix on its device, dense or quantized.

use std::sync::Arc;

use candle_core::quantized::{GgmlDType, QStorage, QTensor};
use candle_core::{DType, Device, Error, Result, Tensor};

use super::address::address;
use super::host;
use crate::cpu::bytes::WeightBytes;
use crate::cpu::ggml;
use crate::cpu::matrix::{HostMatrix, products};
use crate::gpu;

/// Weights `[rows, columns]` that turn `columns` inputs into `rows` outputs, with an optional bias.
pub struct Matrix {
    /// In the checkpoint; of a fused matrix each part has the whole's.
    name: String,
    weight: Weight,
    bias: Option<Tensor>,
}

#[derive(Clone)]
enum Weight {
    /// On the host, of any type, as it lies in its file.
    Host(HostMatrix),
    Dense(Tensor),
    Quantized(Arc<QTensor>),
}

/// Rows that are looked through at a time.
const WIDENED_ROWS: usize = 1024;

impl Matrix {
    /// Numbers or blocks of a type, row by row.
    ///
    /// # Errors
    /// Bytes that are no such matrix, or that the device has no memory for.
    pub fn new(kind: GgmlDType, (rows, columns): (usize, usize), bytes: WeightBytes, device: &Device) -> Result<Self> {
        let weight = match dense_type(kind) {
            _ if device.is_cpu() => Weight::Host(HostMatrix::new(kind, rows, columns, bytes).map_err(Error::wrap)?),
            Some(dtype) => Weight::Dense(Tensor::from_raw_buffer(&bytes, dtype, &[rows, columns], device)?),
            None => {
                let storage = QStorage::from_data(bytes.as_slice().into(), device, kind)?;
                Weight::Quantized(Arc::new(QTensor::new(storage, (rows, columns))?))
            }
        };
        Ok(Self { name: String::new(), weight, bias: None })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn named(mut self, name: &str) -> Self {
        self.name = name.to_owned();
        self
    }

    pub fn with_bias(mut self, bias: Option<Tensor>) -> Self {
        self.bias = bias;
        self
    }

    /// Its name, if any of its numbers is none or infinite.
    pub fn damaged(&self) -> Result<Option<String>> {
        let (rows, device) = match &self.weight {
            Weight::Host(weight) => (weight.rows(), Device::Cpu),
            Weight::Dense(weight) => (weight.dim(0)?, weight.device().clone()),
            Weight::Quantized(weight) => (weight.shape().dims2()?.0, weight.device()),
        };
        for start in (0..rows).step_by(WIDENED_ROWS) {
            let ids = Tensor::arange(start as u32, (start + WIDENED_ROWS).min(rows) as u32, &device)?;
            if !all_finite(&self.rows(&ids)?)? {
                return Ok(Some(self.name.clone()));
            }
        }
        match &self.bias {
            Some(bias) if !all_finite(bias)? => Ok(Some(bias_of(&self.name))),
            _ => Ok(None),
        }
    }

    /// The weights in float32, without the bias.
    pub fn dequantized(&self) -> Result<Tensor> {
        match &self.weight {
            Weight::Host(weight) => {
                let (rows, columns) = (weight.rows(), weight.columns());
                let mut wide = vec![0.0; rows * columns];
                weight.widen(0..rows, &mut wide);
                Tensor::from_vec(wide, (rows, columns), &Device::Cpu)
            }
            Weight::Dense(weight) => weight.to_dtype(DType::F32),
            Weight::Quantized(weight) => weight.dequantize(&weight.device()),
        }
    }

    /// The same weights for another use, without a copy: an output head tied to the embedding.
    pub fn share(&self) -> Self {
        Self { name: self.name.clone(), weight: self.weight.clone(), bias: None }
    }

    /// `x [.., columns]` to `[.., rows]`, both float32.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let [y] = Self::forward_each([self], x)?;
        Ok(y)
    }

    /// What each of several matrices makes of the same `x`.
    pub fn forward_each<const N: usize>(matrices: [&Self; N], x: &Tensor) -> Result<[Tensor; N]> {
        let hosts: Option<Vec<&HostMatrix>> = matrices.iter().map(|matrix| matrix.weight.on_host()).collect();
        let mut products = match hosts {
            Some(hosts) => host_products(&hosts, x)?,
            None => {
                let mut narrowed = None;
                matrices.iter().map(|matrix| matrix.weight.product(x, &mut narrowed)).collect::<Result<_>>()?
            }
        };
        for (product, matrix) in products.iter_mut().zip(matrices) {
            if let Some(bias) = &matrix.bias {
                *product = product.broadcast_add(bias)?;
            }
        }
        products.try_into().map_err(|_| Error::Msg("a product for each matrix".into()))
    }

    /// The rows that `ids` name, float32: an embedding.
    pub fn rows(&self, ids: &Tensor) -> Result<Tensor> {
        match &self.weight {
            Weight::Host(weight) => {
                let (ids, columns) = (ids.to_vec1::<u32>()?, weight.columns());
                let mut wide = vec![0.0; ids.len() * columns];
                for (id, wide) in ids.iter().map(|id| *id as usize).zip(wide.chunks_exact_mut(columns)) {
                    weight.widen(id..id + 1, wide);
                }
                Tensor::from_vec(wide, (ids.len(), columns), &Device::Cpu)
            }
            Weight::Quantized(weight) => weight.embedding(ids),
            Weight::Dense(weight) => weight.index_select(ids, 0)?.to_dtype(DType::F32),
        }
    }

    /// Whether its weights are numbers, and no blocks of them.
    pub fn is_dense(&self) -> bool {
        match &self.weight {
            Weight::Host(weight) => dense_type(weight.dtype()).is_some(),
            Weight::Dense(_) => true,
            Weight::Quantized(_) => false,
        }
    }

    /// Where its weights lie, for the kernels of a decode step; `None` of a type that they do not know.
    pub fn place(&self) -> Result<Option<gpu::params::Weights>> {
        let (bytes, dtype, rows) = match &self.weight {
            Weight::Host(weight) => (weight.bytes().as_ptr().addr() as u64, weight.dtype(), weight.rows()),
            Weight::Dense(weight) => {
                let dtype = match weight.dtype() {
                    DType::F32 => GgmlDType::F32,
                    DType::F16 => GgmlDType::F16,
                    DType::BF16 => GgmlDType::BF16,
                    _ => return Ok(None),
                };
                (address(weight)?, dtype, weight.dim(0)?)
            }
            Weight::Quantized(weight) => {
                (weight.device_ptr()?.addr() as u64, weight.dtype(), weight.shape().dims2()?.0)
            }
        };
        let bias = self.bias.as_ref().map_or(Ok(0), address)?;
        let kind = ggml::number(dtype);
        let known = ggml::WEIGHTS.contains(&dtype);
        Ok(known.then_some(gpu::params::Weights { bytes, bias, kind, rows: rows as u32 }))
    }

    /// Bytes as held, and their type's name.
    pub fn held(&self) -> (u64, &'static str) {
        match &self.weight {
            Weight::Host(weight) => (weight.size() as u64, ggml::name(weight.dtype())),
            Weight::Dense(weight) => {
                let bytes = (weight.elem_count() * weight.dtype().size_in_bytes()) as u64;
                (bytes, weight.dtype().as_str())
            }
            Weight::Quantized(weight) => (weight.storage_size_in_bytes() as u64, ggml::name(weight.dtype())),
        }
    }
}

impl Weight {
    fn on_host(&self) -> Option<&HostMatrix> {
        match self {
            Self::Host(weight) => Some(weight),
            Self::Dense(_) | Self::Quantized(_) => None,
        }
    }

    /// `x · weightᵀ`, on a GPU in the weights' own precision: `narrowed` is `x` in it, for the next that takes the same.
    fn product(&self, x: &Tensor, narrowed: &mut Option<Tensor>) -> Result<Tensor> {
        match self {
            Self::Host(weight) => Ok(host_products(&[weight], x)?.swap_remove(0)),
            Self::Quantized(weight) => x.apply_op1_no_bwd(weight.as_ref()),
            Self::Dense(weight) => {
                let (rows, columns) = weight.dims2()?;
                let mut shape = x.dims().to_vec();
                let narrow = match narrowed.take().filter(|narrowed| narrowed.dtype() == weight.dtype()) {
                    Some(narrowed) => narrowed,
                    None => x.reshape(((), columns))?.to_dtype(weight.dtype())?,
                };
                let flat = narrowed.insert(narrow);
                let y = flat.matmul(&weight.t()?)?.to_dtype(DType::F32)?;
                if let Some(last) = shape.last_mut() {
                    *last = rows;
                }
                y.reshape(shape)
            }
        }
    }
}

/// The products of `x [.., columns]` with each of several matrices, `[.., rows]` each.
fn host_products(weights: &[&HostMatrix], x: &Tensor) -> Result<Vec<Tensor>> {
    let x = x.contiguous()?;
    let products = products(&host::numbers::<f32>(&x)?, weights).map_err(Error::wrap)?;
    let shaped = |(product, weight): (Vec<f32>, &&HostMatrix)| {
        let mut shape = x.dims().to_vec();
        if let Some(last) = shape.last_mut() {
            *last = weight.rows();
        }
        Tensor::from_vec(product, shape, &Device::Cpu)
    };
    products.into_iter().zip(weights).map(shaped).collect()
}

/// The name of the bias beside a weight.
pub(super) fn bias_of(name: &str) -> String {
    format!("{}.bias", name.strip_suffix(".weight").unwrap_or(name))
}

/// Whether all numbers are finite: zero times anything else is not zero.
pub(super) fn all_finite(tensor: &Tensor) -> Result<bool> {
    Ok((tensor * 0.0)?.sum_all()?.to_scalar::<f32>()? == 0.0)
}

/// The type of numbers that ggml's type is, if it is no type of block.
pub(super) fn dense_type(kind: GgmlDType) -> Option<DType> {
    match kind {
        GgmlDType::F32 => Some(DType::F32),
        GgmlDType::F16 => Some(DType::F16),
        GgmlDType::BF16 => Some(DType::BF16),
        _ => None,
    }
}
