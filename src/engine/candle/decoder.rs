//! The decoder: token ids in, logits out, driven by a [`DecoderSpec`].

use std::collections::HashMap;

use candle_core::{Device, Tensor};

use super::attention::{LayerCache, attend, causal_mask, first_visible};
use super::matrix::Matrix;
use super::rope::Rope;
use super::weights::WeightSource;
use crate::engine::EngineError;
use crate::spec::{DecoderSpec, Inventory, Weight};

/// A loaded model with the cache of one sequence.
pub struct Decoder {
    spec: DecoderSpec,
    device: Device,
    embedding: Matrix,
    layers: Vec<Layer>,
    norm: Tensor,
    head: Matrix,
    rope: Rope,
    caches: Vec<LayerCache>,
    /// Tokens in the cache.
    position: usize,
    capacity: usize,
}

struct Layer {
    attention_norm: Tensor,
    query: Matrix,
    key: Matrix,
    value: Matrix,
    output: Matrix,
    mlp_norm: Tensor,
    gate: Matrix,
    up: Matrix,
    down: Matrix,
}

/// Which positions' logits a forward pass gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Logits {
    Last,
    Every,
}

/// Prompt tokens that go through the layers at once: bounds the memory of scores and activations at any prompt length.
const PREFILL_CHUNK: usize = 512;

impl Decoder {
    /// Loads all weights, telling `progress` how many parameters are done.
    ///
    /// # Errors
    /// Weights that are missing, of the wrong shape, or do not fit.
    pub fn load(
        spec: DecoderSpec,
        inventory: &Inventory,
        source: &dyn WeightSource,
        device: &Device,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Self, EngineError> {
        let weights = inventory.weights.iter().map(|weight| (weight.name.as_str(), weight)).collect();
        let mut loader = Loader { weights, source, device, progress, done: 0 };
        let embedding = loader.matrix("model.embed_tokens")?;
        let layers = (0..spec.layers).map(|layer| Layer::load(layer, &mut loader)).collect::<Result<_, _>>()?;
        let norm = loader.vector("model.norm.weight")?;
        let head = if spec.tied_embeddings { embedding.share() } else { loader.matrix("lm_head")? };
        let rope = Rope::new(spec.rope_theta, spec.head_dim, 0, device)?;
        Ok(Self {
            spec,
            device: device.clone(),
            embedding,
            layers,
            norm,
            head,
            rope,
            caches: Vec::new(),
            position: 0,
            capacity: 0,
        })
    }

    pub fn spec(&self) -> &DecoderSpec {
        &self.spec
    }

    /// Bytes of all weights as held, and their types with their share of the bytes: `q4_k 93 %, q6_k 7 %`.
    pub fn held(&self) -> (u64, String) {
        let mut kinds: Vec<(&str, u64)> = Vec::new();
        let head = if self.spec.tied_embeddings { None } else { Some(&self.head) };
        let matrices = self.layers.iter().flat_map(Layer::matrices).chain([&self.embedding]).chain(head);
        for (bytes, kind) in matrices.map(Matrix::held) {
            match kinds.iter_mut().find(|(known, _)| *known == kind) {
                Some((_, sum)) => *sum += bytes,
                None => kinds.push((kind, bytes)),
            }
        }
        kinds.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
        let total: u64 = kinds.iter().map(|(_, bytes)| bytes).sum();
        let share = |bytes: u64| (100.0 * bytes as f64 / total as f64).round();
        let text = match kinds.as_slice() {
            [(only, _)] => (*only).to_owned(),
            several => {
                let parts = several.iter().map(|(kind, bytes)| format!("{kind} {} %", share(*bytes)));
                parts.collect::<Vec<_>>().join(", ")
            }
        };
        (total, text)
    }

    /// Forgets the sequence, and makes room for one of `tokens`.
    pub fn reset(&mut self, tokens: usize) -> candle_core::Result<()> {
        self.position = 0;
        if tokens > self.capacity {
            // Freed before the new one is made, so that both never stand beside each other.
            self.caches.clear();
            let capacity = tokens.next_multiple_of(PREFILL_CHUNK);
            let spec = &self.spec;
            self.rope = Rope::new(spec.rope_theta, spec.head_dim, capacity, &self.device)?;
            let cache = |_| LayerCache::new(spec.kv_heads, capacity, spec.head_dim, &self.device);
            self.caches = (0..spec.layers).map(cache).collect::<candle_core::Result<_>>()?;
            self.capacity = capacity;
        }
        Ok(())
    }

    /// Appends tokens to the sequence; gives logits `[1, vocabulary]` of the last, or `[tokens, vocabulary]` of every one.
    ///
    /// The caller has made room with [`reset`](Self::reset).
    pub fn forward(&mut self, ids: &[u32], logits: Logits) -> candle_core::Result<Tensor> {
        let mut every = Vec::new();
        let mut last = None;
        for chunk in ids.chunks(PREFILL_CHUNK) {
            let hidden = self.hidden(chunk)?;
            match logits {
                Logits::Every => every.push(self.head.forward(&hidden)?),
                Logits::Last => last = Some(hidden.narrow(0, chunk.len() - 1, 1)?),
            }
        }
        match last {
            Some(hidden) => self.head.forward(&hidden.contiguous()?),
            None => Tensor::cat(&every, 0),
        }
    }

    /// Final hidden states `[tokens, hidden]` of tokens appended to the sequence.
    fn hidden(&mut self, ids: &[u32]) -> candle_core::Result<Tensor> {
        let mut x = self.embedding.rows(&Tensor::new(ids, &self.device)?)?;
        // Layers with the same window share a mask.
        let mut masks: Vec<(Option<usize>, Option<Tensor>)> = Vec::new();
        for ((layer, cache), &window) in self.layers.iter().zip(&self.caches).zip(&self.spec.windows) {
            if !masks.iter().any(|(known, _)| *known == window) {
                let from = first_visible(self.position, window);
                masks.push((window, causal_mask(ids.len(), self.position, from, window, &self.device)?));
            }
            let mask = masks.iter().find(|(known, _)| *known == window).and_then(|(_, mask)| mask.as_ref());
            x = layer.forward(&x, &self.spec, &self.rope, cache, self.position, window, mask)?;
        }
        self.position += ids.len();
        rms_norm(&x, &self.norm, &self.spec)
    }
}

impl Layer {
    fn load(layer: usize, loader: &mut Loader) -> Result<Self, EngineError> {
        let name = |part: &str| format!("model.layers.{layer}.{part}");
        Ok(Self {
            query: loader.matrix(&name("self_attn.q_proj"))?,
            key: loader.matrix(&name("self_attn.k_proj"))?,
            value: loader.matrix(&name("self_attn.v_proj"))?,
            output: loader.matrix(&name("self_attn.o_proj"))?,
            gate: loader.matrix(&name("mlp.gate_proj"))?,
            up: loader.matrix(&name("mlp.up_proj"))?,
            down: loader.matrix(&name("mlp.down_proj"))?,
            attention_norm: loader.vector(&name("input_layernorm.weight"))?,
            mlp_norm: loader.vector(&name("post_attention_layernorm.weight"))?,
        })
    }

    fn matrices(&self) -> [&Matrix; 7] {
        [&self.query, &self.key, &self.value, &self.output, &self.gate, &self.up, &self.down]
    }

    #[expect(clippy::too_many_arguments, reason = "one call site, and a struct for it would only rename them")]
    fn forward(
        &self,
        x: &Tensor,
        spec: &DecoderSpec,
        rope: &Rope,
        cache: &LayerCache,
        position: usize,
        window: Option<usize>,
        mask: Option<&Tensor>,
    ) -> candle_core::Result<Tensor> {
        let tokens = x.dim(0)?;
        let normed = rms_norm(x, &self.attention_norm, spec)?;
        // [tokens, heads × head_dim] → [1, heads, tokens, head_dim]
        let split = |y: Tensor, heads: usize| y.reshape((1, tokens, heads, spec.head_dim))?.transpose(1, 2);
        let query = rope.apply(&split(self.query.forward(&normed)?, spec.heads)?, position)?;
        let key = rope.apply(&split(self.key.forward(&normed)?, spec.kv_heads)?, position)?;
        let value = split(self.value.forward(&normed)?, spec.kv_heads)?;
        let from = first_visible(position, window);
        let (keys, values) = cache.append(&key.squeeze(0)?, &value.squeeze(0)?, position, from)?;
        let group = spec.heads / spec.kv_heads;
        let query = query.reshape((spec.kv_heads, group, tokens, spec.head_dim))?;
        let attended = attend(&query, &keys, &values, mask)?;
        let attended = attended.reshape((spec.heads, tokens, spec.head_dim))?.transpose(0, 1)?;
        let attended = attended.reshape((tokens, spec.heads * spec.head_dim))?;
        let x = (x + self.output.forward(&attended)?)?;

        let normed = rms_norm(&x, &self.mlp_norm, spec)?;
        let gated = (candle_nn::ops::silu(&self.gate.forward(&normed)?)? * self.up.forward(&normed)?)?;
        x + self.down.forward(&gated)?
    }
}

fn rms_norm(x: &Tensor, scale: &Tensor, spec: &DecoderSpec) -> candle_core::Result<Tensor> {
    candle_nn::ops::rms_norm(x, scale, spec.norm_epsilon as f32)
}

/// Takes the inventory's weights out of their source, and counts them.
struct Loader<'a> {
    weights: HashMap<&'a str, &'a Weight>,
    source: &'a dyn WeightSource,
    device: &'a Device,
    progress: &'a mut dyn FnMut(u64),
    /// Elements loaded so far.
    done: u64,
}

impl<'a> Loader<'a> {
    /// The matrix `name.weight`, with `name.bias` where the inventory has one.
    fn matrix(&mut self, name: &str) -> Result<Matrix, EngineError> {
        let weight = self.known(&format!("{name}.weight"))?;
        let matrix = self.source.matrix(weight, self.device)?;
        self.count(weight);
        let bias = format!("{name}.bias");
        let bias = if self.weights.contains_key(bias.as_str()) { Some(self.vector(&bias)?) } else { None };
        Ok(matrix.with_bias(bias))
    }

    fn vector(&mut self, name: &str) -> Result<Tensor, EngineError> {
        let weight = self.known(name)?;
        let vector = self.source.vector(weight, self.device)?;
        self.count(weight);
        Ok(vector)
    }

    fn known(&self, name: &str) -> Result<&'a Weight, EngineError> {
        self.weights.get(name).copied().ok_or_else(|| EngineError::MissingWeight(name.into()))
    }

    fn count(&mut self, weight: &Weight) {
        self.done += weight.elements();
        (self.progress)(self.done);
    }
}
