//! Why a `config.json` cannot be used.

/// The supported families, as a person calls them.
pub(super) const SUPPORTED: &str =
    "llama, mistral, qwen2, qwen3, phi3, exaone, exaone4, gemma, gemma2, gemma3, gpt_neox, deepseek_v2";

/// What is wrong with a `config.json`, or what it asks for that this program does not do.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum SpecError {
    #[error("the config is not a JSON object")]
    NotAnObject,
    #[error("the config lacks `{key}`")]
    Missing { key: String },
    #[error("`{key}` is {found}, expected {expected}")]
    Invalid { key: String, found: String, expected: String },
    #[error("architecture `{0}` is not supported yet")]
    UnsupportedArchitecture(String),
    #[error("`{key}` = {value} is not supported yet")]
    UnsupportedKey { key: String, value: String },
}

impl SpecError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::UnsupportedArchitecture(_) => Some(format!("supported now: {}", SUPPORTED)),
            Self::UnsupportedKey { key, .. } if key == "quantization_config" => {
                Some("name the repository of the unquantized model, or a GGUF file of it".into())
            }
            Self::NotAnObject | Self::Missing { .. } | Self::Invalid { .. } | Self::UnsupportedKey { .. } => None,
        }
    }
}
