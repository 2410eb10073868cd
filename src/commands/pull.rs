//! `bench pull`: candidates into the Hugging Face cache.

use super::candidates::catalog;
use super::checkpoint;
use super::interrupt::on_interrupt;
use super::status::Status;
use crate::acquire::AcquireError;
use crate::acquire::hub::Hub;
use crate::catalog::{Candidate, Source};
use crate::cli;
use crate::error::Error;
use crate::ui::{DownloadProgress, Printer};
use crate::units::Bytes;

pub(super) fn run(args: &cli::Pull, printer: &Printer) -> Result<Status, Error> {
    let cancel = on_interrupt();
    let hub = Hub::from_env().map_err(AcquireError::HubSettings)?;
    let candidates = if args.candidates.is_empty() {
        catalog(args.models.models.as_deref(), printer)?.candidates
    } else {
        let named = |word: &String| checkpoint::candidate(word, args.file.clone(), None, &args.models, printer);
        args.candidates.iter().map(named).collect::<Result<_, _>>()?
    };
    let mut status = Status::Yes;
    let mut done: Vec<&Source> = Vec::new();
    for Candidate { id, source, .. } in &candidates {
        let Source::Hub { repository, revision, file } = source else {
            printer.say(&format!("{id}: local, nothing to download"));
            continue;
        };
        // Several precisions of a candidate share one download.
        if done.contains(&source) {
            continue;
        }
        done.push(source);
        let mut progress = DownloadProgress::new(printer);
        match hub.pull(repository, revision, file.as_deref(), &mut progress, &cancel) {
            Ok(local) => {
                let (bytes, commit) = (Bytes(local.bytes()), &local.commit);
                printer.answer(&format!("{id}\t{bytes}\t{commit}\t{}\n", local.folder.display()))?;
            }
            Err(_) if cancel.load(std::sync::atomic::Ordering::Relaxed) => {
                printer.say("stopped; what was received is kept, and the next pull goes on from there");
                return Ok(Status::Unanswered);
            }
            Err(source) => {
                let error = AcquireError::Hub { repository: repository.clone(), source: Box::new(source) };
                if candidates.len() == 1 {
                    return Err(error.into());
                }
                printer.error(&error.into());
                status = Status::No;
            }
        }
    }
    Ok(status)
}
