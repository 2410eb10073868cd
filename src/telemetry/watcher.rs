//! The watcher: a thread that looks at the machine while a trial runs.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::{Reading, host};
use crate::run::clock::Clock;

/// Time between two looks. A look reads three small files of /proc, some 30 µs: far below a thousandth of the time.
const INTERVAL: Duration = Duration::from_millis(100);

/// Looks at the machine until it is stopped.
pub struct Watcher {
    stop: Sender<()>,
    thread: JoinHandle<Vec<Reading>>,
}

impl Watcher {
    /// Starts looking; readings are stamped with the time of `clock` since now.
    pub fn start<C: Clock + Send + 'static>(clock: C) -> Self {
        let (stop, stopped) = channel();
        // Read here: the thread may begin late.
        let start = clock.now();
        let thread = std::thread::spawn(move || watch(&clock, start, &stopped));
        Self { stop, thread }
    }

    /// Stops looking; gives all readings, the last of them taken now.
    pub fn stop(self) -> Vec<Reading> {
        drop(self.stop);
        self.thread.join().unwrap_or_default()
    }
}

fn watch(clock: &impl Clock, start: Duration, stopped: &Receiver<()>) -> Vec<Reading> {
    let look = || {
        let at_ns = (clock.now() - start).as_nanos() as u64;
        let cpu_seconds = host::cpu_seconds();
        let others_cpu_seconds = host::busy_seconds().zip(cpu_seconds).map(|(all, own)| all - own);
        Reading { at_ns, resident_bytes: host::resident_bytes(), cpu_seconds, others_cpu_seconds }
    };
    let mut readings = vec![look()];
    while stopped.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
        readings.push(look());
    }
    readings.push(look());
    readings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::clock::SystemClock;

    #[test]
    fn there_is_a_reading_at_the_start_and_at_the_end_in_order() {
        let readings = Watcher::start(SystemClock::new()).stop();
        assert!(readings.len() >= 2);
        assert!(readings.is_sorted_by_key(|reading| reading.at_ns));
    }
}
