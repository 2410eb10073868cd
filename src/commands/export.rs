//! `bench export`: a stored run as a file.

use super::deliver::deliver;
use super::metrics;
use super::status::Status;
use crate::answer::Answer;
use crate::cli;
use crate::error::Error;
use crate::store::{self, Store};
use crate::ui::Printer;

pub(super) fn run(args: &cli::Export, printer: &Printer) -> Result<Status, Error> {
    let more = metrics::of_trials(&args.columns.columns)?;
    let run = Store::open_to_read(store::database(&args.results.results))?.load_run(&args.run)?;
    deliver(&Answer::of(&run), args.format, &more, args.bom, args.output.as_deref(), printer)?;
    Ok(Status::Yes)
}
