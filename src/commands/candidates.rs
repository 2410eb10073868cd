//! The candidates of `models.toml`.

use std::path::Path;

use crate::catalog::Catalog;
use crate::error::Error;
use crate::plain_file::{self, WRITTEN_BY_HAND};
use crate::record::Stated;
use crate::ui::Printer;

/// The catalog of a file, of `./models.toml`, or the shipped one.
pub(super) fn catalog(file: Option<&Path>, printer: &Printer) -> Result<Catalog, Error> {
    let default = Path::new("models.toml");
    let path = match file {
        Some(file) => file,
        None if default.symlink_metadata().is_ok() => default,
        None => {
            printer.detail("there is no models.toml here: using the shipped one");
            return Catalog::shipped().map_err(Error::Catalog);
        }
    };
    let text = plain_file::read_text(path, WRITTEN_BY_HAND);
    let text = text.map_err(|source| Error::ReadCatalog { path: path.into(), source })?;
    let base = path.parent().unwrap_or(Path::new(""));
    Catalog::parse(path, &text, base).map_err(Error::Catalog)
}

/// Where the requirements come from: the file, and the keys that were given by hand.
pub(super) fn stated(file: Option<&Path>, by_hand: &[String]) -> Stated {
    let key = |change: &String| change.split_once('=').map_or(change.as_str(), |(key, _)| key).trim().to_owned();
    Stated { file: file.map(|file| file.display().to_string()), by_hand: by_hand.iter().map(key).collect() }
}
