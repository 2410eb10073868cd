//! What a table calls a precision.

use crate::catalog::Quantization;
use crate::plan::Layout;

/// The layouts that a word can mean; `None` for a word that is not known.
pub(super) fn layouts(word: &str) -> Option<Vec<Layout>> {
    use Quantization::{Bf16, F16, F32, Q4_0, Q4K, Q5K, Q8_0};
    let plain: String = word.to_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
    let named = |layout: &Layout| layout.name().replace('_', "") == plain;
    if let Some(layout) = Layout::ALL.into_iter().find(named) {
        return Some(vec![layout]);
    }
    let held = |several: &[Quantization]| several.iter().copied().map(Layout::Held).collect();
    Some(match plain.as_str() {
        "fp32" | "float32" | "32bit" | "32" => held(&[F32]),
        "bfloat16" => held(&[Bf16]),
        "fp16" | "float16" | "half" => held(&[F16]),
        "16bit" | "16" => held(&[Bf16, F16]),
        "bnb8bit" | "llmint8" => vec![Layout::Int8],
        "8bit" | "8" => vec![Layout::Int8, Layout::Held(Q8_0)],
        "q5km" | "q5ks" => held(&[Q5K]),
        "q4km" | "q4ks" => held(&[Q4K]),
        "bnb4bit" => vec![Layout::Nf4],
        // Whose 4 bits they are decides what embeddings and head are held in.
        "4bit" | "4" | "int4" | "gptq" | "awq" => vec![Layout::Nf4, Layout::Held(Q4K), Layout::Held(Q4_0)],
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_layout_is_known_by_its_own_name() {
        for layout in Layout::ALL {
            assert_eq!(layouts(layout.name()), Some(vec![layout]), "{layout}");
        }
    }

    #[test]
    fn a_word_may_mean_several_or_nothing() {
        assert_eq!(layouts("4-bit").map(|layouts| layouts.len()), Some(3));
        assert_eq!(layouts("Q4_K_M"), Some(vec![Layout::Held(Quantization::Q4K)]));
        assert_eq!(layouts("mixed"), None);
    }
}
