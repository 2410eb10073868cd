//! The watcher: a thread that looks at the machine while a trial runs.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::{GpuProbe, Host, look};
use crate::clock::{Clock, SystemClock};
use crate::record::Reading;

/// Time between two looks. What one takes is measured by `benches/watcher.rs`: to be below 0.5 % of a processor together.
const INTERVAL: Duration = Duration::from_millis(100);

/// The same where there is a GPU to look at: 25 looks a second, however many milliseconds of them its driver takes.
const GPU_INTERVAL: Duration = Duration::from_millis(40);

/// A look that comes this much later than it was due is worth keeping that it did: a thread that sleeps is woken sooner, however busy
/// the machine.
const LATE: Duration = Duration::from_millis(100);

/// Looks at the machine until it is stopped.
pub struct Watcher {
    stop: Sender<()>,
    thread: JoinHandle<Vec<Reading>>,
}

impl Watcher {
    /// Takes the first look, and starts looking; the other readings are stamped with the time of `clock` since it returns.
    pub fn start<C: Clock + Send + 'static>(clock: C, host: Host, gpu: Option<Arc<dyn GpuProbe>>) -> Self {
        let (stop, stopped) = channel();
        // Here and not in the thread, which may begin late: they are of the time before, and cost nothing that is timed.
        let before = host.processes();
        let first = look::at_an_end(0, &host, gpu.as_deref());
        let start = clock.now();
        let thread = std::thread::spawn(move || {
            let mut readings = watch(&clock, start, first, &host, gpu.as_deref(), &stopped);
            if let Some(last) = readings.last_mut() {
                last.busiest = host.processes().busiest_since(&before);
            }
            readings
        });
        Self { stop, thread }
    }

    /// Stops looking; gives all readings, the last of them taken now.
    pub fn stop(self) -> Vec<Reading> {
        drop(self.stop);
        self.thread.join().unwrap_or_default()
    }
}

fn watch(
    clock: &impl Clock,
    start: Duration,
    first: Reading,
    host: &Host,
    gpu: Option<&dyn GpuProbe>,
    stopped: &Receiver<()>,
) -> Vec<Reading> {
    let at_ns = || (clock.now() - start).as_nanos() as u64;
    let interval = if gpu.is_some() { GPU_INTERVAL } else { INTERVAL };
    let mut due = start + interval;
    let mut readings = vec![first];
    // Not the run's clock, which a test moves: whether this thread woke in time is real.
    let real = SystemClock::new();
    loop {
        let wait = due.saturating_sub(clock.now());
        let wakes = real.now() + wait;
        let is_over = stopped.recv_timeout(wait) != Err(RecvTimeoutError::Timeout);
        let late = Some(real.now().saturating_sub(wakes)).filter(|late| *late > LATE);
        let late_ns = late.map(|late| late.as_nanos() as u64);
        if is_over {
            readings.push(Reading { late_ns, ..look::at_an_end(at_ns(), host, gpu) });
            return readings;
        }
        readings.push(Reading { late_ns, ..look::within(at_ns(), host, gpu) });
        // A look that took too long is not made up for.
        due = (due + interval).max(clock.now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::GpuReading;
    use crate::telemetry::gpu::ScriptedProbe;

    #[test]
    fn there_is_a_reading_at_the_start_and_at_the_end_in_order() {
        let readings = Watcher::start(SystemClock::new(), Host::this(), None).stop();
        assert!(readings.len() >= 2);
        assert!(readings.is_sorted_by_key(|reading| reading.at_ns));
        let whole = |reading: &Reading| reading.cpu_seconds.is_some() && reading.resident_bytes.is_some();
        assert!(!cfg!(target_os = "linux") || (whole(&readings[0]) && readings.last().is_some_and(whole)));
    }

    #[test]
    fn the_gpu_is_looked_at_only_where_a_probe_is_given() {
        let heats = [40, 70].map(|heat| GpuReading { temperature_celsius: Some(heat), ..GpuReading::default() });
        let probe = Arc::new(ScriptedProbe::new(heats.clone()));
        let readings = Watcher::start(SystemClock::new(), Host::this(), Some(probe)).stop();
        let (first, last) = (readings.first().unwrap(), readings.last().unwrap());
        assert_eq!((&first.gpu, &last.gpu), (&Some(heats[0].clone()), &Some(heats[1].clone())));
        let without = Watcher::start(SystemClock::new(), Host::this(), None).stop();
        assert!(without.iter().all(|reading| reading.gpu.is_none()));
    }
}
