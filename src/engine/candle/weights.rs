//! Where the decoder's weights come from: published files, GGUF, or made at random.

use std::collections::HashSet;
use std::io;
use std::ops::Range;

use candle_core::quantized::GgmlDType;
use candle_core::{DType, Device, Tensor};
use rayon::prelude::*;

use super::matrix::{Matrix, dense_type};
use super::scaled::{self, Float8, Scales};
use crate::acquire::adapter::Adapter;
use crate::acquire::gguf::{GgufFile, TensorPlace};
use crate::acquire::safetensors::SafetensorsFile;
use crate::acquire::{PublishedError, PublishedFiles, StoredTensor, synthetic};
use crate::catalog::Quantization;
use crate::cpu::bytes::{Buffer, WeightBytes};
use crate::cpu::matrix::HostMatrix;
use crate::cpu::{self, quantize::Numbers};
use crate::engine::{EngineError, Instead, LoadObserver, LoadPart, told};
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

/// The numbers of a published tensor: in the type in which they are stored, or in float32 where they have scales.
fn numbers(
    files: &PublishedFiles,
    weight: &Weight,
    shape: &[usize],
    block: Option<[usize; 2]>,
) -> Result<StoredTensor, EngineError> {
    let name = &weight.name;
    let scales = scales(files, name)?;
    if let Some((kind, found, bytes)) = float8(files, name) {
        expect_shape(weight, found, shape)?;
        let lacking = || EngineError::LackingScale { name: name.clone(), kind: kind.name() };
        let (scale, stored) = scales.ok_or_else(lacking)?;
        let (rows, columns) = shape.split_last().map_or((1, 1), |(columns, rows)| (rows.iter().product(), *columns));
        let scales = Scales::new(&stored, [rows, columns], block).ok_or_else(|| EngineError::WrongScale {
            name: scale,
            found: stored.shape.clone(),
            of: shape.to_vec(),
        })?;
        return scaled::multiplied(kind, &bytes, shape, &scales);
    }
    let missing = || EngineError::MissingWeight { name: name.clone(), instead: Instead(files.instead_of(name)) };
    let stored = files.tensor(name)?.ok_or_else(missing)?;
    // Whole numbers, and floats of less than 16 bits, stand for others, which nothing here knows.
    if !matches!(stored.dtype, DType::F32 | DType::F16 | DType::BF16 | DType::F64) {
        let kind = stored.dtype.as_str().to_uppercase();
        return Err(EngineError::UnscaledWeight { name: name.clone(), kind });
    }
    if let Some((scale, _)) = scales {
        let kind = stored.dtype.as_str().to_uppercase();
        return Err(EngineError::StrayScale { name: name.clone(), kind, scale });
    }
    expect_shape(weight, &stored.shape, shape)?;
    Ok(stored)
}

/// A tensor of floats of 8 bits: their type, its shape and its bytes.
fn float8<'a>(files: &'a PublishedFiles, name: &str) -> Option<(Float8, &'a [usize], WeightBytes)> {
    let (file, stored) = files.in_safetensors(name)?;
    let info = file.info(stored)?;
    Some((Float8::of(info.dtype)?, &info.shape, file.bytes(stored)?))
}

/// The scales that a tensor's numbers are multiplied by, with the name of their own tensor.
fn scales(files: &PublishedFiles, name: &str) -> Result<Option<(String, StoredTensor)>, EngineError> {
    for suffix in ["_scale", "_scale_inv"] {
        let scale = format!("{name}{suffix}");
        if let Some(stored) = files.tensor(&scale)? {
            return Ok(Some((scale, stored)));
        }
    }
    Ok(None)
}

/// A LoRA adapter with its matrices at hand.
pub(super) struct LoadedAdapter {
    file: SafetensorsFile,
    rank: usize,
    scale: f64,
}

impl LoadedAdapter {
    /// Opens an adapter for a checkpoint of these weights.
    ///
    /// # Errors
    /// A file that cannot be read, or one that would change what the checkpoint does not have.
    pub(super) fn open(adapter: &Adapter, inventory: &Inventory) -> Result<Self, EngineError> {
        let failed = |source| EngineError::AdapterFile { path: adapter.file.clone(), source: Box::new(source) };
        let file = SafetensorsFile::open(&adapter.file).map_err(failed)?;
        let known: HashSet<String> = inventory.weights.iter().flat_map(lora_names).collect();
        if let Some(stray) = file.names().into_iter().find(|name| !known.contains(name)) {
            return Err(EngineError::StrayAdapter(stray));
        }
        Ok(Self { file, rank: adapter.rank, scale: adapter.scale })
    }

    /// A weight with the adapter's share added, in the precision in which it is stored.
    fn merge(&self, weight: &Weight, whole: StoredTensor) -> Result<StoredTensor, EngineError> {
        let [a, b] = lora_names(weight);
        if self.file.info(&a).is_none() && self.file.info(&b).is_none() {
            return Ok(whole);
        }
        let half = |name: &str, expected: [usize; 2]| -> Result<Tensor, EngineError> {
            let half = self.file.tensor(name).map_err(PublishedError::from)?;
            let half = half.ok_or_else(|| EngineError::LackingAdapter(name.into()))?;
            if half.shape != expected {
                return Err(EngineError::WrongAdapter { name: name.into(), found: half.shape, expected });
            }
            Ok(half.to_tensor()?.to_dtype(DType::F32)?)
        };
        let (a, b) = (half(&a, [self.rank, weight.columns])?, half(&b, [weight.rows, self.rank])?);
        let merged = (whole.to_tensor()?.to_dtype(DType::F32)? + (b.matmul(&a)? * self.scale)?)?;
        Ok(StoredTensor::copy_of(&merged.to_dtype(whole.dtype)?)?)
    }
}

/// The names that PEFT gives to the two matrices of a weight.
fn lora_names(weight: &Weight) -> [String; 2] {
    let module = weight.name.strip_suffix(".weight").unwrap_or(&weight.name);
    ["A", "B"].map(|matrix| format!("base_model.model.{module}.lora_{matrix}.weight"))
}

/// A checkpoint as published, in one or several shards, held as it is or quantized on the way.
pub(super) struct Published<'a> {
    pub files: PublishedFiles,
    /// Rows and columns that share a scale, where they do.
    pub block: Option<[usize; 2]>,
    pub adapter: Option<LoadedAdapter>,
    /// `None` holds every matrix at the precision in which it is stored.
    pub quantization: Option<Quantization>,
    pub observer: &'a dyn LoadObserver,
}

impl Published<'_> {
    fn load(&self, weight: &Weight, shape: &[usize], rows: Option<&Rows>) -> Result<StoredTensor, EngineError> {
        let whole = told(self.observer, LoadPart::Read, || numbers(&self.files, weight, shape, self.block))?;
        let whole = match &self.adapter {
            Some(adapter) => adapter.merge(weight, whole)?,
            None => whole,
        };
        let Some(rows) = rows else { return Ok(whole) };
        let bytes = gathered(&whole.bytes, whole.shape[0], rows.published(), self.observer)?;
        Ok(StoredTensor { shape: [&[rows.len()], &whole.shape[1..]].concat(), bytes, ..whole })
    }
}

impl WeightSource for Published<'_> {
    fn matrix(&self, weight: &Weight, rows: Option<&Rows>, device: &Device) -> Result<Matrix, EngineError> {
        let stored = self.load(weight, &[weight.rows, weight.columns], rows)?;
        let kind = match self.quantization {
            _ if weight.role == Role::Router => GgmlDType::F32,
            Some(quantization) => weight.held_as(quantization),
            // As transformers holds them: all digits of a product with a scale would take twice the memory.
            None if float8(&self.files, &weight.name).is_some() => GgmlDType::BF16,
            None => dense_kind(stored.dtype).unwrap_or(GgmlDType::F32),
        };
        placed(kind, taken(weight, rows), held(&stored, kind, self.observer)?, device, self.observer)
    }

    fn vector(&self, weight: &Weight, rows: Option<&Rows>, device: &Device) -> Result<Tensor, EngineError> {
        let stored = self.load(weight, &[weight.columns], rows)?;
        let stored = told(self.observer, LoadPart::Read, || stored.to_tensor())?;
        Ok(stored.to_dtype(DType::F32)?.to_device(device)?)
    }
}

/// Some of the `rows` that these bytes are, in this order: as they lie if they lie together.
fn gathered(
    bytes: &WeightBytes,
    rows: usize,
    ranges: &[Range<usize>],
    observer: &dyn LoadObserver,
) -> Result<WeightBytes, EngineError> {
    let row = bytes.len() / rows.max(1);
    if let [range] = ranges
        && let Some(part) = bytes.part(range.start * row..range.end * row)
    {
        return Ok(part);
    }
    let length: usize = ranges.iter().map(ExactSizeIterator::len).sum();
    let mut buffer = Buffer::zeroed(length * row).map_err(EngineError::Allocation)?;
    told(observer, LoadPart::Read, || {
        let mut rest = &mut buffer[..];
        for range in ranges {
            let (part, after) = rest.split_at_mut(range.len() * row);
            part.copy_from_slice(&bytes[range.start * row..range.end * row]);
            rest = after;
        }
    });
    Ok(buffer.into())
}

/// A matrix in the type in which it is to be held: as it lies if it is stored so.
fn held(stored: &StoredTensor, kind: GgmlDType, observer: &dyn LoadObserver) -> Result<WeightBytes, EngineError> {
    if dense_kind(stored.dtype) == Some(kind) {
        return Ok(stored.bytes.clone());
    }
    match dense_type(kind) {
        Some(dtype) => Ok(converted(stored, dtype, observer)?.bytes),
        None if dense_kind(stored.dtype).is_some() => quantize(stored, kind, observer),
        None => quantize(&converted(stored, DType::F32, observer)?, kind, observer),
    }
}

fn converted(stored: &StoredTensor, dtype: DType, observer: &dyn LoadObserver) -> candle_core::Result<StoredTensor> {
    let stored = told(observer, LoadPart::Read, || stored.to_tensor())?;
    told(observer, LoadPart::Quantize, || StoredTensor::copy_of(&stored.to_dtype(dtype)?))
}

/// Rows that one task quantizes.
const QUANTIZED_ROWS: usize = 64;

/// A matrix's blocks, quantized by all cores out of the numbers as they are stored.
fn quantize(stored: &StoredTensor, kind: GgmlDType, observer: &dyn LoadObserver) -> Result<WeightBytes, EngineError> {
    let columns = stored.shape.last().copied().unwrap_or_default();
    let stored_row = (columns * stored.dtype.size_in_bytes()).max(1);
    let row = columns / kind.block_size() * kind.type_size();
    let mut blocks = Buffer::zeroed(stored.bytes.len() / stored_row * row).map_err(EngineError::Allocation)?;
    let parts = blocks.par_chunks_mut((QUANTIZED_ROWS * row).max(1));
    parts.zip(stored.bytes.par_chunks(QUANTIZED_ROWS * stored_row)).try_for_each(|(blocks, bytes)| {
        let numbers = Numbers::new(stored.dtype, bytes);
        let numbers = numbers.ok_or_else(|| candle_core::Error::Msg(format!("{:?} is not quantized", stored.dtype)))?;
        told(observer, LoadPart::Quantize, || cpu::quantize::quantize(kind, numbers, blocks));
        Ok::<_, EngineError>(())
    })?;
    Ok(blocks.into())
}

/// Rows that are widened at a time to be quantized again.
const WIDENED_ROWS: usize = 8 * QUANTIZED_ROWS;

/// A matrix's blocks or numbers in another type.
fn requantized(
    stored: GgmlDType,
    bytes: WeightBytes,
    kind: GgmlDType,
    (rows, columns): (usize, usize),
    observer: &dyn LoadObserver,
) -> Result<WeightBytes, EngineError> {
    let row = columns / kind.block_size() * kind.type_size();
    let mut buffer = Buffer::zeroed(rows * row).map_err(EngineError::Allocation)?;
    let matrix = HostMatrix::new(stored, rows, columns, bytes).map_err(candle_core::Error::wrap)?;
    let mut wide = vec![0.0; WIDENED_ROWS.min(rows) * columns];
    for (index, out) in buffer.chunks_mut((WIDENED_ROWS * row).max(1)).enumerate() {
        let range = index * WIDENED_ROWS..((index + 1) * WIDENED_ROWS).min(rows);
        let wide = &mut wide[..range.len() * columns];
        told(observer, LoadPart::Read, || matrix.widen(range.clone(), wide));
        let wide = Tensor::from_slice(wide, (range.len(), columns), &Device::Cpu)?;
        out.copy_from_slice(&held(&StoredTensor::copy_of(&wide)?, kind, observer)?);
    }
    Ok(buffer.into())
}

/// A matrix on its device, told as moving where that is not the host.
fn placed(
    kind: GgmlDType,
    shape: (usize, usize),
    bytes: WeightBytes,
    device: &Device,
    observer: &dyn LoadObserver,
) -> Result<Matrix, EngineError> {
    if device.is_cpu() {
        return Ok(Matrix::new(kind, shape, bytes, device)?);
    }
    told(observer, LoadPart::Transfer, || {
        let matrix = Matrix::new(kind, shape, bytes, device)?;
        // The driver returns once it has a copy, before the device does.
        device.synchronize()?;
        Ok(matrix)
    })
}

/// A GGUF file, held as it is or quantized again.
pub(super) struct Gguf<'a> {
    pub file: GgufFile,
    /// `None` holds every matrix as it lies in the file.
    pub quantization: Option<Quantization>,
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
    ) -> Result<(GgmlDType, WeightBytes), EngineError> {
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
                (rest, gathered(&bytes, *count, std::slice::from_ref(&(expert..expert + 1)), self.observer)?)
            }
            (_, shape) => (shape, bytes),
        };
        expect_shape(weight, stored, shape)?;
        let bytes = match (rows, self.paired_head_dim) {
            // llama.cpp's converter puts the parts of a fused matrix one after another.
            (Some(rows), _) => gathered(&bytes, stored[0], std::slice::from_ref(&rows.concatenated), self.observer)?,
            (None, Some(head_dim)) if matches!(weight.part, Part::Query | Part::Key) => {
                told(self.observer, LoadPart::Read, || unpair(&bytes, stored[0], head_dim))
                    .map_err(EngineError::Allocation)?
            }
            (None, _) => bytes,
        };
        Ok((place.kind, self.held(place, bytes)?))
    }

    /// Bytes of a tensor in the type in which it is held.
    fn held(&self, place: &TensorPlace, bytes: WeightBytes) -> Result<WeightBytes, EngineError> {
        let Some(table) = place.table else { return Ok(bytes) };
        told(self.observer, LoadPart::Quantize, || table.as_q8_0(&bytes)).map_err(EngineError::Allocation)
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
            let flat = Matrix::new(place.kind, (heads * rows, columns), self.held(place, bytes)?, device)?;
            Ok(flat.dequantized()?.reshape((heads, rows, columns))?)
        };
        let [keys, values] = gguf_latent_halves(weight.layer);
        let joined = Tensor::cat(&[half(&keys)?.transpose(1, 2)?, half(&values)?], 1)?.flatten(0, 1)?;
        expect_shape(weight, joined.dims(), &[weight.rows, weight.columns])?;
        let joined = StoredTensor::copy_of(&joined)?;
        Ok(Matrix::new(GgmlDType::F32, (weight.rows, weight.columns), joined.bytes, device)?)
    }
}

impl WeightSource for Gguf<'_> {
    fn matrix(&self, weight: &Weight, rows: Option<&Rows>, device: &Device) -> Result<Matrix, EngineError> {
        if self.is_halved(weight) {
            return self.joined(weight, device);
        }
        let (stored, bytes) = self.bytes(weight, &[weight.rows, weight.columns], rows)?;
        let shape = taken(weight, rows);
        let kind = self.quantization.filter(|_| weight.role != Role::Router).map(|to| weight.held_as(to));
        match kind.filter(|kind| *kind != stored) {
            Some(kind) => {
                placed(kind, shape, requantized(stored, bytes, kind, shape, self.observer)?, device, self.observer)
            }
            None => placed(stored, shape, bytes, device, self.observer),
        }
    }

    fn vector(&self, weight: &Weight, rows: Option<&Rows>, device: &Device) -> Result<Tensor, EngineError> {
        let (kind, bytes) = self.bytes(weight, &[weight.columns], rows)?;
        let dtype = dense_type(kind).ok_or_else(|| EngineError::QuantizedVector(weight.name.clone()))?;
        let length = rows.map_or(weight.columns, Rows::len);
        let read = || Tensor::from_raw_buffer(&bytes, dtype, &[length], &Device::Cpu);
        Ok(told(self.observer, LoadPart::Read, read)?.to_dtype(DType::F32)?.to_device(device)?)
    }

    fn norms_are_whole(&self) -> bool {
        true
    }
}

fn dense_kind(dtype: DType) -> Option<GgmlDType> {
    match dtype {
        DType::F32 => Some(GgmlDType::F32),
        DType::F16 => Some(GgmlDType::F16),
        DType::BF16 => Some(GgmlDType::BF16),
        _ => None,
    }
}

/// Undoes llama.cpp's permutation: row `(head, 2i + j)` of the file is row `(head, j · head_dim/2 + i)` of the model.
fn unpair(bytes: &[u8], rows: usize, head_dim: usize) -> io::Result<WeightBytes> {
    let row = bytes.len() / rows.max(1);
    let mut ordered = Buffer::zeroed(bytes.len())?;
    for (at, ordered) in ordered.chunks_exact_mut(row.max(1)).enumerate() {
        let (head, within) = (at / head_dim, at % head_dim);
        let (j, i) = (within / (head_dim / 2), within % (head_dim / 2));
        let from = (head * head_dim + 2 * i + j) * row;
        ordered.copy_from_slice(&bytes[from..from + row]);
    }
    Ok(ordered.into())
}

/// Random weights, the same for the same seed and name.
pub(super) struct Synthetic<'a> {
    pub quantization: Quantization,
    pub seed: u64,
    pub observer: &'a dyn LoadObserver,
}

impl WeightSource for Synthetic<'_> {
    fn matrix(&self, weight: &Weight, rows: Option<&Rows>, device: &Device) -> Result<Matrix, EngineError> {
        let kind = weight.held_as(self.quantization);
        let (rows, columns) = taken(weight, rows);
        let name =
            weight.name.bytes().fold(self.seed, |seed, byte| (seed ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3));
        let size = rows * columns / kind.block_size() * kind.type_size();
        let mut buffer = Buffer::zeroed(size).map_err(EngineError::Allocation)?;
        synthetic::fill(kind, &mut buffer, name);
        placed(kind, (rows, columns), buffer.into(), device, self.observer)
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
        assert_eq!(*unpair(&[0, 10, 1, 11, 2, 12, 3, 13], 8, 8).unwrap(), [0, 1, 2, 3, 10, 11, 12, 13]);
        assert_eq!(*unpair(&[0, 2, 1, 3, 4, 6, 5, 7], 8, 4).unwrap(), [0, 1, 2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn quantizing_by_rows_equals_quantizing_at_once_whatever_the_numbers_are() {
        let numbers = Tensor::rand(-1f32, 1.0, (150, 256), &Device::Cpu).unwrap();
        for dtype in [DType::F32, DType::F16, DType::BF16, DType::F64] {
            let stored = StoredTensor::copy_of(&numbers.to_dtype(dtype).unwrap()).unwrap();
            let widened = stored.to_tensor().unwrap().to_dtype(DType::F32).unwrap();
            let widened = StoredTensor::copy_of(&widened).unwrap();
            let mut expected = vec![0; 150 * GgmlDType::Q4K.type_size()];
            cpu::quantize::quantize(GgmlDType::Q4K, Numbers::new(DType::F32, &widened.bytes).unwrap(), &mut expected);
            assert_eq!(*held(&stored, GgmlDType::Q4K, &()).unwrap(), expected, "{dtype:?}");
        }
    }
}
