//! Outputs: the formats that a check is written in, and where each goes.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::cli::{CheckFormat, CheckOutput};
use crate::commands::deliver::{reserve, terminal, write};
use crate::compare::Check;
use crate::error::Error;
use crate::report::check as report;
use crate::report::{Form, Renderer, Terminal};
use crate::ui::Printer;

/// Outputs that can be written beside each other.
pub(super) struct Outputs<'a>(&'a [CheckOutput]);

const DEFAULT: [CheckOutput; 1] = [CheckOutput { format: CheckFormat::Table, file: None }];

impl<'a> Outputs<'a> {
    /// The table alone if nothing was asked for.
    ///
    /// # Errors
    /// Two outputs in one place, or a file that cannot be written.
    pub(super) fn new(asked: &'a [CheckOutput]) -> Result<Self, Error> {
        let printed = || asked.iter().filter(|output| output.file.is_none());
        // What a program is to read as a whole cannot have anything else around it.
        let whole = printed().find(|output| !matches!(output.format, CheckFormat::Table | CheckFormat::Github));
        if whole.is_some() && printed().count() > 1 {
            let hint = "give all but one of them a file, as in --format json=check.json".to_owned();
            return Err(Error::usage("standard output can take one document only", hint));
        }
        for (index, output) in asked.iter().enumerate() {
            if output.file.is_some() && asked[..index].iter().any(|other| other.file == output.file) {
                let path = output.file.as_deref().unwrap_or(Path::new("")).display();
                return Err(Error::usage(format!("two formats cannot both be written to `{path}`"), None));
            }
            reserve(output.file.as_deref())?;
        }
        Ok(Self(if asked.is_empty() { &DEFAULT } else { asked }))
    }

    /// Writes the check in each format.
    ///
    /// # Errors
    /// A place that cannot be written to.
    pub(super) fn deliver(&self, check: &Check, printer: &Printer) -> Result<(), Error> {
        for output in self.0 {
            let terminal = if output.file.is_some() { Terminal::FILE } else { terminal(printer) };
            let text = match output.format {
                CheckFormat::Table => terminal.render(&report::page(check, Form::Screen)),
                CheckFormat::Json => report::json::render(check)?,
                CheckFormat::Junit => report::junit::render(check),
                CheckFormat::Markdown => report::markdown::render(check),
                CheckFormat::Github => {
                    summarize(check)?;
                    report::github::render(check)
                }
            };
            match &output.file {
                None => printer.answer(&text)?,
                Some(path) => write(path, &text)?,
            }
        }
        Ok(())
    }
}

/// Adds the check to the summary of the GitHub workflow that this is a step of, if it is one.
fn summarize(check: &Check) -> Result<(), Error> {
    let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()).map(PathBuf::from) else {
        return Ok(());
    };
    let file = std::fs::OpenOptions::new().create(true).append(true).open(&path);
    let written = file.and_then(|mut file| file.write_all(report::markdown::render(check).as_bytes()));
    written.map_err(|source| Error::Write { path, source })
}
