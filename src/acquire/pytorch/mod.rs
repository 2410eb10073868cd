//! PyTorch's `.bin` files: a pickle that describes tensors, and the numbers that it refers to.
//!
//! Files since PyTorch 1.6 are zip archives with the numbers stored uncompressed; older ones are pickles one after another
//! with the numbers behind them. Both are mapped, and the pickle is read as data (see [`pickle`]).

pub mod pickle;

use std::collections::HashMap;
use std::io::{self, Cursor};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use candle_core::DType;
use memmap2::Mmap;

use super::stored::StoredTensor;
use crate::cpu::bytes::{Buffer, WeightBytes};
use crate::plain_file;
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
    #[error("tensor `{0}` does not lie in its storage")]
    Layout(String),
    #[error("`{0}` is there twice")]
    Twice(String),
    #[error("the tensors hold more than {MOST_VIEWS} times what the file does")]
    Inflated,
    #[error("there is no memory for tensor `{tensor}`")]
    Memory { tensor: String, source: io::Error },
}

/// How often tensors may together view the numbers of a file. Tied embeddings view theirs twice; a hostile file of one
/// storage could be a model of any size.
const MOST_VIEWS: u64 = 4;

/// A `.bin` file, mapped into memory.
pub struct PytorchFile {
    map: Arc<Mmap>,
    tensors: HashMap<String, Place>,
}

struct Place {
    dtype: DType,
    shape: Vec<usize>,
    /// Numbers between neighbours along each dimension.
    strides: Vec<usize>,
    /// From the first number of the view to the last.
    bytes: Range<usize>,
}

impl Place {
    /// Bytes of its numbers; one that views a number often takes more than its storage.
    fn size(&self) -> u64 {
        (self.shape.iter().product::<usize>() * self.dtype.size_in_bytes()) as u64
    }

    /// The view's bytes row by row, whatever its strides.
    fn gather(&self, storage: &[u8]) -> io::Result<WeightBytes> {
        let size = self.dtype.size_in_bytes();
        let mut offsets = vec![0];
        for (length, stride) in self.shape.iter().zip(&self.strides) {
            offsets = offsets.iter().flat_map(|offset| (0..*length).map(move |at| offset + at * stride)).collect();
        }
        let mut gathered = Buffer::zeroed(offsets.len() * size)?;
        for (number, offset) in gathered.chunks_exact_mut(size).zip(offsets) {
            number.copy_from_slice(&storage[offset * size..(offset + 1) * size]);
        }
        Ok(gathered.into())
    }

    fn is_contiguous(&self) -> bool {
        let mut expected = 1;
        // The stride of a dimension of one says nothing.
        self.shape.iter().zip(&self.strides).rev().all(|(length, stride)| {
            let fits = *length == 1 || *stride == expected;
            expected *= length;
            fits
        })
    }
}

impl PytorchFile {
    /// # Errors
    /// A file that cannot be opened, is damaged, asks for code to be run, or has tensors that it cannot hold.
    pub fn open(path: &Path) -> Result<Self, PytorchError> {
        let file = plain_file::open(path).map_err(PytorchError::Open)?;
        // SAFETY: mapped read-only, as weights of any other format are.
        let map = unsafe { Mmap::map(&file) }.map_err(PytorchError::Open)?;
        let tensors = if map.starts_with(b"PK") { in_archive(&map)? } else { in_sequence(&map)? };
        if tensors.values().map(Place::size).fold(0, u64::saturating_add) > MOST_VIEWS * map.len() as u64 {
            return Err(PytorchError::Inflated);
        }
        Ok(Self { map: Arc::new(map), tensors })
    }

    /// Names of all tensors.
    pub fn names(&self) -> Vec<String> {
        self.tensors.keys().cloned().collect()
    }

    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.tensors.get(name).map(|place| place.shape.as_slice())
    }

    /// A tensor as it is stored, its rows in order; `None` if it is not there.
    ///
    /// # Errors
    /// If memory does not suffice for one whose rows do not lie in order.
    pub fn tensor(&self, name: &str) -> Result<Option<StoredTensor>, PytorchError> {
        let Some(place) = self.tensors.get(name) else { return Ok(None) };
        let bytes = if place.is_contiguous() {
            WeightBytes::of_file(Arc::clone(&self.map), place.bytes.clone())
                .ok_or_else(|| PytorchError::Layout(name.into()))?
        } else {
            let gathered = place.gather(&self.map[place.bytes.clone()]);
            gathered.map_err(|source| PytorchError::Memory { tensor: name.into(), source })?
        };
        Ok(Some(StoredTensor { dtype: place.dtype, shape: place.shape.clone(), bytes }))
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
        if ranges.insert(name.clone(), start..end).is_some() {
            return Err(PytorchError::Twice(name));
        }
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

/// Where a tensor's bytes lie, if they lie within its storage and are no more than that holds.
fn place(name: &str, tensor: &PickledTensor, storage: Option<Range<usize>>) -> Result<Place, PytorchError> {
    let dtype = number_type(name, tensor)?;
    if tensor.shape.contains(&0) {
        // However long its other dimensions are.
        return Ok(Place { dtype, shape: vec![0], strides: vec![1], bytes: 0..0 });
    }
    let place = || {
        let PickledTensor { shape, strides, offset, .. } = tensor;
        let storage = storage.filter(|_| shape.len() == strides.len())?;
        let size = dtype.size_in_bytes();
        let elements = shape.iter().try_fold(1usize, |product, length| product.checked_mul(*length))?;
        let reach = shape
            .iter()
            .zip(strides)
            .try_fold(1usize, |reach, (length, stride)| reach.checked_add((length - 1).checked_mul(*stride)?))?;
        let start = storage.start.checked_add(offset.checked_mul(size)?)?;
        let end = start.checked_add(reach.checked_mul(size)?)?;
        let fits = end <= storage.end && elements.checked_mul(size)? <= storage.len();
        fits.then(|| Place { dtype, shape: shape.clone(), strides: strides.clone(), bytes: start..end })
    };
    place().ok_or_else(|| PytorchError::Layout(name.into()))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use zip::write::SimpleFileOptions;

    use super::*;

    /// A table of float32 tensors in storage `0`, each of this offset, shape and strides, as PyTorch pickles it.
    fn table_of(names: &[String], offset: u64, shape: &[u64], strides: &[u64]) -> Vec<u8> {
        let text = |text: &str| [b"X", &(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat();
        let number = |number: u64| [b"\x8a\x08", &number.to_le_bytes()[..]].concat();
        let tuple = |list: &[u64]| [b"(", &list.iter().flat_map(|x| number(*x)).collect::<Vec<_>>()[..], b"t"].concat();
        let mut pickle = b"\x80\x02}(".to_vec();
        for name in names {
            pickle.extend([text(name), b"ctorch._utils\n_rebuild_tensor_v2\n((".to_vec(), text("storage")].concat());
            pickle.extend([b"ctorch\nFloatStorage\n".to_vec(), text("0"), text("cpu"), number(8)].concat());
            pickle.extend([b"tQ".to_vec(), number(offset), tuple(shape), tuple(strides), b"\x89NtR".to_vec()].concat());
        }
        pickle.extend(b"u.");
        pickle
    }

    fn table(offset: u64, shape: &[u64], strides: &[u64]) -> Vec<u8> {
        table_of(&["w".into()], offset, shape, strides)
    }

    /// Opens an archive of these entries.
    fn open(entries: &[(&str, &[u8])], options: SimpleFileOptions) -> Result<PytorchFile, PytorchError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pytorch_model.bin");
        let mut archive = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
        for (name, contents) in entries {
            archive.start_file(*name, options).unwrap();
            archive.write_all(contents).unwrap();
        }
        archive.finish().unwrap();
        PytorchFile::open(&path)
    }

    fn stored() -> SimpleFileOptions {
        SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored)
    }

    fn with(table: &[u8]) -> Result<PytorchFile, PytorchError> {
        open(&[("a/data.pkl", table), ("a/data/0", &[0; 32])], stored())
    }

    #[test]
    fn views_must_lie_in_their_storage() {
        let file = with(&table(0, &[2, 4], &[1, 2])).unwrap();
        assert_eq!(file.tensor("w").unwrap().unwrap().shape, [2, 4]);
        const MOST: u64 = i64::MAX as u64;
        for (offset, shape, strides) in [
            (1, &[2, 4][..], &[4, 1][..]),
            (MOST, &[1], &[1]),
            (0, &[8], &[2]),
            (0, &[9], &[0]),
            (0, &[MOST, MOST], &[0, 0]),
            (0, &[2, 2], &[MOST, MOST]),
            (0, &[8], &[1, 1]),
            (0, &[u64::MAX], &[1]),
        ] {
            assert!(with(&table(offset, shape, strides)).is_err(), "{offset} {shape:?} {strides:?}");
        }
    }

    #[test]
    fn a_tensor_of_nothing_is_nothing_however_long() {
        const MOST: u64 = i64::MAX as u64;
        for shape in [&[MOST, 0][..], &[0, MOST, MOST]] {
            let file = with(&table(0, shape, &vec![1; shape.len()])).unwrap();
            assert_eq!(file.tensor("w").unwrap().unwrap().bytes.len(), 0);
        }
    }

    #[test]
    fn archives_that_are_not_pytorchs_are_refused() {
        let table = table(0, &[8], &[1]);
        let message = |entries: &[(&str, &[u8])]| match open(entries, stored()) {
            Ok(_) => panic!("{entries:?} was taken"),
            Err(error) => error.to_string(),
        };
        assert_eq!(message(&[("a/data/0", &[0; 32])]), "the archive has no data.pkl");
        assert_eq!(message(&[("a/data.pkl", &table)]), "tensor `w` does not lie in its storage");
        // Names are looked up, never opened: one that climbs is one that nothing asks for.
        assert_eq!(message(&[("../../data.pkl", &table)]), "the archive has no data.pkl");
        let twice = [("a/data.pkl", &table[..]), ("b/data.pkl", &table), ("a/data/0", &[0; 32])];
        assert_eq!(message(&twice), "`data.pkl` is there twice");
    }

    #[test]
    fn a_storage_that_is_viewed_again_and_again_is_no_model() {
        let views = |count: usize| {
            let names: Vec<String> = (0..count).map(|name| name.to_string()).collect();
            open(&[("a/data.pkl", &table_of(&names, 0, &[1 << 16], &[1])), ("a/data/0", &[0; 4 << 16])], stored())
        };
        assert!(views(2).is_ok(), "an embedding and the head that is tied to it");
        assert!(matches!(views(10), Err(PytorchError::Inflated)));
    }
}
