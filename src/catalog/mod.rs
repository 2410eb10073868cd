//! The catalog: `models.toml`, the candidates under consideration and what they must satisfy.

mod candidate;
mod requirements;

pub use candidate::{Candidate, Defaults, PromptFormat, Quantization, Source};
pub use requirements::{Budget, Requirements};
