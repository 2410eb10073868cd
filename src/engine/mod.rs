//! Engines: what answers a request, one at a time.
//!
//! An engine holds no stopwatch. It tells its [`Observer`] what happened, first thing, before it decodes or parses; the
//! recorder behind it reads the clock.

pub mod candle;
mod load_times;
mod loading;
mod prepare;
mod prepared;
pub mod scripted;

use std::fmt;
use std::path::PathBuf;

use crate::acquire::PublishedError;
use crate::record::{FinishReason, PoolPhases};
use crate::text::{Message, RenderError, TextError};

pub use loading::{LoadObserver, LoadPart, told};
pub use prepare::prepare;
pub use prepared::{EngineSettings, Facts, Form, PrepareError, PrepareListener, Prepared, Unprepared};

/// What is asked of an engine.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    pub input: Input,
    pub max_new_tokens: usize,
    /// Go on past the end of sequence, so that every candidate does the same work.
    pub ignore_eos: bool,
    pub sampling: Sampling,
}

/// The prompt.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// A conversation, put into the model's own chat template.
    Chat(Vec<Message>),
    /// A text as it stands.
    Text(String),
    /// Token ids as they stand.
    Tokens(Vec<u32>),
    /// So many token ids drawn from the model's vocabulary: a prompt that no cache can have seen.
    RandomTokens { count: usize, seed: u64 },
}

/// How the next token is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Sampling {
    /// The most likely one.
    Greedy,
    /// At a temperature over 0, from the most likely tokens that together have probability `top_p`.
    Random { temperature: f64, top_p: f64, seed: u64 },
}

/// What came back, whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Completion {
    /// `None` of an engine that does not tell them, as are the ids of the answer.
    pub prompt_ids: Option<Vec<u32>>,
    pub token_ids: Option<Vec<u32>>,
    /// `None` where the checkpoint has no tokenizer.
    pub text: Option<String>,
    pub finish: FinishReason,
}

/// Told what happens during a request, at the moment it does. Every method has an empty default: an observer hears what it
/// cares for.
pub trait Observer {
    /// The prompt is templated and tokenized.
    fn encoded(&mut self, prompt_tokens: usize) {
        let _ = prompt_tokens;
    }
    /// The forward pass over the prompt is done and the device synchronised.
    fn prefilled(&mut self) {}
    /// An output token is known on the host.
    fn token(&mut self, id: u32) {
        let _ = id;
    }
    /// Output came whose ids the engine does not know: so many tokens at once, `None` where it cannot count them.
    fn tokens(&mut self, count: Option<u32>) {
        let _ = count;
    }
    /// Text became certain; follows the tokens that it is made of.
    fn text(&mut self, piece: &str) {
        let _ = piece;
    }
    /// Asked between tokens: whether to give the request up.
    fn cancelled(&self) -> bool {
        false
    }
}

/// Something that answers requests.
pub trait Engine {
    /// # Errors
    /// Anything that keeps the answer from being finished; what was observed until then stands.
    fn generate(&mut self, request: &Request, observer: &mut dyn Observer) -> Result<Completion, EngineError>;

    /// What its model has taken of memory so far. By default nobody knows.
    fn memory(&self) -> ModelMemory {
        ModelMemory::default()
    }
}

/// What a model has taken of memory since it began to load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ModelMemory {
    /// Of a GPU's pool, by phase; `None` on a CPU, and on a GPU without a pool.
    pub pool: Option<PoolPhases>,
    /// The most that this process held on a CPU; `None` on a GPU, and where the system does not tell.
    pub peak_resident_bytes: Option<u64>,
}

/// Why an engine could not be made or could not answer.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error("cancelled")]
    Cancelled,
    #[error("the prompt has {prompt} tokens, and {limit} is the longest context of the model")]
    PromptTooLong { prompt: usize, limit: usize },
    #[error("the prompt is empty")]
    EmptyPrompt,
    #[error("token id {id} is not in the vocabulary of {vocabulary} tokens")]
    UnknownToken { id: u32, vocabulary: usize },
    #[error(transparent)]
    Text(TextError),
    #[error(transparent)]
    Spec(#[from] crate::spec::SpecError),
    #[error("weight `{name}` has shape {found:?}, and the config asks for {expected:?}")]
    WrongShape { name: String, found: Vec<usize>, expected: Vec<usize> },
    #[error("could not read the adapter `{path}`")]
    AdapterFile { path: PathBuf, source: Box<crate::acquire::safetensors::SafetensorsError> },
    #[error("the adapter changes `{0}`, which the checkpoint does not have")]
    StrayAdapter(String),
    #[error("the adapter lacks `{0}`, the other half of what it has")]
    LackingAdapter(String),
    #[error("`{name}` of the adapter has shape {found:?}, and its rank and the weight ask for {expected:?}")]
    WrongAdapter { name: String, found: Vec<usize>, expected: [usize; 2] },
    #[error("adapters are merged into published weights only, not into {0}")]
    UnmergeableAdapter(&'static str),
    #[error("the checkpoint lacks weight `{name}`{instead}")]
    MissingWeight { name: String, instead: Instead },
    #[error("weight `{name}` is stored as {kind}, which is a weight only with scales that are not read")]
    UnscaledWeight { name: String, kind: String },
    #[error(
        "weight `{name}` is stored as {kind}, and its scale is missing: there is neither `{name}_scale` nor `{name}_scale_inv`"
    )]
    LackingScale { name: String, kind: &'static str },
    #[error(
        "scale `{name}` has shape {found:?}, which fits neither the blocks nor the rows of a weight of shape {of:?}"
    )]
    WrongScale { name: String, found: Vec<usize>, of: Vec<usize> },
    #[error("weight `{name}` is stored as {kind} and has a scale `{scale}`, which only weights in 8 bits have")]
    StrayScale { name: String, kind: String, scale: String },
    #[error("weight `{0}` is quantized, which no norm or bias is")]
    QuantizedVector(String),
    #[error("weight `{0}` holds values that are not numbers, or infinite: the checkpoint is damaged")]
    DamagedWeight(String),
    #[error("could not read the weights")]
    Gguf(#[from] crate::acquire::gguf::GgufError),
    #[error("could not read the weights")]
    Published(#[from] PublishedError),
    #[error("there is no memory for the weights")]
    Allocation(#[source] std::io::Error),
    #[error("the model computed a value that is not a number, after {0} tokens, though all its weights are numbers")]
    NotANumber(usize),
    #[error("not enough memory: {0}")]
    OutOfMemory(String),
    #[error("a GGUF file runs at its own precision, it is not quantized again to {0}")]
    Requantize(&'static str),
    #[error("device `{device}` cannot be used: {reason}")]
    Device { device: String, reason: String },
    #[error("could not compute")]
    Compute(#[source] candle_core::Error),
    /// As a script says.
    #[error("{0}")]
    Scripted(String),
}

/// The names of what a checkpoint holds in the place of a weight that it lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instead(pub Vec<String>);

impl Instead {
    /// What the user can do about it, where the names tell.
    fn hint(&self) -> Option<String> {
        let kinds = [(".qweight", "quantized by GPTQ or AWQ"), (".weight_packed", "quantized by compressed-tensors")];
        let (_, kind) = kinds.into_iter().find(|(suffix, _)| self.0.iter().any(|name| name.ends_with(suffix)))?;
        Some(format!("the weights are {kind}: name the repository of the unquantized model, or a GGUF file of it"))
    }
}

impl fmt::Display for Instead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST: usize = 3;
        const LONGEST: usize = 120;
        let shown = |name: &String| format!("`{}`", name.chars().take(LONGEST).collect::<String>());
        let names: Vec<String> = self.0.iter().take(MOST).map(shown).collect();
        match (names.is_empty(), self.0.len().saturating_sub(MOST)) {
            (true, _) => Ok(()),
            (false, 0) => write!(f, "; in its place stand {}", names.join(", ")),
            (false, more) => write!(f, "; in its place stand {} and {more} more", names.join(", ")),
        }
    }
}

impl EngineError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::PromptTooLong { .. } => "shorten the prompt, or choose a model with a longer context".into(),
            Self::Text(TextError::Render(RenderError::Unbounded(_))) => {
                "get the checkpoint's own chat template, or give token ids with --ids".into()
            }
            Self::Text(TextError::NoTokenizer) => "add a tokenizer.json, or run token ids with --ids".into(),
            Self::Spec(error) => return error.hint(),
            Self::MissingWeight { instead, .. } => return instead.hint(),
            Self::Published(PublishedError::Safetensors(_)) | Self::AdapterFile { .. } | Self::DamagedWeight(_) => {
                "the file is cut short or damaged: get it again".into()
            }
            Self::OutOfMemory(_) => "choose a smaller quantization or candidate".into(),
            Self::Requantize(_) => "leave --quantization out, or name a repository with safetensors".into(),
            Self::UnscaledWeight { .. }
            | Self::LackingScale { .. }
            | Self::WrongScale { .. }
            | Self::StrayScale { .. } => "name a repository with weights in 16 bits, or a GGUF file".into(),
            Self::Device { .. } => "`bench doctor` shows what this machine and build have".into(),
            _ => return None,
        })
    }
}

impl From<TextError> for EngineError {
    fn from(error: TextError) -> Self {
        match error {
            TextError::Render(RenderError::Cancelled) => Self::Cancelled,
            other => Self::Text(other),
        }
    }
}

impl From<candle_core::Error> for EngineError {
    fn from(error: candle_core::Error) -> Self {
        // Without the backtrace that candle adds where the environment asks for one.
        let text = error.to_string().lines().next().unwrap_or_default().to_owned();
        // The driver's error, and what cuBLAS and cuRAND say when the driver gave them none.
        if ["OUT_OF_MEMORY", "ALLOC_FAILED", "ALLOCATION_FAILED"].iter().any(|name| text.contains(name)) {
            Self::OutOfMemory(text)
        } else {
            Self::Compute(error)
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Error;

    use super::*;

    #[test]
    fn memory_that_a_gpu_lacks_is_told_from_what_it_cannot_compute() {
        // As cudarc prints them.
        let of = |text: &str| EngineError::from(Error::Cuda(text.into()));
        let lacking = r#"DriverError(CUDA_ERROR_OUT_OF_MEMORY, "out of memory")"#;
        assert!(matches!(of(lacking), EngineError::OutOfMemory(text) if text == lacking));
        for library in ["CublasError(CUBLAS_STATUS_ALLOC_FAILED)", "CurandError(CURAND_STATUS_ALLOCATION_FAILED)"] {
            assert!(matches!(of(library), EngineError::OutOfMemory(_)), "{library}");
        }
        let traced = of(&format!("{lacking}\n   0: candle_core::error::Error::bt\n"));
        assert!(matches!(traced, EngineError::OutOfMemory(text) if text == lacking));
        let other = r#"DriverError(CUDA_ERROR_ILLEGAL_ADDRESS, "an illegal memory access was encountered")"#;
        assert!(matches!(of(other), EngineError::Compute(_)));
    }
}
