//! A candidate: one row under consideration.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;

use candle_core::quantized::GgmlDType;
use clap::builder::PossibleValue;
use serde::{Deserialize, Serialize};

use super::file_names::is_gguf_file;
use crate::cpu::ggml;

/// A row under consideration: where its checkpoint comes from and at what precision it runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    pub id: String,
    pub source: Source,
    /// `None` runs the weights at the precision that they are stored in.
    pub quantization: Option<Quantization>,
    /// A LoRA adapter's directory, merged into the weights as they are loaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapter: Option<PathBuf>,
    pub licence: Option<String>,
    pub notes: Option<String>,
    pub prompt_format: Option<PromptFormat>,
}

impl Candidate {
    /// The row's name, unique in a run: `qwen2.5-7b q4_k`; the id alone at stored precision.
    pub fn row(&self) -> String {
        match self.quantization {
            Some(quantization) => format!("{} {quantization}", self.id),
            None => self.id.clone(),
        }
    }
}

/// Where a candidate's checkpoint comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "kind")]
pub enum Source {
    /// A Hugging Face repository at a revision: all weights that its index names, or one GGUF file of it, whole or in parts.
    Hub { repository: String, revision: String, file: Option<String> },
    /// A directory in Hugging Face layout, or a `.gguf` file.
    Local { path: PathBuf },
    /// Random weights at the shape of a `config.json`: of a repository whose shape ships with the program, or in a directory.
    Synthetic { shape: String },
    /// No model at all: the answers of a script, for tests of what stands around an engine.
    Scripted { script: PathBuf },
}

impl Source {
    /// What it is called: a repository, a path, or the name of a shape.
    pub fn name(&self) -> Cow<'_, str> {
        match self {
            Source::Hub { repository: name, .. } | Source::Synthetic { shape: name } => name.into(),
            Source::Local { path } | Source::Scripted { script: path } => path.to_string_lossy(),
        }
    }

    /// Whether it is one GGUF file, which is quantized already.
    pub fn is_gguf(&self) -> bool {
        match self {
            Source::Hub { file, .. } => file.is_some(),
            Source::Local { path } => is_gguf_file(path),
            Source::Synthetic { .. } | Source::Scripted { .. } => false,
        }
    }
}

/// `hub:owner/name@main`, `local:models/a`
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Hub { repository, revision, file: None } => write!(f, "hub:{repository}@{revision}"),
            Source::Hub { repository, revision, file: Some(file) } => write!(f, "hub:{repository}@{revision}:{file}"),
            Source::Local { path } => write!(f, "local:{}", path.display()),
            Source::Synthetic { shape } => write!(f, "synthetic:{shape}"),
            Source::Scripted { script } => write!(f, "scripted:{}", script.display()),
        }
    }
}

/// Precision of the weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantization {
    F32,
    Bf16,
    F16,
    Q8_0,
    Q6K,
    Q5K,
    Q4K,
    Q4_0,
}

impl Quantization {
    /// All of them, the largest first.
    pub const ALL: [Self; 8] =
        [Self::F32, Self::Bf16, Self::F16, Self::Q8_0, Self::Q6K, Self::Q5K, Self::Q4K, Self::Q4_0];

    /// ggml's type of the same numbers.
    pub fn ggml(self) -> GgmlDType {
        match self {
            Quantization::F32 => GgmlDType::F32,
            Quantization::Bf16 => GgmlDType::BF16,
            Quantization::F16 => GgmlDType::F16,
            Quantization::Q8_0 => GgmlDType::Q8_0,
            Quantization::Q6K => GgmlDType::Q6K,
            Quantization::Q5K => GgmlDType::Q5K,
            Quantization::Q4K => GgmlDType::Q4K,
            Quantization::Q4_0 => GgmlDType::Q4_0,
        }
    }

    pub fn name(self) -> &'static str {
        ggml::name(self.ggml())
    }
}

impl clap::ValueEnum for Quantization {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
}

impl fmt::Display for Quantization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// How a base model without a chat template is asked.
///
/// `template` holds `{prompt}` once and may hold `{system}` once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PromptFormat {
    pub template: String,
    /// Text that ends the answer, beside the end-of-sequence tokens.
    #[serde(default)]
    pub stop: Vec<String>,
}

/// What holds for every candidate that does not say otherwise.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Defaults {
    pub quantization: Vec<Quantization>,
    pub revision: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantization_is_stored_by_its_name() {
        for quantization in Quantization::ALL {
            assert_eq!(serde_json::to_value(quantization).unwrap(), quantization.name());
        }
    }
}
