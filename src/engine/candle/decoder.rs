//! The decoder: token ids in, logits out, driven by a [`DecoderSpec`].

use candle_core::{Device, Result, Tensor};
use rayon::prelude::*;

use super::attention::{Context, GroupedAttention, GroupedCache, causal_mask, first_visible};
use super::latent::{LatentAttention, LatentCache};
use super::loader::{Loaded, Loader, Progress};
use super::matrix::Matrix;
use super::mlp::Mlp;
use super::norm::Norm;
use super::rope::Rope;
use super::weights::WeightSource;
use crate::plan::PREFILL_CHUNK;
use crate::spec::{DecoderSpec, Inventory, Part, Residual};

/// A loaded model with the cache of one sequence.
pub struct Decoder {
    spec: DecoderSpec,
    device: Device,
    embedding: Matrix,
    layers: Vec<Layer>,
    norm: Norm,
    head: Matrix,
    ropes: Vec<Rope>,
    caches: Vec<Cache>,
    /// Tokens in the cache.
    position: usize,
    capacity: usize,
}

/// A layer's weights. Which norms are there says where they stand: see [`Residual`].
struct Layer {
    attention_norm: Option<Norm>,
    attention: Attention,
    attention_out_norm: Option<Norm>,
    mlp_norm: Option<Norm>,
    mlp: Mlp,
    mlp_out_norm: Option<Norm>,
}

enum Attention {
    Grouped(Box<GroupedAttention>),
    Latent(Box<LatentAttention>),
}

enum Cache {
    Grouped(GroupedCache),
    Latent(LatentCache),
}

/// Which positions' logits a forward pass gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Logits {
    Last,
    Every,
}

impl Decoder {
    /// Loads all weights, telling `progress` how many parameters are done.
    ///
    /// # Errors
    /// Weights that are missing, of the wrong shape, or do not fit.
    pub fn load(
        spec: DecoderSpec,
        inventory: &Inventory,
        source: &(dyn WeightSource + Sync),
        device: &Device,
        progress: Progress,
    ) -> Loaded<Self> {
        let loader = Loader::new(&spec, inventory, source, device, progress);
        let embedding = loader.matrix(Part::Embedding, 0, None)?;
        // Reading, quantizing and packing a layer keeps one thread busy; on a GPU one thread must do it all.
        let layers: Loaded<Vec<Layer>> = if device.is_cpu() {
            (0..spec.layers.len()).into_par_iter().map(|layer| Layer::load(layer, &loader)).collect()
        } else {
            (0..spec.layers.len()).map(|layer| Layer::load(layer, &loader)).collect()
        };
        let layers = layers?;
        let norm = loader.norm(Part::FinalNorm, 0)?;
        let head = if spec.tied_embeddings { embedding.share() } else { loader.matrix(Part::Head, 0, None)? };
        drop(loader);
        Ok(Self {
            spec,
            device: device.clone(),
            embedding,
            layers,
            norm,
            head,
            ropes: Vec::new(),
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
        let head = if self.spec.tied_embeddings { None } else { Some(&self.head) };
        let matrices = self.layers.iter().flat_map(Layer::matrices).chain([&self.embedding]).chain(head);
        let float = self.layers.iter().map(Layer::float_bytes).filter(|bytes| *bytes > 0).map(|bytes| (bytes, "f32"));
        let mut kinds: Vec<(&str, u64)> = Vec::new();
        for (bytes, kind) in matrices.map(Matrix::held).chain(float) {
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

    /// The first weight that holds a number that is none, or infinite: what to look for when an answer is not a number.
    ///
    /// # Errors
    /// What keeps the weights from being read.
    pub fn damaged(&self) -> Result<Option<String>> {
        if let Some(name) = self.embedding.damaged()? {
            return Ok(Some(name));
        }
        for layer in &self.layers {
            if let Some(name) = layer.damaged()? {
                return Ok(Some(name));
            }
        }
        match self.norm.damaged()? {
            Some(name) => Ok(Some(name)),
            None => self.head.damaged(),
        }
    }

    /// Forgets the sequence, and makes room for one of `tokens`.
    pub fn reset(&mut self, tokens: usize) -> Result<()> {
        self.position = 0;
        // Longrope turns long sequences by other frequencies than short ones.
        let by_length = self.spec.ropes.iter().any(|rope| rope.long.is_some());
        if tokens > self.capacity || by_length {
            // Freed before the new one is made, so that both never stand beside each other.
            self.caches.clear();
            let capacity = tokens.next_multiple_of(PREFILL_CHUNK);
            let rope = |rope| Rope::new(rope, tokens, capacity, &self.device);
            self.ropes = self.spec.ropes.iter().map(rope).collect::<Result<_>>()?;
            self.caches = (0..self.layers.len()).map(|_| self.cache(capacity)).collect::<Result<_>>()?;
            self.capacity = capacity;
        }
        Ok(())
    }

    fn cache(&self, capacity: usize) -> Result<Cache> {
        let attention = &self.spec.attention;
        Ok(match &attention.latent {
            Some(latent) => Cache::Latent(LatentCache::new(latent, capacity, &self.device)?),
            None => Cache::Grouped(GroupedCache::new(attention, capacity, &self.device)?),
        })
    }

    /// Appends tokens to the sequence; gives logits `[1, vocabulary]` of the last, or `[tokens, vocabulary]` of every one.
    ///
    /// The caller has made room with [`reset`](Self::reset).
    pub fn forward(&mut self, ids: &[u32], logits: Logits) -> Result<Tensor> {
        let mut every = Vec::new();
        let mut last = None;
        for chunk in ids.chunks(PREFILL_CHUNK) {
            let hidden = self.hidden(chunk)?;
            match logits {
                Logits::Every => every.push(self.logits(&hidden)?),
                Logits::Last => last = Some(hidden.narrow(0, chunk.len() - 1, 1)?),
            }
        }
        match last {
            Some(hidden) => self.logits(&hidden.contiguous()?),
            None => Tensor::cat(&every, 0),
        }
    }

    fn logits(&self, hidden: &Tensor) -> Result<Tensor> {
        let logits = self.head.forward(hidden)?;
        match self.spec.final_softcap {
            Some(cap) => (logits / cap)?.tanh()? * cap,
            None => Ok(logits),
        }
    }

    /// Final hidden states `[tokens, hidden]` of tokens appended to the sequence.
    fn hidden(&mut self, ids: &[u32]) -> Result<Tensor> {
        let mut x = self.embedding.rows(&Tensor::new(ids, &self.device)?)?;
        if self.spec.embedding_scale != 1.0 {
            x = (x * self.spec.embedding_scale)?;
        }
        // Layers with the same window share a mask.
        let mut masks: Vec<(Option<usize>, Option<Tensor>)> = Vec::new();
        for ((layer, cache), spec) in self.layers.iter().zip(&self.caches).zip(&self.spec.layers) {
            let from = first_visible(self.position, spec.window);
            if !masks.iter().any(|(known, _)| *known == spec.window) {
                masks.push((spec.window, causal_mask(ids.len(), self.position, from, spec.window, &self.device)?));
            }
            let mask = masks.iter().find(|(known, _)| *known == spec.window).and_then(|(_, mask)| mask.as_ref());
            let rope = spec.rope.and_then(|rope| self.ropes.get(rope));
            let context = Context { position: self.position, from, mask, rope };
            x = layer.forward(&x, self.spec.residual, cache, &context)?;
        }
        self.position += ids.len();
        self.norm.forward(&x)
    }
}

impl Layer {
    fn load(layer: usize, loader: &Loader) -> Loaded<Self> {
        let (before, after) = match loader.spec().residual {
            Residual::PreNorm | Residual::Parallel => (true, false),
            Residual::Sandwich => (true, true),
            Residual::PostNorm => (false, true),
        };
        let norm = |stands: bool, part| if stands { loader.norm(part, layer).map(Some) } else { Ok(None) };
        Ok(Self {
            attention_norm: norm(before, Part::AttentionNorm)?,
            attention: match loader.spec().attention.latent {
                Some(latent) => Attention::Latent(Box::new(LatentAttention::load(loader, layer, latent)?)),
                None => Attention::Grouped(Box::new(GroupedAttention::load(loader, layer)?)),
            },
            attention_out_norm: norm(after, Part::AttentionOutNorm)?,
            mlp_norm: norm(before, Part::MlpNorm)?,
            mlp: Mlp::load(loader, layer)?,
            mlp_out_norm: norm(after, Part::MlpOutNorm)?,
        })
    }

    fn matrices(&self) -> Vec<&Matrix> {
        let mut matrices = match &self.attention {
            Attention::Grouped(attention) => attention.matrices(),
            Attention::Latent(attention) => attention.matrices(),
        };
        matrices.extend(self.mlp.matrices());
        matrices
    }

    fn damaged(&self) -> Result<Option<String>> {
        let beside = [&self.attention_norm, &self.attention_out_norm, &self.mlp_norm, &self.mlp_out_norm];
        let (within, held): (Vec<&Norm>, _) = match &self.attention {
            Attention::Grouped(attention) => (attention.norms().collect(), None),
            Attention::Latent(attention) => (attention.norms().collect(), attention.damaged()?),
        };
        let norms = beside.into_iter().flatten().chain(within).map(Norm::damaged);
        let matrices = self.matrices().into_iter().map(Matrix::damaged);
        let found = norms.chain(matrices).find_map(Result::transpose).transpose()?;
        Ok(found.or(held))
    }

    /// Bytes of what is held in float32 beside the matrices.
    fn float_bytes(&self) -> u64 {
        match &self.attention {
            Attention::Grouped(_) => 0,
            Attention::Latent(attention) => attention.float_bytes(),
        }
    }

    fn forward(&self, x: &Tensor, residual: Residual, cache: &Cache, context: &Context) -> Result<Tensor> {
        let attended = self.attend(&apply(&self.attention_norm, x)?, cache, context)?;
        let attended = apply(&self.attention_out_norm, &attended)?;
        if residual == Residual::Parallel {
            let mlp = self.mlp.forward(&apply(&self.mlp_norm, x)?)?;
            return (x + attended)? + mlp;
        }
        let x = (x + attended)?;
        let mlp = self.mlp.forward(&apply(&self.mlp_norm, &x)?)?;
        x + apply(&self.mlp_out_norm, &mlp)?
    }

    fn attend(&self, x: &Tensor, cache: &Cache, context: &Context) -> Result<Tensor> {
        match (&self.attention, cache) {
            (Attention::Grouped(attention), Cache::Grouped(cache)) => attention.forward(x, cache, context),
            (Attention::Latent(attention), Cache::Latent(cache)) => attention.forward(x, cache, context),
            _ => candle_core::bail!("the cache is of another kind of attention"),
        }
    }
}

/// The norm, where there is one.
fn apply(norm: &Option<Norm>, x: &Tensor) -> Result<Tensor> {
    norm.as_ref().map_or_else(|| Ok(x.clone()), |norm| norm.forward(x))
}
