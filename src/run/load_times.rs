//! How long the parts of a load took.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use super::clock::Clock;
use crate::engine::{LoadObserver, LoadPart};

/// Time that threads spent in the parts of a load, in seconds, added up over all of them: on a CPU, where several load side
/// by side, it may be more than the load took. What is in none of them (copies within memory, waiting for the last thread) is
/// not told.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct LoadParts {
    /// Copying weights out of their file, from storage or the page cache.
    pub read_seconds: f64,
    /// Putting them into the type in which they are held.
    pub quantize_seconds: f64,
    /// Moving them to the GPU.
    pub transfer_seconds: f64,
}

/// Adds up what an engine tells of its parts.
pub struct LoadTimes<C> {
    clock: C,
    /// Of each part, the instants at which it ended less those at which it began, modulo 2⁶⁴: its time, once all have ended.
    nanoseconds: [AtomicU64; 3],
}

impl<C: Clock> LoadTimes<C> {
    pub fn new(clock: C) -> Self {
        Self { clock, nanoseconds: Default::default() }
    }

    /// The times, once the engine is loaded.
    pub fn parts(&self) -> LoadParts {
        let seconds = |part: LoadPart| self.nanoseconds[part as usize].load(Ordering::Relaxed) as f64 / 1e9;
        LoadParts {
            read_seconds: seconds(LoadPart::Read),
            quantize_seconds: seconds(LoadPart::Quantize),
            transfer_seconds: seconds(LoadPart::Transfer),
        }
    }

    fn now(&self) -> u64 {
        self.clock.now().as_nanos() as u64
    }
}

impl<C: Clock + Sync> LoadObserver for LoadTimes<C> {
    fn begins(&self, part: LoadPart) {
        self.nanoseconds[part as usize].fetch_sub(self.now(), Ordering::Relaxed);
    }

    fn ends(&self, part: LoadPart) {
        self.nanoseconds[part as usize].fetch_add(self.now(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::engine::told;
    use crate::run::clock::ManualClock;

    #[test]
    fn threads_that_are_in_a_part_at_once_are_added_up() {
        let clock = ManualClock::default();
        let times = LoadTimes::new(clock.clone());
        let seconds = |count| clock.advance(Duration::from_secs(count));
        seconds(100);
        times.begins(LoadPart::Read);
        seconds(1);
        times.begins(LoadPart::Read);
        seconds(2);
        times.ends(LoadPart::Read);
        seconds(4);
        times.ends(LoadPart::Read);
        let value = told(&times, LoadPart::Transfer, || {
            seconds(8);
            7
        });
        let expected = LoadParts { read_seconds: 9.0, transfer_seconds: 8.0, ..LoadParts::default() };
        assert_eq!((times.parts(), value), (expected, 7));
    }
}
