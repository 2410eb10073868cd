//! How long the parts of a load took.

use std::sync::atomic::{AtomicU64, Ordering};

use super::loading::{LoadObserver, LoadPart};
use crate::clock::Clock;
use crate::record::LoadParts;

/// Adds up what an engine tells of its parts.
pub(super) struct LoadTimes<C> {
    clock: C,
    /// Of each part, the instants at which it ended less those at which it began, modulo 2⁶⁴: its time, once all have ended.
    nanoseconds: [AtomicU64; 3],
}

impl<C: Clock> LoadTimes<C> {
    pub(super) fn new(clock: C) -> Self {
        Self { clock, nanoseconds: Default::default() }
    }

    /// The times, once the engine is loaded.
    pub(super) fn parts(&self) -> LoadParts {
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
    use crate::clock::ManualClock;
    use crate::engine::loading::told;

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
