//! What loads the checkpoints that are asked for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use candle_core::Device;

use crate::acquire::acquire;
use crate::catalog::Candidate;
use crate::engine::EngineError;
use crate::engine::candle::CandleEngine;
use crate::error::Error;
use crate::text::TextModel;
use crate::ui::{DownloadProgress, Printer, split_by_default};

/// What every checkpoint is loaded with.
pub(super) struct Loader<'p> {
    pub device: Device,
    pub printer: &'p Printer,
    /// Texts are scored, and not token ids alone: there must be a tokenizer that can be used.
    pub reads_text: bool,
    /// Set when the user presses Ctrl-C.
    pub cancel: Arc<AtomicBool>,
}

impl Loader<'_> {
    /// Loads a candidate, downloaded if need be.
    pub(super) fn load(&self, candidate: &Candidate) -> Result<CandleEngine, Error> {
        let mut found = acquire(candidate, &mut DownloadProgress::new(self.printer), &self.cancel)?;
        if self.reads_text {
            let text = std::mem::replace(&mut found.text, Ok(None))?;
            if text.as_ref().is_some_and(TextModel::splits_by_default) {
                self.printer.warn(&split_by_default(&candidate.row()));
            }
            found.text = Ok(text);
        }
        found.warnings.iter().for_each(|doubt| self.printer.warn(&format!("{}: {doubt}", candidate.row())));
        Ok(CandleEngine::load(found, candidate.quantization, &self.device, &mut |_| {})?)
    }

    /// # Errors
    /// That the user pressed Ctrl-C.
    pub(super) fn go_on(&self) -> Result<(), Error> {
        if self.cancel.load(Ordering::Relaxed) { Err(EngineError::Cancelled.into()) } else { Ok(()) }
    }
}
