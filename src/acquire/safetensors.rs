//! Safetensors files: a header in JSON, then the tensors (<https://github.com/huggingface/safetensors#format>).
//!
//! The header is read by the format's own library; the file is mapped here, so that a weight can go on lying in it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use candle_core::DType;
use memmap2::Mmap;
use safetensors::tensor::{Metadata, TensorInfo};
use safetensors::{SafeTensorError, SafeTensors};

use super::stored::StoredTensor;
use crate::cpu::bytes::WeightBytes;
use crate::plain_file;

/// What is wrong with a safetensors file.
#[derive(Debug, thiserror::Error)]
pub enum SafetensorsError {
    #[error("could not open `{path}`")]
    Open { path: PathBuf, source: std::io::Error },
    #[error("could not read the header of `{path}`")]
    Header { path: PathBuf, source: SafeTensorError },
    #[error("tensor `{tensor}` is of a type that is not supported")]
    UnknownType { tensor: String, source: Box<candle_core::Error> },
}

/// A safetensors file, mapped into memory.
pub struct SafetensorsFile {
    map: Arc<Mmap>,
    /// Where the tensors begin.
    start: usize,
    header: Metadata,
}

impl SafetensorsFile {
    /// # Errors
    /// A file that cannot be opened, or whose header does not describe it.
    pub fn open(path: &Path) -> Result<Self, SafetensorsError> {
        let failed = |source| SafetensorsError::Open { path: path.into(), source };
        let file = plain_file::open(path).map_err(failed)?;
        // SAFETY: mapped read-only; as for GGUF files, nobody else is expected to truncate it meanwhile.
        let map = unsafe { Mmap::map(&file) }.map_err(failed)?;
        let header = SafeTensors::read_metadata(&map);
        let (length, header) = header.map_err(|source| SafetensorsError::Header { path: path.into(), source })?;
        Ok(Self { map: Arc::new(map), start: size_of::<u64>() + length, header })
    }

    /// Shape and type of a tensor; `None` if it is not there.
    pub fn info(&self, name: &str) -> Option<&TensorInfo> {
        self.header.info(name)
    }

    /// Names of all tensors.
    pub fn names(&self) -> Vec<String> {
        self.header.offset_keys()
    }

    /// Bytes of the tensors whose names are wanted.
    pub fn tensor_bytes(&self, is_wanted: impl Fn(&str) -> bool) -> u64 {
        let tensors = self.header.tensors();
        let wanted = tensors.iter().filter(|(name, _)| is_wanted(name)).map(|(_, info)| info.data_offsets);
        wanted.map(|(start, end)| (end - start) as u64).sum()
    }

    /// A tensor as it lies in the file; `None` if it is not there.
    ///
    /// # Errors
    /// A type of number that nothing here computes with.
    pub fn tensor(&self, name: &str) -> Result<Option<StoredTensor>, SafetensorsError> {
        let (Some(info), Some(bytes)) = (self.info(name), self.bytes(name)) else { return Ok(None) };
        let unknown = |source| SafetensorsError::UnknownType { tensor: name.into(), source: Box::new(source) };
        let dtype = DType::try_from(info.dtype).map_err(unknown)?;
        Ok(Some(StoredTensor { dtype, shape: info.shape.clone(), bytes }))
    }

    /// A tensor's bytes, whatever its type; `None` if it is not there.
    pub fn bytes(&self, name: &str) -> Option<WeightBytes> {
        let (start, end) = self.info(name)?.data_offsets;
        WeightBytes::of_file(Arc::clone(&self.map), self.start + start..self.start + end)
    }
}
