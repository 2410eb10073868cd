//! The printer: the one way to the terminal.

use std::io::{self, IsTerminal, Write};

use indicatif::{MultiProgress, ProgressDrawTarget};

use crate::causes::layers;
use crate::cli::Talk;
use crate::error::Error;
use crate::printable::printable;

/// Writes answers to standard output and everything else to standard error.
pub struct Printer {
    talk: Talk,
    bars: MultiProgress,
}

impl Printer {
    /// One that says as much as was asked for.
    pub fn new(talk: Talk) -> Self {
        let bars = MultiProgress::new();
        if talk.quiet {
            bars.set_draw_target(ProgressDrawTarget::hidden());
        }
        Self { talk, bars }
    }

    /// Bars that are drawn where the talk goes, and hidden where nobody looks.
    pub fn bars(&self) -> &MultiProgress {
        &self.bars
    }

    /// The answer.
    ///
    /// # Errors
    /// If standard output cannot take it. A reader that has had enough (`| head`) is no error.
    pub fn answer(&self, text: &str) -> Result<(), Error> {
        let written = self.bars.suspend(|| {
            let mut out = io::stdout().lock();
            out.write_all(text.as_bytes()).and_then(|()| out.flush())
        });
        match written {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::Output(error)),
            _ => Ok(()),
        }
    }

    /// Part of a model's answer: on a terminal without what that would obey, else as it is.
    ///
    /// # Errors
    /// As of [`Self::answer`].
    pub fn others_text(&self, text: &str) -> Result<(), Error> {
        if io::stdout().is_terminal() { self.answer(&printable(text)) } else { self.answer(text) }
    }

    /// Whether bars are drawn nowhere although nobody asked for quiet: in the log of a program that runs this one.
    pub fn is_logged(&self) -> bool {
        !self.talk.quiet && !io::stderr().is_terminal()
    }

    /// Writes a line to standard error, from any thread.
    pub(super) fn log(&self) -> impl Fn(&str) + Send + 'static {
        let bars = self.bars.clone();
        move |text| {
            bars.suspend(|| {
                let _ = writeln!(io::stderr(), "{}", printable(text));
            });
        }
    }

    /// Something worth knowing.
    pub fn say(&self, text: &str) {
        if !self.talk.quiet {
            self.talk(text);
        }
    }

    /// A step, for those who asked to be told.
    pub fn detail(&self, text: &str) {
        if self.talk.verbose {
            self.talk(text);
        }
    }

    /// Something that makes the answer worth less; said also to those who want quiet.
    pub fn warn(&self, text: &str) {
        self.talk(&format!("warning: {text}"));
    }

    /// An error with its causes, and what to do.
    pub fn error(&self, error: &Error) {
        let mut text = format!("error: {}", layers(error).join("\ncause: "));
        if let Some(hint) = error.hint() {
            text.push_str(&format!("\nhint: {hint}"));
        }
        self.talk(&text);
    }

    fn talk(&self, text: &str) {
        // Where not even standard error can be written to there is nobody left to tell.
        self.bars.suspend(|| {
            let _ = writeln!(io::stderr(), "{}", printable(text));
        });
    }

    /// Columns of the terminal that answers go to; `None` if they go to a file or a pipe.
    pub fn width(&self) -> Option<usize> {
        if !io::stdout().is_terminal() {
            return None;
        }
        let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
        columns.or_else(|| comfy_table::Table::new().width().map(usize::from))
    }

    /// Whether answers may be coloured: on a terminal, unless `NO_COLOR` is set (<https://no-color.org>).
    pub fn color(&self) -> bool {
        io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
    }
}
