//! Headers on the Hub: what a repository's weights take, and a GGUF file's config, without downloading either.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;

use serde::Deserialize;
use serde_json::Value;

use super::error::AcquireError;
use super::gguf::{self, GgufError, GgufFile};
use super::hub::{Hub, HubError, RemoteFile, Snapshot};
use super::preview::Preview;
use super::published::is_beside_text;
use crate::spec::Config;

/// Read of every file at first: most headers are no longer.
const FIRST_READ: u64 = 64 << 10;

/// Longest header of a safetensors file that is read; those of 1,000 tensors take about 100 KiB.
const LONGEST_SAFETENSORS: u64 = 32 << 20;

/// Longest header of a GGUF file that is read: it holds the tokenizer, which takes about 10 MiB for 262,144 tokens.
const LONGEST_GGUF: u64 = 64 << 20;

/// Config and size of a GGUF file of a repository, or of all parts of one that is split.
pub(super) fn of_gguf(
    hub: &Hub,
    snapshot: &Snapshot,
    files: &[RemoteFile],
    cancel: &AtomicBool,
) -> Result<Preview, AcquireError> {
    let mut headers = Vec::new();
    for file in files {
        headers.push((file.path.as_str(), gguf_header(hub, snapshot, file, cancel)?));
    }
    let path = || files.first().map(|file| file.path.as_str()).unwrap_or_default().into();
    let failed = |source| AcquireError::Gguf { path: path(), source };
    let header = GgufFile::of_headers(headers).map_err(failed)?;
    let config = Config::new(gguf::config(&header).map_err(failed)?);
    let config = config.map_err(|source| AcquireError::Spec { path: path(), source })?;
    let no_text = gguf::text_model(&header).err().map(|source| AcquireError::GgufText { path: path(), source });
    Ok(Preview { no_text, ..Preview::new(config, Some(header.weights_bytes())) })
}

/// The header of a GGUF file, of which more and more is read until it is whole.
fn gguf_header(
    hub: &Hub,
    snapshot: &Snapshot,
    file: &RemoteFile,
    cancel: &AtomicBool,
) -> Result<GgufFile, AcquireError> {
    let mut length = 16 * FIRST_READ;
    loop {
        let bytes = hub.beginning(snapshot, file, length, cancel).map_err(|source| in_hub(snapshot, source))?;
        match GgufFile::of_header(&bytes, file.size) {
            Err(GgufError::Truncated(_)) if length < file.size.min(LONGEST_GGUF) => length *= 4,
            read => return read.map_err(|source| AcquireError::Gguf { path: file.path.as_str().into(), source }),
        }
    }
}

/// Bytes of the weights that these files hold: of safetensors by their headers, of PyTorch's by their sizes.
pub(super) fn stored_bytes(
    hub: &Hub,
    snapshot: &Snapshot,
    files: &[RemoteFile],
    cancel: &AtomicBool,
) -> Result<u64, AcquireError> {
    let mut sum = 0u64;
    for file in files {
        let bytes = if file.path.ends_with(".safetensors") {
            tensors_bytes(hub, snapshot, file, cancel)?
        } else if file.path.ends_with(".bin") {
            file.size
        } else {
            0
        };
        sum = sum.saturating_add(bytes);
    }
    Ok(sum)
}

/// Bytes of the tensors of a safetensors file: 8 bytes of the header's length, little-endian, then the header in JSON
/// (<https://github.com/huggingface/safetensors#format>).
fn tensors_bytes(hub: &Hub, snapshot: &Snapshot, file: &RemoteFile, cancel: &AtomicBool) -> Result<u64, AcquireError> {
    let read = |length| hub.beginning(snapshot, file, length, cancel).map_err(|source| in_hub(snapshot, source));
    let damaged = |message: String| AcquireError::Header { path: file.path.as_str().into(), message };
    let mut bytes = read(FIRST_READ)?;
    let stated = bytes.first_chunk::<8>().map(|length| u64::from_le_bytes(*length));
    let length = stated.ok_or_else(|| damaged("the file is shorter than 8 bytes".into()))?;
    let end = length.saturating_add(8);
    if end > file.size.min(LONGEST_SAFETENSORS) {
        return Err(damaged(format!("a header of {length} bytes in a file of {}", file.size)));
    }
    if end > bytes.len() as u64 {
        bytes = read(end)?;
    }
    let header = bytes.get(8..end as usize).ok_or_else(|| damaged("it is cut short".into()))?;
    data_bytes(header, file.size - end).map_err(damaged)
}

/// Bytes of the decoder's tensors of a header, which lie in so many bytes of data.
fn data_bytes(header: &[u8], data: u64) -> Result<u64, String> {
    #[derive(Deserialize)]
    struct Tensor {
        data_offsets: (u64, u64),
    }
    let header: HashMap<String, Value> = serde_json::from_slice(header).map_err(|error| error.to_string())?;
    let mut sum = 0u64;
    for (name, value) in header.into_iter().filter(|(name, _)| name != "__metadata__" && !is_beside_text(name)) {
        let Tensor { data_offsets: (from, to) } =
            serde_json::from_value(value).map_err(|error| format!("tensor `{name}`: {error}"))?;
        if from > to || to > data {
            return Err(format!("tensor `{name}` lies in bytes {from} to {to} of {data}"));
        }
        sum = sum.saturating_add(to - from);
    }
    Ok(sum)
}

fn in_hub(snapshot: &Snapshot, source: HubError) -> AcquireError {
    AcquireError::Hub { repository: snapshot.repository.clone(), source: Box::new(source) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_summed_over_tensors_and_metadata_is_none() {
        let header =
            br#"{"__metadata__": {"format": "pt"}, "a": {"dtype": "BF16", "shape": [2, 3], "data_offsets": [0, 12]},
            "b": {"dtype": "F32", "shape": [1], "data_offsets": [12, 16]}}"#;
        assert_eq!(data_bytes(header, 16), Ok(16));
    }

    #[test]
    fn headers_that_lie_are_refused() {
        let of = |offsets: &str| data_bytes(format!(r#"{{"a": {{"data_offsets": {offsets}}}}}"#).as_bytes(), 16);
        assert_eq!(of("[0, 17]").unwrap_err(), "tensor `a` lies in bytes 0 to 17 of 16");
        assert_eq!(of("[9, 8]").unwrap_err(), "tensor `a` lies in bytes 9 to 8 of 16");
        for wrong in ["[-1, 8]", "[0]", "8", "null"] {
            assert!(of(wrong).unwrap_err().starts_with("tensor `a`: "), "{wrong}");
        }
        assert!(data_bytes(b"[]", 16).is_err() && data_bytes(b"{", 16).is_err());
    }
}
