//! Interrupting `bench compare` at any moment, and going on from there.

use std::time::{Duration, Instant};

use bench::store::Store;
use serde_json::{Value, json};

use crate::support::bench::{Bench, Running};

/// Measured trials of each run: enough of them that no machine is through before it is interrupted.
const TRIALS: usize = 600;

/// A run of many trials of token counts, on two rows of which the first has no weights.
const LINE: &str =
    "compare --local shape-alone --local llama-gqa --prompts prompts --suite count --repeat 600 --warmup 1";

fn place() -> Bench {
    let bench = Bench::with(&["llama-gqa"]);
    bench.write("shape-alone/config.json", std::fs::read(bench.path("llama-gqa/config.json")).unwrap());
    bench
}

/// Waits until so many trials are stored.
#[track_caller]
fn until_stored(bench: &Bench, running: &mut Running, trials: usize) {
    let deadline = Instant::now() + Duration::from_secs(60);
    let stored = || {
        let heads = Store::open_existing(bench.path("results/bench.db")).ok()?.list_runs().ok()?;
        Some(heads.last()?.trials)
    };
    while stored().is_none_or(|stored| stored < trials) {
        assert!(!running.has_ended(), "the run ended before it could be interrupted");
        assert!(Instant::now() < deadline, "{trials} trials were not stored in time");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn trials(run: &Value) -> Vec<Value> {
    run["run"]["rows"][1]["trials"].as_array().unwrap().clone()
}

/// The run has each planned trial once, in order, and those that it had before are as they were.
#[track_caller]
fn assert_complete(before: &Value, after: &Value) {
    let (earlier, all) = (trials(before), trials(after));
    assert_eq!(before["run"]["id"], after["run"]["id"]);
    assert_eq!(before["run"]["started_at"], after["run"]["started_at"]);
    assert!(before["run"]["finished_at"].is_null() && after["run"]["finished_at"].is_string());
    assert!(earlier.len() >= 20 && earlier.len() <= TRIALS, "{} trials before", earlier.len());
    assert_eq!(all.len(), TRIALS + 1);
    assert!(all[..earlier.len()] == earlier, "a stored trial was changed");
    assert!(all[0]["warmup"] == true && all[1..].iter().all(|trial| trial["warmup"] == false));
    let repetitions: Vec<u64> = all[1..].iter().map(|trial| trial["repetition"].as_u64().unwrap()).collect();
    assert!(repetitions.into_iter().eq(0..TRIALS as u64), "each repetition once, in order");
    assert!(all.iter().all(|trial| trial["timeline"]["arrivals_ns"].as_array().unwrap().len() == 4));
    assert_eq!(after["run"]["rows"][1]["outcome"]["status"], "ran");
}

#[test]
fn killed_at_any_moment_it_loses_the_trial_in_flight_at_most() {
    let bench = place();
    let mut running = bench.start(LINE);
    until_stored(&bench, &mut running, 20);
    running.signal("KILL");
    assert_eq!(running.wait().code, None);
    let before = bench.export("latest");
    assert_eq!(before["run"]["rows"][1]["outcome"]["status"], "pending");
    assert!(before["run"]["rows"][1]["checkpoint"]["files"].is_array(), "no trial is without its checkpoint");
    bench.run("history").exits(0).answers("not finished");

    // Killed once more on the way.
    let mut running = bench.start("compare --resume --prompts prompts");
    until_stored(&bench, &mut running, trials(&before).len() + 20);
    running.signal("KILL");
    running.wait();
    let again = bench.export("latest");
    assert!(trials(&again)[..trials(&before).len()] == trials(&before));

    let ran = bench.run("compare --resume --prompts prompts --format json").exits(1);
    let after = bench.export("latest");
    assert_eq!(ran.json(), after);
    assert_complete(&again, &after);
    assert_eq!(bench.run("history").exits(0).stdout.lines().count(), 3, "it is one run still");
}

/// A signal by which a person or a system asks the program to end.
#[track_caller]
fn stopped_by(signal: &str) {
    let bench = place();
    let mut running = bench.start(LINE);
    until_stored(&bench, &mut running, 20);
    running.signal(signal);
    let ran = running.finish().exits(2);
    assert!(ran.stdout.is_empty(), "{ran}");
    let before = bench.export("latest");
    let id = before["run"]["id"].as_str().unwrap();
    let resume = format!("compare --resume {id} --prompts prompts");
    ran.says("every finished trial is stored").says(&format!("Go on with: bench {resume}\n"));
    bench.run(&resume).exits(1).answers("llama-gqa");
    assert_complete(&before, &bench.export("latest"));
}

#[test]
fn ctrl_c_stops_after_saving_and_says_how_to_go_on() {
    stopped_by("INT");
}

#[test]
fn so_does_a_request_of_the_system() {
    stopped_by("TERM");
}

#[test]
fn a_check_that_is_stopped_says_how_to_go_on_and_then_how_to_judge() {
    let bench = place();
    bench.run("compare --local llama-gqa --prompts prompts --suite count --repeat 6").exits(0);
    bench.run("baseline save --force").exits(0);
    let mut running = bench.start("check --measure --prompts prompts --repeat 600");
    until_stored(&bench, &mut running, 20);
    running.signal("INT");
    let ran = running.finish().exits(2);
    assert!(ran.stdout.is_empty(), "{ran}");
    let id = bench.export("latest")["run"]["id"].as_str().unwrap().to_owned();
    ran.says(&format!("Go on with: bench compare --resume {id} --prompts prompts\n"))
        .says(&format!("then check with --run {id} in place of --measure\n"));
    bench.run(&format!("compare --resume {id} --prompts prompts"));
    let ran = bench.run(&format!("check --prompts prompts --run {id}"));
    assert!(matches!(ran.code, Some(0 | 1 | 3)), "{ran}");
    ran.answers("6+600");
}

#[test]
fn quiet_still_says_how_to_go_on() {
    let bench = place();
    let mut running = bench.start(&format!("{LINE} --quiet --results 'my results'"));
    let deadline = Instant::now() + Duration::from_secs(60);
    while !bench.path("my results/bench.db-wal").exists() && Instant::now() < deadline {
        assert!(!running.has_ended());
        std::thread::sleep(Duration::from_millis(2));
    }
    // The handler is there once the first trial is.
    let store = || Store::open_existing(bench.path("my results/bench.db")).ok()?.list_runs().ok()?.pop();
    while store().is_none_or(|head| head.trials == 0) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(2));
    }
    running.signal("INT");
    running.finish().exits(2).says(" --results 'my results' --prompts prompts\n");
}

#[test]
fn a_finished_run_has_nothing_left_but_its_failed_rows() {
    let bench = place();
    bench.run("compare --local shape-alone --local llama-gqa --prompts prompts --suite count").exits(1);
    let before = bench.export("latest");
    assert_eq!(before["run"]["rows"][0]["outcome"]["status"], "failed");
    // The weights came in the meantime.
    bench.checkpoint("llama-gqa", "shape-alone");
    bench.run("compare --resume --prompts prompts").exits(0).answers("shape-alone");
    let after = bench.export("latest");
    assert_eq!(after["run"]["rows"][0]["outcome"]["status"], "ran");
    assert_eq!(after["run"]["rows"][1], before["run"]["rows"][1]);

    bench.run("compare --resume --prompts prompts").exits(0);
    assert_eq!(bench.export("latest"), after, "a run that is through stays as it is");
}

/// A run that was killed after some trials.
fn killed() -> Bench {
    let bench = place();
    let mut running = bench.start(LINE);
    until_stored(&bench, &mut running, 20);
    running.signal("KILL");
    running.wait();
    bench
}

#[test]
fn trials_of_another_checkpoint_are_not_added() {
    let bench = killed();
    let before = bench.export("latest");
    bench.checkpoint("llama-head-dim-bias", "llama-gqa");
    let ran = bench.run("compare --resume --prompts prompts").exits(1);
    ran.says("the checkpoint is not the one that the run was begun with: its files are others");
    let after = bench.export("latest");
    assert_eq!(trials(&after), trials(&before));
    assert_eq!(after["run"]["rows"][1]["checkpoint"], before["run"]["rows"][1]["checkpoint"]);

    // With the old one in its place again it goes on.
    bench.checkpoint("llama-gqa", "llama-gqa");
    bench.run("compare --resume --prompts prompts").exits(1);
    assert_eq!(trials(&bench.export("latest")).len(), TRIALS + 1);
}

#[test]
fn other_prompts_or_another_environment_are_refused() {
    let bench = killed();
    bench.run("compare --resume").exits(2).says("the prompts of run").says("give what it was started with");
    let database = rusqlite::Connection::open(bench.path("results/bench.db")).unwrap();
    let environment: String = database.query_row("SELECT environment FROM runs", [], |row| row.get(0)).unwrap();
    let mut environment: Value = serde_json::from_str(&environment).unwrap();
    environment["kernel"] = json!("5.4.0");
    database.execute("UPDATE runs SET environment = ?1", [environment.to_string()]).unwrap();
    let ran = bench.run("compare --resume --prompts prompts").exits(2);
    ran.says("begun in another environment").says("kernel was \"5.4.0\" and is ");
}

/// As `nohup` starts a program: it goes on when its terminal is closed.
#[test]
fn a_signal_that_is_ignored_from_the_start_stays_ignored() {
    let bench = place().ignoring(libc::SIGHUP);
    let mut running = bench.start(LINE);
    until_stored(&bench, &mut running, 20);
    running.signal("HUP");
    let stored = Store::open_existing(bench.path("results/bench.db")).unwrap().list_runs().unwrap()[0].trials;
    until_stored(&bench, &mut running, stored + 20);
    running.signal("TERM");
    running.wait();
}

/// A candidate that answers in two seconds, by a script.
const SLOW: &str = r#"
request = [[{ encoded = 12 }, { token = [1, "가"] }, { wait_ms = 1000 }, { token = [2, "나"] }, { wait_ms = 1000 }, { token = [3, "다"] }]]
"#;

#[test]
#[cfg(target_os = "linux")]
fn a_trial_during_which_the_program_was_stopped_is_run_again() {
    let bench = Bench::new().prompts();
    bench.write("slow.toml", SLOW);
    bench.write("models.toml", "[[candidate]]\nid = \"slow\"\nscript = \"slow.toml\"\n");
    let line = "compare --models models.toml --prompts prompts --suite greeting --language ko --warmup 0 --repeat 1";
    let mut running = bench.start(line);
    until_stored(&bench, &mut running, 0);
    // The run is stored before its first trial begins, which then takes two seconds.
    std::thread::sleep(Duration::from_millis(700));
    running.signal("STOP");
    std::thread::sleep(Duration::from_millis(1500));
    running.signal("CONT");
    running.finish();
    let run = bench.export("latest");
    let trials = run["run"]["rows"][0]["trials"].as_array().unwrap();
    assert_eq!((trials.len(), &trials[0]["repeated"]), (1, &json!("stopped")), "{trials:?}");
    let gap = trials[0]["timeline"]["arrivals_ns"].as_array().unwrap().last().and_then(Value::as_u64).unwrap();
    assert!(gap >= 2_000_000_000, "the second attempt is kept whole");
    let notes = run["notes"].as_array().unwrap();
    assert!(notes.iter().any(|note| note["kind"] == "stopped_repeated" && note["trials"] == 1), "{notes:?}");
}
