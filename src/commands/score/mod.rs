//! `bench score`: how likely a checkpoint finds texts.

mod choices;
mod loader;
mod text;

use super::interrupt::on_interrupt;
use super::status::Status;
use super::{checkpoint, threads};
use crate::cli;
use crate::engine::candle;
use crate::error::Error;
use crate::ui::Printer;

use loader::Loader;

pub(super) fn run(args: &cli::Score, printer: &Printer) -> Result<Status, Error> {
    let questions = choices::questions(args)?;
    let source = text::Source::of(args)?;
    threads::use_threads(threads::count(args.device.threads, printer));
    let device = candle::device(&threads::device_name(&args.device))?;
    let loader = Loader { device, printer, reads_text: args.ids.is_none(), cancel: on_interrupt() };
    let candidate = checkpoint::candidate(&args.checkpoint, None, args.quantization, &args.models, printer)?;
    let candidate = checkpoint::with_adapter(candidate, args.adapter.as_deref());
    match &questions {
        Some(questions) => choices::score(args, questions, &candidate, &loader),
        None => text::score(args, &source, &candidate, &loader),
    }
}
