//! Handing an answer over: to standard output, or to a file.

use std::path::Path;

use crate::answer::Answer;
use crate::cli::Format;
use crate::error::Error;
use crate::metric::Metric;
use crate::report::{Form, Markdown, Renderer, Terminal, comparison, csv, json};
use crate::ui::Printer;

/// An answer as text in a format; tables are laid out for `terminal`, and have columns of `more` metrics beside their own.
fn rendered(answer: &Answer, format: Format, more: &[Metric], terminal: &Terminal) -> Result<String, Error> {
    let mut bytes = Vec::new();
    match format {
        Format::Table => return Ok(terminal.render(&comparison::page(answer, Form::Screen, more))),
        Format::Markdown => return Ok(Markdown.render(&comparison::page(answer, Form::Document, more))),
        Format::Json => json::write(answer, &mut bytes)?,
        Format::Csv => csv::write(answer, &mut bytes)?,
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The terminal that answers go to.
pub(super) fn terminal(printer: &Printer) -> Terminal {
    Terminal { width: printer.width(), color: printer.color() }
}

/// Writes an answer to a file, or to standard output.
///
/// `more` metrics have columns in its tables beside the usual ones. `bom` begins CSV with the mark of UTF-8, without which a spreadsheet on Korean Windows reads it as CP949.
pub(super) fn deliver(
    answer: &Answer,
    format: Format,
    more: &[Metric],
    bom: bool,
    output: Option<&Path>,
    printer: &Printer,
) -> Result<(), Error> {
    let mark = if bom && format == Format::Csv { "\u{feff}" } else { "" };
    match output {
        None => printer.answer(&format!("{mark}{}", rendered(answer, format, more, &terminal(printer))?)),
        Some(path) => {
            let text = format!("{mark}{}", rendered(answer, format, more, &Terminal::FILE)?);
            write(path, &text)?;
            printer.say(&format!("written to {}", path.display()));
            Ok(())
        }
    }
}

/// Writes a file whole: under another name beside it first, so that nothing leaves half of one, or takes what it held.
///
/// # Errors
/// A place that cannot be written to.
pub(super) fn write(path: &Path, text: &str) -> Result<(), Error> {
    let failed = |source| Error::Write { path: path.into(), source };
    // Where a link leads to; what is no file, as a pipe, is written to as it is.
    let target = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if target.exists() && !target.is_file() {
        return std::fs::write(&target, text).map_err(failed);
    }
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    let beside = target.with_file_name(name);
    let written = std::fs::write(&beside, text).and_then(|()| std::fs::rename(&beside, &target));
    written.map_err(|source| {
        let _ = std::fs::remove_file(&beside);
        failed(source)
    })
}

/// Makes sure that a file can be written, before hours are spent on what goes into it; what it holds stays.
pub(super) fn reserve(output: Option<&Path>) -> Result<(), Error> {
    let Some(path) = output else { return Ok(()) };
    let is_new = !path.exists();
    let opened = std::fs::OpenOptions::new().create(true).append(true).open(path);
    opened.map(drop).map_err(|source| Error::Write { path: path.into(), source })?;
    if is_new {
        // An empty file, where nothing came of it, could be taken for an answer. That it can be written is known all the same.
        let _ = std::fs::remove_file(path);
    }
    Ok(())
}
