//! The decoder: token ids in, logits out, driven by a [`DecoderSpec`].

use candle_core::{DType, Device, Result, Tensor};
use rayon::prelude::*;

use super::attention::GroupedAttention;
use super::batch::{Batch, Piece, Sequence, Span, passes};
use super::host;
use super::latent::LatentAttention;
use super::loader::{Loaded, Loader, Progress};
use super::matrix::Matrix;
use super::mlp::Mlp;
use super::norm::Norm;
use super::rope::Rope;
use super::weights::WeightSource;
use crate::cpu::activation;
use crate::cpu::isa::Isa;
use crate::cpu::pool::Pool;
use crate::plan::{PREFILL_CHUNK, cache_number_bytes};
use crate::spec::{DecoderSpec, Inventory, Part, Residual};

/// A loaded model with the sequences that it goes on with.
pub struct Decoder {
    spec: DecoderSpec,
    device: Device,
    embedding: Matrix,
    layers: Vec<Layer>,
    norm: Norm,
    head: Matrix,
    ropes: Vec<Rope>,
    /// Positions that the rotary tables have.
    positions: usize,
    /// The type of the numbers in the caches.
    cache_type: DType,
    sequences: Vec<Sequence>,
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

/// Which of the new tokens' logits a forward pass gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Logits {
    /// Of the last of each sequence that has any.
    Last,
    /// Of every one: all of the first sequence, then all of the second, and so on.
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
        // Reading and quantizing a layer keeps one thread busy; on a GPU one thread must do it all.
        let layers: Loaded<Vec<Layer>> = if device.is_cpu() {
            (0..spec.layers.len()).into_par_iter().map(|layer| Layer::load(layer, &loader)).collect()
        } else {
            (0..spec.layers.len()).map(|layer| Layer::load(layer, &loader)).collect()
        };
        let layers = layers?;
        let norm = loader.norm(Part::FinalNorm, 0)?;
        let head = if spec.tied_embeddings { embedding.share() } else { loader.matrix(Part::Head, 0, None)? };
        drop(loader);
        let mut decoder = Self {
            spec,
            device: device.clone(),
            embedding,
            layers,
            norm,
            head,
            ropes: Vec::new(),
            positions: 0,
            cache_type: DType::F32,
            sequences: Vec::new(),
        };
        let bits = decoder.held().0 as f64 * 8.0 / inventory.parameters().max(1) as f64;
        if cache_number_bytes(device.is_cpu(), bits) == DType::F16.size_in_bytes() as u64 {
            decoder.cache_type = DType::F16;
        }
        Ok(decoder)
    }

    /// The type of the numbers in the caches.
    pub fn cache_type(&self) -> DType {
        self.cache_type
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

    /// Forgets all sequences, and makes room for new ones: one of each of these numbers of tokens.
    pub fn reset(&mut self, rooms: &[usize]) -> Result<()> {
        let positions = rooms.iter().max().map_or(0, |longest| longest.next_multiple_of(PREFILL_CHUNK));
        if positions > self.positions {
            let rope = |rope| Rope::new(rope, positions, &self.device);
            self.ropes = self.spec.ropes.iter().map(rope).collect::<Result<_>>()?;
            self.positions = positions;
        }
        let same = self.sequences.len() == rooms.len();
        if same && self.sequences.iter().zip(rooms).all(|(sequence, room)| sequence.fits(*room)) {
            self.sequences.iter_mut().zip(rooms).for_each(|(sequence, room)| sequence.restart(*room));
            return Ok(());
        }
        // Freed before the new ones are made, so that both never stand beside each other.
        self.sequences.clear();
        let sequence = |room: &usize| Sequence::new(&self.spec, *room, self.cache_type, &self.device);
        self.sequences = rooms.iter().map(sequence).collect::<Result<_>>()?;
        Ok(())
    }

    /// Appends tokens to each sequence, to some perhaps none; gives their logits, `[rows, vocabulary]`.
    ///
    /// The sequences go through together but know nothing of each other. The caller has made room with
    /// [`reset`](Self::reset).
    pub fn forward(&mut self, ids: &[&[u32]], logits: Logits) -> Result<Tensor> {
        if ids.len() != self.sequences.len() {
            candle_core::bail!("{} lists of tokens for {} sequences", ids.len(), self.sequences.len());
        }
        let mut rows = Vec::new();
        for pass in passes(ids, PREFILL_CHUNK) {
            let hidden = self.hidden(&pass)?;
            if logits == Logits::Every {
                rows.push(self.logits(&hidden)?);
                continue;
            }
            let mut end = 0;
            for piece in &pass {
                end += piece.ids.len();
                if piece.ends {
                    rows.push(hidden.narrow(0, end - 1, 1)?);
                }
            }
        }
        let rows = Tensor::cat(&rows, 0)?;
        match logits {
            Logits::Every => Ok(rows),
            Logits::Last => self.logits(&rows.contiguous()?),
        }
    }

    fn logits(&self, hidden: &Tensor) -> Result<Tensor> {
        let logits = self.head.forward(hidden)?;
        match self.spec.final_softcap {
            Some(cap) => squash(logits, cap),
            None => Ok(logits),
        }
    }

    /// Final hidden states `[rows, hidden]` of tokens appended to their sequences.
    fn hidden(&mut self, pass: &[Piece]) -> Result<Tensor> {
        let ids: Vec<u32> = pass.iter().flat_map(|piece| piece.ids).copied().collect();
        let rows = ids.len();
        let mut x = self.embedding.rows(&Tensor::from_vec(ids, rows, &self.device)?)?;
        if self.spec.embedding_scale != 1.0 {
            x = (x * self.spec.embedding_scale)?;
        }
        let spans = Span::of(pass, &self.sequences, &self.spec.layers, &self.device)?;
        for (index, (layer, spec)) in self.layers.iter().zip(&self.spec.layers).enumerate() {
            let rope = spec.rope.and_then(|rope| self.ropes.get(rope));
            let batch = Batch { spans: &spans, layer: index, window: spec.window, rope };
            x = layer.forward(x, self.spec.residual, &batch)?;
        }
        for piece in pass {
            self.sequences[piece.sequence].advance(piece.ids.len());
        }
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

    /// `x` is nobody else's.
    fn forward(&self, x: Tensor, residual: Residual, batch: &Batch) -> Result<Tensor> {
        let attended = self.attend(&apply(&self.attention_norm, &x)?, batch)?;
        let attended = apply(&self.attention_out_norm, &attended)?;
        if residual == Residual::Parallel {
            let mlp = self.mlp.forward(&apply(&self.mlp_norm, &x)?)?;
            return add(add(x, &attended)?, &mlp);
        }
        let x = add(x, &attended)?;
        let mlp = self.mlp.forward(&apply(&self.mlp_norm, &x)?)?;
        add(x, &apply(&self.mlp_out_norm, &mlp)?)
    }

    fn attend(&self, x: &Tensor, batch: &Batch) -> Result<Tensor> {
        match &self.attention {
            Attention::Grouped(attention) => attention.forward(x, batch),
            Attention::Latent(attention) => attention.forward(x, batch),
        }
    }
}

/// The norm, where there is one.
fn apply(norm: &Option<Norm>, x: &Tensor) -> Result<Tensor> {
    norm.as_ref().map_or_else(|| Ok(x.clone()), |norm| norm.forward(x))
}

/// `x + y`; `x` is nobody else's.
fn add(x: Tensor, y: &Tensor) -> Result<Tensor> {
    if !x.device().is_cpu() {
        return x + y;
    }
    let numbers = host::numbers(y)?;
    host::in_place(&x, |x| activation::add(Isa::best(), Pool::global(), x, &numbers, 1.0))?;
    Ok(x)
}

/// `cap · tanh(x / cap)`; `x` is nobody else's.
fn squash(x: Tensor, cap: f64) -> Result<Tensor> {
    if !x.device().is_cpu() {
        return (x / cap)?.tanh()? * cap;
    }
    host::in_place(&x, |x| activation::squash(Isa::best(), Pool::global(), x, cap as f32))?;
    Ok(x)
}
