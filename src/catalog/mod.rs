//! The catalog: `models.toml`, the candidates under consideration and what they must satisfy.

mod candidate;
mod file;
mod gguf_names;
mod requirements;

pub use candidate::{Candidate, Defaults, PromptFormat, Quantization, Source};
pub use file::{Catalog, is_repository};
pub use gguf_names::{PartName, is_gguf_file};
pub use requirements::{Budget, KOREAN_SPEED, RequirementError, Requirements};
