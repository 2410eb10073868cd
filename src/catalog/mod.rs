//! The catalog: `models.toml`, the candidates under consideration and what they must satisfy.

mod candidate;
mod file;
mod file_names;
mod local_path;
mod requirements;

pub use candidate::{Candidate, Defaults, PromptFormat, Quantization, Source};
pub use file::{Catalog, is_repository};
pub use file_names::{PartName, is_gguf_file};
pub use local_path::{gguf_files, local_checkpoint};
pub use requirements::{Budget, KOREAN_SPEED, RequirementError, Requirements};
