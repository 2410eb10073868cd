//! PyTorch's `.bin` files: a pickle that describes tensors, and the numbers that it refers to.
//!
//! Files since PyTorch 1.6 are zip archives with the numbers stored uncompressed; older ones are pickles one after another
//! with the numbers behind them. Both are mapped, and the pickle is read as data (see [`pickle`]).

pub mod pickle;

use std::collections::HashMap;
use std::fs::File;
use std::io::Cursor;
use std::ops::Range;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use memmap2::Mmap;

use pickle::{PickleError, PickledTensor, Value};

/// What is wrong with a `.bin` file.
#[derive(Debug, thiserror::Error)]
pub enum PytorchError {
    #[error("could not open the file")]
    Open(#[source] std::io::Error),
    #[error("the archive is damaged")]
    Archive(#[source] zip::result::ZipError),
    #[error("the archive has no data.pkl")]
    NoPickle,
    #[error("`{0}` is compressed, which PyTorch does not do")]
    Compressed(String),
    #[error("could not read the pickle")]
    Pickle(#[from] PickleError),
    #[error("the file holds no table of tensors")]
    NoTensors,
    #[error("tensor `{tensor}` is of type {class}, which is not supported")]
    Type { tensor: String, class: String },
    #[error("tensor `{0}` is not laid out row by row, or reaches beyond its storage")]
    Layout(String),
    #[error("could not make tensor `{tensor}`")]
    Tensor { tensor: String, source: candle_core::Error },
}

/// A `.bin` file, mapped into memory.
pub struct PytorchFile {
    map: Mmap,
    tensors: HashMap<String, Place>,
}

struct Place {
    dtype: DType,
    shape: Vec<usize>,
    bytes: Range<usize>,
}

impl PytorchFile {
    /// # Errors
    /// A file that cannot be opened, is damaged, asks for code to be run, or has tensors that it cannot hold.
    pub fn open(path: &Path) -> Result<Self, PytorchError> {
        let file = File::open(path).map_err(PytorchError::Open)?;
        // SAFETY: mapped read-only, as weights of any other format are.
        let map = unsafe { Mmap::map(&file) }.map_err(PytorchError::Open)?;
        let tensors = if map.starts_with(b"PK") { in_archive(&map)? } else { in_sequence(&map)? };
        Ok(Self { map, tensors })
    }

    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.tensors.get(name).map(|place| place.shape.as_slice())
    }

    /// A tensor at the precision in which it is stored; `None` if it is not there.
    ///
    /// # Errors
    /// If memory does not suffice.
    pub fn tensor(&self, name: &str) -> Result<Option<Tensor>, PytorchError> {
        let Some(Place { dtype, shape, bytes }) = self.tensors.get(name) else { return Ok(None) };
        let tensor = Tensor::from_raw_buffer(&self.map[bytes.clone()], *dtype, shape, &Device::Cpu);
        tensor.map(Some).map_err(|source| PytorchError::Tensor { tensor: name.into(), source })
    }
}

/// The tensors of a zip archive.
fn in_archive(map: &[u8]) -> Result<HashMap<String, Place>, PytorchError> {
    let mut archive = zip::ZipArchive::new(Cursor::new(map)).map_err(PytorchError::Archive)?;
    let mut ranges = HashMap::new();
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index).map_err(PytorchError::Archive)?;
        let name = entry.name().map_err(PytorchError::Archive)?.into_owned();
        if entry.compression() != zip::CompressionMethod::Stored {
            return Err(PytorchError::Compressed(name));
        }
        let start = entry.data_start().and_then(|start| usize::try_from(start).ok());
        let end = start.and_then(|start| start.checked_add(usize::try_from(entry.size()).ok()?));
        let range = start.zip(end).filter(|(_, end)| *end <= map.len());
        let (start, end) = range.ok_or_else(|| PytorchError::Layout(name.clone()))?;
        // All names begin with the archive's own.
        let name = name.split_once('/').map_or(name.as_str(), |(_, rest)| rest).to_owned();
        ranges.insert(name, start..end);
    }
    let pickle = ranges.get("data.pkl").ok_or(PytorchError::NoPickle)?;
    let (value, _) = pickle::read(&map[pickle.clone()])?;
    let places = described(&value)?;
    places
        .into_iter()
        .map(|(name, tensor)| {
            let storage = ranges.get(&format!("data/{}", tensor.storage)).cloned();
            place(&name, &tensor, storage).map(|place| (name, place))
        })
        .collect()
}

/// The tensors of a file from before PyTorch 1.6: magic number, protocol, system, tensors, names of the storages, and then
/// each storage's length and numbers.
fn in_sequence(map: &[u8]) -> Result<HashMap<String, Place>, PytorchError> {
    let mut at = 0;
    let mut next = || -> Result<Value, PytorchError> {
        let (value, length) = pickle::read(&map[at..])?;
        at += length;
        Ok(value)
    };
    let (_magic, _protocol, _system) = (next()?, next()?, next()?);
    let (tensors, names) = (described(&next()?)?, next()?);
    let Value::List(names) = names else { return Err(PytorchError::NoTensors) };

    let sizes: HashMap<&str, usize> = tensors
        .iter()
        .map(|(name, tensor)| Ok((tensor.storage.as_str(), number_type(name, tensor)?.size_in_bytes())))
        .collect::<Result<_, PytorchError>>()?;
    let mut ranges = HashMap::new();
    for name in &names.items() {
        let Value::Text(name) = name else { return Err(PytorchError::NoTensors) };
        let damaged = || PytorchError::Layout(name.to_string());
        let length = map.get(at..at.saturating_add(8)).ok_or_else(damaged)?;
        let length = length.iter().rev().fold(0u64, |number, byte| number << 8 | u64::from(*byte));
        let size = sizes.get(&**name).copied().ok_or_else(damaged)?;
        let start = at + 8;
        let end = usize::try_from(length).ok().and_then(|length| start.checked_add(length.checked_mul(size)?));
        let end = end.filter(|end| *end <= map.len()).ok_or_else(damaged)?;
        ranges.insert(name.to_string(), start..end);
        at = end;
    }
    tensors
        .iter()
        .map(|(name, tensor)| {
            place(name, tensor, ranges.get(&tensor.storage).cloned()).map(|place| (name.clone(), place))
        })
        .collect()
}

/// The tensors that a pickle's table describes, by name. Anything else in the table is passed over.
fn described(value: &Value) -> Result<Vec<(String, PickledTensor)>, PytorchError> {
    let Value::Dict(entries) = value else { return Err(PytorchError::NoTensors) };
    let tensor = |(key, value): &(Value, Value)| match (key, value) {
        (Value::Text(name), Value::Tensor(tensor)) => Some((name.to_string(), (**tensor).clone())),
        _ => None,
    };
    Ok(entries.items().iter().filter_map(tensor).collect())
}

fn number_type(name: &str, tensor: &PickledTensor) -> Result<DType, PytorchError> {
    Ok(match tensor.class.as_str() {
        "FloatStorage" => DType::F32,
        "HalfStorage" => DType::F16,
        "BFloat16Storage" => DType::BF16,
        "DoubleStorage" => DType::F64,
        "LongStorage" => DType::I64,
        // Masks of old attention layers, which nothing asks for.
        "BoolStorage" | "ByteStorage" => DType::U8,
        class => return Err(PytorchError::Type { tensor: name.into(), class: class.into() }),
    })
}

/// Where a tensor's bytes lie, if it is laid out row by row within its storage.
fn place(name: &str, tensor: &PickledTensor, storage: Option<Range<usize>>) -> Result<Place, PytorchError> {
    let dtype = number_type(name, tensor)?;
    let layout = || PytorchError::Layout(name.into());
    let mut elements = 1usize;
    for (size, stride) in tensor.shape.iter().zip(&tensor.strides).rev() {
        // The stride of a dimension of one says nothing.
        if *size != 1 && *stride != elements {
            return Err(layout());
        }
        elements = elements.checked_mul(*size).ok_or_else(layout)?;
    }
    let storage = storage.filter(|_| tensor.shape.len() == tensor.strides.len()).ok_or_else(layout)?;
    let size = dtype.size_in_bytes();
    let start = tensor.offset.checked_mul(size).and_then(|offset| storage.start.checked_add(offset));
    let end = start.and_then(|start| start.checked_add(elements.checked_mul(size)?));
    let (start, end) = start.zip(end).filter(|(_, end)| *end <= storage.end).ok_or_else(layout)?;
    Ok(Place { dtype, shape: tensor.shape.clone(), bytes: start..end })
}
