//! Checkpoints on this disk: a directory in Hugging Face layout, or one GGUF file.

use std::collections::{BTreeSet, HashSet};
use std::path::{Component, Path, PathBuf};

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::checkpoint::{Checkpoint, Weights};
use super::error::AcquireError;
use super::files::{LARGEST_JSON, is_there, json, read, refuse_lfs_pointer};
use super::gguf::{self, GgufFile};
use super::preview::Preview;
use super::published::{PublishedFiles, is_beside_text};
use super::safetensors::SafetensorsFile;
use super::shards::unindexed;
use super::stamp::Stamps;
use crate::catalog::{PartName, gguf_files, is_gguf_file};
use crate::plain_file;
use crate::record::{CheckpointFacts, FileFacts};
use crate::spec::{Config, DecoderSpec, Inventory, Part, text_part};
use crate::text::{Beside, TextError, TextModel};

/// Largest `tokenizer.json` that is read: one of 262,144 tokens takes about 33 MB. Parsed, a file may take 16 times its size.
const LARGEST_TOKENIZER: u64 = 128 << 20;

/// Largest file whose SHA-256 is computed: weights are identified by their size, the Hub by its own hashes.
const LARGEST_HASHED: u64 = 64 << 20;

/// Reads the checkpoint at `path`: everything but the weights themselves.
///
/// # Errors
/// What is not there, cannot be read, or contradicts itself.
pub fn open(path: &Path) -> Result<Checkpoint, AcquireError> {
    if !path.exists() {
        return Err(AcquireError::NotFound { path: path.into() });
    }
    if path.is_dir() && is_there(&path.join("config.json")) {
        open_directory(path)
    } else if is_gguf_file(path) {
        open_gguf(path)
    } else {
        match gguf_files(path) {
            files if files.is_empty() => Err(AcquireError::NotACheckpoint { path: path.into() }),
            files => Err(AcquireError::SeveralGguf { path: path.into(), files }),
        }
    }
}

fn open_gguf(path: &Path) -> Result<Checkpoint, AcquireError> {
    let failed = |source| AcquireError::Gguf { path: path.into(), source };
    let file = GgufFile::open(path).map_err(failed)?;
    let stamps = Stamps::of(file.files().iter().map(PathBuf::as_path));
    let config = parse_config(path, gguf::config(&file).map_err(failed)?)?;
    check_end_ids(path, &config)?;
    let text = gguf::text_model(&file).map_err(|source| AcquireError::GgufText { path: path.into(), source });
    let elements = |shape: &Vec<usize>| shape.iter().map(|dimension| *dimension as u64).product::<u64>();
    let facts = CheckpointFacts {
        commit: None,
        architecture: architecture(path, &config)?,
        parameters: file.tensors().values().map(|tensor| elements(&tensor.shape)).sum(),
        files: file.files().iter().map(|file| file_facts(file)).collect::<Result<_, _>>()?,
        synthetic: false,
    };
    Ok(Checkpoint { config, text, weights: Weights::Gguf(file), stamps, adapter: None, facts, warnings: Vec::new() })
}

fn open_directory(path: &Path) -> Result<Checkpoint, AcquireError> {
    let mut config = config(path)?;
    let weights = weight_files(path)?;
    let stamps = Stamps::of(weights.files().iter().map(PathBuf::as_path));
    check_end_ids(path, &config)?;
    let warnings = if has_own_head(&config, &weights) {
        config = config.with_head();
        vec![OWN_HEAD.to_owned()]
    } else {
        Vec::new()
    };
    let text = text_model(path, &config);
    let mut files = Vec::new();
    for name in CONFIG.iter().chain(&["generation_config.json", "tokenizer.json", "tokenizer_config.json"]) {
        if is_there(&path.join(name)) {
            files.push(file_facts(&path.join(name))?);
        }
    }
    for file in weights.files() {
        files.push(file_facts(file)?);
    }
    let spec = DecoderSpec::from_config(&config);
    let spec = spec.map_err(|source| AcquireError::Spec { path: path.into(), source })?;
    let facts = CheckpointFacts {
        commit: None,
        architecture: architecture(path, &config)?,
        parameters: Inventory::of(&spec).parameters(),
        files,
        synthetic: false,
    };
    Ok(Checkpoint { config, text, weights, stamps, adapter: None, facts, warnings })
}

/// The files that a config is read from, of which only the first must be there.
pub(super) const CONFIG: [&str; 2] = ["config.json", "hf_quant_config.json"];

/// The config alone of a directory in Hugging Face layout.
///
/// # Errors
/// As [`open`].
pub fn config(directory: &Path) -> Result<Config, AcquireError> {
    let [config, quantization] = CONFIG.map(|name| directory.join(name));
    let mut value = json(&config)?;
    if let Some(fields) = value.as_object_mut()
        && fields.get("quantization_config").is_none_or(Value::is_null)
        && is_there(&quantization)
        && let Some(stated) = model_opt(json(&quantization)?)
    {
        fields.insert("quantization_config".into(), stated);
    }
    parse_config(directory, text_part(value))
}

/// What ModelOpt says of the weights beside `config.json`, in the words of one; `None` if they are not quantized.
fn model_opt(mut document: Value) -> Option<Value> {
    let mut stated = document.get_mut("quantization").map(Value::take).unwrap_or_default();
    if stated.get("quant_algo").is_some_and(Value::is_null) {
        return None;
    }
    match stated.as_object_mut() {
        Some(fields) => {
            fields.insert("quant_method".into(), "modelopt".into());
            Some(stated)
        }
        // Of a form that is not known: it is refused by the name of who wrote it.
        None => Some(serde_json::json!({ "quant_method": "modelopt" })),
    }
}

/// Config and size of the weights, without reading them.
///
/// # Errors
/// As [`open`].
pub fn preview(path: &Path) -> Result<Preview, AcquireError> {
    if path.is_dir() {
        let config = config(path)?;
        let weights = match weight_files(path) {
            // A config alone is enough for a plan.
            Err(AcquireError::NoWeights { .. }) => return Ok(Preview::new(config, None)),
            weights => weights?,
        };
        return Ok(Preview::new(config, weights.files().iter().map(|file| stored_bytes(file)).sum()));
    }
    let checkpoint = open(path)?;
    let stored_bytes = match &checkpoint.weights {
        Weights::Gguf(file) => Some(file.weights_bytes()),
        _ => None,
    };
    Ok(Preview { no_text: checkpoint.text.err(), ..Preview::new(checkpoint.config, stored_bytes) })
}

/// Bytes of the weights in a file: of the decoder's tensors alone where the file tells, else of the whole file.
fn stored_bytes(path: &Path) -> Option<u64> {
    match path.extension().filter(|kind| *kind == "safetensors").map(|_| SafetensorsFile::open(path)) {
        Some(Ok(file)) => Some(file.tensor_bytes(|name| !is_beside_text(name))),
        _ => std::fs::metadata(path).ok().map(|file| file.len()),
    }
}

fn parse_config(path: &Path, value: Value) -> Result<Config, AcquireError> {
    Config::new(value).map_err(|source| AcquireError::Spec { path: path.into(), source })
}

fn architecture(path: &Path, config: &Config) -> Result<String, AcquireError> {
    let name = config.model_type().map_err(|source| AcquireError::Spec { path: path.into(), source })?;
    Ok(name.to_owned())
}

/// Tokens that the config counts; without a bound where it does not.
fn vocabulary(path: &Path, config: &Config) -> Result<usize, AcquireError> {
    let count = config.optional_count("vocab_size");
    Ok(count.map_err(|source| AcquireError::Spec { path: path.into(), source })?.unwrap_or(usize::MAX))
}

/// Refuses an end of sequence that is no token, also where only token ids are asked.
fn check_end_ids(path: &Path, config: &Config) -> Result<(), AcquireError> {
    let ids = config.end_ids(vocabulary(path, config)?);
    ids.map(drop).map_err(|source| AcquireError::Spec { path: path.into(), source })
}

/// The text side of a directory; `None` if it has no `tokenizer.json`.
fn text_model(path: &Path, config: &Config) -> Result<Option<TextModel>, AcquireError> {
    let file = path.join("tokenizer.json");
    if !is_there(&file) {
        return Ok(None);
    }
    let in_text = |source| AcquireError::Text { path: path.into(), source };
    let document = serde_json::from_slice(&read(&file, LARGEST_TOKENIZER)?)
        .map_err(|error| in_text(TextError::Tokenizer(error.to_string())))?;
    let optional = |name: &str| {
        let file = path.join(name);
        if is_there(&file) { json(&file) } else { Ok(Value::Object(serde_json::Map::new())) }
    };
    let beside = Beside {
        settings: optional("tokenizer_config.json")?,
        special_tokens: optional("special_tokens_map.json")?,
        added_tokens: optional("added_tokens.json")?,
    };
    let (tokenizer, settings) = beside.complete(document).map_err(in_text)?;
    let generation = parse_config(path, optional("generation_config.json")?)?;
    let mut stop_ids = BTreeSet::new();
    let vocabulary = vocabulary(path, config)?;
    for config in [config, &generation] {
        let ids = config.end_ids(vocabulary);
        stop_ids.extend(ids.map_err(|source| AcquireError::Spec { path: path.into(), source })?);
    }
    let template = chat_template_file(path)?;
    TextModel::new(tokenizer, &settings, template.as_deref(), stop_ids).map(Some).map_err(in_text)
}

/// A chat template in a file of its own, as newer repositories have it.
fn chat_template_file(path: &Path) -> Result<Option<String>, AcquireError> {
    let jinja = path.join("chat_template.jinja");
    if is_there(&jinja) {
        return Ok(Some(String::from_utf8_lossy(&read(&jinja, LARGEST_JSON)?).into_owned()));
    }
    let wrapped = path.join("chat_template.json");
    if is_there(&wrapped) {
        return Ok(json(&wrapped)?.get("chat_template").and_then(Value::as_str).map(str::to_owned));
    }
    Ok(None)
}

/// The weights of a directory: safetensors if it has them, else PyTorch's own.
fn weight_files(path: &Path) -> Result<Weights, AcquireError> {
    let safetensors = match indexed_files(path, "model.safetensors")? {
        Some(files) => Some(files),
        None => unindexed_files(path)?,
    };
    let weights = match safetensors {
        Some(files) => Weights::Safetensors(files),
        None => match indexed_files(path, "pytorch_model.bin")? {
            Some(files) => Weights::Pytorch(files),
            None => return Err(AcquireError::NoWeights { path: path.into() }),
        },
    };
    weights.files().iter().try_for_each(|file| refuse_lfs_pointer(file))?;
    Ok(weights)
}

/// The files that `NAME.index.json` names, or the single file of that name.
fn indexed_files(path: &Path, name: &str) -> Result<Option<Vec<PathBuf>>, AcquireError> {
    let index = path.join(format!("{name}.index.json"));
    if is_there(&index) {
        let value = json(&index)?;
        let map = value.get("weight_map").and_then(Value::as_object);
        let map = map.ok_or_else(|| AcquireError::NoWeights { path: index.clone() })?;
        // Files of what stands beside the decoder need not be there.
        let map = map.iter().filter(|(tensor, _)| !is_beside_text(tensor));
        let names: Option<BTreeSet<&str>> = map.map(|(_, file)| file.as_str()).collect();
        let names = names.filter(|names| !names.is_empty());
        let names = names.ok_or_else(|| AcquireError::NoWeights { path: index.clone() })?;
        return names.into_iter().map(|name| beside(path, &index, name)).collect::<Result<_, _>>().map(Some);
    }
    let single = path.join(name);
    Ok(is_there(&single).then(|| vec![single]))
}

/// The safetensors of a directory without an index; `None` if it has none.
fn unindexed_files(path: &Path) -> Result<Option<Vec<PathBuf>>, AcquireError> {
    let failed = |source| AcquireError::Read { path: path.into(), source };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(path).map_err(failed)? {
        names.extend(entry.map_err(failed)?.file_name().into_string());
    }
    let files: Vec<String> = unindexed(names.iter().map(String::as_str)).into_iter().collect();
    if let Some(file) = files.iter().find(|file| !names.contains(file)) {
        let (number, count) = PartName::parse(file).map_or((1, 1), |part| (part.number, part.count));
        return Err(AcquireError::MissingShard { path: path.into(), file: file.clone(), number, count });
    }
    let files: Vec<PathBuf> = files.iter().map(|file| path.join(file)).collect();
    let mut seen = HashSet::new();
    for file in files.iter().filter(|_| files.len() > 1) {
        refuse_lfs_pointer(file)?;
        let opened = SafetensorsFile::open(file)
            .map_err(|source| AcquireError::Published { path: path.into(), source: source.into() })?;
        if let Some(tensor) = opened.names().into_iter().find(|name| !seen.insert(name.clone())) {
            return Err(AcquireError::SeveralCopies { path: path.into(), tensor });
        }
    }
    Ok(Some(files).filter(|files| !files.is_empty()))
}

/// What is said of a checkpoint whose config ties the head to the embedding, and whose files hold another head.
const OWN_HEAD: &str = "the config ties the output head to the embedding, and the files hold a head that differs from it: \
    the head of the files is used, as transformers 5 does";

/// Whether the files hold a head of their own although the config says that it is the embedding: `tie_weights` of
/// transformers 5 ties only what is equal. What cannot be read is told where it is loaded.
fn has_own_head(config: &Config, weights: &Weights) -> bool {
    let Some(spec) = DecoderSpec::from_config(config).ok().filter(|spec| spec.tied_embeddings) else { return false };
    let Ok(files) = PublishedFiles::open(weights) else { return false };
    let inventory = Inventory::of(&DecoderSpec { tied_embeddings: false, ..spec });
    let stored = |part| {
        let weight = inventory.weights.iter().find(|weight| weight.part == part)?;
        files.tensor(&weight.name).ok().flatten()
    };
    match (stored(Part::Embedding), stored(Part::Head)) {
        (Some(embedding), Some(head)) => embedding.dtype != head.dtype || *embedding.bytes != *head.bytes,
        _ => false,
    }
}

/// A file named by an index, which must lie in the same directory.
fn beside(directory: &Path, index: &Path, name: &str) -> Result<PathBuf, AcquireError> {
    let mut components = Path::new(name).components();
    match (components.next(), components.next()) {
        (Some(Component::Normal(_)), None) => Ok(directory.join(name)),
        _ => Err(AcquireError::HostileName { path: index.into(), file: name.into() }),
    }
}

fn file_facts(path: &Path) -> Result<FileFacts, AcquireError> {
    let failed = |source| AcquireError::Read { path: path.into(), source };
    let bytes = std::fs::metadata(path).map_err(failed)?.len();
    let sha256 = if bytes <= LARGEST_HASHED {
        let digest = Sha256::digest(plain_file::read(path, LARGEST_HASHED).map_err(failed)?);
        Some(digest.iter().map(|byte| format!("{byte:02x}")).collect())
    } else {
        None
    };
    let name = path.file_name().unwrap_or(path.as_os_str());
    Ok(FileFacts { path: name.to_string_lossy().into_owned(), bytes, sha256 })
}
