//! The candidates of `models.toml`.

use std::path::Path;

use crate::catalog::Catalog;
use crate::error::Error;
use crate::ui::Printer;

/// The catalog of a file, of `./models.toml`, or the shipped one.
pub(super) fn catalog(file: Option<&Path>, printer: &Printer) -> Result<Catalog, Error> {
    let default = Path::new("models.toml");
    let path = match file {
        Some(file) => file,
        None if default.is_file() => default,
        None => {
            printer.detail("there is no models.toml here: using the shipped one");
            return Catalog::shipped().map_err(Error::Catalog);
        }
    };
    let text = std::fs::read_to_string(path);
    let text = text.map_err(|source| Error::ReadCatalog { path: path.into(), source })?;
    let base = path.parent().unwrap_or(Path::new(""));
    Catalog::parse(path, &text, base).map_err(Error::Catalog)
}
