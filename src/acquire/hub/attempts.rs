//! Attempts: what is worth asking again, how long to wait before, and when to give up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::error::HubError;
use super::settings::Patience;

/// Waits, and returns early once the flag is set. Tests put in one that only notes how long.
pub type Sleep = Arc<dyn Fn(Duration, &AtomicBool) + Send + Sync>;

/// The sleep that takes its time.
pub(super) fn real_sleep() -> Sleep {
    const SLICE: Duration = Duration::from_millis(100);
    Arc::new(|mut left, cancel| {
        while !left.is_zero() && !cancel.load(Ordering::Relaxed) {
            let slice = left.min(SLICE);
            std::thread::sleep(slice);
            left -= slice;
        }
    })
}

/// A failed attempt.
#[derive(Debug)]
pub(super) enum Fault {
    /// Asking again may help; `wait` is how long the server wants to be left alone.
    Passing { error: HubError, wait: Option<Duration> },
    /// There is no way to the server: a network that was there may come back, one that never was will not.
    NoWay(HubError),
    /// Asking again gives the same.
    Lasting(HubError),
}

impl From<HubError> for Fault {
    fn from(error: HubError) -> Self {
        Fault::Lasting(error)
    }
}

/// The attempts at one request or one file.
pub(super) struct Attempts<'a> {
    doing: String,
    patience: &'a Patience,
    sleep: &'a Sleep,
    cancel: &'a AtomicBool,
    /// Whether the server has been reached before, so that having no way to it is passing.
    reached: bool,
    failed: u32,
    /// The furthest byte at the last failure that counted as a new beginning.
    furthest: u64,
}

impl<'a> Attempts<'a> {
    /// `doing` goes on after "gave up after 6 attempts to".
    pub(super) fn new(doing: String, patience: &'a Patience, sleep: &'a Sleep, cancel: &'a AtomicBool) -> Self {
        Attempts { doing, patience, sleep, cancel, reached: false, failed: 0, furthest: 0 }
    }

    pub(super) fn once_reached(self) -> Self {
        Attempts { reached: true, ..self }
    }

    /// Starts counting anew if there is a mebibyte more than ever before: a poor line may take many attempts for a
    /// large file, and bytes that are fetched twice are no progress.
    pub(super) fn reached_byte(&mut self, position: u64) {
        const WORTH_MENTIONING: u64 = 1 << 20;
        if position >= self.furthest.saturating_add(WORTH_MENTIONING) {
            self.furthest = position;
            self.failed = 0;
        }
    }

    /// Waits for the next attempt, or says why there is none.
    pub(super) fn after(&mut self, fault: Fault) -> Result<(), HubError> {
        let (error, wait) = match fault {
            Fault::Lasting(error) => return Err(error),
            Fault::NoWay(error) if !self.reached => return Err(error),
            Fault::NoWay(error) => (error, None),
            Fault::Passing { error, wait } => (error, wait),
        };
        self.failed += 1;
        if self.failed >= self.patience.attempts {
            let source = Box::new(error);
            return Err(HubError::GaveUp { doing: self.doing.clone(), attempts: self.failed, source });
        }
        let doubled = 2_u32.saturating_pow(self.failed - 1);
        let wait = wait.unwrap_or_else(|| self.patience.first_wait.saturating_mul(doubled));
        (self.sleep)(wait.min(self.patience.longest_wait), self.cancel);
        check(self.cancel)
    }
}

/// An error once the user has asked to stop.
pub(super) fn check(cancel: &AtomicBool) -> Result<(), HubError> {
    if cancel.load(Ordering::Relaxed) { Err(HubError::Cancelled) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    fn busy(wait: Option<u64>) -> Fault {
        let error = HubError::Status { host: "hub".into(), status: 503 };
        Fault::Passing { error, wait: wait.map(Duration::from_secs) }
    }

    /// Fails again and again, and returns the seconds waited and the last word.
    fn fail(faults: impl IntoIterator<Item = (Fault, u64)>) -> (Vec<u64>, Result<(), HubError>) {
        let waits = Arc::new(Mutex::new(Vec::new()));
        let noted = waits.clone();
        let sleep: Sleep = Arc::new(move |wait, _| noted.lock().unwrap().push(wait.as_secs()));
        let (patience, cancel) = (Patience::default(), AtomicBool::new(false));
        let mut attempts = Attempts::new("test".into(), &patience, &sleep, &cancel);
        let mut last = Ok(());
        for (fault, position) in faults {
            attempts.reached_byte(position);
            last = attempts.after(fault);
            if last.is_err() {
                break;
            }
        }
        let waits = waits.lock().unwrap().clone();
        (waits, last)
    }

    #[test]
    fn the_wait_doubles_until_it_gives_up() {
        let (waits, last) = fail((0..9).map(|_| (busy(None), 0)));
        assert_eq!(waits, [1, 2, 4, 8, 16]);
        assert!(matches!(last, Err(HubError::GaveUp { attempts: 6, .. })));
    }

    #[test]
    fn the_server_may_ask_for_a_longer_wait_within_limits() {
        assert_eq!(fail([(busy(Some(7)), 0), (busy(Some(86_400)), 0)]).0, [7, 60]);
    }

    #[test]
    fn new_bytes_start_the_count_anew_and_old_ones_do_not() {
        let mebibyte = 1 << 20;
        assert!(fail((1..20).map(|n| (busy(None), n * mebibyte))).1.is_ok());
        assert!(fail((1..20).map(|n| (busy(None), n % 2 * 8 * mebibyte))).1.is_err());
    }

    #[test]
    fn what_lasts_is_not_tried_again() {
        let (waits, last) = fail([(Fault::Lasting(HubError::NoCacheFolder), 0)]);
        assert!(waits.is_empty() && matches!(last, Err(HubError::NoCacheFolder)));
        let (waits, last) = fail([(Fault::NoWay(HubError::NoCacheFolder), 0)]);
        assert!(waits.is_empty() && last.is_err());
    }
}
