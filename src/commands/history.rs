//! `bench history`: the stored runs.

use super::deliver::terminal;
use super::status::Status;
use crate::cli;
use crate::compare::Subject;
use crate::error::Error;
use crate::metric::{METRICS, RATES};
use crate::report::{Renderer, history};
use crate::store::{self, Store, StoreError};
use crate::summarize::summarize;
use crate::toml_error::nearest;
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
    // By the names that a check knows too; what a candidate has once is in no trial, and has no course.
    let Some(Subject::Metric(metric) | Subject::Rate(metric)) = Subject::named(key) else {
        let keys: Vec<&str> = METRICS.iter().chain(RATES).map(|metric| metric.key).collect();
        let hint = match nearest(key, keys.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the metrics are {}", keys.join(", ")),
        };
        return Err(Error::usage(format!("there is no metric `{key}`"), hint));
    };
    let mut runs = Vec::new();
    for head in &heads {
        let run = store.load_run(&head.id)?;
        let summaries = summarize(&run);
        runs.push((run, summaries));
    }
    printer.answer(&terminal(printer).render(&history::course(&metric, args.suite.as_deref(), &runs)))?;
    Ok(Status::Yes)
}
