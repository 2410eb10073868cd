//! A weight matrix on its device, dense or quantized.

use std::sync::Arc;

use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{DType, Result, Tensor};

use crate::catalog::Quantization;
use crate::engine::{LoadObserver, LoadPart, told};
use crate::spec::{self, Inventory, Part};

/// Weights `[rows, columns]` that turn `columns` inputs into `rows` outputs, with an optional bias.
pub struct Matrix {
    /// In the checkpoint; of a fused matrix each part has the whole's.
    name: String,
    weight: Weight,
    bias: Option<Tensor>,
}

#[derive(Clone)]
enum Weight {
    Dense(Tensor),
    Quantized(Arc<QTensor>),
}

/// Rows of a 16-bit matrix that are widened at a time on the CPU, which has no 16-bit product of its own in candle.
const WIDENED_ROWS: usize = 1024;

impl Matrix {
    pub fn dense(weight: Tensor) -> Self {
        Self { name: String::new(), weight: Weight::Dense(weight), bias: None }
    }

    pub fn quantized(weight: QTensor) -> Self {
        Self { name: String::new(), weight: Weight::Quantized(Arc::new(weight)), bias: None }
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

    /// Packs quantized weights for the CPU's kernels now, which candle otherwise does at their first use.
    pub fn packed(self, observer: &dyn LoadObserver) -> Result<Self> {
        if let Weight::Quantized(weight) = &self.weight
            && weight.device().is_cpu()
        {
            let columns = weight.shape().dims2()?.1;
            let zeros = Tensor::zeros((1, columns), DType::F32, &weight.device())?;
            told(observer, LoadPart::Pack, || self.forward(&zeros))?;
        }
        Ok(self)
    }

    /// The weights in float32, without the bias.
    pub fn dequantized(&self) -> Result<Tensor> {
        match &self.weight {
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
        let y = match &self.weight {
            Weight::Quantized(weight) => x.apply_op1_no_bwd(weight.as_ref())?,
            Weight::Dense(weight) => dense_product(x, weight)?,
        };
        match &self.bias {
            Some(bias) => y.broadcast_add(bias),
            None => Ok(y),
        }
    }

    /// The rows that `ids` name, float32: an embedding.
    pub fn rows(&self, ids: &Tensor) -> Result<Tensor> {
        match &self.weight {
            Weight::Quantized(weight) => weight.embedding(ids),
            Weight::Dense(weight) => weight.index_select(ids, 0)?.to_dtype(DType::F32),
        }
    }

    /// Bytes as held, and their type's name.
    pub fn held(&self) -> (u64, &'static str) {
        match &self.weight {
            Weight::Dense(weight) => {
                let bytes = (weight.elem_count() * weight.dtype().size_in_bytes()) as u64;
                (bytes, if weight.dtype() == DType::F32 { "f32" } else { weight.dtype().as_str() })
            }
            Weight::Quantized(weight) => (weight.storage_size_in_bytes() as u64, type_name(weight.dtype())),
        }
    }
}

/// Bytes of the copies that candle packs for an x86 processor's kernels beside the weights themselves, at `quantization`;
/// 0 elsewhere. Embeddings are not multiplied with, and not packed.
///
/// Sizes are those of the tiles of 16 rows in candle-core's `quantized/repack_x86.rs`.
pub fn packed_bytes(inventory: &Inventory, quantization: Quantization) -> u64 {
    if !cfg!(target_arch = "x86_64") {
        return 0;
    }
    let tiled = |weight: &&spec::Weight| {
        weight.part != Part::Embedding && weight.rows.is_multiple_of(16) && weight.columns.is_multiple_of(256)
    };
    let packed = |weight: &spec::Weight| {
        // Bytes of a tile by weights of a tile.
        let (bytes, weights) = match weight.held_as(quantization) {
            GgmlDType::Q4K => (3072, 4096),
            GgmlDType::Q6K => (5120, 4096),
            GgmlDType::Q8_0 => (544, 512),
            _ => return 0,
        };
        (weight.elements() / weights).saturating_mul(bytes)
    };
    inventory.weights.iter().filter(tiled).map(packed).fold(0, u64::saturating_add)
}

/// The name of the bias beside a weight.
pub fn bias_of(name: &str) -> String {
    format!("{}.bias", name.strip_suffix(".weight").unwrap_or(name))
}

/// Whether all numbers are finite: zero times anything else is not zero.
pub fn all_finite(tensor: &Tensor) -> Result<bool> {
    Ok((tensor * 0.0)?.sum_all()?.to_scalar::<f32>()? == 0.0)
}

/// `x · weightᵀ`, in the weights' precision on a GPU and in float32 on the CPU.
fn dense_product(x: &Tensor, weight: &Tensor) -> Result<Tensor> {
    let columns = weight.dim(1)?;
    let mut shape = x.dims().to_vec();
    let flat = x.reshape(((), columns))?;
    let y = if weight.dtype() == DType::F32 {
        flat.matmul(&weight.t()?)?
    } else if x.device().is_cpu() {
        let rows = weight.dim(0)?;
        let parts = (0..rows).step_by(WIDENED_ROWS).map(|start| {
            let part = weight.narrow(0, start, WIDENED_ROWS.min(rows - start))?.to_dtype(DType::F32)?;
            flat.matmul(&part.t()?)
        });
        Tensor::cat(&parts.collect::<Result<Vec<_>>>()?, 1)?
    } else {
        flat.to_dtype(weight.dtype())?.matmul(&weight.t()?)?.to_dtype(DType::F32)?
    };
    if let Some(last) = shape.last_mut() {
        *last = weight.dim(0)?;
    }
    y.reshape(shape)
}

/// Names of ggml's types as users write them.
pub fn type_name(kind: GgmlDType) -> &'static str {
    match kind {
        GgmlDType::F32 => "f32",
        GgmlDType::F16 => "f16",
        GgmlDType::BF16 => "bf16",
        GgmlDType::Q4_0 => "q4_0",
        GgmlDType::Q4_1 => "q4_1",
        GgmlDType::Q5_0 => "q5_0",
        GgmlDType::Q5_1 => "q5_1",
        GgmlDType::Q8_0 => "q8_0",
        GgmlDType::Q8_1 => "q8_1",
        GgmlDType::Q2K => "q2_k",
        GgmlDType::Q3K => "q3_k",
        GgmlDType::Q4K => "q4_k",
        GgmlDType::Q5K => "q5_k",
        GgmlDType::Q6K => "q6_k",
        GgmlDType::Q8K => "q8_k",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{DecoderSpec, shipped_shape};

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn the_packed_copy_of_four_bits_takes_six() {
        let spec = DecoderSpec::from_config(&shipped_shape("mistralai/Mistral-7B-Instruct-v0.3").unwrap()).unwrap();
        let inventory = Inventory::of(&spec);
        // 6.98e9 linear weights at 6 bits, and a head of 32,768 x 4,096 at 10.
        let linear: u64 = 32 * (2 * 4096 * 4096 + 2 * 1024 * 4096 + 3 * 14_336 * 4096);
        let expected = linear * 6 / 8 + 32_768 * 4096 * 10 / 8;
        assert_eq!(packed_bytes(&inventory, Quantization::Q4K), expected);
        assert_eq!(packed_bytes(&inventory, Quantization::F32), 0);
    }
}
