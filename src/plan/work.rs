//! The work of a forward pass: the bytes that it must read and the operations that it must do, from the shape alone.

use super::Layout;
use crate::spec::{DecoderSpec, Inventory, Part, Role, Weight};

/// What all forward passes of a checkpoint have in common.
#[derive(Debug, Clone, PartialEq)]
pub struct ForwardWork {
    /// Bytes of all weights.
    pub weights_bytes: u64,
    /// Bytes of weights that every pass reads: all but the routed experts, and of an embedding table that is not the head
    /// too, one row.
    always_bytes: f64,
    /// Bytes of all routed experts, and how many of them a token passes.
    routed_bytes: f64,
    experts: (usize, usize),
    /// Weights that a token is multiplied with, the head's apart: of a prompt only its last token passes it.
    body_parameters: f64,
    head_parameters: f64,
    /// Of each layer, the window of its attention.
    windows: Vec<Option<usize>>,
    /// Numbers of a position in the cache of one layer.
    cache_numbers: f64,
    /// Operations of one query with one key and value, in one layer.
    attention_operations: f64,
}

impl ForwardWork {
    /// Of weights in a layout.
    pub fn of(spec: &DecoderSpec, inventory: &Inventory, layout: Layout) -> Self {
        let experts = spec.mlp.experts.map_or((1, 1), |experts| (experts.count.max(1), experts.chosen));
        let active = experts.1 as f64 / experts.0 as f64;
        let (mut weights, mut always, mut routed, mut body, mut head) = (0u64, 0.0, 0.0, 0.0, 0.0);
        for weight in &inventory.weights {
            let bytes = layout.bytes(weight);
            weights = weights.saturating_add(bytes);
            match kind(weight) {
                Kind::Routed => {
                    routed += bytes as f64;
                    body += weight.elements() as f64 * active;
                }
                Kind::Table if !spec.tied_embeddings => always += bytes as f64 / weight.rows.max(1) as f64,
                Kind::Table | Kind::Head => {
                    always += bytes as f64;
                    head += weight.elements() as f64;
                }
                Kind::Body => {
                    always += bytes as f64;
                    body += weight.elements() as f64;
                }
            }
        }
        let heads = spec.attention.heads;
        let value = spec.attention.latent.map_or(heads.dim, |latent| latent.value);
        Self {
            weights_bytes: weights,
            always_bytes: always,
            routed_bytes: routed,
            experts,
            body_parameters: body,
            head_parameters: head,
            windows: spec.layers.iter().map(|layer| layer.window).collect(),
            cache_numbers: spec.cache_numbers_per_token() as f64 / spec.layers.len().max(1) as f64,
            attention_operations: 2.0 * (heads.queries * (heads.dim + value)) as f64,
        }
    }

    /// The same of weights that take so many bytes as they are stored, each in proportion.
    pub fn stored_in(mut self, bytes: u64) -> Self {
        let share = bytes as f64 / self.weights_bytes.max(1) as f64;
        (self.weights_bytes, self.always_bytes, self.routed_bytes) =
            (bytes, self.always_bytes * share, self.routed_bytes * share);
        self
    }

    /// Bytes of weights that a pass over so many tokens reads at least: those that it happens to send to the same experts.
    pub fn least_weights_bytes(&self) -> f64 {
        self.always_bytes + self.routed_share(1)
    }

    /// … and at most: where each token goes to experts of its own, as far as there are so many.
    pub fn most_weights_bytes(&self, tokens: u64) -> f64 {
        self.always_bytes + self.routed_share(tokens)
    }

    fn routed_share(&self, tokens: u64) -> f64 {
        let (count, chosen) = self.experts;
        self.routed_bytes * (tokens as f64 * chosen as f64).min(count as f64) / count as f64
    }

    /// Bytes of the cache that a decode step of one chat reads at a context; of a layer with a window no more than that.
    pub fn cache_bytes(&self, context: u64, number_bytes: u64) -> f64 {
        let positions = |window: &Option<usize>| window.map_or(context, |window| context.min(window as u64)) as f64;
        self.windows.iter().map(positions).sum::<f64>() * self.cache_numbers * number_bytes as f64
    }

    /// Bytes that a decode step of one chat reads at least: weights, and the cache at its context.
    pub fn step_bytes(&self, context: u64, cache_number_bytes: u64) -> f64 {
        self.least_weights_bytes() + self.cache_bytes(context, cache_number_bytes)
    }

    /// Operations of one decode step of one chat: a multiplication and an addition for each weight. Those of the attention
    /// are left out, being few beside the bytes that it reads.
    pub fn decode_operations(&self) -> f64 {
        2.0 * (self.body_parameters + self.head_parameters)
    }

    /// Operations of a prompt: of its tokens with the weights, and of each with those before it.
    pub fn prefill_operations(&self, tokens: u64) -> f64 {
        let pairs = |window: &Option<usize>| {
            let (all, reach) = (tokens as f64, window.map_or(tokens, |window| tokens.min(window as u64)) as f64);
            reach * (reach + 1.0) / 2.0 + (all - reach) * reach
        };
        let attention = self.windows.iter().map(pairs).sum::<f64>() * self.attention_operations;
        2.0 * (tokens as f64 * self.body_parameters + self.head_parameters) + attention
    }
}

/// What a weight is to a pass.
enum Kind {
    /// The token embedding.
    Table,
    Head,
    /// Of an expert that only some tokens pass.
    Routed,
    Body,
}

fn kind(weight: &Weight) -> Kind {
    match weight.part {
        Part::Embedding => Kind::Table,
        Part::ExpertGate(_) | Part::ExpertUp(_) | Part::ExpertDown(_) => Kind::Routed,
        _ if weight.role == Role::Vocabulary => Kind::Head,
        _ => Kind::Body,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Quantization;
    use crate::spec::shipped_shape;

    const BF16: Layout = Layout::Held(Quantization::Bf16);

    fn work(repository: &str, layout: Layout) -> ForwardWork {
        let spec = DecoderSpec::from_config(&shipped_shape(repository).unwrap()).unwrap();
        ForwardWork::of(&spec, &Inventory::of(&spec), layout)
    }

    #[test]
    fn a_step_reads_all_weights_but_the_embedding_table() {
        let llama = work("kfkas/Llama-2-ko-7b-Chat", BF16);
        let table = 46336.0 * 4096.0 * 2.0;
        assert_eq!(llama.least_weights_bytes(), llama.weights_bytes as f64 - table + 4096.0 * 2.0);
        // Gemma's table is its head.
        let gemma = work("beomi/gemma-ko-7b", BF16);
        assert_eq!(gemma.least_weights_bytes(), gemma.weights_bytes as f64);
        // A dense model reads the same for one token and for many.
        assert_eq!(llama.most_weights_bytes(512), llama.least_weights_bytes());
    }

    #[test]
    fn a_token_passes_few_experts_and_a_prompt_all() {
        let lite = work("deepseek-ai/DeepSeek-V2-Lite-Chat", BF16);
        // Published: 15.7B in all, 2.4B activated.
        let activated = (lite.body_parameters + lite.head_parameters) / 1e9;
        assert!((2.2..2.5).contains(&activated), "{activated}");
        assert!(lite.least_weights_bytes() < 0.17 * lite.weights_bytes as f64);
        let all = lite.weights_bytes as f64 - 102_400.0 * 2048.0 * 2.0;
        assert!((lite.most_weights_bytes(512) / all - 1.0).abs() < 1e-5);
        assert!(lite.most_weights_bytes(2) > lite.least_weights_bytes());
    }

    #[test]
    fn a_window_bounds_what_is_read_of_the_cache() {
        // 42 layers, half of them with a window of 4,096; 2 × 8 heads × 256 numbers.
        let gemma = work("google/gemma-2-9b-it", BF16);
        assert_eq!(gemma.cache_bytes(8192, 2), 21.0 * (8192.0 + 4096.0) * 4096.0 * 2.0);
        assert_eq!(gemma.cache_bytes(100, 2), 42.0 * 100.0 * 4096.0 * 2.0);
    }

    #[test]
    fn a_prompt_costs_two_operations_a_weight_and_token() {
        let llama = work("kfkas/Llama-2-ko-7b-Chat", BF16);
        // Of one token: that with the weights, and the attention to itself: 4 operations × 4096 in each of 32 layers.
        let one = llama.prefill_operations(1);
        assert_eq!(one, llama.decode_operations() + 32.0 * 4.0 * 4096.0);
        // 3 tokens make 6 pairs.
        let three = 2.0 * (3.0 * llama.body_parameters + llama.head_parameters) + 6.0 * 32.0 * 4.0 * 4096.0;
        assert_eq!(llama.prefill_operations(3), three);
    }

    #[test]
    fn stored_bytes_are_read_in_proportion() {
        let whole = work("kfkas/Llama-2-ko-7b-Chat", BF16);
        let half = whole.clone().stored_in(whole.weights_bytes / 2);
        assert!((half.least_weights_bytes() / whole.least_weights_bytes() - 0.5).abs() < 1e-6);
        assert_eq!(half.decode_operations(), whole.decode_operations());
    }
}
