//! A candidate: one row under consideration.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::file_names::is_gguf_file;
use super::quantization::Quantization;
use super::variant::Variant;

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
    /// Which of several variants of a candidate it is; `None` of the candidate as `models.toml` has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<Variant>,
    pub licence: Option<String>,
    pub notes: Option<String>,
    pub prompt_format: Option<PromptFormat>,
}

impl Candidate {
    /// The row's name, unique in a run: `qwen2.5-7b q4_k`; the id alone at stored precision. A variant says what it is a
    /// variant of: `qwen2.5-7b q4_k context=1200`.
    pub fn row(&self) -> String {
        match self.quantization {
            Some(quantization) => format!("{} {quantization}{}", self.id, self.setting()),
            None => self.name(),
        }
    }

    /// What it is called where its precision stands beside it: `qwen2.5-7b`, `qwen2.5-7b context=1200`.
    pub fn name(&self) -> String {
        format!("{}{}", self.id, self.setting())
    }

    /// How a variant is set, where its precision does not say so: ` context=1200`.
    fn setting(&self) -> String {
        match &self.variant {
            None | Some(Variant::Quantization(Some(_))) => String::new(),
            Some(variant) => format!(" {}={variant}", variant.axis().name()),
        }
    }

    /// The same, as one of its variants.
    pub fn varied(&self, variant: &Variant) -> Self {
        let mut varied = Self { variant: Some(variant.clone()), ..self.clone() };
        match variant {
            Variant::Quantization(quantization) => varied.quantization = *quantization,
            Variant::Adapter(adapter) => varied.adapter.clone_from(adapter),
            Variant::Context(_) | Variant::KvCache(_) | Variant::Attention(_) => {}
        }
        varied
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
