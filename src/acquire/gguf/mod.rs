//! GGUF files: a header of metadata and tensor places, then the tensors.
//!
//! Format: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>. The reader is ours, not candle's, because it maps
//! the file instead of copying it, names the tensor and the type where a type is not known, and bounds everything that a
//! hostile header can claim.

mod config;
mod pre_tokenizer;
mod reader;
mod split;
mod table;
#[cfg(test)]
mod testing;
mod text;

pub use config::config;
pub use reader::{Field, GgufError, GgufFile, TensorPlace};
pub use table::TableType;
pub use text::{GgufTextError, text_model};
