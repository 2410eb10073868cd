//! The decoder: token ids in, logits out, driven by a [`DecoderSpec`].

use candle_core::{DType, Device, Result, Tensor};
use rayon::prelude::*;

use super::address::address;
use super::attention::GroupedAttention;
use super::batch::{Batch, CachePlace, Piece, Sequence, Span, passes};
use super::decode_step::{Branch, DecodeStep, Room, StepBuilder};
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
use crate::gpu::Machine;
use crate::plan::{PREFILL_CHUNK, cache_number_bytes};
use crate::record::Precision;
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
    /// All weights are of float32.
    exact: bool,
    sequences: Vec<Sequence>,
    /// What takes the steps of a single sequence, and attention and activations of prompts, if anything but candle does.
    machine: Option<Box<dyn Machine>>,
    /// Its kernels make up a step of this model, as far as is known.
    stepwise: bool,
    /// The step of the sequence that there is.
    step: Option<DecodeStep>,
    /// Whether the host computes attention as candle does, scores and all.
    plain: bool,
}

/// What follows a token.
pub struct Next {
    /// `[1, vocabulary]`; the next step may overwrite them.
    pub logits: Tensor,
    /// The most likely token with its logit, where it is known already. What is not a number is more than any.
    pub likeliest: Option<(u32, f32)>,
}

/// Tokens of the prompt that a machine is tried with: more than a stretch of keys of its kernels has with heads of 128 numbers.
const CHECKED_TOKENS: u32 = 40;

/// How far logits that were computed in two ways may be apart, as a share of their spread: with weights of 16 or 32 bits, whose
/// products round to 16 bits at the most, and with blocks, whose products round activations to 8 bits. That moves the logits of
/// 32 layers of random weights by a fifth; what does not belong together is 1.4 apart.
const MOST_DISTANCE: [f32; 2] = [0.1, 0.5];

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
        // Reading and quantizing a layer keeps one thread busy, and so does moving one to a GPU. There each thread has a stream
        // of its own, and what it queued must be done before another thread uses it.
        let load = |layer| -> Loaded<Layer> {
            let loaded = Layer::load(layer, &loader)?;
            device.synchronize()?;
            Ok(loaded)
        };
        let layers = (0..spec.layers.len()).into_par_iter().map(load).collect::<Loaded<Vec<Layer>>>()?;
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
            exact: false,
            sequences: Vec::new(),
            machine: None,
            stepwise: false,
            step: None,
            plain: false,
        };
        decoder.exact = decoder.layers.iter().flat_map(Layer::matrices).all(|matrix| matrix.held().1 == "f32");
        let bits = decoder.held().bytes() as f64 * 8.0 / inventory.parameters().max(1) as f64;
        if cache_number_bytes(device.is_cpu(), bits) == DType::F16.size_in_bytes() as u64 {
            decoder.cache_type = DType::F16;
        }
        Ok(decoder)
    }

    /// Has the host compute attention operation by operation with all scores stored, in place of its own kernel.
    pub fn attend_plainly(&mut self, plain: bool) {
        self.plain = plain;
    }

    /// The type of the numbers in the caches.
    pub fn cache_type(&self) -> DType {
        self.cache_type
    }

    pub fn spec(&self) -> &DecoderSpec {
        &self.spec
    }

    /// The types in which the weights are held, with the bytes of each.
    pub fn held(&self) -> Precision {
        let head = if self.spec.tied_embeddings { None } else { Some(&self.head) };
        let matrices = self.layers.iter().flat_map(Layer::matrices).chain([&self.embedding]).chain(head);
        let float = self.layers.iter().map(Layer::float_bytes).filter(|bytes| *bytes > 0).map(|bytes| (bytes, "f32"));
        Precision::of(matrices.map(Matrix::held).chain(float).map(|(bytes, name)| (name, bytes)))
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
        self.make_room(rooms)?;
        if self.stepwise && self.step.is_none() {
            self.step = self.planned()?;
        }
        Ok(())
    }

    /// Makes room for one sequence of so many tokens that begins with the first `kept` of the only one that there is: they stay in
    /// its caches, if it can hold so many more and they are turned as a sequence of this length is. Gives how many stay:
    /// all or none.
    pub fn reset_keeping(&mut self, room: usize, kept: usize) -> Result<usize> {
        if let [sequence] = self.sequences.as_mut_slice()
            && kept > 0
            && kept <= sequence.position()
            && sequence.fits(room)
            && self.ropes.iter().all(|rope| rope.is_long(room) == rope.is_long(sequence.room()))
        {
            sequence.restart_at(kept, room);
            return Ok(kept);
        }
        self.reset(&[room])?;
        Ok(0)
    }

    /// What a decode step has the addresses of is changed only here, where the step is dropped first.
    fn make_room(&mut self, rooms: &[usize]) -> Result<()> {
        let positions = rooms.iter().max().map_or(0, |longest| longest.next_multiple_of(PREFILL_CHUNK));
        if positions > self.positions {
            self.step = None;
            let rope = |rope| Rope::new(rope, positions, &self.device);
            self.ropes = self.spec.ropes.iter().map(rope).collect::<Result<_>>()?;
            self.positions = positions;
        }
        let same = self.sequences.len() == rooms.len();
        if same && self.sequences.iter().zip(rooms).all(|(sequence, room)| sequence.fits(*room)) {
            for (sequence, room) in self.sequences.iter_mut().zip(rooms) {
                if self.ropes.iter().any(|rope| rope.is_long(*room) != rope.is_long(sequence.room())) {
                    self.step = None;
                }
                sequence.restart(*room);
            }
            return Ok(());
        }
        // Freed before the new ones are made, so that both never stand beside each other.
        self.step = None;
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

    /// Lets a machine take the decode steps of single sequences and what stands between the products of prompts, where its
    /// kernels can, once a prompt and a step have come out as they do without it. Forgets all sequences.
    ///
    /// # Errors
    /// Why nothing is left to the machine: that something comes out otherwise, or what it says.
    pub fn step_on(&mut self, machine: Box<dyn Machine>) -> Result<()> {
        let prompt: Vec<u32> = (0..CHECKED_TOKENS).map(|id| id % self.spec.vocabulary.max(1) as u32).collect();
        let expected = [self.last_logits(&[&prompt])?, self.last_logits(&[&[0, 0]])?];
        (self.machine, self.stepwise) = (Some(machine), true);
        let checked = self.check_machine(&prompt, &expected);
        if checked.is_err() {
            (self.machine, self.stepwise, self.step) = (None, false, None);
        }
        checked
    }

    /// Holds a prompt, in two pieces, and a step against the logits that are expected after the prompt and after token 0 twice.
    fn check_machine(&mut self, prompt: &[u32], [after_prompt, after_step]: &[Tensor; 2]) -> Result<()> {
        let (first, rest) = prompt.split_at(prompt.len() / 3);
        let found = self.last_logits(&[first, rest])?;
        self.hold("a prompt", &found, after_prompt)?;
        self.reset(&[2])?;
        if self.step.is_none() {
            // Nor will it be with other room: that is the layers', and was planned for nothing.
            self.stepwise = false;
            return Ok(());
        }
        self.forward(&[&[0]], Logits::Last)?;
        let found = self.next(0)?.logits;
        self.hold("a step", &found, after_step)
    }

    /// What follows a sequence that comes in pieces.
    fn last_logits(&mut self, pieces: &[&[u32]]) -> Result<Tensor> {
        self.reset(&[pieces.iter().map(|piece| piece.len()).sum()])?;
        let logits = pieces.iter().map(|piece| self.forward(&[piece], Logits::Last)).last();
        logits.unwrap_or_else(|| candle_core::bail!("nothing to follow"))
    }

    /// Whether logits are near enough to those that are expected.
    fn hold(&self, what: &str, found: &Tensor, expected: &Tensor) -> Result<()> {
        let size = |x: Tensor| -> Result<f32> { x.sqr()?.mean_all()?.sqrt()?.to_scalar() };
        let distance = size((found - expected)?)?;
        let spread = size(expected.broadcast_sub(&expected.mean_keepdim(1)?)?)?;
        let mut matrices = self.layers.iter().flat_map(Layer::matrices).chain([&self.embedding, &self.head]);
        let [dense, blocks] = MOST_DISTANCE;
        let most = if matrices.all(Matrix::is_dense) { dense } else { blocks };
        if distance <= most * spread {
            return Ok(());
        }
        // What is not a number is not near, either.
        candle_core::bail!("the logits after {what} are {distance:.2} from candle's, which spread by {spread:.2}")
    }

    /// The kernels that a decode step launches on its machine; `None` where it has none, or they cannot do it.
    pub fn launches(&self) -> Option<usize> {
        self.step.as_ref().map(DecodeStep::launches)
    }

    /// Appends a token to the only sequence; gives what follows it.
    pub fn next(&mut self, id: u32) -> Result<Next> {
        let Some(step) = &mut self.step else {
            return Ok(Next { logits: self.forward(&[&[id]], Logits::Last)?, likeliest: None });
        };
        let [sequence] = self.sequences.as_mut_slice() else {
            candle_core::bail!("a step of several sequences");
        };
        let (logits, token, logit) = step.run(id, sequence.position())?;
        sequence.advance(1);
        Ok(Next { logits: logits.clone(), likeliest: Some((token, logit)) })
    }

    /// The decode step of the only sequence, if there is a machine that can do it.
    fn planned(&self) -> Result<Option<DecodeStep>> {
        let (Some(machine), [sequence]) = (&self.machine, self.sequences.as_slice()) else { return Ok(None) };
        if self.spec.attention.latent.is_some() || self.spec.mlp.experts.is_some() {
            return Ok(None);
        }
        let mut plan = StepBuilder::new(machine.as_ref(), &self.device, self.spec.hidden)?;
        let room = Room::new(&mut plan, &self.spec)?;
        plan.embed(&self.embedding, self.spec.embedding_scale)?;
        let mut branch = Branch::NONE;
        for (index, (layer, spec)) in self.layers.iter().zip(&self.spec.layers).enumerate() {
            let cache = sequence.place(index, spec.rope.and_then(|rope| self.ropes.get(rope)))?;
            branch = layer.plan(&mut plan, &room, branch, self.spec.residual, &cache, spec.window)?;
        }
        let [normed, _] = &room.normed;
        plan.residual(branch, Some(&self.norm), normed, &[&self.head])?;
        let logits = Tensor::zeros((1, self.spec.vocabulary), DType::F32, &self.device)?;
        plan.product([&self.head], normed, address(&logits)?, self.spec.final_softcap)?;
        // SAFETY: the decoder keeps its weights, and drops the step before its tables or caches.
        unsafe { plan.prepare(logits) }
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
        let spans = Span::of(pass, &self.sequences);
        // The kernels of prompts multiply in float16, which weights of 16 bits and fewer have rounded more than.
        let machine = self.machine.as_deref().filter(|_| !self.exact);
        for (index, (layer, spec)) in self.layers.iter().zip(&self.spec.layers).enumerate() {
            let rope = spec.rope.and_then(|rope| self.ropes.get(rope));
            let batch = Batch { spans: &spans, layer: index, window: spec.window, rope, machine, plain: self.plain };
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
            let mlp = self.mlp.forward(&apply(&self.mlp_norm, &x)?, batch.machine)?;
            return add(add(x, &attended)?, &mlp);
        }
        let x = add(x, &attended)?;
        let mlp = self.mlp.forward(&apply(&self.mlp_norm, &x)?, batch.machine)?;
        add(x, &apply(&self.mlp_out_norm, &mlp)?)
    }

    /// Puts its kernels on the plan of a decode step, behind the branch of the layer before; gives its own.
    fn plan(
        &self,
        plan: &mut StepBuilder,
        room: &Room,
        before: Branch,
        residual: Residual,
        cache: &CachePlace,
        window: Option<usize>,
    ) -> Result<Branch<'_>> {
        let Attention::Grouped(attention) = &self.attention else {
            plan.refuse();
            return Ok(Branch::NONE);
        };
        let [first, second] = &room.normed;
        plan.residual(before, self.attention_norm.as_ref(), first, &attention.first())?;
        if residual == Residual::Parallel {
            plan.residual(Branch::NONE, self.mlp_norm.as_ref(), second, &self.mlp.first())?;
        }
        let y = attention.plan(plan, first, room, cache, window)?;
        let attended = Branch { y, z: 0, norm: self.attention_out_norm.as_ref() };
        if residual != Residual::Parallel {
            plan.residual(attended, self.mlp_norm.as_ref(), second, &self.mlp.first())?;
        }
        let z = self.mlp.plan(plan, second, room)?;
        Ok(match residual {
            Residual::Parallel => Branch { y, z, norm: None },
            _ => Branch { y: z, z: 0, norm: self.mlp_out_norm.as_ref() },
        })
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
