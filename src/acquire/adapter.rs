//! LoRA adapters in PEFT's layout, to be merged into the weights as they are loaded.
//!
//! `W += s · B A` with `s = alpha ÷ r`, or `alpha ÷ √r` where the adapter is rank-stabilized
//! (<https://arxiv.org/abs/2106.09685>, <https://arxiv.org/abs/2312.03732>).

use std::path::Path;

use serde_json::Value;

use super::{AcquireError, local};

/// An adapter: its scale, and the file that holds its matrices.
#[derive(Debug, Clone, PartialEq)]
pub struct Adapter {
    /// What the product of its matrices is multiplied with.
    pub scale: f64,
    /// `adapter_model.safetensors`.
    pub file: std::path::PathBuf,
}

impl Adapter {
    /// Reads the adapter in a directory.
    ///
    /// # Errors
    /// A directory that lacks a file, or an adapter of another kind than a plain LoRA.
    pub fn open(directory: &Path) -> Result<Self, AcquireError> {
        let path = directory.join("adapter_config.json");
        if !path.is_file() {
            return Err(AcquireError::NotAnAdapter { path: directory.into() });
        }
        let config = local::json(&path)?;
        let get = |key: &str| config.get(key).filter(|value| !value.is_null());
        let refused = |key: &str, value: &Value| AcquireError::Adapter {
            path: path.clone(),
            message: format!("`{key}` = {value} is not supported"),
        };
        if let Some(kind) = get("peft_type").filter(|kind| kind.as_str() != Some("LORA")) {
            return Err(refused("peft_type", kind));
        }
        if let Some(bias) = get("bias").filter(|bias| bias.as_str() != Some("none")) {
            return Err(refused("bias", bias));
        }
        // What is false, empty or absent changes nothing; anything else changes what the adapter computes.
        for key in ["use_dora", "fan_in_fan_out", "modules_to_save", "rank_pattern", "alpha_pattern", "lora_bias"] {
            let idle = |value: &Value| match value {
                Value::Bool(set) => !set,
                Value::Array(items) => items.is_empty(),
                Value::Object(fields) => fields.is_empty(),
                _ => false,
            };
            if let Some(value) = get(key).filter(|value| !idle(value)) {
                return Err(refused(key, value));
            }
        }
        let number = |key: &str| {
            let number = get(key).and_then(Value::as_f64).filter(|number| number.is_finite() && *number > 0.0);
            let message = format!("`{key}` is not a positive number");
            number.ok_or_else(|| AcquireError::Adapter { path: path.clone(), message })
        };
        let (rank, alpha) = (number("r")?, number("lora_alpha")?);
        let stabilized = get("use_rslora").and_then(Value::as_bool).unwrap_or(false);
        let scale = alpha / if stabilized { rank.sqrt() } else { rank };
        let file = directory.join("adapter_model.safetensors");
        if !file.is_file() {
            return Err(AcquireError::NotAnAdapter { path: directory.into() });
        }
        Ok(Self { scale, file })
    }
}
