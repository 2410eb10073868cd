//! The engine in this process: one decoder on candle, on the CPU or a CUDA device.

mod address;
mod attention;
mod batch;
mod decode_step;
mod decoder;
mod gpu_memory;
mod host;
mod latent;
mod loader;
mod mask;
mod matrix;
pub mod memory;
mod mlp;
mod norm;
mod phases;
#[cfg(feature = "cuda")]
mod pool;
mod predict;
mod prepare;
mod prompt;
mod rope;
mod sampler;
mod scaled;
mod weights;

use std::marker::PhantomData;

use candle_core::{Device, Tensor};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::{Completion, Engine, EngineError, Input, LoadObserver, ModelMemory, Observer, Request};
use crate::acquire::{Checkpoint, PublishedFiles, Weights};
use crate::catalog::Quantization;
use crate::device::DeviceName;
use crate::gpu;
use crate::record::{FinishReason, Precision};
use crate::spec::{DecoderSpec, Inventory, ScaledWeights};
use crate::telemetry;
use crate::text::{TextError, TextModel, TextStream};

pub use decoder::{Decoder, Logits, Next};
use phases::PoolMarks;
pub use predict::{Windows, predict};
pub use prepare::prepare;
use sampler::Sampler;
use weights::{LoadedAdapter, WeightSource};

/// A checkpoint loaded onto a device.
///
/// It stays on the thread that loaded it: a GPU's work is queued on a stream of the calling thread's own
/// (`CU_STREAM_PER_THREAD`), and nothing orders it after another thread's, nor waits for that.
pub struct CandleEngine {
    decoder: Decoder,
    text: Option<TextModel>,
    device: Device,
    precision: Precision,
    pool: PoolMarks,
    distrust: Option<String>,
    /// Neither `Send` nor `Sync`.
    _of_this_thread: PhantomData<*const ()>,
    /// Last, so that all else is freed before it.
    _returned: Returned,
}

/// Gives back what a model used when it is gone: it must not count as the next one's.
struct Returned(Device);

impl Drop for Returned {
    fn drop(&mut self) {
        memory::give_back(&self.0);
    }
}

/// Precision of synthetic weights where the candidate states none.
const SYNTHETIC_QUANTIZATION: Quantization = Quantization::Q4K;

impl CandleEngine {
    /// Loads a checkpoint, and makes one short forward pass: weights that lie in a mapped file are read at their first use,
    /// and a model is not loaded before that.
    ///
    /// `quantization` of `None` holds weights as they are stored. `progress` is told how many parameters are loaded.
    ///
    /// # Errors
    /// An architecture that is not supported, weights that do not match the config, or not enough memory.
    pub fn load(
        checkpoint: Checkpoint,
        quantization: Option<Quantization>,
        device: &Device,
        progress: &mut (dyn FnMut(u64) + Send),
    ) -> Result<Self, EngineError> {
        let mut engine = Self::read(checkpoint, quantization, device, &(), progress)?;
        engine.first_pass()?;
        Ok(engine)
    }

    /// The first part of [`CandleEngine::load`]: has the weights on the device. `observer` is told how.
    ///
    /// # Errors
    /// As there.
    pub fn read(
        checkpoint: Checkpoint,
        quantization: Option<Quantization>,
        device: &Device,
        observer: &dyn LoadObserver,
        progress: &mut (dyn FnMut(u64) + Send),
    ) -> Result<Self, EngineError> {
        memory::keep_freed(device)?;
        Self::read_onto(checkpoint, quantization, device, observer, progress).map_err(|error| settled(error, device))
    }

    fn read_onto(
        mut checkpoint: Checkpoint,
        quantization: Option<Quantization>,
        device: &Device,
        observer: &dyn LoadObserver,
        progress: &mut (dyn FnMut(u64) + Send),
    ) -> Result<Self, EngineError> {
        let spec = DecoderSpec::from_config(&checkpoint.config)?;
        let inventory = Inventory::of(&spec);
        let text = std::mem::replace(&mut checkpoint.text, Ok(None)).unwrap_or_default();
        let source = open_weights(checkpoint, quantization, &spec, &inventory, observer)?;
        let decoder = Decoder::load(spec, &inventory, source.as_ref(), device, progress)?;
        drop(source);
        device.synchronize()?;
        let precision = decoder.held();
        Ok(Self {
            decoder,
            text,
            device: device.clone(),
            precision,
            pool: PoolMarks::default(),
            distrust: None,
            _of_this_thread: PhantomData,
            _returned: Returned(device.clone()),
        })
    }

    /// The second part of [`CandleEngine::load`]: what the first forward pass makes ready is ready.
    ///
    /// # Errors
    /// Not enough memory, or a weight that holds what is no number.
    pub fn first_pass(&mut self) -> Result<(), EngineError> {
        self.first_logits().map_err(|error| settled(error, &self.device))
    }

    fn first_logits(&mut self) -> Result<(), EngineError> {
        self.decoder.reset(&[2])?;
        let logits = self.decoder.forward(&[&[0, 0]], Logits::Last)?;
        self.device.synchronize()?;
        // Looks through the weights only where something is wrong with what comes out of them.
        if !matrix::all_finite(&logits)?
            && let Some(name) = self.decoder.damaged()?
        {
            return Err(EngineError::DamagedWeight(name));
        }
        if let Some(machine) = gpu::machine(&self.device) {
            self.distrust = self.decoder.step_on(machine).err().map(|error| error.to_string());
        }
        self.pool = PoolMarks::loaded(&self.device);
        Ok(())
    }

    /// Why steps and prompts are left to candle on a GPU whose kernels could do them faster: a fault that should be known.
    pub fn distrust(&self) -> Option<&str> {
        self.distrust.as_deref()
    }

    pub fn spec(&self) -> &DecoderSpec {
        self.decoder.spec()
    }

    /// The bare model, for those who want forward passes and nothing around them.
    pub fn decoder(&mut self) -> &mut Decoder {
        &mut self.decoder
    }

    pub fn text(&self) -> Option<&TextModel> {
        self.text.as_ref()
    }

    /// Bytes of all weights as held.
    pub fn weights_bytes(&self) -> u64 {
        self.precision.bytes()
    }

    /// The types in which the weights are held, with the bytes of each.
    pub fn precision(&self) -> &Precision {
        &self.precision
    }

    /// Bytes of cache that a token of context takes.
    pub fn kv_bytes_per_token(&self) -> u64 {
        self.spec().cache_numbers_per_token() * self.decoder.cache_type().size_in_bytes() as u64
    }

    /// Logits of every position, `[tokens, vocabulary]`, for scoring a text.
    ///
    /// # Errors
    /// A prompt that is empty, too long, or has ids outside of the vocabulary.
    pub fn logits(&mut self, ids: &[u32]) -> Result<Tensor, EngineError> {
        self.make_room(ids.len())?;
        self.append(ids)
    }

    /// Starts a new sequence of at most `tokens`.
    ///
    /// # Errors
    /// More tokens than the model's longest context, or than memory holds.
    pub fn make_room(&mut self, tokens: usize) -> Result<(), EngineError> {
        let limit = self.spec().max_positions;
        if tokens > limit {
            return Err(EngineError::PromptTooLong { prompt: tokens, limit });
        }
        self.decoder.reset(&[tokens]).map_err(|error| settled(error.into(), &self.device))
    }

    /// Appends tokens to the sequence; gives the logits of each, `[tokens, vocabulary]`.
    ///
    /// # Errors
    /// Ids outside of the vocabulary, or more tokens than there is room for.
    pub fn append(&mut self, ids: &[u32]) -> Result<Tensor, EngineError> {
        self.check(ids)?;
        self.decoder.forward(&[ids], Logits::Every).map_err(|error| settled(error.into(), &self.device))
    }

    /// Why a value after so many tokens is not a number.
    fn not_a_number(&self, tokens: usize) -> EngineError {
        match self.decoder.damaged() {
            Ok(Some(name)) => EngineError::DamagedWeight(name),
            Ok(None) => EngineError::NotANumber(tokens),
            Err(error) => error.into(),
        }
    }

    fn encode(&self, input: &Input, cancelled: &dyn Fn() -> bool) -> Result<Vec<u32>, EngineError> {
        let text = || self.text.as_ref().ok_or(EngineError::Text(TextError::NoTokenizer));
        Ok(match input {
            Input::Chat(messages) => text()?.encode_chat(messages, cancelled)?,
            Input::Text(prompt) => text()?.encode(prompt)?,
            Input::Tokens(ids) => ids.clone(),
            Input::RandomTokens { count, seed } => {
                let mut random = SmallRng::seed_from_u64(*seed);
                (0..*count).map(|_| random.random_range(0..self.spec().vocabulary as u32)).collect()
            }
        })
    }

    fn check(&self, ids: &[u32]) -> Result<(), EngineError> {
        let spec = self.spec();
        if ids.is_empty() {
            return Err(EngineError::EmptyPrompt);
        }
        if ids.len() > spec.max_positions {
            return Err(EngineError::PromptTooLong { prompt: ids.len(), limit: spec.max_positions });
        }
        self.check_ids(ids)
    }

    fn check_ids(&self, ids: &[u32]) -> Result<(), EngineError> {
        let vocabulary = self.spec().vocabulary;
        match ids.iter().find(|id| **id as usize >= vocabulary) {
            Some(&id) => Err(EngineError::UnknownToken { id, vocabulary }),
            None => Ok(()),
        }
    }

    fn answer(&mut self, request: &Request, observer: &mut dyn Observer) -> Result<Completion, EngineError> {
        let limit = self.spec().max_positions;
        if let Input::RandomTokens { count: prompt, .. } = request.input
            && prompt > limit
        {
            // Known before they are drawn, however many were asked for.
            observer.encoded(prompt);
            return Err(EngineError::PromptTooLong { prompt, limit });
        }
        let prompt_ids = self.encode(&request.input, &|| observer.cancelled())?;
        observer.encoded(prompt_ids.len());
        self.check(&prompt_ids)?;

        // The last token is never fed back, so it needs no place in the context.
        let room = self.spec().max_positions - prompt_ids.len() + 1;
        let limit = request.max_new_tokens.min(room);
        self.decoder.reset(&[prompt_ids.len() + limit])?;
        let mut next = Next { logits: self.decoder.forward(&[&prompt_ids], Logits::Last)?, likeliest: None };
        self.device.synchronize()?;
        observer.prefilled();
        self.pool.prefilled(&self.device);

        let mut sampler = Sampler::new(request.sampling);
        let mut answer = Answer::new(self.text.as_ref());
        let mut finish = if room < request.max_new_tokens { FinishReason::Context } else { FinishReason::Length };
        while answer.ids.len() < limit {
            if observer.cancelled() {
                return Err(EngineError::Cancelled);
            }
            let Some(id) = sampler.next(&next)? else { return Err(self.not_a_number(answer.ids.len())) };
            let ends = !request.ignore_eos && self.text.as_ref().is_some_and(|text| text.ends(id));
            if ends {
                finish = FinishReason::Stop;
                break;
            }
            observer.token(id);
            if answer.push(id, observer) && !request.ignore_eos {
                finish = FinishReason::Stop;
                break;
            }
            if answer.ids.len() < limit {
                next = self.decoder.next(id)?;
            }
        }
        let (token_ids, text) = answer.finish(observer);
        Ok(Completion { prompt_ids: Some(prompt_ids), token_ids: Some(token_ids), text, finish })
    }
}

impl Engine for CandleEngine {
    fn generate(&mut self, request: &Request, observer: &mut dyn Observer) -> Result<Completion, EngineError> {
        let answer = self.answer(request, observer).map_err(|error| settled(error, &self.device));
        self.pool.answered(&self.device);
        answer
    }

    fn memory(&self) -> ModelMemory {
        let peak_resident_bytes = if self.device.is_cpu() { telemetry::host::peak_resident_bytes() } else { None };
        ModelMemory { pool: self.pool.phases(), peak_resident_bytes }
    }
}

/// An error once the device is idle: what was queued before it would otherwise run into the next trial. Of memory that did
/// not suffice it says how much there was.
fn settled(error: EngineError, device: &Device) -> EngineError {
    // A device that cannot be waited for says so at its next use.
    device.synchronize().unwrap_or_default();
    match error {
        EngineError::OutOfMemory(text) => EngineError::OutOfMemory(match memory::of_gpu(device) {
            Some(memory) => format!("{text}; {memory}"),
            None => text,
        }),
        other => other,
    }
}

/// The answer as it grows.
struct Answer<'a> {
    ids: Vec<u32>,
    model: Option<&'a TextModel>,
    stream: Option<TextStream<'a>>,
    /// What was streamed, to find a text in it that ends the answer.
    streamed: String,
}

impl<'a> Answer<'a> {
    fn new(model: Option<&'a TextModel>) -> Self {
        let stream = model.map(|model| TextStream::new(&model.tokenizer));
        Self { ids: Vec::new(), model, stream, streamed: String::new() }
    }

    /// Adds a token; true if the text has reached one that ends the answer.
    fn push(&mut self, id: u32, observer: &mut dyn Observer) -> bool {
        self.ids.push(id);
        let Some(piece) = self.stream.as_mut().and_then(|stream| stream.push(id)) else { return false };
        observer.text(&piece);
        self.streamed.push_str(&piece);
        self.model.is_some_and(|model| model.stop_at(&self.streamed).is_some())
    }

    /// All tokens, and the text that they make together: decoded once more as a whole, for some tokenizers decode a run of
    /// bytes otherwise than its parts.
    fn finish(mut self, observer: &mut dyn Observer) -> (Vec<u32>, Option<String>) {
        if let Some(rest) = self.stream.as_mut().and_then(TextStream::flush) {
            observer.text(&rest);
        }
        let text = self.model.map(|model| {
            let mut text = model.tokenizer.decode(&self.ids, true).unwrap_or_default();
            if let Some(end) = model.stop_at(&text) {
                text.truncate(end);
            }
            text
        });
        (self.ids, text)
    }
}

fn open_weights<'a>(
    checkpoint: Checkpoint,
    quantization: Option<Quantization>,
    spec: &DecoderSpec,
    inventory: &Inventory,
    observer: &'a dyn LoadObserver,
) -> Result<Box<dyn WeightSource + Sync + 'a>, EngineError> {
    let published = || -> Result<Box<weights::Published>, EngineError> {
        let files = PublishedFiles::open(&checkpoint.weights)?;
        let adapter = checkpoint.adapter.as_ref().map(|adapter| LoadedAdapter::open(adapter, inventory)).transpose()?;
        let block = ScaledWeights::of(&checkpoint.config)?.and_then(|scaled| scaled.block);
        Ok(Box::new(weights::Published { files, block, adapter, quantization, observer }))
    };
    match checkpoint.weights {
        Weights::Safetensors(_) | Weights::Pytorch(_) => Ok(published()?),
        Weights::Gguf(_) if checkpoint.adapter.is_some() => Err(EngineError::UnmergeableAdapter("a GGUF file")),
        Weights::Gguf(file) => {
            if let Some(quantization) = quantization {
                return Err(EngineError::Requantize(quantization.name()));
            }
            // Mistral's files carry the architecture `llama` too.
            let paired = checkpoint.facts.architecture == "llama";
            let paired_head_dim = paired.then_some(spec.attention.heads.dim);
            Ok(Box::new(weights::Gguf { file, paired_head_dim, observer }))
        }
        Weights::Synthetic { .. } if checkpoint.adapter.is_some() => {
            Err(EngineError::UnmergeableAdapter("random weights"))
        }
        Weights::Synthetic { seed } => {
            let quantization = quantization.unwrap_or(SYNTHETIC_QUANTIZATION);
            Ok(Box::new(weights::Synthetic { quantization, seed, observer }))
        }
    }
}

/// The device of a name: `cpu`, `cuda` or `cuda:N`.
///
/// # Errors
/// A name that is none of these, or a device that this build or machine does not have.
pub fn device(name: &str) -> Result<Device, EngineError> {
    let refused = |reason: String| EngineError::Device { device: name.into(), reason };
    let ordinal = match name.parse::<DeviceName>() {
        Ok(DeviceName::Cpu) => return Ok(Device::Cpu),
        Ok(DeviceName::Cuda(ordinal)) => ordinal,
        Err(error) => return Err(refused(error.to_string())),
    };
    if !cfg!(feature = "cuda") {
        return Err(refused("this build has no CUDA: build with --features cuda".into()));
    }
    Device::new_cuda(ordinal).map_err(|error| refused(error.to_string()))
}
