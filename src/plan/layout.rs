//! How weights can lie in memory: as this program holds them, or as bitsandbytes does.

use std::fmt;

use clap::builder::PossibleValue;

use crate::catalog::Quantization;
use crate::spec::{Role, Weight};

/// A layout of all weights of a checkpoint, by which its bytes are counted. A plan knows more of them than the engine runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// As this program's engine holds it, with the exceptions of [`Weight::held_as`].
    Held(Quantization),
    /// bitsandbytes LLM.int8(): a byte for each weight of a linear layer and a float32 scale for each of its outputs; all else
    /// in 16 bits (<https://arxiv.org/abs/2208.07339>).
    Int8,
    /// bitsandbytes NF4: 4 bits for each weight of a linear layer and a float32 scale for each 64 of them, 4.5 bits in all;
    /// embeddings, head and all else in 16 bits (<https://arxiv.org/abs/2305.14314>, without double quantization).
    Nf4,
}

/// Weights that share a scale in NF4.
const NF4_BLOCK: u64 = 64;

const SCALE_BYTES: u64 = 4;

impl Layout {
    /// All of them, the largest first.
    pub const ALL: [Layout; 10] = [
        Layout::Held(Quantization::F32),
        Layout::Held(Quantization::Bf16),
        Layout::Held(Quantization::F16),
        Layout::Held(Quantization::Q8_0),
        Layout::Int8,
        Layout::Held(Quantization::Q6K),
        Layout::Held(Quantization::Q5K),
        Layout::Nf4,
        Layout::Held(Quantization::Q4K),
        Layout::Held(Quantization::Q4_0),
    ];

    /// Those that a candidate is planned in where nobody names any: one of each width, and what transformers users have.
    pub const USUAL: [Layout; 5] = [
        Layout::Held(Quantization::Bf16),
        Layout::Held(Quantization::Q8_0),
        Layout::Int8,
        Layout::Held(Quantization::Q4K),
        Layout::Nf4,
    ];

    /// As it is written in options and tables: `q4_k`, `nf4`.
    pub fn name(self) -> &'static str {
        match self {
            Layout::Held(quantization) => quantization.name(),
            Layout::Int8 => "int8",
            Layout::Nf4 => "nf4",
        }
    }

    /// Bytes of a weight in this layout.
    pub fn bytes(self, weight: &Weight) -> u64 {
        let elements = weight.elements();
        match (self, weight.role) {
            (Layout::Held(quantization), _) => weight.bytes(weight.held_as(quantization)),
            (Layout::Int8, Role::Linear) => elements.saturating_add(SCALE_BYTES * weight.rows as u64),
            (Layout::Nf4, Role::Linear) => elements.div_ceil(2) + SCALE_BYTES * elements.div_ceil(NF4_BLOCK),
            (Layout::Int8 | Layout::Nf4, _) => elements.saturating_mul(2),
        }
    }

    /// Bits of one weight of a linear layer, its part of the scales left out: they say which units can multiply it.
    pub fn bits(self) -> f64 {
        match self {
            Layout::Held(Quantization::F32) => 32.0,
            Layout::Held(Quantization::Bf16 | Quantization::F16) => 16.0,
            Layout::Held(Quantization::Q8_0) | Layout::Int8 => 8.0,
            Layout::Held(Quantization::Q6K) => 6.0,
            Layout::Held(Quantization::Q5K) => 5.0,
            Layout::Held(Quantization::Q4K | Quantization::Q4_0) | Layout::Nf4 => 4.0,
        }
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl clap::ValueEnum for Layout {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::spec::{DecoderSpec, Inventory, shipped_shape};

    #[test]
    fn every_quantization_is_among_the_layouts_once() {
        let names: HashSet<&str> = Layout::ALL.iter().map(|layout| layout.name()).collect();
        assert_eq!(names.len(), Layout::ALL.len());
        assert!(Quantization::ALL.iter().all(|quantization| names.contains(quantization.name())));
        assert!(Layout::USUAL.iter().all(|layout| Layout::ALL.contains(layout)));
    }

    #[test]
    fn nf4_is_four_and_a_half_bits_a_linear_weight_and_sixteen_of_the_rest() {
        let spec = DecoderSpec::from_config(&shipped_shape("mistralai/Mistral-7B-Instruct-v0.3").unwrap()).unwrap();
        let bytes: u64 = Inventory::of(&spec).weights.iter().map(|weight| Layout::Nf4.bytes(weight)).sum();
        // 32 layers × (2 × 4096² + 2 × 4096 × 1024 + 3 × 4096 × 14336) of 4.5 bits; 2 × 32768 × 4096 and 65 norms of 16.
        let linear = 32 * (2 * 4096 * 4096 + 2 * 4096 * 1024 + 3 * 4096 * 14336_u64);
        assert_eq!(bytes, linear * 9 / 16 + 2 * (2 * 32768 * 4096 + 65 * 4096));
    }

    /// Device memory of seven models as a table published it, in MB of 10⁶ bytes: two in 16 bits, five in NF4.
    #[test]
    fn weights_reproduce_memory_that_others_measured() {
        for (repository, layout, measured, error) in [
            ("mistralai/Mistral-7B-Instruct-v0.3", Layout::Nf4, 4496.57, -0.7),
            ("Qwen/Qwen2.5-7B-Instruct", Layout::Nf4, 5564.99, 5.1),
            ("meta-llama/Meta-Llama-3-8B-Instruct", Layout::Nf4, 6047.93, -0.3),
            ("google/gemma-2-9b-it", Layout::Nf4, 6867.19, -5.1),
            ("beomi/gemma-ko-7b", Layout::Held(Quantization::Bf16), 17083.89, -0.0),
            ("kfkas/Llama-2-ko-7b-Chat", Layout::Held(Quantization::Bf16), 13720.25, -0.1),
            ("beomi/KoAlpaca-Polyglot-12.8B", Layout::Nf4, 7706.31, -0.1),
        ] {
            let spec = DecoderSpec::from_config(&shipped_shape(repository).unwrap()).unwrap();
            let bytes: u64 = Inventory::of(&spec).weights.iter().map(|weight| layout.bytes(weight)).sum();
            let percent = (bytes as f64 / 1e6 / measured - 1.0) * 100.0;
            println!("{repository} {layout}: {:.1} MB against {measured}: {percent:+.2} %", bytes as f64 / 1e6);
            assert!(percent.abs() < 6.0, "{repository}: {percent} %");
            assert!((percent - error).abs() < 0.1, "{repository}: {percent} %, documented as {error} %");
        }
    }
}
