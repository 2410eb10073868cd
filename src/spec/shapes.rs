//! The shapes of the shipped candidates, so that they can be planned and run synthetically without a network.
//!
//! Each file is the part of the repository's `config.json` that decides shape and computation, named by the repository
//! with `--` for `/`, as the Hub's cache names its folders.

use include_dir::{Dir, include_dir};

use super::config::Config;

static SHAPES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/src/spec/shapes");

/// The Hugging Face repositories whose shapes ship with the program.
pub fn shipped_repositories() -> impl Iterator<Item = String> {
    let names = SHAPES.files().filter_map(|file| file.path().file_stem()?.to_str());
    names.map(|name| name.replacen("--", "/", 1))
}

/// The config of a Hugging Face repository whose shape ships with the program.
pub fn shipped_shape(repository: &str) -> Option<Config> {
    let file = SHAPES.get_file(format!("{}.json", repository.replace('/', "--")))?;
    let value = serde_json::from_slice(file.contents()).ok()?;
    Config::new(value).ok()
}
