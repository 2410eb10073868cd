//! Where the decoder's weights come from: published files, GGUF, or made at random.

use std::collections::HashSet;
use std::ops::Range;

use candle_core::quantized::{GgmlDType, QStorage, QTensor};
use candle_core::safetensors::MmapedSafetensors;
use candle_core::{DType, Device, Tensor};
use rayon::prelude::*;

use super::matrix::Matrix;
use crate::acquire::adapter::Adapter;
use crate::acquire::gguf::GgufFile;
use crate::acquire::pytorch::PytorchFile;
use crate::acquire::synthetic;
use crate::catalog::Quantization;
use crate::engine::{EngineError, LoadObserver, LoadPart, told};
use crate::spec::{Inventory, Kind, Part, Role, Weight, gguf_latent_halves, gguf_name};

/// Gives weights by their place.
pub trait WeightSource {
    /// A matrix at the precision in which it is to be held; of a fused one only these rows.
    ///
    /// # Errors
    /// If it is not there, has another shape, or cannot be read.
    fn matrix(&self, weight: &Weight, rows: Option<&Rows>, device: &Device) -> Result<Matrix, EngineError>;

    /// A vector, in float32; of a fused one only these numbers.
    ///
    /// # Errors
    /// As [`matrix`](Self::matrix).
    fn vector(&self, weight: &Weight, rows: Option<&Rows>, device: &Device) -> Result<Tensor, EngineError>;

    /// Whether the scales of Gemma's norms come with their 1 added.
    fn norms_are_whole(&self) -> bool {
        false
    }
}

/// Some rows of a fused matrix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows {
    /// Where they lie if the parts follow one another.
    pub concatenated: Range<usize>,
    /// Where they lie in the checkpoint as published, if its parts are interleaved.
    pub scattered: Option<Vec<Range<usize>>>,
}

impl Rows {
    pub fn range(range: Range<usize>) -> Self {
        Self { concatenated: range, scattered: None }
    }

    pub fn len(&self) -> usize {
        self.concatenated.len()
    }

    /// Where they lie in the checkpoint as published.
    fn published(&self) -> &[Range<usize>] {
        self.scattered.as_deref().unwrap_or(std::slice::from_ref(&self.concatenated))
    }
}

/// Rows and columns of what is taken of a weight.
fn taken(weight: &Weight, rows: Option<&Rows>) -> (usize, usize) {
    (rows.map_or(weight.rows, Rows::len), weight.columns)
}

/// Files in which a published checkpoint keeps its tensors by name.
pub enum Files {
    Safetensors(MmapedSafetensors),
    Pytorch(Vec<PytorchFile>),
}

impl Files {
    /// A tensor as it is stored.
    fn tensor(&self, weight: &Weight, shape: &[usize]) -> Result<Tensor, EngineError> {
        let missing = || EngineError::MissingWeight(weight.name.clone());
        match self {
            Self::Safetensors(files) => {
                expect_shape(weight, files.get(&weight.name).map_err(|_| missing())?.shape(), shape)?;
                Ok(files.load(&weight.name, &Device::Cpu)?)
            }
            Self::Pytorch(files) => {
                let found = files.iter().find_map(|file| Some((file, file.shape(&weight.name)?)));
                let (file, stored) = found.ok_or_else(missing)?;
                expect_shape(weight, stored, shape)?;
                file.tensor(&weight.name)?.ok_or_else(missing)
            }
        }
    }
}

/// A LoRA adapter with its matrices at hand.
pub struct LoadedAdapter {
    files: MmapedSafetensors,
    rank: usize,
    scale: f64,
}

impl LoadedAdapter {
    /// Opens an adapter for a checkpoint of these weights.
    ///
    /// # Errors
    /// A file that cannot be read, or one that would change what the checkpoint does not have.
    pub fn open(adapter: &Adapter, inventory: &Inventory) -> Result<Self, EngineError> {
        // SAFETY: mapped read-only, as the weights themselves are.
        let files = unsafe { MmapedSafetensors::new(&adapter.file) };
        let files =
            files.map_err(|source| EngineError::AdapterFile { path: adapter.file.clone(), source: source.into() })?;
        let known: HashSet<String> = inventory.weights.iter().flat_map(lora_names).collect();
        if let Some((stray, _)) = files.tensors().into_iter().find(|(name, _)| !known.contains(name)) {
            return Err(EngineError::StrayAdapter(stray));
        }
        Ok(Self { files, rank: adapter.rank, scale: adapter.scale })
    }

    /// A weight with the adapter's share added, in the precision in which it is stored.
    fn merge(&self, weight: &Weight, whole: Tensor) -> Result<Tensor, EngineError> {
        let [a, b] = lora_names(weight);
        if self.files.get(&a).is_err() && self.files.get(&b).is_err() {
            return Ok(whole);
        }
        for (name, expected) in [(&a, [self.rank, weight.columns]), (&b, [weight.rows, self.rank])] {
            let found = self.files.get(name).map_err(|_| EngineError::LackingAdapter(name.clone()))?.shape().to_vec();
            if found != expected {
                return Err(EngineError::WrongAdapter { name: name.clone(), found, expected });
            }
        }
        let load = |name: &str| self.files.load(name, &Device::Cpu)?.to_dtype(DType::F32);
        let share = (load(&b)?.matmul(&load(&a)?)? * self.scale)?;
        Ok((whole.to_dtype(DType::F32)? + share)?.to_dtype(whole.dtype())?)
    }
}

/// The names that PEFT gives to the two matrices of a weight.
fn lora_names(weight: &Weight) -> [String; 2] {
    let module = weight.name.strip_suffix(".weight").unwrap_or(&weight.name);
    ["A", "B"].map(|matrix| format!("base_model.model.{module}.lora_{matrix}.weight"))
}

/// A checkpoint as published, in one or several shards, held as it is or quantized on the way.
pub struct Published<'a> {
    pub files: Files,
    pub adapter: Option<LoadedAdapter>,
    /// `None` holds every matrix at the precision in which it is stored.
    pub quantization: Option<Quantization>,
    pub observer: &'a dyn LoadObserver,
}

impl Published<'_> {
    fn load(&self, weight: &Weight, shape: &[usize], rows: Option<&Rows>) -> Result<Tensor, EngineError> {
        let whole = told(self.observer, LoadPart::Read, || self.files.tensor(weight, shape))?;
        let whole = match &self.adapter {
            Some(adapter) => adapter.merge(weight, whole)?,
            None => whole,
        };
        let Some(rows) = rows else { return Ok(whole) };
        let parts = rows.published().iter().map(|range| whole.narrow(0, range.start, range.len()));
        Ok(Tensor::cat(&parts.collect::<candle_core::Result<Vec<_>>>()?, 0)?)
    }

    fn converted(&self, stored: &Tensor, dtype: DType) -> candle_core::Result<Tensor> {
        told(self.observer, LoadPart::Quantize, || stored.to_dtype(dtype))
    }

    fn dense(&self, held: &Tensor, device: &Device) -> Result<Matrix, EngineError> {
        Ok(Matrix::dense(moved(self.observer, device, || Ok(held.to_device(device)?))?))
    }
}

impl WeightSource for Published<'_> {
    fn matrix(&self, weight: &Weight, rows: Option<&Rows>, device: &Device) -> Result<Matrix, EngineError> {
        let stored = self.load(weight, &[weight.rows, weight.columns], rows)?;
        let Some(quantization) = self.quantization.filter(|_| weight.role != Role::Router) else {
            let held = if weight.role == Role::Router { self.converted(&stored, DType::F32)? } else { stored };
            return self.dense(&held, device);
        };
        let kind = weight.held_as(quantization);
        if let Some(dtype) = dense_type(kind) {
            return self.dense(&self.converted(&stored, dtype)?, device);
        }
        let blocks = quantize(&stored, kind, self.observer)?;
        moved(self.observer, device, || quantized(stored.dims2()?, kind, blocks, device))
    }

    fn vector(&self, weight: &Weight, rows: Option<&Rows>, device: &Device) -> Result<Tensor, EngineError> {
        Ok(self.load(weight, &[weight.columns], rows)?.to_dtype(DType::F32)?.to_device(device)?)
    }
}

/// Rows that one task quantizes.
const QUANTIZED_ROWS: usize = 256;

/// A matrix's blocks, quantized by all cores; the float32 copy that quantizing needs is only ever a few rows long.
fn quantize(stored: &Tensor, kind: GgmlDType, observer: &dyn LoadObserver) -> candle_core::Result<Vec<u8>> {
    let rows = stored.dim(0)?;
    let starts: Vec<usize> = (0..rows).step_by(QUANTIZED_ROWS).collect();
    let parts: Vec<Vec<u8>> = starts
        .into_par_iter()
        .map(|start| {
            let part = stored.narrow(0, start, QUANTIZED_ROWS.min(rows - start))?;
            told(observer, LoadPart::Quantize, || {
                // `QTensor::quantize` ignores the offset of a view, so the rows are copied out first.
                let part = part.to_dtype(DType::F32)?.force_contiguous()?;
                Ok(QTensor::quantize(&part, kind)?.data()?.into_owned())
            })
        })
        .collect::<candle_core::Result<_>>()?;
    Ok(parts.concat())
}

/// What a device is given, told as moving where that is not the host.
fn moved<T>(
    observer: &dyn LoadObserver,
    device: &Device,
    give: impl FnOnce() -> Result<T, EngineError>,
) -> Result<T, EngineError> {
    if device.is_cpu() {
        return give();
    }
    told(observer, LoadPart::Transfer, || {
        let given = give()?;
        // The driver returns once it has a copy, before the device does.
        device.synchronize()?;
        Ok(given)
    })
}

fn quantized(shape: (usize, usize), kind: GgmlDType, bytes: Vec<u8>, device: &Device) -> Result<Matrix, EngineError> {
    let storage = QStorage::from_data(bytes.into(), device, kind)?;
    Ok(Matrix::quantized(QTensor::new(storage, shape)?))
}

/// A matrix of blocks or numbers of a type.
fn of_bytes(shape: (usize, usize), kind: GgmlDType, bytes: Vec<u8>, device: &Device) -> Result<Matrix, EngineError> {
    match dense_type(kind) {
        Some(dtype) => Ok(Matrix::dense(Tensor::from_raw_buffer(&bytes, dtype, &[shape.0, shape.1], device)?)),
        None => quantized(shape, kind, bytes, device),
    }
}

/// A GGUF file, held as it is.
pub struct Gguf<'a> {
    pub file: GgufFile,
    /// Dimension of a head whose rows the file holds in pairs: llama.cpp permutes the query and key rows of `llama` files
    /// for its rotary embedding of neighbours, where Hugging Face's checkpoints pair halves.
    pub paired_head_dim: Option<usize>,
    pub observer: &'a dyn LoadObserver,
}

impl Gguf<'_> {
    /// The bytes of a weight with its rows in Hugging Face's order.
    fn bytes(
        &self,
        weight: &Weight,
        shape: &[usize],
        rows: Option<&Rows>,
    ) -> Result<(GgmlDType, Vec<u8>), EngineError> {
        let suffix = match weight.kind {
            Kind::Weight => "weight",
            Kind::Bias => "bias",
        };
        let name = format!("{}.{suffix}", gguf_name(weight.part, weight.layer));
        let (place, bytes) = self.file.tensor(&name)?;
        // The experts of a layer are stacked in one tensor.
        let (stored, bytes) = match (weight.part, place.shape.as_slice()) {
            (Part::ExpertGate(expert) | Part::ExpertUp(expert) | Part::ExpertDown(expert), [count, rest @ ..])
                if rest.len() == 2 && expert < *count =>
            {
                let size = bytes.len() / count;
                (rest, &bytes[expert * size..(expert + 1) * size])
            }
            (_, shape) => (shape, bytes),
        };
        expect_shape(weight, stored, shape)?;
        let row = bytes.len() / stored[0].max(1);
        let bytes = told(self.observer, LoadPart::Read, || match (rows, self.paired_head_dim) {
            // llama.cpp's converter puts the parts of a fused matrix one after another.
            (Some(rows), _) => bytes[rows.concatenated.start * row..rows.concatenated.end * row].to_vec(),
            (None, Some(head_dim)) if matches!(weight.part, Part::Query | Part::Key) => {
                unpair(bytes, stored[0], head_dim)
            }
            (None, _) => bytes.to_vec(),
        });
        Ok((place.kind, bytes))
    }

    /// Whether a weight lies in the file as two halves.
    fn is_halved(&self, weight: &Weight) -> bool {
        let holds = |name: &str| self.file.tensors().contains_key(&format!("{name}.weight"));
        weight.part == Part::LatentUp
            && !holds(&gguf_name(weight.part, weight.layer))
            && gguf_latent_halves(weight.layer).iter().all(|half| holds(half))
    }

    /// The matrix from latents to each head's keys and values, of its halves: keys `[heads, kv_rank, nope]`, transposed by
    /// the converter for its own product, and values `[heads, value, kv_rank]`
    /// (<https://github.com/ggml-org/llama.cpp/pull/12801>).
    fn joined(&self, weight: &Weight, device: &Device) -> Result<Matrix, EngineError> {
        let half = |name: &str| -> Result<Tensor, EngineError> {
            let (place, bytes) = self.file.tensor(&format!("{name}.weight"))?;
            let [heads, rows, columns] = place.shape[..] else {
                let expected = vec![weight.rows, weight.columns];
                return Err(EngineError::WrongShape { name: name.into(), found: place.shape.clone(), expected });
            };
            let flat = of_bytes((heads * rows, columns), place.kind, bytes.to_vec(), device)?;
            Ok(flat.dequantized()?.reshape((heads, rows, columns))?)
        };
        let [keys, values] = gguf_latent_halves(weight.layer);
        let joined = Tensor::cat(&[half(&keys)?.transpose(1, 2)?, half(&values)?], 1)?.flatten(0, 1)?;
        expect_shape(weight, joined.dims(), &[weight.rows, weight.columns])?;
        Ok(Matrix::dense(joined))
    }
}

impl WeightSource for Gguf<'_> {
    fn matrix(&self, weight: &Weight, rows: Option<&Rows>, device: &Device) -> Result<Matrix, EngineError> {
        if self.is_halved(weight) {
            return self.joined(weight, device);
        }
        let (kind, bytes) = self.bytes(weight, &[weight.rows, weight.columns], rows)?;
        moved(self.observer, device, || of_bytes(taken(weight, rows), kind, bytes, device))
    }

    fn vector(&self, weight: &Weight, rows: Option<&Rows>, device: &Device) -> Result<Tensor, EngineError> {
        let (kind, bytes) = self.bytes(weight, &[weight.columns], rows)?;
        let dtype = dense_type(kind).ok_or_else(|| EngineError::QuantizedVector(weight.name.clone()))?;
        let length = rows.map_or(weight.columns, Rows::len);
        Ok(Tensor::from_raw_buffer(&bytes, dtype, &[length], device)?.to_dtype(DType::F32)?)
    }

    fn norms_are_whole(&self) -> bool {
        true
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

/// Random weights, the same for the same seed and name.
pub struct Synthetic {
    pub quantization: Quantization,
    pub seed: u64,
}

impl WeightSource for Synthetic {
    fn matrix(&self, weight: &Weight, rows: Option<&Rows>, device: &Device) -> Result<Matrix, EngineError> {
        let kind = weight.held_as(self.quantization);
        let (rows, columns) = taken(weight, rows);
        let name =
            weight.name.bytes().fold(self.seed, |seed, byte| (seed ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3));
        of_bytes((rows, columns), kind, synthetic::blocks(kind, rows * columns, name), device)
    }

    /// Norms scale by one, and biases add nothing: vectors cost no time that would show.
    fn vector(&self, weight: &Weight, rows: Option<&Rows>, device: &Device) -> Result<Tensor, EngineError> {
        let length = rows.map_or(weight.columns, Rows::len);
        let norm = matches!(weight.kind, Kind::Weight);
        Ok(if norm { Tensor::ones(length, DType::F32, device)? } else { Tensor::zeros(length, DType::F32, device)? })
    }

    fn norms_are_whole(&self) -> bool {
        true
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
        assert_eq!(quantize(&stored, GgmlDType::Q4K, &()).unwrap(), whole.data().unwrap().as_ref());
    }
}
