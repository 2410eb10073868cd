//! `bench history`: the stored runs.

use super::deliver::terminal;
use super::metrics;
use super::status::Status;
use crate::cli;
use crate::error::Error;
use crate::report::{Renderer, history};
use crate::store::{self, Store, StoreError};
use crate::summarize::summarize;
use crate::ui::Printer;

pub(super) fn run(args: &cli::History, printer: &Printer) -> Result<Status, Error> {
    let store = Store::open_to_read(store::database(&args.results.results))?;
    let mut heads = store.list_runs()?;
    if heads.is_empty() {
        return Err(StoreError::NoRuns { path: store.path().into() }.into());
    }
    heads.drain(..heads.len().saturating_sub(usize::from(args.last)));
    let Some(key) = &args.metric else {
        printer.answer(&terminal(printer).render(&history::runs(&heads)))?;
        return Ok(Status::Yes);
    };
    let metric = metrics::named(key)?;
    let mut runs = Vec::new();
    for head in &heads {
        let run = store.load_run(&head.id)?;
        let summaries = summarize(&run);
        runs.push((run, summaries));
    }
    printer.answer(&terminal(printer).render(&history::course(&metric, args.suite.as_deref(), &runs)))?;
    Ok(Status::Yes)
}
