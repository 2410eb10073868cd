//! A heartbeat: where no bar is drawn, as in the log of a CI system, a line now and then says what runs, how far it is, and how
//! much time is left.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use indicatif::ProgressBar;

use super::Printer;
use crate::units::{Seconds, Share};

/// Between two lines: CI systems end a job that is silent for minutes.
const INTERVAL: Duration = Duration::from_secs(30);

/// Writes a bar's state to the log until it is dropped.
pub(super) struct Heartbeat {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Heartbeat {
    /// Of a bar; silent where it is drawn, and for those who want quiet.
    pub(super) fn of(bar: &ProgressBar, printer: &Printer) -> Self {
        if !printer.is_logged() {
            return Self { stop: None, thread: None };
        }
        let (stop, stopped) = channel::<()>();
        let (bar, log) = (bar.clone(), printer.log());
        let thread = std::thread::spawn(move || {
            while stopped.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                let share = bar.position() as f64 / bar.length().unwrap_or(1).max(1) as f64;
                log(&line(&bar.message(), share, bar.elapsed()));
            }
        });
        Self { stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has nothing left to say.
            let _ = thread.join();
        }
    }
}

/// `[1/3] qwen2.5-7b: trial 4 of 20: 12 %, 40.0 s elapsed, about 4 min 53 s left`
fn line(message: &str, share: f64, elapsed: Duration) -> String {
    let elapsed = elapsed.as_secs_f64();
    let left = if share > 0.0 { format!(", about {} left", Seconds(elapsed / share - elapsed)) } else { String::new() };
    format!("{message}: {}, {} elapsed{left}", Share(share), Seconds(elapsed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_runs_how_far_it_is_and_what_is_left() {
        let after = Duration::from_secs;
        assert_eq!(
            line("[1/3] a: trial 4 of 20", 0.25, after(40)),
            "[1/3] a: trial 4 of 20: 25 %, 40.0 s elapsed, about 2 min 00 s left"
        );
        assert_eq!(
            line("[1/3] a: loading the weights", 0.0, after(30)),
            "[1/3] a: loading the weights: 0 %, 30.0 s elapsed"
        );
    }
}
