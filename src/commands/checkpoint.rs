//! What a CHECKPOINT on the command line means.

use std::path::Path;

use super::candidates::catalog;
use crate::catalog::{Candidate, Quantization, Source, is_repository, local_checkpoint};
use crate::cli::Models;
use crate::error::Error;
use crate::toml_error::nearest;
use crate::ui::Printer;

/// The candidate that a word names: a path that exists, an id of models.toml, or `owner/name[@revision]` on the Hub.
///
/// # Errors
/// A word that is none of these.
pub(super) fn candidate(
    word: &str,
    file: Option<String>,
    quantization: Option<Quantization>,
    models: &Models,
    printer: &Printer,
) -> Result<Candidate, Error> {
    if Path::new(word).exists() {
        return Ok(of_source(word, Source::Local { path: local_checkpoint(Path::new(word)) }, quantization));
    }
    let candidates = catalog(models.models.as_deref(), printer)?.candidates;
    if let Some(known) = candidates.iter().find(|candidate| candidate.id == word) {
        let quantization = quantization.or(known.quantization);
        return Ok(Candidate { quantization, ..known.clone() });
    }
    let (repository, revision) = word.split_once('@').unwrap_or((word, "main"));
    if is_repository(repository) && !looks_like_a_path(word) {
        let source = Source::Hub { repository: repository.into(), revision: revision.into(), file };
        return Ok(of_source(repository, source, quantization));
    }
    let near = nearest(word, candidates.iter().map(|candidate| candidate.id.as_str()));
    let hint = match near {
        Some(id) if !looks_like_a_path(word) => format!("did you mean `{id}`?"),
        _ => "give a directory, a .gguf file, a candidate of models.toml, or a Hub repository as owner/name".into(),
    };
    Err(Error::usage(format!("`{word}` is neither a path that exists, nor a candidate, nor a Hub repository"), hint))
}

fn looks_like_a_path(word: &str) -> bool {
    word.starts_with(['.', '/', '~']) || word.ends_with(".gguf") || word.ends_with(".safetensors")
}

/// The candidate with this adapter, if one is given, in place of its own.
pub(super) fn with_adapter(candidate: Candidate, adapter: Option<&Path>) -> Candidate {
    match adapter {
        Some(adapter) => Candidate { adapter: Some(adapter.into()), ..candidate },
        None => candidate,
    }
}

/// A candidate that is not in models.toml.
pub(super) fn of_source(id: &str, source: Source, quantization: Option<Quantization>) -> Candidate {
    Candidate { id: id.into(), source, quantization, adapter: None, licence: None, notes: None, prompt_format: None }
}
