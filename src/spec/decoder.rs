//! The decoder described as data: what differs between architectures, and nothing of how it is computed.

use cpu::activation::Activation;

use super::config::Heads;
use super::names::Naming;
use super::rope::RopeSpec;

/// A transformer decoder.
#[derive(Debug, Clone, PartialEq)]
pub struct DecoderSpec {
    pub naming: Naming,
    pub vocabulary: usize,
    pub hidden: usize,
    /// Longest context that the model was made for, in tokens.
    pub max_positions: usize,
    /// Embeddings are multiplied by this.
    pub embedding_scale: f64,
    pub norm: Norm,
    /// Where a layer's norms stand.
    pub residual: Residual,
    pub attention: Attention,
    /// Rotary embeddings that layers refer to by index.
    pub ropes: Vec<RopeSpec>,
    pub layers: Vec<Layer>,
    pub mlp: Mlp,
    /// Logits are squashed to within ± this: `cap · tanh(x / cap)`.
    pub final_softcap: Option<f64>,
    /// The output head is the embedding matrix.
    pub tied_embeddings: bool,
}

/// What is special to one layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layer {
    /// How many of the latest positions (its own included) a query attends to; `None` for all.
    pub window: Option<usize>,
    /// Which of the spec's rotary embeddings; `None` for none at all.
    pub rope: Option<usize>,
    /// A mixture of experts instead of the dense MLP.
    pub experts: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Norm {
    pub kind: NormKind,
    pub epsilon: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NormKind {
    /// Root mean square, scaled by the weight.
    Rms,
    /// Root mean square, scaled by 1 + the weight (Gemma).
    RmsPlusOne,
    /// Mean and variance, with a bias.
    Layer,
}

/// How a layer adds to the stream that goes through it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Residual {
    /// `x += attention(norm(x)); x += mlp(norm(x))`
    PreNorm,
    /// `x += attention(norm(x)) + mlp(norm(x))`
    Parallel,
    /// `x += norm(attention(norm(x))); x += norm(mlp(norm(x)))`
    Sandwich,
    /// `x += norm(attention(x)); x += norm(mlp(x))`
    PostNorm,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Attention {
    pub heads: Heads,
    /// Scores are multiplied by this before the softmax.
    pub scale: f64,
    /// Scores are squashed to within ± this.
    pub softcap: Option<f64>,
    pub qkv_bias: bool,
    pub output_bias: bool,
    /// Queries and keys are normed, each head by itself.
    pub qk_norm: bool,
    pub fused: FusedQkv,
    /// Multi-head latent attention in place of keys and values of their own.
    pub latent: Option<Latent>,
}

/// Whether query, key and value lie in one matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FusedQkv {
    No,
    /// One after another.
    Concatenated,
    /// Query, key and value of the first head, then of the second, and so on (GPT-NeoX).
    PerHead,
}

/// Dimensions of multi-head latent attention (DeepSeek-V2, <https://arxiv.org/abs/2405.04434>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Latent {
    /// Width of the queries' latent; `None` where queries are projected directly.
    pub query_rank: Option<usize>,
    /// Width of the latent that keys and values are made from, and that is cached in their place.
    pub kv_rank: usize,
    /// Numbers of a head's query and key that carry no position.
    pub nope: usize,
    /// Those that are turned by position; the key's are shared by all heads.
    pub rope: usize,
    /// Numbers of a head's value.
    pub value: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Mlp {
    pub intermediate: usize,
    pub activation: Activation,
    /// `down(act(gate(x)) · up(x))`; else `down(act(up(x)))`.
    pub gated: bool,
    pub bias: bool,
    /// Gate and up lie in one matrix, one after the other.
    pub fused: bool,
    pub experts: Option<Experts>,
}

/// A mixture of experts, each a gated MLP.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Experts {
    pub count: usize,
    /// Experts that a token passes.
    pub chosen: usize,
    pub intermediate: usize,
    /// Width of the MLP that every token passes beside its experts: all shared experts together. 0 for none.
    pub shared_intermediate: usize,
    /// Experts fall into so many groups, and a token's come from the best so many of them; `None` without groups.
    pub groups: Option<(usize, usize)>,
    /// The chosen probabilities are divided by their sum.
    pub normalized: bool,
    /// The chosen probabilities are multiplied by this.
    pub scale: f64,
}

impl DecoderSpec {
    /// Numbers that one token of context adds to the cache.
    pub fn cache_numbers_per_token(&self) -> u64 {
        self.layers.len() as u64 * self.cache_numbers_per_layer()
    }

    /// Numbers of so many tokens in the cache of an engine in which a layer with a window holds no more than its window.
    pub fn windowed_cache_numbers(&self, tokens: u64) -> u64 {
        let held = |window: Option<usize>| window.map_or(tokens, |window| tokens.min(window as u64));
        let positions = self.layers.iter().map(|layer| held(layer.window)).fold(0, u64::saturating_add);
        positions.saturating_mul(self.cache_numbers_per_layer())
    }

    fn cache_numbers_per_layer(&self) -> u64 {
        let heads = self.attention.heads;
        let numbers = match self.attention.latent {
            Some(latent) => latent.kv_rank + latent.rope,
            None => 2 * heads.keys * heads.dim,
        };
        numbers as u64
    }
}
