//! The catalog: `models.toml`, the candidates under consideration and what they must satisfy.

mod candidate;
mod file;
mod requirements;

pub use candidate::{Candidate, Defaults, PromptFormat, Quantization, Source, is_gguf_file};
pub use file::{Catalog, is_repository};
pub use requirements::{Budget, KOREAN_SPEED, RequirementError, Requirements};
