//! `bench recommend`: a stored run under other requirements.

use super::candidates::catalog;
use super::deliver::deliver;
use super::status::Status;
use crate::answer::Answer;
use crate::cli;
use crate::error::Error;
use crate::store::{self, Store};
use crate::ui::Printer;

pub(super) fn run(args: &cli::Recommend, printer: &Printer) -> Result<Status, Error> {
    let mut run = Store::open_to_read(store::database(&args.results.results))?.load_run(&args.run)?;
    if let Some(models) = &args.models {
        run.requirements = catalog(Some(models), printer)?.requirements;
    }
    run.requirements = run.requirements.with(&args.require.require).map_err(Error::Requirement)?;
    let answer = Answer::of(&run);
    deliver(&answer, args.format, false, args.output.as_deref(), printer)?;
    Ok(if answer.recommendation.pick().is_some() { Status::Yes } else { Status::No })
}
