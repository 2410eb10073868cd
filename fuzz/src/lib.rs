//! What the fuzz targets share: a folder to write the input to, a checkpoint so small that a forward pass costs nothing, and
//! a request that takes it through the whole engine.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use bench::acquire::{Checkpoint, Weights, local};
use bench::catalog::Quantization;
use bench::engine::candle::CandleEngine;
use bench::engine::{Engine, EngineError, Input, Observer, Request, Sampling};
use bench::spec::{DecoderSpec, Inventory};
use candle_core::Device;

/// Only memory: the folder lies where no disk is waited for.
static FOLDER: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.expect("a folder to write to")
});

/// Writes a file into the folder of this process.
pub fn write(name: &str, bytes: &[u8]) -> PathBuf {
    let path = FOLDER.path().join(name);
    std::fs::write(&path, bytes).expect("writing a file");
    path
}

/// The folder of this process, as a checkpoint in Hugging Face layout.
pub fn folder() -> &'static Path {
    FOLDER.path()
}

/// A Llama of one layer.
pub const CONFIG: &str = r#"{
    "model_type": "llama", "vocab_size": 16, "hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1,
    "num_attention_heads": 2, "num_key_value_heads": 1, "max_position_embeddings": 64, "tie_word_embeddings": true
}"#;

/// Numbers that a model may hold to be loaded: enough for any path of the code, few enough for many runs a second.
const MOST_PARAMETERS: u64 = 1 << 16;

/// Loads a checkpoint and has it answer, if it is small.
pub fn run(checkpoint: Checkpoint, quantization: Option<Quantization>) -> Result<(), EngineError> {
    let spec = DecoderSpec::from_config(&checkpoint.config)?;
    let inventory = Inventory::of(&spec);
    if inventory.parameters() > MOST_PARAMETERS || inventory.weights.len() > 256 {
        return Ok(());
    }
    let mut engine = CandleEngine::load(checkpoint, quantization, &Device::Cpu, &mut |_| {})?;
    let ids = vec![0, 1, spec.vocabulary as u32 - 1];
    let request =
        Request { input: Input::Tokens(ids), max_new_tokens: 2, ignore_eos: false, sampling: Sampling::Greedy };
    engine.generate(&request, &mut Silent).map(drop)
}

/// The checkpoint of [`CONFIG`] with random weights, whose files lie in [`folder`].
pub fn of_files(weights: Weights) -> Checkpoint {
    let config = serde_json::from_str(CONFIG).expect("a config");
    let config = bench::spec::Config::new(config).expect("a config");
    let facts = bench::record::CheckpointFacts {
        commit: None,
        architecture: "llama".into(),
        parameters: 0,
        files: Vec::new(),
        synthetic: false,
    };
    Checkpoint { config, text: None, weights, adapter: None, facts, warnings: Vec::new() }
}

/// Opens what lies at a path, and has it answer.
pub fn open_and_run(path: &Path) {
    if let Ok(checkpoint) = local::open(path) {
        let _ = run(checkpoint, None);
    }
}

/// A small safetensors file with the weights of [`CONFIG`].
pub fn safetensors() -> Vec<u8> {
    let spec = DecoderSpec::from_config(&of_files(Weights::Synthetic { seed: 1 }).config).expect("a spec");
    let mut header = serde_json::Map::new();
    let mut data = Vec::new();
    for weight in Inventory::of(&spec).weights {
        let shape = if weight.rows == 1 { vec![weight.columns] } else { vec![weight.rows, weight.columns] };
        let start = data.len();
        (0..weight.elements()).for_each(|number| data.extend(half::bf16::from_f32(number as f32 % 7.0).to_le_bytes()));
        let place = serde_json::json!({ "dtype": "BF16", "shape": shape, "data_offsets": [start, data.len()] });
        header.insert(weight.name, place);
    }
    let header = serde_json::Value::Object(header).to_string();
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &data].concat()
}

/// An observer that does not care.
pub struct Silent;

impl Observer for Silent {}
