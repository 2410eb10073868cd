//! LoRA adapters in PEFT's layout, to be merged into the weights as they are loaded.
//!
//! `W += s · B A` with `s = alpha ÷ r`, or `alpha ÷ √r` where the adapter is rank-stabilized
//! (<https://arxiv.org/abs/2106.09685>, <https://arxiv.org/abs/2312.03732>).

use std::path::Path;

use serde_json::Value;

use super::error::AcquireError;
use super::files::{is_there, json};

/// Largest rank; that of a whole matrix is no adapter's.
const LARGEST_RANK: u64 = 1 << 16;

/// An adapter: its scale, and the file that holds its matrices.
#[derive(Debug, Clone, PartialEq)]
pub struct Adapter {
    /// Rows of its first matrices, and columns of its second.
    pub rank: usize,
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
        if !is_there(&path) {
            return Err(AcquireError::NotAnAdapter { path: directory.into() });
        }
        let config = json(&path)?;
        let get = |key: &str| config.get(key).filter(|value| !value.is_null());
        let refused = |key: &str, value: &Value| AcquireError::Adapter {
            path: path.clone(),
            message: format!("`{key}` = {} is not supported", shortened(value)),
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
        let wrong = |message: &str| AcquireError::Adapter { path: path.clone(), message: message.into() };
        let rank = get("r").and_then(Value::as_u64).filter(|rank| (1..=LARGEST_RANK).contains(rank));
        let rank = rank.ok_or_else(|| wrong("`r` is not a whole number from 1 to 65536"))? as usize;
        let alpha = get("lora_alpha").and_then(Value::as_f64).filter(|alpha| *alpha > 0.0);
        let alpha = alpha.ok_or_else(|| wrong("`lora_alpha` is not a positive number"))?;
        let stabilized = match get("use_rslora") {
            None => false,
            Some(value) => value.as_bool().ok_or_else(|| wrong("`use_rslora` is neither true nor false"))?,
        };
        let scale = alpha / if stabilized { (rank as f64).sqrt() } else { rank as f64 };
        if scale > f64::from(f32::MAX) {
            return Err(wrong("`lora_alpha` is beyond the numbers that weights can be multiplied with"));
        }
        let file = directory.join("adapter_model.safetensors");
        if !file.is_file() {
            return Err(AcquireError::NotAnAdapter { path: directory.into() });
        }
        Ok(Self { rank, scale, file })
    }
}

fn shortened(value: &Value) -> String {
    value.to_string().chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(config: &str) -> Result<Adapter, AcquireError> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("adapter_config.json"), config).unwrap();
        std::fs::write(folder.path().join("adapter_model.safetensors"), "").unwrap();
        Adapter::open(folder.path())
    }

    #[test]
    fn the_scale_is_alpha_by_rank_or_by_its_root() {
        assert_eq!(open(r#"{"r": 4, "lora_alpha": 8}"#).unwrap().scale, 2.0);
        assert_eq!(open(r#"{"r": 4, "lora_alpha": 8, "use_rslora": true}"#).unwrap().scale, 4.0);
    }

    #[test]
    fn numbers_that_make_no_scale_are_refused_by_name() {
        for (config, message) in [
            (r#"{"r": 0, "lora_alpha": 8}"#, "`r` is not a whole number"),
            (r#"{"r": -4, "lora_alpha": 8}"#, "`r` is not a whole number"),
            (r#"{"r": 4.5, "lora_alpha": 8}"#, "`r` is not a whole number"),
            (r#"{"r": 18446744073709551615, "lora_alpha": 8}"#, "`r` is not a whole number"),
            (r#"{"lora_alpha": 8}"#, "`r` is not a whole number"),
            (r#"{"r": 4, "lora_alpha": 0}"#, "`lora_alpha` is not a positive number"),
            (r#"{"r": 4, "lora_alpha": "NaN"}"#, "`lora_alpha` is not a positive number"),
            (r#"{"r": 4, "lora_alpha": 1e300}"#, "`lora_alpha` is beyond"),
            (r#"{"r": 4, "lora_alpha": 8, "use_rslora": "yes"}"#, "`use_rslora` is neither true nor false"),
            (r#"{"r": 4, "lora_alpha": 8, "use_dora": true}"#, "`use_dora` = true is not supported"),
            (r#"{"r": 4, "lora_alpha": 8, "rank_pattern": {"q_proj": 8}}"#, "`rank_pattern` = "),
            ("[]", "`r` is not a whole number"),
            (r#"{"r": 4, "lora_alpha": 1e999}"#, "is not valid JSON"),
            ("", "is not valid JSON"),
        ] {
            let error = open(config).unwrap_err().to_string();
            assert!(error.contains(message), "{config}: {error}");
        }
    }
}
