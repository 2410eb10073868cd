//! `bench check` and `bench baseline`: what they pass, what they fail, and what they refuse.
//!
//! Runs are real; where a verdict depends on times, the stored ones are replaced by exact ones.

use serde_json::{Value, json};

use crate::support::bench::{Bench, Ran};

/// Trials of each prompt: enough to tell a tenth from nothing.
const TRIALS: usize = 20;

const FILE: &str = "base.json";

/// A folder with a run whose every trial takes 100 ms to its first token and 10 ms for each further one, give or take
/// 1 %, and its baseline.
fn with_baseline() -> Bench {
    let bench = Bench::with(&["llama-gqa"]);
    measured(&bench);
    retime(&bench, 1.0);
    bench.run("baseline save --force --output base.json").exits(0).says("written to base.json");
    bench
}

fn measured(bench: &Bench) {
    let line = format!("compare --local llama-gqa --suite count --prompts prompts --repeat {TRIALS}");
    let ran = bench.run(&line);
    assert!(matches!(ran.code, Some(0 | 1)), "{ran}");
}

/// Gives every stored trial exact times: each decode step `slower` times as long as 10 ms.
fn retime(bench: &Bench, slower: f64) {
    let store = rusqlite::Connection::open(bench.path("results/bench.db")).unwrap();
    let mut trials = store.prepare("SELECT sequence, repetition, json_array_length(arrivals_ns) FROM trials").unwrap();
    let trials = trials.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    for (sequence, repetition, tokens) in trials.map(Result::<(i64, u32, u32), _>::unwrap) {
        let jitter = 1.0 + 0.01 * (f64::from(repetition * 7 % 20) / 10.0 - 1.0);
        let at = |token: u32| (1e6 * jitter * (100.0 + 10.0 * slower * f64::from(token))) as u64;
        let arrivals: Vec<u64> = (0..tokens).map(at).collect();
        // Without readings: this machine's own business is no matter here.
        let sql = "UPDATE trials SET arrivals_ns = ?1, encoded_ns = 0, prefilled_ns = ?2, readings = '[]' WHERE sequence = ?3";
        store.execute(sql, (json!(arrivals).to_string(), at(0) as i64, sequence)).unwrap();
    }
}

/// The baseline with a part of it changed.
fn edit(bench: &Bench, change: impl FnOnce(&mut Value)) {
    let mut baseline: Value = serde_json::from_slice(&std::fs::read(bench.path(FILE)).unwrap()).unwrap();
    change(&mut baseline);
    bench.write(FILE, baseline.to_string());
}

fn check(bench: &Bench, options: &str) -> Ran {
    bench.run(&format!("check --baseline {FILE} --metric ttft,decode {options}"))
}

#[test]
fn a_run_passes_against_itself() {
    let ran = check(&with_baseline(), "").exits(0);
    ran.answers("Check passed: 2 within noise");
}

#[test]
fn a_slower_run_fails_and_says_which_figure_by_how_much() {
    let bench = with_baseline();
    retime(&bench, 1.1);
    let ran = check(&bench, "").exits(1).answers("Check regressed: 1 regressed, 1 within noise");
    ran.answers("llama-gqa, count pp16+tg4: decode was 100 tok/s and is 91.0 tok/s: -9.1 %, 97.5 % interval -9.");
    retime(&bench, 1.5);
    check(&bench, "--tolerance decode=60%").exits(0);
}

#[test]
fn a_faster_run_passes_as_improved() {
    let bench = with_baseline();
    retime(&bench, 0.8);
    check(&bench, "").exits(0).answers("improved").answers("+25.0 %");
}

#[test]
fn what_lies_at_the_tolerance_is_not_decided() {
    let bench = with_baseline();
    retime(&bench, 1.05);
    check(&bench, "").exits(3).answers("reaches over the tolerance of 5 %").answers("the smallest fall");
    check(&bench, "--inconclusive pass").exits(0).answers("not decided");
    check(&bench, "--inconclusive fail").exits(1).answers("not decided");
}

#[test]
fn too_few_trials_say_how_many_are_missing() {
    let bench = with_baseline();
    edit(&bench, |baseline| {
        let values = baseline["rows"][0]["prompts"][0]["values"].as_object_mut().unwrap();
        values.values_mut().for_each(|values| values.as_array_mut().unwrap().truncate(3));
    });
    check(&bench, "").exits(3).answers("too few trials for an interval, 3 before and 20 now: it needs 3 more");
}

#[test]
fn memory_is_judged_beyond_what_an_allocator_happens_to_hold() {
    let bench = with_baseline();
    let memory = |bytes: u64| edit(&bench, |baseline| baseline["rows"][0]["memory_bytes"] = json!([bytes]));
    let store = rusqlite::Connection::open(bench.path("results/bench.db")).unwrap();
    let load = "json_set(load, '$.baseline_bytes', 0, '$.peak_bytes', 5368709120)";
    store.execute(&format!("UPDATE rows SET load = {load}"), []).unwrap();
    memory(4 << 30);
    check(&bench, "--metric memory").exits(1).answers("memory was 4.00 GiB and is 5.00 GiB: +25.0 %");
    memory((5 << 30) - (200 << 20));
    check(&bench, "--metric memory").exits(0);
    memory(6 << 30);
    check(&bench, "--metric memory").exits(0).answers("improved");
}

#[test]
fn load_time_is_judged_where_its_noise_is_known() {
    let bench = with_baseline();
    edit(&bench, |baseline| baseline["rows"][0]["load_seconds"][0] = json!(1e-9));
    check(&bench, "--metric load").exits(0).never_mentions("load");
    let noise = json!({
        "runs": 8,
        "figures": [{"row": "llama-gqa", "suite": null, "prompt": null, "metric": "load_seconds", "share": 0.1}]
    });
    edit(&bench, |baseline| baseline["noise"] = noise);
    check(&bench, "--metric load").exits(1).answers("load was");
}

#[test]
fn another_answer_fails_and_says_where_it_parts() {
    let bench = with_baseline();
    edit(&bench, |baseline| {
        let id = &mut baseline["rows"][0]["prompts"][0]["token_ids"][5][2];
        *id = (id.as_u64().unwrap() + 1).into();
    });
    let ran = check(&bench, "").exits(1);
    ran.answers("count pp16+tg4, trial 5: the answer parts at output token 2").answers("1 answered otherwise");
}

#[test]
fn requests_that_fail_where_they_did_not_fail_the_check() {
    let bench = with_baseline();
    let store = rusqlite::Connection::open(bench.path("results/bench.db")).unwrap();
    let failed = json!({"status": "failed", "kind": "engine", "message": "it broke"}).to_string();
    store.execute("UPDATE trials SET outcome = ?1 WHERE repetition = 3 AND NOT warmup", [failed]).unwrap();
    check(&bench, "").exits(1).answers("1 of 20 requests fail, and 0 of 20 did");
}

#[test]
fn other_programs_beside_a_run_leave_it_undecided() {
    let bench = with_baseline();
    edit(&bench, |baseline| baseline["rows"][0]["disturbed"] = json!(7));
    check(&bench, "").exits(3).answers("other programs were busy on the machine during 7 of 20").never_mentions("GPU");
    edit(&bench, |baseline| baseline["rows"][0]["disturbed_by"] = json!(["rustc", "ld"]));
    check(&bench, "").exits(3).answers("other programs (rustc, ld) were busy on the machine");
}

/// Has every stored trial share its two processors with others that kept so many of them busy.
fn disturb(bench: &Bench, busy: f64) {
    let store = rusqlite::Connection::open(bench.path("results/bench.db")).unwrap();
    let reading = |seconds: f64| json!({"at_ns": seconds * 1e9, "resident_bytes": null, "cpu_seconds": 1.0, "others_cpu_seconds": busy * seconds});
    let mut readings = json!([reading(0.0), reading(2.0)]);
    for reading in readings.as_array_mut().unwrap() {
        reading["at_ns"] = json!(reading["at_ns"].as_f64().unwrap() as u64);
    }
    store.execute("UPDATE trials SET readings = ?1", [readings.to_string()]).unwrap();
    let two = "json_set(environment, '$.processors', 2, '$.threads', 2)";
    store.execute(&format!("UPDATE runs SET environment = {two}"), []).unwrap();
    edit(bench, |baseline| {
        (baseline["environment"]["processors"], baseline["environment"]["threads"]) = (json!(2), json!(2));
    });
}

/// A busy program explains that a trial takes 2.2 times as long, not that it takes three times as long.
#[test]
fn what_other_programs_do_not_explain_fails_beside_them_too() {
    let bench = with_baseline();
    retime(&bench, 3.0);
    disturb(&bench, 1.0);
    let ran = check(&bench, "--inconclusive pass --metric decode").exits(1);
    ran.answers("other programs were busy, which explains a loss by a factor of 2.2 at most");
    // What they may explain is left undecided, and passed by those who ask for it, unless it is far worse.
    retime(&bench, 1.5);
    disturb(&bench, 1.0);
    check(&bench, "--metric decode").exits(3).answers("other programs were busy on the machine during 20 of 20");
    check(&bench, "--inconclusive pass --metric decode").exits(0);
    retime(&bench, 2.15);
    disturb(&bench, 1.0);
    check(&bench, "--inconclusive pass --metric decode")
        .exits(3)
        .answers("too much to be passed unseen")
        .says("does not pass a figure that is far worse");
    // Nothing is made better by them.
    retime(&bench, 1.0);
    disturb(&bench, 1.0);
    check(&bench, "--metric decode").exits(0);
}

#[test]
fn a_machine_that_is_never_quiet_is_said_to_be_useless() {
    let bench = with_baseline();
    retime(&bench, 1.5);
    disturb(&bench, 1.0);
    check(&bench, "--metric decode").exits(3);
    let store = rusqlite::Connection::open(bench.path("results/bench.db")).unwrap();
    for copy in 2..=5 {
        let columns = "started_at, finished_at, environment, settings, requirements";
        store.execute(&format!("INSERT INTO runs (id, {columns}, sequence) SELECT 'copy{copy}', {columns}, {copy} FROM runs LIMIT 1"), []).unwrap();
        let columns = "position, name, candidate, checkpoint, load, fit, outcome";
        store
            .execute(
                &format!("INSERT INTO rows (run_id, {columns}) SELECT 'copy{copy}', {columns} FROM rows LIMIT 1"),
                [],
            )
            .unwrap();
        let columns = "row, suite, language, prompt, repetition, warmup, seed, started_at, prompt_tokens, outcome, encoded_ns, \
                       prefilled_ns, arrivals_ns, token_ids, text, readings";
        let first = "(SELECT min(run_id) FROM trials)";
        store.execute(&format!("INSERT INTO trials (run_id, {columns}) SELECT 'copy{copy}', {columns} FROM trials WHERE run_id = {first}"), []).unwrap();
    }
    check(&bench, "--metric decode").exits(3).says("the last 5 runs on this machine were all disturbed");
}

#[test]
fn a_count_that_was_zero_regresses_by_its_difference() {
    let bench = with_baseline();
    // Decode steps of 210 ms are stalls.
    retime(&bench, 21.0);
    let ran = check(&bench, "--metric stalls").exits(1);
    ran.answers("stalls was 0 and is 3: +3; any more than the baseline had is a loss").never_mentions("above zero");
}

#[test]
fn a_point_release_of_the_kernel_compares_and_another_kernel_if_allowed() {
    let bench = with_baseline();
    let kernel = |bench: &Bench, text: &str| {
        let store = rusqlite::Connection::open(bench.path("results/bench.db")).unwrap();
        store.execute("UPDATE runs SET environment = json_set(environment, '$.kernel', ?1)", [text]).unwrap();
    };
    edit(&bench, |baseline| baseline["environment"]["kernel"] = json!("6.8.0-45-generic"));
    kernel(&bench, "6.8.0-47-generic");
    check(&bench, "").exits(0).answers("is \"6.8.0-47-generic\": a patch level, compared all the same");
    kernel(&bench, "6.11.0-2-generic");
    check(&bench, "").exits(2).answers("--allow-environment kernel");
    let ran = check(&bench, "--allow-environment kernel").exits(0);
    ran.answers("is \"6.11.0-2-generic\": compared, as --allow-environment kernel says");
    check(&bench, "--allow-environment kernal").exits(2).says("there is no `kernal` in an environment");
}

#[test]
fn what_means_little_is_said_first() {
    let bench = with_baseline();
    let ran = check(&bench, "").exits(0);
    assert!(ran.stdout.starts_with("Run ") && ran.stdout.contains("is checked against itself"), "{ran}");
    edit(&bench, |baseline| baseline["run"] = json!("another"));
    check(&bench, "").exits(0).never_mentions("itself").never_mentions("A loss of up to");
    let ran = check(&bench, "--tolerance decode=100%").exits(0);
    assert!(ran.stdout.starts_with("A loss of up to 100 % passes"), "{ran}");
}

#[test]
fn what_does_not_compare_is_refused_with_what_differs() {
    for (pointer, value, says) in [
        ("/environment/kernel", json!("5.4.0"), "kernel was \"5.4.0\" and is "),
        ("/environment/cpu", json!("Intel Xeon"), "cpu was \"Intel Xeon\" and is "),
        ("/environment/threads", json!(64), "threads was 64 and is "),
        ("/settings/seed", json!(7), "seed was 7 and is 0"),
        ("/settings/suites/count", json!("ab".repeat(32)), "prompts of suite count was abababababab and is "),
        ("/rows/0/candidate/quantization", json!("q8_0"), "candidate was llama-gqa q8_0 and is llama-gqa"),
        ("/rows/0/candidate/id", json!("no-more"), "candidate was no-more and is not run"),
        ("/rows/0/checkpoint/files/0/sha256", json!("ab".repeat(32)), "files of the checkpoint was"),
    ] {
        let bench = with_baseline();
        edit(&bench, |baseline| *baseline.pointer_mut(pointer).unwrap() = value);
        let ran = check(&bench, "").exits(2).answers(says).answers("could not be compared: 2 incomparable");
        ran.answers("To compare: run again what the baseline ran (bench check --measure)");
    }
}

#[test]
fn a_file_that_is_no_baseline_is_refused_with_what_to_do() {
    let bench = with_baseline();
    let whole = std::fs::read_to_string(bench.path(FILE)).unwrap();
    for (text, says) in [
        ("", "it is not a baseline, or it is damaged"),
        (&whole[..whole.len() / 2], "it is not a baseline, or it is damaged"),
        ("{\"schema_version\": 1}", "it is not a baseline, or it is damaged"),
        (&whole.replace("\"schema_version\": 1", "\"schema_version\": 0"), "it has layout version 0"),
    ] {
        bench.write(FILE, text);
        check(&bench, "")
            .exits(2)
            .says("could not use the baseline `base.json`")
            .says(says)
            .says("bench baseline save");
    }
    bench.write(FILE, whole.replace("\"schema_version\": 1", "\"schema_version\": 2"));
    check(&bench, "").exits(2).says("it has layout version 2, and this program knows 1").says("update `bench`");
    bench.write(FILE, &whole);
    edit(&bench, |baseline| baseline["rows"] = json!([]));
    check(&bench, "").exits(2).says("it holds no measured trial");
    bench.run("check --baseline other.json").exits(2).says("there is no baseline `other.json`");
    bench.run("check --baseline 1999").exits(2).says("no run");
}

#[test]
fn the_baseline_of_this_machine_is_found_by_itself() {
    let bench = with_baseline();
    bench.run("check").exits(2).says("has no baseline of this machine and build").says("bench baseline save");
    bench.run("baseline list").exits(0).says("has no baselines");
    bench.run("baseline save --force").exits(0).says("results/baselines/");
    bench.run("check --metric ttft,decode").exits(0).answers("2 within noise");
    bench.run("baseline list").exits(0).answers("yes");
    let shown = bench.run("baseline show latest").exits(0).answers("llama-gqa, count pp16+tg4  decode");
    shown.answers("100 tok/s");
}

#[test]
fn a_baseline_is_not_replaced_by_what_does_not_compare() {
    let bench = with_baseline();
    edit(&bench, |baseline| baseline["environment"]["kernel"] = json!("5.4.0"));
    let refused = bench.run("baseline save --output base.json").exits(2);
    refused.says("`base.json` holds something that run").says("kernel was \"5.4.0\"").says("--force");
    bench.run("baseline save --output base.json --force").exits(0);
    bench.run("baseline save --output base.json").exits(0);
    bench.write("base.json", "notes of mine");
    bench.run("baseline save --output base.json").exits(2).says("it is not a baseline");
    assert_eq!(std::fs::read_to_string(bench.path("base.json")).unwrap(), "notes of mine");
}

#[test]
fn saving_again_keeps_the_noise_and_gives_the_same_text() {
    let bench = with_baseline();
    let before = std::fs::read_to_string(bench.path(FILE)).unwrap();
    let noise = json!({"runs": 8, "figures": []});
    edit(&bench, |baseline| baseline["noise"] = noise.clone());
    bench.run("baseline save --output base.json").exits(0);
    let after = std::fs::read_to_string(bench.path(FILE)).unwrap();
    let parsed: Value = serde_json::from_str(&after).unwrap();
    assert_eq!(parsed["noise"], noise);
    let lines =
        |text: &str| text.lines().filter(|line| line.contains("\"token_ids\"")).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(lines(&before), lines(&after));
    assert_eq!(lines(&after).len(), 1, "a prompt has a line");
}

#[test]
fn a_run_that_did_not_finish_is_no_baseline() {
    let bench = with_baseline();
    let store = rusqlite::Connection::open(bench.path("results/bench.db")).unwrap();
    store.execute("UPDATE runs SET finished_at = NULL", []).unwrap();
    bench.run("baseline save").exits(2).says("did not finish").says("bench compare --resume");
    store.execute("DELETE FROM trials", []).unwrap();
    bench.run("baseline save --force").exits(2).says("has no measured trial");
}

/// A baseline of a machine whose own runs differ by 8 % in decode.
fn with_noisy_baseline() -> Bench {
    let bench = with_baseline();
    let noise = json!({
        "runs": 8,
        "figures": [{
            "row": "llama-gqa", "suite": "count", "prompt": "pp16+tg4", "metric": "decode_tokens_per_second", "share": 0.08
        }]
    });
    edit(&bench, |baseline| baseline["noise"] = noise);
    bench
}

#[test]
fn a_tolerance_below_the_machines_noise_is_refused() {
    let bench = with_noisy_baseline();
    let refused = check(&bench, "--tolerance decode=5%").exits(2);
    refused
        .says("a tolerance of 5 % for decode is below what this machine's own runs differ by: 8 %")
        .says("allow 8 %");
    // Where nobody states one, it is as large as it must be.
    retime(&bench, 1.07);
    check(&bench, "").exits(0).answers("8 %");
}

#[test]
fn wrong_names_are_told() {
    let bench = with_baseline();
    check(&bench, "--metric speed").exits(2).says("there is no metric `speed`").says("decode_tokens_per_second");
    check(&bench, "--tolerance decode=fast").exits(2).says("`decode=fast` is no tolerance");
    check(&bench, "--format yaml").exits(2).says("expected one of table");
    check(&bench, "--format json=").exits(2).says("the name of a file is missing");
}

#[test]
fn what_is_refused_is_refused_before_anything_is_measured() {
    let bench = with_noisy_baseline();
    let measure = "check --baseline base.json --prompts prompts --measure";
    bench.run(&format!("{measure} --metric speed")).exits(2).says("there is no metric `speed`");
    bench.run(&format!("{measure} --tolerance decode=fast")).exits(2).says("is no tolerance");
    bench
        .run(&format!("{measure} --tolerance decode=5%"))
        .exits(2)
        .says("is below what this machine's own runs differ by");
    let store = rusqlite::Connection::open(bench.path("results/bench.db")).unwrap();
    let runs: u32 = store.query_row("SELECT count(*) FROM runs", [], |row| row.get(0)).unwrap();
    assert_eq!(runs, 1, "nothing was run");
}

#[test]
fn measuring_runs_what_the_baseline_ran() {
    let bench = with_baseline();
    let ran = bench
        .run("check --baseline base.json --measure --prompts prompts --tolerance ttft=200%,decode=200%,memory=200%");
    assert!(matches!(ran.code, Some(0 | 1 | 3)), "{ran}");
    // The same weights on the same prompts answer the same, at whatever speed.
    assert!(!ran.stdout.contains("parts at"), "{ran}");
    let run = bench.export("latest");
    assert_eq!(run["run"]["settings"]["repeat"], TRIALS);
    assert_eq!(run["run"]["settings"]["suites"].as_object().unwrap().len(), 1);
    bench.run("check --baseline base.json --measure").exits(2).says("the prompts of run").says("--prompts");
}

#[test]
fn builds_are_run_in_turn() {
    // Without a baseline the latest run says what to run.
    let bench = with_baseline();
    let program = env!("CARGO_BIN_EXE_bench");
    let line = format!("check --prompts prompts --ab {program} --rounds 8 --format table --format json=c.json");
    let ran = bench.run(&line);
    assert!(matches!(ran.code, Some(0 | 1 | 3)), "{ran}");
    assert!(!ran.stdout.contains("parts at") && ran.stdout.contains("run in turn"), "{ran}");
    let check: Value = serde_json::from_slice(&std::fs::read(bench.path("c.json")).unwrap()).unwrap();
    assert_eq!(check["rows"][0]["answers_compared"], 8);
    // Each process loads the weights, so that loading has as many values as there were rounds.
    let figures = check["rows"][0]["figures"].as_array().unwrap();
    let load = figures.iter().find(|figure| figure["metric"] == "load_seconds").unwrap();
    assert_eq!(load["n"], json!([8, 8]));

    let mut starts: Vec<(String, String)> = Vec::new();
    for side in ["a", "b"] {
        let folder = std::fs::read_dir(bench.path("results")).unwrap().map(|entry| entry.unwrap().path());
        let folder = folder.into_iter().find(|path| path.to_string_lossy().contains("processes-")).unwrap();
        let store = rusqlite::Connection::open(folder.join(side).join("bench.db")).unwrap();
        let mut runs = store.prepare("SELECT started_at FROM runs").unwrap();
        starts.extend(runs.query_map([], |row| Ok((row.get(0)?, side.to_owned()))).unwrap().map(Result::unwrap));
    }
    starts.sort();
    let order: String = starts.into_iter().map(|(_, side)| side).collect();
    assert_eq!(order, "abba".repeat(4));
}

#[test]
fn a_program_that_is_no_build_of_this_one_is_told() {
    let bench = with_baseline();
    bench.run("check --baseline base.json --ab ./missing").exits(2).says("could not start `./missing`");
    let ran = bench.run("check --baseline base.json --prompts prompts --ab /bin/true").exits(2);
    ran.says("`/bin/true` could not run it").says("builds of `bench`");
    let ran = bench.run("check --baseline base.json --ab /bin/cat").exits(2);
    ran.says("`/bin/cat` could not run it").says("builds of `bench`");
}

#[test]
fn calibrating_keeps_the_noise_in_the_baselines_file() {
    let bench = with_baseline();
    let ran = bench.run("check --baseline base.json --calibrate --rounds 3 --prompts prompts").exits(0);
    ran.answers("3 runs of one build").says("kept in base.json");
    let baseline: Value = serde_json::from_slice(&std::fs::read(bench.path(FILE)).unwrap()).unwrap();
    assert_eq!(baseline["noise"]["runs"], 3);
    let figures = baseline["noise"]["figures"].as_array().unwrap();
    let of =
        |metric: &str| figures.iter().any(|figure| figure["metric"] == metric && figure["share"].as_f64() >= Some(0.0));
    assert!(of("ttft_seconds") && of("decode_tokens_per_second") && of("load_seconds"), "{figures:?}");
    bench.run("check --baseline latest --calibrate").exits(2).says("is no baseline's file to keep the noise in");
}
