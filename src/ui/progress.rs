//! Progress bars with the time left.

use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::Printer;
use super::heartbeat::Heartbeat;
use crate::acquire::hub::FetchProgress;
use crate::catalog::Candidate;
use crate::causes::chain;
use crate::engine::PrepareListener;
use crate::plan::PlannedTrial;
use crate::printable::printable;
use crate::record::{LoadFacts, Row, RowOutcome, Trial};
use crate::run::{Remark, RunListener};
use crate::suite::Body;
use crate::units::{Bytes, Known, counted};

/// Redraws this often also while nothing happens, so that the time left counts down.
const TICK: Duration = Duration::from_millis(200);

fn bar(bars: &MultiProgress, length: u64, template: &str) -> ProgressBar {
    let bar = bars.add(ProgressBar::new(length));
    // The template is a constant of this file; were it wrong, the default look is a look too.
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.set_style(style.progress_chars("━╸─"));
    bar.enable_steady_tick(TICK);
    bar
}

/// What a row of a run is expected to cost, in the arithmetic of one decoded token of a model of 10^9 parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowWork {
    load: u64,
    /// A trial on average, and so many of them at the least.
    trial: u64,
    trials: u64,
}

/// Making, or reading and quantizing weights costs about as much as decoding so many tokens.
const LOAD_TOKENS: u64 = 40;

/// Prompt tokens go through so many at a time for the price of one decoded token.
const PREFILL_SPEEDUP: u64 = 8;

impl RowWork {
    /// Of a model of so many parameters that runs these trials.
    pub fn of(parameters: u64, planned: &[PlannedTrial]) -> Self {
        let scale = |tokens: u64| tokens.saturating_mul(parameters / 1_000_000).max(1);
        let trials = planned.len() as u64;
        let tokens: u64 = planned.iter().map(tokens_of).sum();
        Self { load: scale(LOAD_TOKENS), trial: scale(tokens / trials.max(1)), trials }
    }

    fn total(self) -> u64 {
        self.load.saturating_add(self.trial.saturating_mul(self.trials))
    }
}

fn tokens_of(planned: &PlannedTrial) -> u64 {
    let prompt = match &planned.prompt.body {
        Body::Text { text, .. } => text.chars().count() as u64 / 2,
        Body::Tokens { count } => u64::from(*count),
    };
    prompt / PREFILL_SPEEDUP + u64::from(planned.max_new_tokens)
}

/// One bar over a whole run: which candidate, what is being done, how much time is left for everything; and what a person
/// should know of a candidate at once.
pub struct RunProgress<'a> {
    printer: &'a Printer,
    downloads: DownloadProgress<'a>,
    bar: ProgressBar,
    _heartbeat: Heartbeat,
    rows: Vec<RowProgress>,
    /// Which row it is, counted from 0.
    row: usize,
}

/// How far a row is.
struct RowProgress {
    work: RowWork,
    /// Of its work, what is done.
    done: u64,
    /// Trials of the row that are through, and those that are known to be run: more may follow.
    trial: usize,
    trials: usize,
    name: String,
}

impl<'a> RunProgress<'a> {
    /// Over rows of so much work each.
    pub fn new(printer: &'a Printer, rows: Vec<RowWork>) -> Self {
        let bars = printer.bars();
        let total = rows.iter().map(|work| work.total()).sum();
        let row = |work| RowProgress { work, done: 0, trial: 0, trials: 0, name: String::new() };
        let bar =
            bar(bars, total, "{msg}\n{bar:40} {percent:>3} %  {elapsed_precise} elapsed, about {eta_precise} left");
        let downloads = DownloadProgress::new(printer);
        let _heartbeat = Heartbeat::of(&bar, printer);
        Self { printer, downloads, bar, _heartbeat, rows: rows.into_iter().map(row).collect(), row: 0 }
    }

    /// Changes the row whose turn it is, and shows how far the run is.
    fn update(&mut self, change: impl FnOnce(&mut RowProgress)) {
        if let Some(row) = self.rows.get_mut(self.row) {
            let before = row.work.total();
            change(row);
            let more = row.work.total().saturating_sub(before);
            if more > 0 {
                self.bar.inc_length(more);
            }
        }
        self.bar.set_position(self.rows.iter().map(|row| row.done).sum());
    }

    fn show(&self, what: impl FnOnce(&RowProgress) -> String) {
        let Some(row) = self.rows.get(self.row) else { return };
        let (name, what) = (printable(&row.name), what(row));
        self.bar.set_message(format!("[{}/{}] {name}: {what}", self.row + 1, self.rows.len()));
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl RowProgress {
    /// Work that is done when a trial starts, with the trials of an earlier try.
    fn before(&self) -> u64 {
        let left = self.trials.saturating_sub(self.trial) as u64;
        let done = self.work.trials.saturating_sub(left);
        self.work.load.saturating_add(self.work.trial.saturating_mul(done))
    }
}

/// One bar over runs of about the same length: which one it is, and how much time is left for all.
pub struct PassProgress {
    bar: ProgressBar,
    _heartbeat: Heartbeat,
}

impl PassProgress {
    /// Over so many runs.
    pub fn new(printer: &Printer, passes: u64) -> Self {
        let template = "{msg}\n{bar:40} {percent:>3} %  {elapsed_precise} elapsed, about {eta_precise} left";
        let bar = bar(printer.bars(), passes, template);
        let _heartbeat = Heartbeat::of(&bar, printer);
        Self { bar, _heartbeat }
    }

    /// The next run starts; `what` says which.
    pub fn starts(&self, what: &str) {
        self.bar.set_message(what.to_owned());
    }

    /// It has ended; after the last one the bar goes away.
    pub fn ended(&self) {
        self.bar.inc(1);
        if Some(self.bar.position()) == self.bar.length() {
            self.bar.finish_and_clear();
        }
    }
}

impl FetchProgress for RunProgress<'_> {
    fn begin(&mut self, total_bytes: u64, files: usize) {
        self.downloads.begin(total_bytes, files);
    }

    fn file(&mut self, name: &str, size: u64) {
        self.downloads.file(name, size);
    }

    fn advance(&mut self, bytes: u64) {
        self.downloads.advance(bytes);
    }

    fn end(&mut self) {
        self.downloads.end();
    }

    fn restart(&mut self, bytes: u64) {
        self.downloads.restart(bytes);
    }

    fn waiting(&mut self, name: &str) {
        self.downloads.waiting(name);
    }
}

impl PrepareListener for RunProgress<'_> {
    fn loading(&mut self, done: u64, total: u64) {
        self.show(|_| "loading the weights".to_owned());
        // A row that is loaded anew has done more already.
        self.update(|row| row.done = row.done.max((row.work.load as f64 * done as f64 / total.max(1) as f64) as u64));
    }
}

impl RunListener for RunProgress<'_> {
    fn at_row(&mut self, row: usize) {
        self.row = row;
    }

    fn candidate_started(&mut self, candidate: &Candidate, trials: usize) {
        self.update(|row| (row.name, row.trial, row.trials) = (candidate.row(), 0, trials));
        self.show(|_| "getting the checkpoint".to_owned());
    }

    fn remark(&mut self, row: &str, remark: &Remark) {
        match remark {
            Remark::TextsLeftOut => self.printer.warn(&format!("{row} has no tokenizer: the texts are left out")),
            Remark::Doubt(doubt) => self.printer.warn(&format!("{row}: {doubt}")),
            Remark::Slower(why) => self.printer.warn(&slower(row, why)),
            Remark::JoinedPlainly(why) => self.printer.warn(&joined_plainly(row, why)),
            Remark::FilesChanged(files) => {
                self.printer.warn(&format!("{row}: its files changed while it ran: {}", files.join(", ")));
            }
            Remark::SplitByDefault => self.printer.warn(&split_by_default(row)),
            Remark::NotRun(error) => match error.outcome() {
                RowOutcome::Skipped { reason } => self.printer.detail(&format!("{row}: skipped, {reason}")),
                _ => {
                    let hint = error.hint().map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
                    self.printer.warn(&format!("{row}: {}{hint}", chain(*error)));
                }
            },
        }
    }

    fn loaded(&mut self, row: &str, facts: &LoadFacts) {
        let (bytes, precision) = (Known(facts.weights_bytes.map(Bytes)), Known(facts.precision.as_ref()));
        self.printer.detail(&format!("{row}: loaded {bytes} as {precision}"));
        self.update(|row| row.done = row.before());
    }

    fn trial_started(&mut self) {
        self.update(|row| {
            // One trial more than was planned for: the bar's end moves on by what one takes, and so does the time left.
            if row.trial == row.trials {
                row.trials += 1;
                row.work.trials += 1;
            }
        });
        self.show(|row| format!("trial {} of {}", row.trial + 1, row.trials));
    }

    fn token(&mut self, done: usize, most: usize) {
        self.update(|row| row.done = row.before() + row.work.trial * done as u64 / most.max(1) as u64);
    }

    fn trial_ended(&mut self, _: &Trial) {
        self.update(|row| {
            row.trial += 1;
            row.done = row.before();
        });
    }

    fn candidate_ended(&mut self, _: &Row) {
        self.update(|row| row.done = row.work.total());
    }
}

/// That a model is slower than it could be.
pub fn slower(row: &str, why: &str) -> String {
    format!("{row} is slower than it could be: {why}")
}

/// That a candidate's prompts are put together without a chat template.
pub fn joined_plainly(row: &str, why: &str) -> String {
    format!("{row}: the texts of a prompt are joined plainly, {why}")
}

/// That a candidate's file does not say how texts are split.
pub fn split_by_default(row: &str) -> String {
    format!(
        "{row}: its file names no pre-tokenizer (tokenizer.ggml.pre): texts are split by llama.cpp's default, and likely \
         otherwise than in training"
    )
}

/// A bar over a download: bytes, speed and time left, the file at hand beside it.
pub struct DownloadProgress<'a> {
    printer: &'a Printer,
    bar: Option<(ProgressBar, Heartbeat)>,
}

impl<'a> DownloadProgress<'a> {
    /// Without a bar, until something is downloaded.
    pub fn new(printer: &'a Printer) -> Self {
        Self { printer, bar: None }
    }

    fn with(&self, act: impl FnOnce(&ProgressBar)) {
        if let Some((bar, _)) = &self.bar {
            act(bar);
        }
    }
}

impl FetchProgress for DownloadProgress<'_> {
    fn begin(&mut self, total_bytes: u64, files: usize) {
        let template =
            "{msg}\n{bar:40} {binary_bytes} of {binary_total_bytes}, {binary_bytes_per_sec}, {eta_precise} left";
        let bar = bar(self.printer.bars(), total_bytes, template);
        bar.set_message(format!("downloading {}", counted(files, "file")));
        let heartbeat = Heartbeat::of(&bar, self.printer);
        self.bar = Some((bar, heartbeat));
    }

    fn file(&mut self, name: &str, _: u64) {
        self.with(|bar| bar.set_message(format!("downloading {name}")));
    }

    fn advance(&mut self, bytes: u64) {
        self.with(|bar| bar.inc(bytes));
    }

    fn end(&mut self) {
        self.with(ProgressBar::finish_and_clear);
        self.bar = None;
    }

    fn restart(&mut self, bytes: u64) {
        self.with(|bar| bar.inc_length(bytes));
    }

    fn waiting(&mut self, name: &str) {
        self.with(|bar| bar.set_message(format!("waiting for another process that downloads {name}")));
    }
}

/// A load by itself shows no bar of its own.
impl PrepareListener for DownloadProgress<'_> {}
