//! The subcommands, a file each: what one does, in order.

mod audit;
mod baseline;
mod baselines;
mod card;
mod check;
mod checkpoint;
mod compare;
mod doctor;
mod export;
mod gpu;
mod history;
mod plan;
mod pull;
mod recommend;
mod run;
mod score;
mod threads;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::CommandFactory;

use crate::catalog::Catalog;
use crate::cli::{Cli, Command, Format};
use crate::error::Error;
use crate::recommend::explain;
use crate::record::Run;
use crate::report::{csv, json, markdown, table};
use crate::summarize::summarize;
use crate::ui::Printer;

/// Exit status of a question that could not be answered.
pub const NO_ANSWER: u8 = 2;

/// The answer to the command's question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Yes,
    /// Nothing qualifies, or some candidate failed.
    No,
    /// What there is to be compared does not compare, or the user stopped it before there was an answer.
    Unanswered,
    /// The evidence does not decide.
    Inconclusive,
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        ExitCode::from(match status {
            Status::Yes => 0,
            Status::No => 1,
            Status::Unanswered => NO_ANSWER,
            Status::Inconclusive => 3,
        })
    }
}

/// Carries out a command.
///
/// # Errors
/// Whatever keeps it from answering.
pub fn run(command: Command, printer: &Printer) -> Result<Status, Error> {
    match command {
        Command::Compare(args) => compare::run(&args, printer),
        Command::Run(args) => run::run(&args, printer),
        Command::Score(args) => score::run(&args, printer),
        Command::Plan(args) => plan::run(&args, printer),
        Command::Audit(args) => audit::run(&args, printer),
        Command::Pull(args) => pull::run(&args, printer),
        Command::Recommend(args) => recommend::run(&args, printer),
        Command::Export(args) => export::run(&args, printer),
        Command::Check(args) => check::run(&args, printer),
        Command::Baseline(args) => baseline::run(&args, printer),
        Command::History(args) => history::run(&args, printer),
        Command::Doctor(args) => doctor::run(&args, printer),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "bench", &mut script);
            printer.answer(&String::from_utf8_lossy(&script))?;
            Ok(Status::Yes)
        }
    }
}

/// The catalog of a file, of `./models.toml`, or the shipped one.
fn catalog(file: Option<&Path>, printer: &Printer) -> Result<Catalog, Error> {
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

/// A run as text in a format; tables are laid out for `layout`.
fn rendered(run: &Run, format: Format, layout: &table::Layout) -> Result<String, Error> {
    let mut bytes = Vec::new();
    match format {
        Format::Json => json::write(run, &summarize(run), &mut bytes)?,
        Format::Csv => csv::write(run, &summarize(run), &mut bytes)?,
        Format::Markdown => {
            let summaries = summarize(run);
            markdown::write(run, &summaries, &explain(&crate::recommend::recommend(run, &summaries)), &mut bytes)?;
        }
        Format::Table => {
            let summaries = summarize(run);
            let recommendation = crate::recommend::recommend(run, &summaries);
            return Ok(table::render(run, &summaries, &recommendation, layout));
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// What the terminal can show that answers go to.
fn layout(printer: &Printer) -> table::Layout {
    table::Layout { width: printer.width(), color: printer.color() }
}

/// Writes a run to a file, or to standard output.
fn deliver(run: &Run, format: Format, output: Option<&Path>, printer: &Printer) -> Result<(), Error> {
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
fn reserve(output: Option<&Path>) -> Result<(), Error> {
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

/// Set when the user presses Ctrl-C (or the system asks the program to end); a second time ends it at once.
fn on_interrupt() -> Arc<AtomicBool> {
    let cancel = Arc::new(AtomicBool::new(false));
    let flag = cancel.clone();
    let handler = move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(i32::from(NO_ANSWER));
        }
    };
    // Fails only if a handler is there already; then that one decides.
    let _ = ctrlc::set_handler(handler);
    cancel
}
