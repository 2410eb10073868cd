//! `bench recommend`: a stored run under other requirements.

use super::candidates::{catalog, stated};
use super::deliver::deliver;
use super::metrics;
use super::status::{Status, qualifies};
use crate::answer::Answer;
use crate::cli;
use crate::error::Error;
use crate::store::{self, Store};
use crate::ui::Printer;

pub(super) fn run(args: &cli::Recommend, printer: &Printer) -> Result<Status, Error> {
    let more = metrics::of_trials(&args.columns.columns)?;
    let mut run = Store::open_to_read(store::database(&args.results.results))?.load_run(&args.run)?;
    if let Some(models) = &args.models {
        let catalog = catalog(Some(models), printer)?;
        run.requirements = catalog.requirements;
        run.stated = Some(stated(catalog.file.as_deref(), &[]));
    }
    run.requirements = run.requirements.with(&args.require.require).map_err(Error::Requirement)?;
    let by_hand = stated(None, &args.require.require).by_hand;
    run.stated.get_or_insert_default().by_hand.extend(by_hand);
    let answer = Answer::of(&run);
    deliver(&answer, args.format, &more, false, args.output.as_deref(), printer)?;
    Ok(if qualifies(&answer.recommendation) { Status::Yes } else { Status::No })
}
