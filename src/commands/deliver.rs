//! Handing an answer over: to standard output, or to a file.

use std::path::Path;

use crate::cli::Format;
use crate::error::Error;
use crate::recommend::{explain, recommend};
use crate::record::Run;
use crate::report::{csv, json, markdown, table};
use crate::summarize::summarize;
use crate::ui::Printer;

/// A run as text in a format; tables are laid out for `layout`.
fn rendered(run: &Run, format: Format, layout: &table::Layout) -> Result<String, Error> {
    let mut bytes = Vec::new();
    match format {
        Format::Json => json::write(run, &summarize(run), &mut bytes)?,
        Format::Csv => csv::write(run, &summarize(run), &mut bytes)?,
        Format::Markdown => {
            let summaries = summarize(run);
            markdown::write(run, &summaries, &explain(&recommend(run, &summaries)), &mut bytes)?;
        }
        Format::Table => {
            let summaries = summarize(run);
            let recommendation = recommend(run, &summaries);
            return Ok(table::render(run, &summaries, &recommendation, layout));
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// What the terminal can show that answers go to.
pub(super) fn layout(printer: &Printer) -> table::Layout {
    table::Layout { width: printer.width(), color: printer.color() }
}

/// Writes a run to a file, or to standard output.
pub(super) fn deliver(run: &Run, format: Format, output: Option<&Path>, printer: &Printer) -> Result<(), Error> {
    match output {
        None => printer.answer(&rendered(run, format, &layout(printer))?),
        Some(path) => {
            // What fits the terminal, and its colours, mean nothing in a file.
            let text = rendered(run, format, &table::Layout { width: None, color: false })?;
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
