//! The inventory: every weight that a checkpoint of a given spec holds, by place, name and shape.
//!
//! It counts parameters and bytes before anything is downloaded, makes synthetic checkpoints, and is what the decoder
//! loads by: there is no second list of weights.

use candle_core::quantized::GgmlDType;

use super::decoder::{DecoderSpec, FusedQkv, NormKind, Residual};
use super::names::{Part, hf_name};
use crate::catalog::Quantization;

/// What a weight is for, which decides its precision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A matrix that activations are multiplied with.
    Linear,
    /// The token embedding, or the output head.
    Vocabulary,
    /// Kept in float32, being small and delicate: the router of a mixture of experts.
    Router,
    /// A norm's scale, or a bias: one-dimensional, always float32.
    Vector,
}

/// One weight as stored: `rows` outputs of `columns` inputs; a vector has one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weight {
    pub part: Part,
    /// 0 for what belongs to no layer.
    pub layer: usize,
    pub kind: Kind,
    /// Its name in a Hugging Face checkpoint.
    pub name: String,
    pub rows: usize,
    pub columns: usize,
    pub role: Role,
}

/// Which of a part's tensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    Weight,
    Bias,
}

impl Weight {
    /// Numbers that it holds.
    pub fn elements(&self) -> u64 {
        (self.rows as u64).saturating_mul(self.columns as u64)
    }

    /// The type in which this weight is held when a candidate asks for `quantization`.
    ///
    /// Vectors stay float32. What is under 6 bits holds embedding and output head as `q6_k`, as llama.cpp's Q4_K_M does for
    /// the head: they are read once a token and cost the most quality. A matrix whose width no block divides is held in
    /// the next finer type that does, which a row's stated precision shows.
    pub fn held_as(&self, quantization: Quantization) -> GgmlDType {
        use Quantization::{Q4_0, Q4K, Q5K};
        let preferred = match (self.role, quantization) {
            (Role::Vector | Role::Router, _) => GgmlDType::F32,
            (Role::Vocabulary, Q4_0 | Q4K | Q5K) => GgmlDType::Q6K,
            _ => quantization.ggml(),
        };
        let divides = |kind: &GgmlDType| self.columns.is_multiple_of(kind.block_size());
        [preferred, GgmlDType::Q8_0].into_iter().find(divides).unwrap_or(GgmlDType::F32)
    }

    /// Bytes of this weight held as `kind`.
    pub fn bytes(&self, kind: GgmlDType) -> u64 {
        (self.elements() / kind.block_size() as u64).saturating_mul(kind.type_size() as u64)
    }
}

/// All weights of a checkpoint, in the order in which they are used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inventory {
    pub weights: Vec<Weight>,
}

impl Inventory {
    /// Lists what a checkpoint of this spec holds.
    pub fn of(spec: &DecoderSpec) -> Self {
        let mut list = Lister { spec, layer: 0, weights: Vec::new() };
        list.add(Part::Embedding, spec.vocabulary, spec.hidden, Role::Vocabulary);
        for layer in 0..spec.layers.len() {
            list.layer = layer;
            list.norms();
            list.attention();
            if spec.layers[layer].experts { list.experts() } else { list.mlp() }
        }
        list.layer = 0;
        list.norm(Part::FinalNorm, spec.hidden);
        if !spec.tied_embeddings {
            list.add(Part::Head, spec.vocabulary, spec.hidden, Role::Vocabulary);
        }
        Self { weights: list.weights }
    }

    /// Numbers that all weights hold, embeddings included.
    pub fn parameters(&self) -> u64 {
        self.weights.iter().map(Weight::elements).fold(0, u64::saturating_add)
    }

    /// Bytes of all weights held at `quantization`, with the exceptions of [`Weight::held_as`].
    pub fn bytes(&self, quantization: Quantization) -> u64 {
        self.weights.iter().map(|weight| weight.bytes(weight.held_as(quantization))).fold(0, u64::saturating_add)
    }
}

struct Lister<'a> {
    spec: &'a DecoderSpec,
    layer: usize,
    weights: Vec<Weight>,
}

impl Lister<'_> {
    fn push(&mut self, part: Part, kind: Kind, rows: usize, columns: usize, role: Role) {
        let suffix = match kind {
            Kind::Weight => "weight",
            Kind::Bias => "bias",
        };
        let name = format!("{}.{suffix}", hf_name(self.spec.naming, part, self.layer));
        self.weights.push(Weight { part, layer: self.layer, kind, name, rows, columns, role });
    }

    fn add(&mut self, part: Part, rows: usize, columns: usize, role: Role) {
        self.push(part, Kind::Weight, rows, columns, role);
    }

    fn linear(&mut self, part: Part, rows: usize, columns: usize, bias: bool) {
        self.add(part, rows, columns, Role::Linear);
        if bias {
            self.push(part, Kind::Bias, 1, rows, Role::Vector);
        }
    }

    fn norm(&mut self, part: Part, width: usize) {
        self.push(part, Kind::Weight, 1, width, Role::Vector);
        if self.spec.norm.kind == NormKind::Layer {
            self.push(part, Kind::Bias, 1, width, Role::Vector);
        }
    }

    fn norms(&mut self) {
        let parts: &[Part] = match self.spec.residual {
            Residual::PreNorm | Residual::Parallel => &[Part::AttentionNorm, Part::MlpNorm],
            Residual::Sandwich => &[Part::AttentionNorm, Part::AttentionOutNorm, Part::MlpNorm, Part::MlpOutNorm],
            Residual::PostNorm => &[Part::AttentionOutNorm, Part::MlpOutNorm],
        };
        parts.iter().for_each(|part| self.norm(*part, self.spec.hidden));
    }

    fn attention(&mut self) {
        let (attention, hidden) = (&self.spec.attention, self.spec.hidden);
        let heads = attention.heads;
        if let Some(latent) = attention.latent {
            let queries = heads.queries * heads.dim;
            match latent.query_rank {
                None => self.linear(Part::Query, queries, hidden, false),
                Some(rank) => {
                    self.linear(Part::QueryDown, rank, hidden, false);
                    self.norm(Part::QueryDownNorm, rank);
                    self.linear(Part::QueryUp, queries, rank, false);
                }
            }
            self.linear(Part::LatentDown, latent.kv_rank + latent.rope, hidden, false);
            self.norm(Part::LatentNorm, latent.kv_rank);
            self.linear(Part::LatentUp, heads.queries * (latent.nope + latent.value), latent.kv_rank, false);
            self.linear(Part::Output, hidden, heads.queries * latent.value, false);
            return;
        }
        let (queries, keys) = (heads.queries * heads.dim, heads.keys * heads.dim);
        let bias = attention.qkv_bias;
        if attention.fused == FusedQkv::No {
            self.linear(Part::Query, queries, hidden, bias);
            self.linear(Part::Key, keys, hidden, bias);
            self.linear(Part::Value, keys, hidden, bias);
        } else {
            self.linear(Part::QueryKeyValue, queries + 2 * keys, hidden, bias);
        }
        if attention.qk_norm {
            self.norm(Part::QueryNorm, heads.dim);
            self.norm(Part::KeyNorm, heads.dim);
        }
        self.linear(Part::Output, hidden, queries, attention.output_bias);
    }

    fn mlp(&mut self) {
        let (mlp, hidden) = (&self.spec.mlp, self.spec.hidden);
        let (width, bias) = (mlp.intermediate, mlp.bias);
        if mlp.fused {
            self.linear(Part::GateUp, 2 * width, hidden, bias);
        } else {
            if mlp.gated {
                self.linear(Part::Gate, width, hidden, bias);
            }
            self.linear(Part::Up, width, hidden, bias);
        }
        self.linear(Part::Down, hidden, width, bias);
    }

    fn experts(&mut self) {
        let Some(experts) = self.spec.mlp.experts else { return };
        let hidden = self.spec.hidden;
        self.add(Part::Router, experts.count, hidden, Role::Router);
        for expert in 0..experts.count {
            self.linear(Part::ExpertGate(expert), experts.intermediate, hidden, false);
            self.linear(Part::ExpertUp(expert), experts.intermediate, hidden, false);
            self.linear(Part::ExpertDown(expert), hidden, experts.intermediate, false);
        }
        if experts.shared_intermediate > 0 {
            self.linear(Part::SharedGate, experts.shared_intermediate, hidden, false);
            self.linear(Part::SharedUp, experts.shared_intermediate, hidden, false);
            self.linear(Part::SharedDown, hidden, experts.shared_intermediate, false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::shipped_shape;
    use super::*;

    /// Parameter counts as the repositories' own safetensors headers or papers state them.
    #[test]
    fn the_shipped_shapes_have_the_published_parameter_counts() {
        for (repository, billions) in [
            ("mistralai/Mistral-7B-Instruct-v0.3", 7.248),
            ("Qwen/Qwen2.5-7B-Instruct", 7.616),
            ("meta-llama/Meta-Llama-3-8B-Instruct", 8.030),
            ("google/gemma-2-9b-it", 9.242),
            ("beomi/gemma-ko-7b", 8.538),
            ("kfkas/Llama-2-ko-7b-Chat", 6.856),
            ("LGAI-EXAONE/EXAONE-3.5-7.8B-Instruct", 7.818),
            ("deepseek-ai/DeepSeek-V2-Lite-Chat", 15.706),
            ("deepseek-ai/DeepSeek-V2-Chat", 235.74),
            ("beomi/KoAlpaca-Polyglot-12.8B", 12.89),
        ] {
            let config = shipped_shape(repository).unwrap_or_else(|| panic!("no shape for {repository}"));
            let spec = DecoderSpec::from_config(&config).unwrap();
            let counted = Inventory::of(&spec).parameters() as f64 / 1e9;
            assert!((counted / billions - 1.0).abs() < 1e-3, "{repository}: {counted} against {billions}");
        }
    }
}
