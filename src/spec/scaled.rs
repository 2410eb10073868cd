//! What a config says of weights that are stored in 8 bits, each with a scale.

use serde_json::{Map, Value};

use super::config::{Config, invalid, shown};
use super::error::SpecError;

/// Weights in floats of 8 bits, of which some or all matrices have a scale that their numbers are multiplied by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScaledWeights {
    /// Rows and columns of the blocks that have a scale each; `None` where a row has one, or a whole matrix.
    pub block: Option<[usize; 2]>,
}

const KEY: &str = "quantization_config";

impl ScaledWeights {
    /// What a config says of its weights; `None` where they are stored as the numbers that they are.
    ///
    /// # Errors
    /// A quantization that is another one, by its name.
    pub fn of(config: &Config) -> Result<Option<Self>, SpecError> {
        let Some(value) = config.get(KEY) else { return Ok(None) };
        let map = value.as_object().ok_or_else(|| invalid(KEY, value, "an object"))?;
        let text = |key: &str| map.get(key).and_then(Value::as_str);
        let method = text("quant_method").unwrap_or("?");
        match method {
            // Of transformers, with blocks or without; of fbgemm, by rows (`transformers/integrations`).
            "fp8" | "fbgemm_fp8" => {}
            // Of NVIDIA's ModelOpt (<https://github.com/NVIDIA/TensorRT-Model-Optimizer>).
            "modelopt" => match text("quant_algo") {
                Some("FP8" | "FP8_PER_CHANNEL_PER_TOKEN") => {}
                other => return Err(refused(method, other)),
            },
            "compressed-tensors" => return compressed(map).map(Some),
            other => return Err(refused(other, None)),
        }
        Ok(Some(Self { block: block(map.get("weight_block_size"))? }))
    }
}

/// The format of `compressed-tensors` (<https://github.com/vllm-project/compressed-tensors>), where its groups of layers are
/// floats of 8 bits and nothing else is done to them.
fn compressed(map: &Map<String, Value>) -> Result<ScaledWeights, SpecError> {
    const METHOD: &str = "compressed-tensors";
    let format = map.get("format").and_then(Value::as_str);
    if !matches!(format, Some("float-quantized" | "naive-quantized")) {
        return Err(refused(METHOD, format));
    }
    let has = |key: &str| map.get(key).and_then(Value::as_object).is_some_and(|object| !object.is_empty());
    let sparse = || map.get("sparsity_config").and_then(|sparsity| sparsity.get("format")).and_then(Value::as_str);
    if has("sparsity_config") && sparse() != Some("dense") {
        return Err(refused(METHOD, sparse().or(Some("sparsity_config"))));
    }
    if has("transform_config") {
        return Err(refused(METHOD, Some("transform_config")));
    }
    let groups = map.get("config_groups").and_then(Value::as_object).into_iter().flatten();
    let weights: Vec<&Value> = groups.filter_map(|(_, group)| group.get("weights")).collect();
    let is_float8 = |weights: &Value| {
        let is = |key: &str, text: &str| weights.get(key).and_then(Value::as_str) == Some(text);
        weights.get("num_bits").and_then(Value::as_u64) == Some(8)
            && is("type", "float")
            && ["tensor", "channel", "block"].iter().any(|strategy| is("strategy", strategy))
    };
    if weights.is_empty() || !weights.iter().all(|weights| is_float8(weights)) {
        return Err(refused(METHOD, Some("other groups than floats of 8 bits")));
    }
    let mut blocks =
        weights.iter().filter_map(|weights| weights.get("block_structure")).filter(|value| !value.is_null());
    let first = blocks.next();
    match blocks.find(|other| Some(*other) != first) {
        Some(other) => Err(invalid("block_structure", other, "the same of all groups")),
        None => Ok(ScaledWeights { block: block(first)? }),
    }
}

/// The size of blocks, of two whole numbers.
fn block(value: Option<&Value>) -> Result<Option<[usize; 2]>, SpecError> {
    let Some(value) = value.filter(|value| !value.is_null()) else { return Ok(None) };
    let side = |side: &Value| side.as_u64().filter(|side| (1..=1 << 20).contains(side)).map(|side| side as usize);
    match value.as_array().map(|sides| sides.iter().map(side).collect::<Vec<_>>()).as_deref() {
        Some([Some(rows), Some(columns)]) => Ok(Some([*rows, *columns])),
        _ => Err(invalid("weight_block_size", value, "two whole numbers from 1 to 1048576")),
    }
}

/// The error for a quantization that is not read.
fn refused(method: &str, detail: Option<&str>) -> SpecError {
    let method = shown(method);
    let value = detail.map_or_else(|| method.clone(), |detail| format!("{method} ({})", shown(detail)));
    SpecError::UnsupportedKey { key: KEY.into(), value }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(quantization: Value) -> Result<Option<ScaledWeights>, String> {
        let config = Config::new(json!({ "quantization_config": quantization })).unwrap();
        ScaledWeights::of(&config).map_err(|error| error.to_string())
    }

    fn group(num_bits: u64, kind: &str, strategy: &str, block: Value) -> Value {
        json!({ "targets": ["Linear"], "weights": {
            "num_bits": num_bits, "type": kind, "strategy": strategy, "block_structure": block, "symmetric": true,
        } })
    }

    /// As published: Qwen3-8B-FP8, Meta-Llama-3.1-8B-Instruct-FP8 of Neural Magic and of NVIDIA, Llama-3.1-405B-FP8.
    #[test]
    fn floats_of_8_bits_are_read_with_their_blocks() {
        let (plain, blocks) = (Some(ScaledWeights { block: None }), Some(ScaledWeights { block: Some([128, 128]) }));
        let compressed = |groups: Value| {
            json!({ "quant_method": "compressed-tensors", "format": "float-quantized", "config_groups": groups,
                "ignore": ["lm_head"], "kv_cache_scheme": null, "sparsity_config": {}, "transform_config": {} })
        };
        for (quantization, expected) in [
            (json!({ "quant_method": "fp8", "fmt": "e4m3", "weight_block_size": [128, 128] }), blocks),
            (json!({ "quant_method": "fp8", "activation_scheme": "static", "weight_block_size": null }), plain),
            (json!({ "quant_method": "fbgemm_fp8", "activation_scale_ub": 1200.0 }), plain),
            (json!({ "quant_method": "modelopt", "quant_algo": "FP8", "exclude_modules": ["lm_head"] }), plain),
            (compressed(json!({ "group_0": group(8, "float", "channel", json!(null)) })), plain),
            (compressed(json!({ "group_0": group(8, "float", "block", json!([128, 128])) })), blocks),
            (Value::Null, None),
        ] {
            assert_eq!(of(quantization.clone()), Ok(expected), "{quantization}");
        }
    }

    #[test]
    fn every_other_quantization_is_refused_by_its_name() {
        let compressed = |format: &str, more: Value| {
            let mut map = json!({ "quant_method": "compressed-tensors", "format": format });
            more.as_object().unwrap().iter().for_each(|(key, value)| map[key] = value.clone());
            map
        };
        let floats = json!({ "group_0": group(8, "float", "tensor", json!(null)) });
        for (quantization, named) in [
            (json!({ "quant_method": "awq", "bits": 4 }), "awq"),
            (json!({ "quant_method": "bitsandbytes", "load_in_4bit": true }), "bitsandbytes"),
            (json!({ "quant_method": "modelopt", "quant_algo": "NVFP4" }), "modelopt (NVFP4)"),
            (json!({ "quant_method": "modelopt", "quant_algo": "FP8_PB_WO" }), "modelopt (FP8_PB_WO)"),
            (json!({ "quant_method": "modelopt" }), "modelopt"),
            (json!({}), "?"),
            (compressed("pack-quantized", json!({})), "compressed-tensors (pack-quantized)"),
            (compressed("float-quantized", json!({})), "compressed-tensors (other groups than floats of 8 bits)"),
            (
                compressed(
                    "naive-quantized",
                    json!({ "config_groups": { "a": group(8, "int", "tensor", json!(null)) } }),
                ),
                "compressed-tensors (other groups than floats of 8 bits)",
            ),
            (
                compressed("float-quantized", json!({ "config_groups": floats, "transform_config": { "a": 1 } })),
                "compressed-tensors (transform_config)",
            ),
            (
                compressed(
                    "float-quantized",
                    json!({ "config_groups": floats, "sparsity_config": { "format": "marlin-24" } }),
                ),
                "compressed-tensors (marlin-24)",
            ),
        ] {
            assert_eq!(of(quantization).unwrap_err(), format!("`quantization_config` = {named} is not supported yet"));
        }
        for wrong in [json!([128]), json!([128, 0]), json!("128x128"), json!([1, 1 << 21])] {
            let error = of(json!({ "quant_method": "fp8", "weight_block_size": wrong })).unwrap_err();
            assert!(error.starts_with("`weight_block_size` is "), "{error}");
        }
        assert!(of(json!("fp8")).unwrap_err().starts_with("`quantization_config` is \"fp8\""));
    }
}
