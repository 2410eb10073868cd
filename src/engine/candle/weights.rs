//! Where the decoder's weights come from: safetensors, GGUF, or made at random.

use candle_core::quantized::{GgmlDType, QStorage, QTensor};
use candle_core::safetensors::MmapedSafetensors;
use candle_core::{DType, Device, Tensor};
use rayon::prelude::*;

use super::matrix::Matrix;
use crate::acquire::gguf::GgufFile;
use crate::acquire::synthetic;
use crate::catalog::Quantization;
use crate::engine::EngineError;
use crate::spec::Weight;

/// Gives weights by their Hugging Face name.
pub trait WeightSource {
    /// A matrix at the precision in which it is to be held.
    ///
    /// # Errors
    /// If it is not there, has another shape, or cannot be read.
    fn matrix(&self, weight: &Weight, device: &Device) -> Result<Matrix, EngineError>;

    /// A vector, in float32.
    ///
    /// # Errors
    /// As [`matrix`](Self::matrix).
    fn vector(&self, weight: &Weight, device: &Device) -> Result<Tensor, EngineError>;
}

/// Safetensors files, one or several shards, held as they are or quantized on the way.
pub struct Safetensors {
    pub files: MmapedSafetensors,
    /// `None` holds every matrix at the precision in which it is stored.
    pub quantization: Option<Quantization>,
}

impl Safetensors {
    fn load(&self, weight: &Weight, shape: &[usize], device: &Device) -> Result<Tensor, EngineError> {
        let view = self.files.get(&weight.name).map_err(|_| EngineError::MissingWeight(weight.name.clone()))?;
        expect_shape(weight, view.shape(), shape)?;
        Ok(self.files.load(&weight.name, device)?)
    }
}

impl WeightSource for Safetensors {
    fn matrix(&self, weight: &Weight, device: &Device) -> Result<Matrix, EngineError> {
        let stored = self.load(weight, &[weight.rows, weight.columns], &Device::Cpu)?;
        let Some(quantization) = self.quantization else {
            return Ok(Matrix::dense(stored.to_device(device)?));
        };
        Ok(match weight.held_as(quantization) {
            GgmlDType::F32 => Matrix::dense(stored.to_dtype(DType::F32)?.to_device(device)?),
            GgmlDType::F16 => Matrix::dense(stored.to_dtype(DType::F16)?.to_device(device)?),
            GgmlDType::BF16 => Matrix::dense(stored.to_dtype(DType::BF16)?.to_device(device)?),
            kind => quantized(weight, kind, quantize(&stored, kind)?, device)?,
        })
    }

    fn vector(&self, weight: &Weight, device: &Device) -> Result<Tensor, EngineError> {
        Ok(self.load(weight, &[weight.columns], device)?.to_dtype(DType::F32)?)
    }
}

/// Rows that one task quantizes.
const QUANTIZED_ROWS: usize = 256;

/// A matrix's blocks, quantized by all cores; the float32 copy that quantizing needs is only ever a few rows long.
fn quantize(stored: &Tensor, kind: GgmlDType) -> candle_core::Result<Vec<u8>> {
    let rows = stored.dim(0)?;
    let starts: Vec<usize> = (0..rows).step_by(QUANTIZED_ROWS).collect();
    let parts: Vec<Vec<u8>> = starts
        .into_par_iter()
        .map(|start| {
            // `QTensor::quantize` ignores the offset of a view, so the rows are copied out first.
            let part =
                stored.narrow(0, start, QUANTIZED_ROWS.min(rows - start))?.to_dtype(DType::F32)?.force_contiguous()?;
            Ok(QTensor::quantize(&part, kind)?.data()?.into_owned())
        })
        .collect::<candle_core::Result<_>>()?;
    Ok(parts.concat())
}

fn quantized(weight: &Weight, kind: GgmlDType, bytes: Vec<u8>, device: &Device) -> Result<Matrix, EngineError> {
    let storage = QStorage::from_data(bytes.into(), device, kind)?;
    Ok(Matrix::quantized(QTensor::new(storage, (weight.rows, weight.columns))?))
}

/// A GGUF file, held as it is.
pub struct Gguf {
    pub file: GgufFile,
    /// Dimension of a head whose rows the file holds in pairs: llama.cpp permutes the query and key rows of `llama` files
    /// for its rotary embedding of neighbours, where Hugging Face's checkpoints pair halves.
    pub paired_head_dim: Option<usize>,
}

impl Gguf {
    /// The bytes of a weight with its rows in Hugging Face's order.
    fn bytes(&self, weight: &Weight, shape: &[usize]) -> Result<(GgmlDType, Vec<u8>), EngineError> {
        let name = gguf_name(&weight.name).ok_or_else(|| EngineError::MissingWeight(weight.name.clone()))?;
        let (place, bytes) = self.file.tensor(&name)?;
        expect_shape(weight, &place.shape, shape)?;
        let rotary = [".q_proj.", ".k_proj."].iter().any(|part| weight.name.contains(part));
        let bytes = match self.paired_head_dim {
            Some(head_dim) if rotary => unpair(bytes, place.shape[0], head_dim),
            _ => bytes.to_vec(),
        };
        Ok((place.kind, bytes))
    }
}

impl WeightSource for Gguf {
    fn matrix(&self, weight: &Weight, device: &Device) -> Result<Matrix, EngineError> {
        let (kind, bytes) = self.bytes(weight, &[weight.rows, weight.columns])?;
        match dense_type(kind) {
            Some(dtype) => {
                Ok(Matrix::dense(Tensor::from_raw_buffer(&bytes, dtype, &[weight.rows, weight.columns], device)?))
            }
            None => quantized(weight, kind, bytes, device),
        }
    }

    fn vector(&self, weight: &Weight, device: &Device) -> Result<Tensor, EngineError> {
        let (kind, bytes) = self.bytes(weight, &[weight.columns])?;
        let dtype = dense_type(kind).ok_or_else(|| EngineError::MissingWeight(weight.name.clone()))?;
        Ok(Tensor::from_raw_buffer(&bytes, dtype, &[weight.columns], device)?.to_dtype(DType::F32)?)
    }
}

fn dense_type(kind: GgmlDType) -> Option<DType> {
    match kind {
        GgmlDType::F32 => Some(DType::F32),
        GgmlDType::F16 => Some(DType::F16),
        GgmlDType::BF16 => Some(DType::BF16),
        _ => None,
    }
}

/// Undoes llama.cpp's permutation: row `(head, 2i + j)` of the file is row `(head, j · head_dim/2 + i)` of the model.
fn unpair(bytes: &[u8], rows: usize, head_dim: usize) -> Vec<u8> {
    let row = bytes.len() / rows.max(1);
    let mut ordered = Vec::with_capacity(bytes.len());
    for at in 0..rows {
        let (head, within) = (at / head_dim, at % head_dim);
        let (j, i) = (within / (head_dim / 2), within % (head_dim / 2));
        let from = (head * head_dim + 2 * i + j) * row;
        ordered.extend_from_slice(&bytes[from..from + row]);
    }
    ordered
}

/// llama.cpp's name of a weight (`gguf-py/gguf/tensor_mapping.py`).
fn gguf_name(name: &str) -> Option<String> {
    match name {
        "model.embed_tokens.weight" => return Some("token_embd.weight".into()),
        "model.norm.weight" => return Some("output_norm.weight".into()),
        "lm_head.weight" => return Some("output.weight".into()),
        _ => {}
    }
    let (layer, part) = name.strip_prefix("model.layers.")?.split_once('.')?;
    let (part, kind) = part.rsplit_once('.')?;
    let part = match part {
        "self_attn.q_proj" => "attn_q",
        "self_attn.k_proj" => "attn_k",
        "self_attn.v_proj" => "attn_v",
        "self_attn.o_proj" => "attn_output",
        "mlp.gate_proj" => "ffn_gate",
        "mlp.up_proj" => "ffn_up",
        "mlp.down_proj" => "ffn_down",
        "input_layernorm" => "attn_norm",
        "post_attention_layernorm" => "ffn_norm",
        _ => return None,
    };
    Some(format!("blk.{layer}.{part}.{kind}"))
}

/// Random weights, the same for the same seed and name.
pub struct Synthetic {
    pub quantization: Quantization,
    pub seed: u64,
}

impl WeightSource for Synthetic {
    fn matrix(&self, weight: &Weight, device: &Device) -> Result<Matrix, EngineError> {
        let kind = weight.held_as(self.quantization);
        let name =
            weight.name.bytes().fold(self.seed, |seed, byte| (seed ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3));
        let bytes = synthetic::blocks(kind, weight.rows * weight.columns, name);
        match dense_type(kind) {
            Some(dtype) => {
                Ok(Matrix::dense(Tensor::from_raw_buffer(&bytes, dtype, &[weight.rows, weight.columns], device)?))
            }
            None => quantized(weight, kind, bytes, device),
        }
    }

    /// Norms scale by one, and a bias of the same does no harm: vectors cost no time that would show.
    fn vector(&self, weight: &Weight, device: &Device) -> Result<Tensor, EngineError> {
        Ok(Tensor::ones(weight.columns, DType::F32, device)?)
    }
}

fn expect_shape(weight: &Weight, found: &[usize], expected: &[usize]) -> Result<(), EngineError> {
    if found == expected {
        return Ok(());
    }
    Err(EngineError::WrongShape { name: weight.name.clone(), found: found.to_vec(), expected: expected.to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unpairing_puts_the_first_of_each_pair_into_the_first_half() {
        assert_eq!(unpair(&[0, 10, 1, 11, 2, 12, 3, 13], 8, 8), [0, 1, 2, 3, 10, 11, 12, 13]);
        assert_eq!(unpair(&[0, 2, 1, 3, 4, 6, 5, 7], 8, 4), [0, 1, 2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn quantizing_by_rows_equals_quantizing_at_once() {
        let stored = Tensor::rand(-1f32, 1.0, (600, 256), &Device::Cpu).unwrap();
        let whole = QTensor::quantize(&stored, GgmlDType::Q4K).unwrap();
        assert_eq!(quantize(&stored, GgmlDType::Q4K).unwrap(), whole.data().unwrap().as_ref());
    }
}
