//! What other programs do to a run: machines by script, read within the tests and by the built program.

use std::convert::Infallible;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use bench::acquire::hub::FetchProgress;
use bench::clock::ManualClock;
use bench::engine::PrepareListener;
use bench::engine::scripted::{Event, ScriptedEngine};
use bench::measure::{culprits, disturbances};
use bench::record::{BusyProgram, Environment, Trial};
use bench::run::{Instruments, RunListener, execute};
use bench::telemetry::environment;

use crate::support::bench::Bench;
use crate::support::fake_host::FakeHost;
use crate::support::{one_after_another, row, two_tokens};

/// At each token, 2 s after the one before, other programs have used so many more seconds of the processors.
struct Beside<'a> {
    host: &'a FakeHost,
    seconds: u64,
    tokens: u64,
}

impl FetchProgress for Beside<'_> {}

impl PrepareListener for Beside<'_> {}

impl RunListener for Beside<'_> {
    fn token(&mut self, _: usize, _: usize) {
        self.tokens += 1;
        let taken = self.tokens * self.seconds;
        self.host.busy(1_000 + taken);
        self.host.runs(8, "rustc", taken);
    }
}

/// A trial of two tokens beside programs that take so many seconds of the processors in each of them.
fn beside(seconds: u64) -> Trial {
    let host = FakeHost::quiet();
    host.used(70);
    // Started before the trial; one of them sleeps.
    host.runs(8, "rustc", 0);
    host.runs(9, "sshd", 70);
    let clock = ManualClock::default();
    let token = |id, text: &str| [Event::Wait(Duration::from_secs(2)), Event::Token(id, text.into())];
    let script = [token(1, "가"), token(2, "나")].concat();
    let mut engine = ScriptedEngine::new(clock.clone(), vec![script]);
    let step = two_tokens(0);
    let instruments = Instruments { host: host.host(), ..Instruments::on_cpu(clock) };
    let (next, cancel) = (one_after_another(std::slice::from_ref(&step)), AtomicBool::new(false));
    let mut row = row("row");
    let mut keep = |_: &Trial| -> Result<(), Infallible> { Ok(()) };
    let mut programs = Beside { host: &host, seconds, tokens: 0 };
    execute(&mut engine, &mut row, &next, &instruments, &cancel, &mut programs, &mut keep).unwrap();
    row.trials.remove(0)
}

/// A machine with two processors, both of them the engine's.
fn environment() -> Environment {
    Environment { processors: Some(2), ..environment::detect("cpu", 2) }
}

#[test]
fn a_busy_program_is_named_in_the_last_reading() {
    let trial = beside(3);
    let (last, others) = trial.readings.split_last().unwrap();
    assert_eq!(last.busiest, [BusyProgram { name: "rustc".into(), cpu_seconds: 6.0 }]);
    assert!(others.iter().all(|reading| reading.busiest.is_empty()));
    let ends =
        [trial.readings.first(), Some(last)].map(|reading| reading.and_then(|reading| reading.others_cpu_seconds));
    // Not what this process used.
    assert_eq!(ends, [Some(930.0), Some(936.0)]);
}

#[test]
fn a_trial_is_disturbed_by_what_the_others_took_and_knows_by_whom() {
    let (busy, quiet) = (beside(3), beside(0));
    let disturbed = disturbances(&[&quiet, &busy], &environment());
    assert_eq!(disturbed.len(), 1);
    assert_eq!((disturbed[0].trial, disturbed[0].processors), (&busy, 1.5));
    assert_eq!(culprits(&disturbed), ["rustc"]);
    assert_eq!(quiet.readings.last().unwrap().busiest, []);
}

/// Otherwise every other test of the built program would see what the machine happens to do.
#[test]
#[cfg(target_os = "linux")]
fn the_built_program_sees_the_machine_of_the_test() {
    let bench = Bench::with(&["llama-gqa"]);
    bench.run("doctor").exits(0).answers("16.0 GiB, 12.0 GiB free");
    bench.run("compare --local llama-gqa --prompts prompts --suite count").exits(0);
    let run = bench.export("latest");
    for trial in run["run"]["rows"][0]["trials"].as_array().unwrap() {
        let readings = trial["readings"].as_array().unwrap();
        let [first, .., last] = readings.as_slice() else { panic!("{trial}") };
        for reading in [first, last] {
            let seconds = |field: &str| reading[field].as_f64().unwrap();
            assert!((seconds("cpu_seconds") + seconds("others_cpu_seconds") - 1_000.0).abs() < 1e-9, "{reading}");
            assert!(reading["resident_bytes"].as_u64() > Some(1 << 20), "its own memory is real: {reading}");
        }
        assert!(last.get("busiest").is_none(), "{last}");
    }
}
