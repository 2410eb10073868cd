//! The clock: the one file that reads time.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Monotonic time. Wall clocks jump when NTP sets them, so no duration is ever taken from one.
pub trait Clock {
    /// Time since some fixed instant in the past.
    fn now(&self) -> Duration;
}

/// The machine's monotonic clock.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    origin: Instant,
}

impl SystemClock {
    pub fn new() -> Self {
        Self { origin: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Duration {
        self.origin.elapsed()
    }
}

/// A clock that moves only when told to. Clones share the time.
#[derive(Debug, Clone, Default)]
pub struct ManualClock {
    now: Rc<Cell<Duration>>,
}

impl ManualClock {
    pub fn advance(&self, by: Duration) {
        self.now.set(self.now.get() + by);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Duration {
        self.now.get()
    }
}

/// Wall-clock time, for showing to people and for naming runs.
pub fn wall_time() -> jiff::Timestamp {
    jiff::Timestamp::now()
}
