//! Whether a candidate fits, from its shape alone.

use super::PlannedTrial;
use crate::record::FitEstimate;
use crate::spec::DecoderSpec;
use crate::suite::Body;

/// Prompt tokens that go through the layers at once: bounds the memory of scores and activations at any prompt length.
pub const PREFILL_CHUNK: usize = 512;

/// What the estimate is of, beside the weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// Tokens that each chat holds at most.
    pub context: u64,
    /// Chats that are held at once.
    pub chats: u64,
    /// Bytes of a number in the key and value cache.
    pub cache_number_bytes: u64,
    /// What the cache of a layer with a window holds.
    pub windows: Windows,
}

/// What an engine's cache of a layer with a sliding window holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Windows {
    /// All tokens, as in any other layer: the program's own engine.
    All,
    /// No more than the window: engines that serve.
    Bounded,
}

/// Bytes of a number in the cache of the program's own engine, beside weights of so many bits on average.
///
/// On the CPU 16 bits beside quantized weights, as llama.cpp has it at any precision; float32 elsewhere, so that weights that
/// are not quantized give what their model gives. Quantized weights have 8.5 bits at most and others 16 at least, but for
/// the few of each that are held as the other.
pub fn cache_number_bytes(on_cpu: bool, weight_bits: f64) -> u64 {
    if on_cpu && weight_bits < 12.0 { 2 } else { size_of::<f32>() as u64 }
}

/// What running trials of at most `context` tokens one after another needs: the weights, the cache, and working memory in
/// float32.
pub fn estimate(
    spec: &DecoderSpec,
    weights_bytes: u64,
    cache_number_bytes: u64,
    context: u64,
    available_bytes: u64,
) -> FitEstimate {
    let need = Need { context, chats: 1, cache_number_bytes, windows: Windows::All };
    fit(spec, weights_bytes, need, available_bytes)
}

/// What weights of so many bytes need beside themselves. Working memory is that of one prompt's pass, in float32, and a row of
/// logits for each further chat; no context is longer than the model's own.
pub fn fit(spec: &DecoderSpec, weights_bytes: u64, need: Need, available_bytes: u64) -> FitEstimate {
    let context = need.context.clamp(1, spec.max_positions as u64);
    let float = size_of::<f32>() as u64;
    let rows = context.min(PREFILL_CHUNK as u64);
    // The MLP's three intermediates, the logits, and where attention is latent, scores and their softmax: other attention
    // sums up as it goes and stores no score.
    let scores = match spec.attention.latent {
        Some(_) => (2 * spec.attention.heads.queries as u64).saturating_mul(rows * context),
        None => 0,
    };
    let mlp = 3 * rows * spec.mlp.intermediate as u64;
    let logits = need.chats.saturating_mul(spec.vocabulary as u64);
    let numbers = scores.saturating_add(mlp).saturating_add(logits);
    let cache_numbers = match need.windows {
        Windows::All => context.saturating_mul(spec.cache_numbers_per_token()),
        Windows::Bounded => spec.windowed_cache_numbers(context),
    };
    FitEstimate {
        weights_bytes,
        kv_cache_bytes: need.chats.saturating_mul(cache_numbers).saturating_mul(need.cache_number_bytes),
        activation_bytes: numbers.saturating_mul(float),
        available_bytes,
    }
}

/// Most chats of so many tokens each that fit beside weights of so many bytes.
pub fn most_chats(
    spec: &DecoderSpec,
    weights_bytes: u64,
    context: u64,
    cache_number_bytes: u64,
    available_bytes: u64,
) -> u64 {
    let need = |chats| Need { context, chats, cache_number_bytes, windows: Windows::Bounded };
    most(MOST_CHATS, |chats| fit(spec, weights_bytes, need(chats), available_bytes).missing_bytes().is_none())
}

/// More chats than this are not counted: nobody holds them on one card.
const MOST_CHATS: u64 = 1 << 20;

/// The largest number up to `limit` that fits, of a need that grows with it; 0 if not even 1 does.
pub(super) fn most(limit: u64, fits: impl Fn(u64) -> bool) -> u64 {
    let (mut fitting, mut beyond) = (0, limit + 1);
    while beyond - fitting > 1 {
        let middle = fitting + (beyond - fitting) / 2;
        if fits(middle) { fitting = middle } else { beyond = middle }
    }
    fitting
}

/// Tokens that the longest of some trials has, prompt and answer together. A text is taken as one token a character, which is
/// more than its tokenizer will make of it.
pub fn longest_context(planned: &[PlannedTrial]) -> u64 {
    planned.iter().map(context).max().unwrap_or(1)
}

fn context(planned: &PlannedTrial) -> u64 {
    let prompt = match &planned.prompt.body {
        Body::Text { system, text } => (system.chars().count() + text.chars().count()) as u64,
        Body::Tokens { count } => u64::from(*count),
    };
    prompt + u64::from(planned.max_new_tokens)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Quantization;
    use crate::plan::{Choices, Schedule};
    use crate::spec::{Inventory, shipped_shape};
    use crate::suite;

    fn speed() -> Vec<PlannedTrial> {
        let suites: Vec<_> = suite::shipped().unwrap().into_iter().filter(|suite| !suite.is_text()).collect();
        Schedule::of(&suites, &Choices::default()).least()
    }

    fn shape(repository: &str) -> DecoderSpec {
        DecoderSpec::from_config(&shipped_shape(repository).unwrap()).unwrap()
    }

    #[test]
    fn a_236b_model_misses_most_of_its_memory_on_a_24_gb_machine() {
        let spec = shape("deepseek-ai/DeepSeek-V2-Chat");
        let fit =
            estimate(&spec, Inventory::of(&spec).bytes(Quantization::Q4K), 2, longest_context(&speed()), 24 << 30);
        assert!((130..145).contains(&(fit.weights_bytes / 1_000_000_000)), "{fit:?}");
        assert_eq!(fit.missing_bytes(), Some(fit.total_bytes() - (24 << 30)));
    }

    #[test]
    fn the_largest_config_that_is_read_misses_more_than_there_is() {
        const MOST: u64 = 1 << 20;
        let config = serde_json::json!({
            "model_type": "llama", "hidden_size": MOST, "intermediate_size": MOST, "vocab_size": MOST,
            "num_hidden_layers": 1024, "num_attention_heads": MOST, "head_dim": MOST, "max_position_embeddings": MOST,
        });
        let spec = DecoderSpec::from_config(&crate::spec::Config::new(config).unwrap()).unwrap();
        let weights = Inventory::of(&spec).bytes(Quantization::F32);
        assert!(
            estimate(&spec, weights, 4, longest_context(&speed()), 1 << 40)
                .missing_bytes()
                .is_some_and(|missing| missing > 1 << 62)
        );
    }

    #[test]
    fn the_cache_of_a_token_is_a_key_and_a_value_in_every_layer() {
        for number_bytes in [2, 4] {
            let fit =
                estimate(&shape("Qwen/Qwen2.5-7B-Instruct"), 0, number_bytes, longest_context(&speed()), u64::MAX);
            // 513 tokens × 28 layers × (key + value) × 4 heads × 128 numbers.
            assert_eq!(fit.kv_cache_bytes, 513 * 28 * 2 * 4 * 128 * number_bytes);
            assert_eq!(fit.missing_bytes(), None);
        }
    }

    #[test]
    fn a_layer_with_a_window_holds_its_window_where_it_is_served() {
        // gemma-3-27b: 62 layers, of which every sixth sees all and the others 1,024 tokens; 2 × 16 heads × 128 numbers.
        let config = serde_json::json!({
            "model_type": "gemma3_text", "hidden_size": 5376, "intermediate_size": 21504, "num_hidden_layers": 62,
            "num_attention_heads": 32, "num_key_value_heads": 16, "head_dim": 128, "vocab_size": 262_208,
            "max_position_embeddings": 131_072, "sliding_window": 1024, "sliding_window_pattern": 6,
            "query_pre_attn_scalar": 168, "hidden_activation": "gelu_pytorch_tanh", "tie_word_embeddings": true,
        });
        let spec = DecoderSpec::from_config(&crate::spec::Config::new(config).unwrap()).unwrap();
        let of = |windows| {
            let need = Need { context: 131_072, chats: 2, cache_number_bytes: 2, windows };
            fit(&spec, 0, need, u64::MAX)
        };
        let served = of(Windows::Bounded);
        assert_eq!(served.kv_cache_bytes, 2 * (10 * 131_072 + 52 * 1024) * 4096 * 2);
        assert_eq!(of(Windows::All).kv_cache_bytes, 2 * 62 * 131_072 * 4096 * 2);
        // Of 512 prompt tokens the MLP's three intermediates, and two rows of logits; no score.
        assert_eq!(served.activation_bytes, 4 * (3 * 512 * 21504 + 2 * 262_208));
    }

    #[test]
    fn a_cache_beside_quantized_weights_on_the_cpu_has_half_the_bytes() {
        assert_eq!(cache_number_bytes(true, 4.5), 2);
        assert_eq!(cache_number_bytes(true, 16.0), 4);
        assert_eq!(cache_number_bytes(false, 4.5), 4);
    }
}
