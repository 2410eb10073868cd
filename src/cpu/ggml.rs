//! ggml's types of weights: the number that a GGUF file has for each (`enum ggml_type` in ggml.h of
//! <https://github.com/ggml-org/ggml>), and its name.

use candle_core::quantized::GgmlDType;

/// The types that weights can have.
pub const WEIGHTS: [GgmlDType; 13] = [
    GgmlDType::F32,
    GgmlDType::F16,
    GgmlDType::BF16,
    GgmlDType::Q4_0,
    GgmlDType::Q4_1,
    GgmlDType::Q5_0,
    GgmlDType::Q5_1,
    GgmlDType::Q8_0,
    GgmlDType::Q2K,
    GgmlDType::Q3K,
    GgmlDType::Q4K,
    GgmlDType::Q5K,
    GgmlDType::Q6K,
];

/// The number of a type in files.
pub const fn number(kind: GgmlDType) -> u32 {
    number_and_name(kind).0
}

/// The name of a type as users write it.
pub const fn name(kind: GgmlDType) -> &'static str {
    number_and_name(kind).1
}

/// The type of weights that has this number in files.
pub fn of_number(number: u32) -> Option<GgmlDType> {
    WEIGHTS.into_iter().find(|kind| self::number(*kind) == number)
}

const fn number_and_name(kind: GgmlDType) -> (u32, &'static str) {
    match kind {
        GgmlDType::F32 => (0, "f32"),
        GgmlDType::F16 => (1, "f16"),
        GgmlDType::Q4_0 => (2, "q4_0"),
        GgmlDType::Q4_1 => (3, "q4_1"),
        GgmlDType::Q5_0 => (6, "q5_0"),
        GgmlDType::Q5_1 => (7, "q5_1"),
        GgmlDType::Q8_0 => (8, "q8_0"),
        GgmlDType::Q8_1 => (9, "q8_1"),
        GgmlDType::Q2K => (10, "q2_k"),
        GgmlDType::Q3K => (11, "q3_k"),
        GgmlDType::Q4K => (12, "q4_k"),
        GgmlDType::Q5K => (13, "q5_k"),
        GgmlDType::Q6K => (14, "q6_k"),
        GgmlDType::Q8K => (15, "q8_k"),
        GgmlDType::BF16 => (30, "bf16"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_found_by_its_number() {
        for kind in WEIGHTS {
            assert_eq!(of_number(number(kind)), Some(kind));
        }
        assert_eq!(of_number(number(GgmlDType::Q8K)), None);
    }
}
