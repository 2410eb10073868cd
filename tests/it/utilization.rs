//! What a GPU of `gpus.toml` says of a run that was made on it. The run is one of the CPU whose device and times are replaced:
//! there is no GPU here.

use serde_json::json;

use crate::support::bench::Bench;

/// A run of a candidate that fills its cache with 16 tokens in 10 ms and makes 4 more, each so many nanoseconds after the one
/// before, on a GPU that its driver calls so.
fn on(device_name: &str, gap_ns: u64) -> Bench {
    let bench = Bench::with(&["llama-gqa"]);
    let ran = bench.run("compare --local llama-gqa --suite count --prompts prompts --repeat 6");
    assert!(matches!(ran.code, Some(0 | 1)), "{ran}");
    let store = rusqlite::Connection::open(bench.path("results/bench.db")).unwrap();
    let device = "json_set(environment, '$.device', 'cuda:0', '$.device_name', ?1)";
    store.execute(&format!("UPDATE runs SET environment = {device}"), [device_name]).unwrap();
    let arrivals: Vec<u64> = (0..4).map(|token| 10_000_000 + token * gap_ns).collect();
    let times = "encoded_ns = 0, prefilled_ns = 10000000, arrivals_ns = ?1, readings = '[]'";
    store.execute(&format!("UPDATE trials SET {times}"), [json!(arrivals).to_string()]).unwrap();
    bench
}

#[test]
fn on_a_known_gpu_a_stored_run_has_its_shares() {
    let bench = on("NVIDIA L4", 1_000_000);
    bench.run("recommend").exits(0).answers("MBU").answers("MFU").answers("capacity: NVIDIA L4 holds");
    let derived = &bench.export("latest")["derived"][0];
    let medians = &derived["medians"]["count pp16+tg4"];
    assert_eq!(medians["decode_tokens_per_second"], json!(1000.0));
    // Its head is its table, so that a step reads all that it holds; and of 16 + 2 tokens 2 × 2 × 8 numbers in 4 layers.
    let held = bench.export("latest")["run"]["rows"][0]["load"]["weights_bytes"].as_f64().unwrap();
    let (share, cache) = (medians["mbu_share"].as_f64().unwrap(), 18.0 * 4.0 * 32.0 * 4.0);
    assert!((share / ((held + cache) * 1000.0 / 300e9) - 1.0).abs() < 1e-9, "{share} of {held} bytes");
    assert!((0.0..0.01).contains(&medians["mfu_share"].as_f64().unwrap()));
    assert_eq!(derived["impossible"], json!([]));
    bench.run("history --metric mbu_share").exits(0).answers("MBU over 1 run");
}

#[test]
fn a_clock_that_runs_wrong_shows_in_what_the_card_cannot_have_done() {
    let bench = on("NVIDIA L4", 1);
    let ran = bench.run("recommend").exits(1);
    ran.answers("! llama-gqa: impossible on NVIDIA L4: decode of count pp16+tg4 needs")
        .answers("Recommendation: none")
        .answers("its figures are not to be believed");
    let found = &bench.export("latest")["derived"][0]["impossible"][0];
    assert_eq!((&found["metric"], &found["resource"]), (&json!("mbu_share"), &json!("bandwidth")));
    bench.run("export --format csv").exits(0).answers("decode of count pp16+tg4 needs");
    bench.run("export --format markdown").exits(0).answers("impossible on NVIDIA L4");
}

#[test]
fn on_a_gpu_that_is_not_listed_nothing_is_said() {
    let bench = on("NVIDIA Nonesuch", 1);
    bench.run("recommend").exits(0).never_mentions("MBU").never_mentions("impossible").never_mentions("capacity");
    let derived = &bench.export("latest")["derived"][0];
    assert!(derived["medians"]["count pp16+tg4"].get("mbu_share").is_none());
    assert_eq!(derived["capacity"], json!(null));
}
