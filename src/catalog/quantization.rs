//! Precisions in which the engine holds weights.

use std::fmt;

use candle_core::quantized::GgmlDType;
use clap::builder::PossibleValue;
use serde::{Deserialize, Serialize};

use crate::cpu::ggml;

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
