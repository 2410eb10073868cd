//! What the benches share: a candidate, and a progress bar that is drawn though nobody looks.

use std::io;

use bench::catalog::{Candidate, Quantization, Source};
use bench::cli::Talk;
use bench::plan::PlannedTrial;
use bench::run::RunListener;
use bench::ui::{Printer, RowWork, RunProgress};
use indicatif::{ProgressDrawTarget, TermLike};

pub fn candidate() -> Candidate {
    Candidate {
        id: "smollm2-135m".into(),
        source: Source::Synthetic { shape: "HuggingFaceTB/SmolLM2-135M".into() },
        quantization: Some(Quantization::Q8_0),
        licence: None,
        notes: None,
        prompt_format: None,
        adapter: None,
        variant: None,
    }
}

/// The bar of `bench compare`, at its one candidate's trials, on a terminal that swallows what is drawn: where standard
/// error is none, indicatif would not draw at all.
pub fn progress(steps: &[PlannedTrial], trials: usize) -> RunProgress<'static> {
    // As long as the bench.
    let printer = Box::leak(Box::new(Printer::new(Talk { quiet: false, verbose: false })));
    printer.bars().set_draw_target(ProgressDrawTarget::term_like_with_hz(Box::new(Terminal), 20));
    let mut progress = RunProgress::new(printer, vec![RowWork::of(135_000_000, steps)]);
    progress.candidate_started(&candidate(), trials);
    progress
}

#[derive(Debug)]
struct Terminal;

impl TermLike for Terminal {
    fn width(&self) -> u16 {
        100
    }
    fn move_cursor_up(&self, _: usize) -> io::Result<()> {
        Ok(())
    }
    fn move_cursor_down(&self, _: usize) -> io::Result<()> {
        Ok(())
    }
    fn move_cursor_right(&self, _: usize) -> io::Result<()> {
        Ok(())
    }
    fn move_cursor_left(&self, _: usize) -> io::Result<()> {
        Ok(())
    }
    fn write_line(&self, _: &str) -> io::Result<()> {
        Ok(())
    }
    fn write_str(&self, _: &str) -> io::Result<()> {
        Ok(())
    }
    fn clear_line(&self) -> io::Result<()> {
        Ok(())
    }
    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}
