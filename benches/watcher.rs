//! What watching the machine costs a run: `cargo bench --bench watcher -- [--quick] [--seconds N]`.
//!
//! Target: under 0.5 % of a processor. The watcher's thread looks as it does beside a trial, ten times a second on a CPU and
//! 25 times with a GPU's driver to ask, and what counts is the processor time of that thread by the kernel's own account:
//! other programs on the machine change that little, where wall time would be theirs.
//!
//! The stand-in for a driver's library opens and parses its script for each answer. A real driver takes longer or shorter:
//! where this machine has one, it is asked too.

#![allow(
    unreachable_pub,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "no part of the program: what goes wrong here ends it"
)]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, ThreadId};
use std::time::Duration;

use bench::clock::{Clock, SystemClock};
use bench::telemetry::nvml::{self, NvmlProbe};
use bench::telemetry::watcher::Watcher;
use bench::telemetry::{GpuProbe, Host};

#[path = "../tests/it/support/fake_driver.rs"]
#[expect(dead_code, reason = "the tests have more kinds of driver")]
mod fake_driver;

use fake_driver::FakeDriver;

/// A file or folder of the tests' fixtures, for the stand-in.
fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn main() {
    let seconds = seconds();
    println!("{:<28} {:>6} {:>10} {:>22}", "processor time of watching", "looks", "µs a look", "share of a processor");
    report("on a CPU", seconds, None);
    let driver = FakeDriver::l4().says("processes", "self:1048576");
    let probe = NvmlProbe::open(driver.load(), 0).expect("the stand-in has a GPU");
    report("the stand-in for a driver", seconds, Some(Arc::new(probe)));
    match nvml::library().and_then(|library| NvmlProbe::open(library, 0)) {
        Ok(probe) => report("this machine's driver", seconds, Some(Arc::new(probe))),
        Err(reason) => println!("this machine's driver        — ({reason})"),
    }
    let start = cpu_time();
    std::hint::black_box(Host::this().processes());
    let milliseconds = 1e3 * (cpu_time() - start).as_secs_f64();
    println!("\nall other processes, before a trial and after it, when nothing is timed: {milliseconds:.2} ms");
}

/// Long enough for ticks of a millisecond not to count; quick, to see that it works, unless `cargo bench` asks.
fn seconds() -> f64 {
    let args: Vec<String> = std::env::args().collect();
    if args.iter().any(|arg| arg == "--quick") || !args.iter().any(|arg| arg == "--bench") {
        return 0.2;
    }
    let seconds = args.iter().skip_while(|arg| *arg != "--seconds").nth(1);
    seconds.map_or(20.0, |seconds| seconds.parse().expect("--seconds takes a number"))
}

fn report(what: &str, seconds: f64, gpu: Option<Arc<dyn GpuProbe>>) {
    let spent = Arc::new(AtomicU64::new(0));
    let clock = Accounting { clock: SystemClock::new(), maker: thread::current().id(), spent: spent.clone() };
    let watcher = Watcher::start(clock, Host::this(), gpu);
    let clock = SystemClock::new();
    thread::sleep(Duration::from_secs_f64(seconds));
    let (spent, wall) = (1e-9 * spent.load(Ordering::Relaxed) as f64, clock.now().as_secs_f64());
    // The looks at either end are at moments when nothing is timed.
    let looks = watcher.stop().len() - 2;
    println!("{what:<28} {looks:>6} {:>10.1} {:>20.4} %", 1e6 * spent / looks.max(1) as f64, 100.0 * spent / wall);
}

/// A clock that keeps how long the watcher's thread, which asks it before and after each look, has been on a processor.
struct Accounting {
    clock: SystemClock,
    maker: ThreadId,
    /// In nanoseconds.
    spent: Arc<AtomicU64>,
}

impl Clock for Accounting {
    fn now(&self) -> Duration {
        if thread::current().id() != self.maker {
            self.spent.store(cpu_time().as_nanos() as u64, Ordering::Relaxed);
        }
        self.clock.now()
    }

    fn sleep(&self, time: Duration) {
        self.clock.sleep(time);
    }
}

/// Processor time of this thread.
fn cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes the time to where it is told to (man 3 clock_gettime).
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    assert_eq!(failed, 0, "the system accounts for threads");
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
