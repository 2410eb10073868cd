//! `bench recommend`: a stored run under other requirements.

use super::candidates::catalog;
use super::deliver::deliver;
use super::status::Status;
use crate::cli::{self, Format};
use crate::error::Error;
use crate::recommend::recommend;
use crate::store::{self, Store};
use crate::summarize::summarize;
use crate::ui::Printer;

pub(super) fn run(args: &cli::Recommend, printer: &Printer) -> Result<Status, Error> {
    let mut run = Store::open_existing(store::database(&args.results.results))?.load_run(&args.run)?;
    if let Some(models) = &args.models {
        run.requirements = catalog(Some(models), printer)?.requirements;
    }
    run.requirements = run.requirements.with(&args.require.require).map_err(Error::Requirement)?;
    deliver(&run, Format::Table, None, printer)?;
    let qualified = recommend(&run, &summarize(&run)).pick().is_some();
    Ok(if qualified { Status::Yes } else { Status::No })
}
