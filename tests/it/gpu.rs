//! What a GPU's driver tells: a stand-in for its library, loaded the way that the program loads it.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, ThreadId};
use std::time::Duration;

use bench::acquire::hub::FetchProgress;
use bench::clock::ManualClock;
use bench::engine::PrepareListener;
use bench::engine::scripted::{Event, ScriptedEngine};
use bench::measure::{Energy, EnergySource, Measurement, MemoryPhases};
use bench::plan::PlannedTrial;
use bench::record::{Fault, GpuReading, GpuVerdict, Row, Trial};
use bench::run::{Instruments, RunListener, execute};
use bench::summarize::Memory;
use bench::telemetry::GpuProbe;
use bench::telemetry::gpu::{AbsentProbe, ScriptedProbe, Untold};
use bench::telemetry::nvml::{self, NvmlProbe};
use serde_json::json;

use crate::support::bench::Bench;
use crate::support::fake_driver::FakeDriver;
use crate::support::{one_after_another, row, two_tokens};

fn probe(driver: &FakeDriver) -> NvmlProbe {
    NvmlProbe::open(driver.load(), 0).unwrap()
}

fn untold(probe: &dyn GpuProbe) -> Vec<&'static str> {
    probe.untold().iter().map(|untold| untold.what).collect()
}

#[test]
fn everything_that_the_driver_tells_is_read() {
    let driver = FakeDriver::l4().says("processes", "self:900").says("throttle", "4");
    let probe = probe(&driver);
    let read = GpuReading {
        used_bytes: Some(1 << 20),
        process_bytes: Some(900),
        other_processes: Some(0),
        power_milliwatts: Some(17_000),
        energy_millijoules: Some(5_000_000),
        temperature_celsius: Some(45),
        sm_megahertz: Some(1100),
        memory_megahertz: Some(6251),
        utilization_percent: Some(98),
        throttle_reasons: Some(4),
    };
    assert_eq!(probe.look(), read);
    assert_eq!(untold(&probe), [""; 0]);
}

#[test]
fn memory_rises_and_falls() {
    let driver = FakeDriver::l4().says("memory.used", "1000 5000 3000");
    let probe = probe(&driver);
    let used: Vec<_> = (0..4).map(|_| probe.look().used_bytes).collect();
    assert_eq!(used, [1000, 5000, 3000, 3000].map(Some));
    let driver = FakeDriver::l4().says("memory.used", "1000 7000");
    let trial = trial(Arc::new(self::probe(&driver)));
    assert_eq!(MemoryPhases::of(&trial).decode_bytes, Some(7000), "the look before the trial is not of it");
}

#[test]
fn a_function_that_the_driver_lacks_is_a_dash_with_its_reason() {
    let driver = FakeDriver::without_energy_counter();
    let probe = probe(&driver);
    let look = probe.look();
    assert_eq!((look.energy_millijoules, look.power_milliwatts), (None, Some(17_000)));
    let untold = probe.untold();
    assert_eq!(untold.len(), 1);
    assert!(untold[0].to_string().contains("energy counter (function symbol failed to load"), "{}", untold[0]);
}

#[test]
fn an_energy_counter_that_the_card_lacks_is_none_and_not_zero() {
    let driver = FakeDriver::l4().says("energy", "!3");
    let probe = probe(&driver);
    assert_eq!(probe.look().energy_millijoules, None);
    let reason = "the requested operation is not available on the target device".to_owned();
    assert_eq!(probe.untold(), [Untold { what: "energy counter", reason }]);
}

#[test]
fn without_permission_the_rest_is_still_told() {
    let driver = FakeDriver::l4().says("processes", "!4").says("throttle", "!4");
    let probe = probe(&driver);
    let look = probe.look();
    assert_eq!((look.process_bytes, look.other_processes, look.throttle_reasons), (None, None, None));
    assert_eq!(look.used_bytes, Some(1 << 20));
    assert_eq!(untold(&probe), ["processes", "throttle reasons"]);
    assert!(probe.untold()[0].reason.contains("does not have permission"));
}

#[test]
fn processes_that_start_while_they_are_listed_are_listed() {
    let eight = "self:1,2:1,3:1,4:1,5:1,6:1,7:1,8:1";
    let driver = FakeDriver::l4().says("processes", &format!("self:1 {eight}"));
    let listed = nvml::listed(driver.load()).unwrap().remove(0).processes.unwrap();
    assert_eq!(listed.len(), 8);
}

#[test]
fn a_list_that_never_fits_its_buffer_is_none() {
    // One more than there is room for, each time that they are listed after being counted.
    let answers: Vec<String> = (0..40)
        .map(|call| (0..=call * 6).map(|pid| format!("{}:1", pid + 2)).collect::<Vec<_>>().join(","))
        .take(12)
        .collect();
    let driver = FakeDriver::l4().says("processes", &answers.join(" "));
    let gpu = nvml::listed(driver.load()).unwrap().remove(0);
    assert_eq!(gpu.processes, None);
    assert!(gpu.untold[0].to_string().contains("processes (an input argument is not large enough"), "{:?}", gpu.untold);
}

#[test]
fn others_are_told_from_this_process_also_where_numbers_are_the_hosts() {
    let driver = FakeDriver::l4().says("processes", "self:900,77:?");
    let look = probe(&driver).look();
    assert_eq!((look.process_bytes, look.other_processes), (Some(900), Some(1)));

    let driver = FakeDriver::l4().says("processes", "77:5");
    let probe = probe(&driver);
    let _driver = driver.says("processes", "77:5,4242:600");
    let look = probe.look();
    assert_eq!((look.process_bytes, look.other_processes), (Some(600), Some(1)));
}

#[test]
fn a_gpu_that_is_lost_in_mid_run_leaves_readings_without_it_and_a_trial_that_ends() {
    // Told at the look before the trial, and lost from then on. Processes are counted before they are listed, and were
    // before the probe was there.
    let mut driver = FakeDriver::l4().says("processes", "- self:900 self:900 !15");
    let numbers =
        ["memory.used", "power", "energy", "temperature", "clock.sm", "clock.memory", "utilization", "throttle"];
    for question in numbers {
        driver = driver.says(question, "1 !15");
    }
    let probe = Arc::new(probe(&driver));
    let trial = trial(probe.clone());
    let looks: Vec<&GpuReading> = trial.readings.iter().filter_map(|reading| reading.gpu.as_ref()).collect();
    let [first, later @ ..] = looks.as_slice() else { panic!("{trial:?}") };
    assert_eq!((first.used_bytes, first.process_bytes, first.energy_millijoules), (Some(1), Some(900), Some(1)));
    assert!(!later.is_empty() && later.iter().all(|look| **look == GpuReading::default()), "{later:?}");
    let untold = probe.untold();
    assert!(untold.len() == 9 && untold.iter().all(|untold| untold.reason.contains("fell off the bus")), "{untold:?}");
    assert_eq!(trial.timeline.arrivals_ns.len(), 2, "it ran to its end");
    assert_eq!(MemoryPhases::of(&trial), MemoryPhases { process_bytes: Some(900), ..MemoryPhases::default() });
    assert_eq!(Energy::of(&trial), None);
}

struct Deaf;

impl FetchProgress for Deaf {}

impl PrepareListener for Deaf {}

impl RunListener for Deaf {}

/// A trial of two tokens on a GPU with this probe.
fn trial(probe: Arc<dyn GpuProbe>) -> Trial {
    let mut trials = trials(probe, 1);
    trials.remove(0)
}

fn trials(probe: Arc<dyn GpuProbe>, repetitions: u32) -> Vec<Trial> {
    let clock = ManualClock::default();
    let script = vec![
        Event::Encoded(7),
        Event::Wait(Duration::from_secs(1)),
        Event::Prefilled,
        Event::Token(1, "가".into()),
        Event::Wait(Duration::from_secs(1)),
        Event::Token(2, "나".into()),
    ];
    let mut engine = ScriptedEngine::new(clock.clone(), vec![script]);
    let steps: Vec<PlannedTrial> = (0..repetitions).map(two_tokens).collect();
    let mut kept = Vec::new();
    let mut keep = |trial: &Trial| -> Result<(), Infallible> {
        kept.push(trial.clone());
        Ok(())
    };
    let instruments = Instruments { gpu: Some(probe), ..Instruments::on_cpu(clock) };
    let next = one_after_another(&steps);
    execute(&mut engine, &mut row("row"), &next, &instruments, &AtomicBool::new(false), &mut Deaf, &mut keep).unwrap();
    kept
}

#[test]
fn a_trials_energy_is_what_the_counter_gained_or_else_what_the_power_adds_up_to() {
    let energy = |driver: FakeDriver| {
        let trial = trial(Arc::new(probe(&driver)));
        (Energy::of(&trial).map(|energy| energy.source), Measurement::of(&trial).energy_joules_per_token)
    };
    let counted = FakeDriver::l4().says("energy", "1000000 1060000");
    assert_eq!(energy(counted), (Some(EnergySource::Counter), Some(30.0)));
    // Two seconds are too few for a power that is an average of the last.
    assert_eq!(energy(FakeDriver::without_energy_counter()), (None, None));
}

#[test]
fn the_cache_of_a_token_is_what_the_driver_saw_taken_beside_the_weights() {
    // Two looks at a trial of 7 tokens and 2 more: before it, and at its end.
    let driver = FakeDriver::l4().says("memory.used", "1000 91000");
    let load = json!({
        "engine": "scripted", "device": "cuda:0", "precision": [{ "type": "f32", "bytes": 800 }], "weights_bytes": 800, "kv_bytes_per_token": 9000,
        "acquire_seconds": 0, "load_seconds": 1, "baseline_bytes": 200, "loaded_bytes": 1000, "peak_bytes": 91000,
    });
    let load = Some(serde_json::from_value(load).unwrap());
    let memory = Memory::of(&Row { load, trials: vec![trial(Arc::new(probe(&driver)))], ..row("row") });
    assert_eq!((memory.kv_bytes_per_token, memory.measured_kv_bytes_per_token), (Some(9000), Some(10_000)));
}

/// A GPU that is slowed down, for one reason before each run of a trial and for another since it began: however often it is
/// looked at meanwhile, which is a matter of how busy the tests' own machine is.
struct Slowed {
    reasons: [[u64; 2]; 2],
    begun: AtomicUsize,
    /// The engine's thread looks before it begins, and another one looks from then on.
    engine: ThreadId,
}

impl Slowed {
    fn new(reasons: [[u64; 2]; 2]) -> Self {
        Self { reasons, begun: AtomicUsize::new(0), engine: thread::current().id() }
    }
}

impl GpuProbe for Slowed {
    fn look(&self) -> GpuReading {
        let reason = match thread::current().id() == self.engine {
            true => self.reasons[self.begun.fetch_add(1, Ordering::SeqCst)][0],
            false => self.reasons[self.begun.load(Ordering::SeqCst) - 1][1],
        };
        GpuReading { throttle_reasons: Some(reason), ..GpuReading::default() }
    }

    fn untold(&self) -> Vec<Untold> {
        Vec::new()
    }
}

#[test]
fn a_trial_in_the_heat_is_run_once_more_and_the_second_is_kept() {
    let trials = trials(Arc::new(Slowed::new([[0, 0x20], [0, 4]])), 1);
    assert_eq!(trials.len(), 1, "its key is its own");
    assert_eq!(trials[0].repeated, Some(Fault::Thermal));
    assert_eq!(GpuVerdict::of(&trials[0].readings), Some(GpuVerdict::PowerCapped), "the second is the one that counts");
}

#[test]
fn a_gpu_that_stays_shared_costs_each_trial_one_repetition_and_the_trials_are_marked() {
    let shared = GpuReading { other_processes: Some(1), ..GpuReading::default() };
    let trials = trials(Arc::new(ScriptedProbe::new([shared])), 3);
    assert_eq!(trials.len(), 3);
    for trial in &trials {
        assert_eq!(trial.repeated, Some(Fault::Shared));
        assert_eq!(GpuVerdict::of(&trial.readings), Some(GpuVerdict::Shared));
    }
}

#[test]
fn what_nothing_is_known_of_is_run_once() {
    let absent = AbsentProbe { reason: "no driver".into() };
    assert_eq!(absent.untold()[0].to_string(), "anything of the GPU (no driver)");
    let trial = trial(Arc::new(absent));
    assert_eq!(trial.repeated, None);
    assert!(trial.readings.iter().all(|reading| reading.gpu == Some(GpuReading::default())));
}

fn beside(driver: &FakeDriver) -> Bench {
    Bench::new().variable("LD_LIBRARY_PATH", driver.folder())
}

#[test]
fn doctor_shows_the_card_and_what_is_not_told_of_it() {
    let driver = FakeDriver::l4().says("energy", "!3").says("persistence", "!4");
    let ran = beside(&driver).run("doctor").exits(0);
    ran.answers("NVIDIA L4, 22.5 GiB, 1.00 MiB in use, driver 550.90.07, CUDA 12.4, limit 72 W")
        .answers("clocks to 2040 and 6251 MHz, ECC on, persistence —")
        .answers("sensors")
        .answers("persistence mode (the current user does not have permission")
        .answers("energy counter (the requested operation is not available")
        .never_mentions("GPU-5a2f8c1e");
}

#[test]
fn doctor_says_who_else_is_on_the_card() {
    let driver = FakeDriver::l4().says("processes", "77:3221225472").says("memory.used", "3321225472");
    let ran = beside(&driver).run("doctor").exits(0);
    ran.answers("! others   GPU 0: 1 process computes on it and holds 3.00 GiB");
    let driver = FakeDriver::l4().says("memory.used", "3221225472");
    beside(&driver).run("doctor").exits(0).answers("3.00 GiB are in use by what the driver does not list");
}

#[test]
fn doctor_says_why_a_driver_cannot_be_asked() {
    let driver = FakeDriver::l4().says("init", "!9");
    beside(&driver).run("doctor").exits(0).answers("gpu      — (NVIDIA driver is not loaded)");
    let driver = FakeDriver::l4().says("devices", "0");
    beside(&driver).run("doctor").exits(0).answers("gpu      none; candidates run on the CPU");
}

#[test]
fn doctor_says_that_a_card_is_lost() {
    let driver = FakeDriver::l4().says("devices", "2");
    let ran = beside(&driver).run("doctor").exits(0);
    ran.answers("anything of the GPU (a query to find an object was unsuccessful)");
}

#[test]
fn a_run_on_the_cpu_claims_nothing_of_a_gpu_beside_it() {
    let driver = FakeDriver::l4().says("processes", "77:3221225472").says("throttle", "0x40");
    let bench = Bench::with(&["llama-gqa"]).variable("LD_LIBRARY_PATH", driver.folder());
    let line = "compare --local llama-gqa --prompts prompts --suite count --device cpu --require ttft_seconds=60";
    let ran = bench.run(line);
    let ran = ran.never_mentions("NVIDIA").never_mentions("shared").never_mentions("thermal");
    assert!(ran.code.is_some_and(|code| code < 2), "{ran}");
    let run = bench.export("latest");
    let environment = run["run"]["environment"].as_object().unwrap();
    let claimed = environment.iter().filter(|(field, value)| field.starts_with("gpu_") && !value.is_null());
    assert_eq!(claimed.count(), 0, "{environment:?}");
    for trial in run["run"]["rows"][0]["trials"].as_array().unwrap() {
        assert!(trial.get("repeated").is_none());
        assert!(trial["readings"].as_array().unwrap().iter().all(|reading| reading.get("gpu").is_none()));
    }
}
