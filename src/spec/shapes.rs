//! The shapes of the shipped candidates, so that they can be planned and run synthetically without a network.
//!
//! Each file is the part of the repository's `config.json` that decides shape and computation, named by the repository
//! with `--` for `/`, as the Hub's cache names its folders.

use include_dir::{Dir, include_dir};

use super::config::Config;

static SHAPES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/src/spec/shapes");

/// The config of a Hugging Face repository whose shape ships with the program.
pub fn shipped_shape(repository: &str) -> Option<Config> {
    let file = SHAPES.get_file(format!("{}.json", repository.replace('/', "--")))?;
    let value = serde_json::from_slice(file.contents()).ok()?;
    Config::new(value).ok()
}
