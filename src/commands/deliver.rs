//! Handing an answer over: to standard output, or to a file.

use std::path::Path;

use crate::answer::Answer;
use crate::cli::Format;
use crate::error::Error;
use crate::report::{Form, Markdown, Renderer, Terminal, comparison, csv, json};
use crate::ui::Printer;

/// An answer as text in a format; tables are laid out for `terminal`.
fn rendered(answer: &Answer, format: Format, terminal: &Terminal) -> Result<String, Error> {
    let mut bytes = Vec::new();
    match format {
        Format::Table => return Ok(terminal.render(&comparison::page(answer, Form::Screen))),
        Format::Markdown => return Ok(Markdown.render(&comparison::page(answer, Form::Document))),
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
pub(super) fn deliver(answer: &Answer, format: Format, output: Option<&Path>, printer: &Printer) -> Result<(), Error> {
    match output {
        None => printer.answer(&rendered(answer, format, &terminal(printer))?),
        Some(path) => {
            let text = rendered(answer, format, &Terminal::FILE)?;
            std::fs::write(path, text).map_err(|source| Error::Write { path: path.into(), source })?;
            printer.say(&format!("written to {}", path.display()));
            Ok(())
        }
    }
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
