//! Scripted candidates through a whole `compare`: the seam where engines are made, with what an engine of this process never
//! does, such as text without ids and several tokens in one arrival.

use serde_json::{Value, json};

use crate::support::bench::Bench;

const MODELS: &str = r#"
[[candidate]]
id = "server"
script = "server.toml"

[[candidate]]
id = "falters"
script = "falters.toml"

[[candidate]]
id = "gone"
script = "gone.toml"

[[candidate]]
id = "unwritten"
script = "nowhere.toml"
"#;

/// What a server streams: text whose ids nobody tells, 2 tokens at once and then 3, some time apart.
const SERVER: &str = r#"
load = [{ wait_ms = 20 }]
request = [[
    { encoded = 12 },
    { wait_ms = 30 },
    { output = { text = "안녕", tokens = 2 } },
    { wait_ms = 40 },
    { output = { text = "하세요", tokens = 3 } },
]]
"#;

/// The first request is answered, of the second nobody counts the tokens, and it fails.
const FALTERS: &str = r#"
request = [
    [{ encoded = 12 }, "prefilled", { token = [11, "좋"] }, { wait_ms = 5 }, { token = [12, "아요"] }],
    [{ encoded = 12 }, { output = { text = "음" } }, { fail = "the stream was cut off" }],
]
"#;

const GONE: &str = r#"load = ["out_of_memory"]
request = []"#;

fn compared() -> Bench {
    let bench = Bench::new().prompts();
    for (name, text) in [("models", MODELS), ("server", SERVER), ("falters", FALTERS), ("gone", GONE)] {
        bench.write(&format!("{name}.toml"), text);
    }
    let ran = bench.run("compare --models models.toml --prompts prompts --suite greeting --warmup 0").exits(1);
    ran.says("warning: gone: not enough memory: as scripted")
        .says("warning: unwritten: could not read the script `nowhere.toml`")
        .answers("server: precision, weights and memory are not known: a script has no weights");
    bench
}

#[test]
fn an_engine_is_a_source_and_all_that_follows_takes_it() {
    let bench = compared();
    let run = bench.export("latest");
    let rows = run["run"]["rows"].as_array().unwrap();
    let statuses: Vec<&Value> = rows.iter().map(|row| &row["outcome"]["status"]).collect();
    assert_eq!(statuses, ["ran", "ran", "failed", "failed"]);
    assert_eq!(
        (&rows[2]["outcome"]["kind"], &rows[3]["outcome"]["kind"]),
        (&json!("out_of_memory"), &json!("acquire"))
    );
    let load = &rows[0]["load"];
    assert_eq!((&load["engine"], &load["unknown"]), (&json!("scripted"), &json!("a script has no weights")));
    assert!(load["load_seconds"].as_f64().unwrap() >= 0.02);
    for unknown in ["precision", "weights_bytes", "kv_bytes_per_token", "peak_bytes"] {
        assert_eq!(load[unknown], Value::Null, "{unknown}");
    }
}

#[test]
fn tokens_without_ids_and_several_in_one_arrival_are_counted_and_gaps_between_them_are_no_latencies() {
    let bench = compared();
    let run = bench.export("latest");
    let trials = run["run"]["rows"][0]["trials"].as_array().unwrap();
    assert_eq!(trials.len(), 2);
    for trial in trials {
        assert_eq!((&trial["token_ids"], &trial["text"]), (&Value::Null, &json!("안녕하세요")));
        assert_eq!((&trial["prompt_tokens"], &trial["timeline"]["arrival_tokens"]), (&json!(12), &json!([2, 3])));
    }
    let medians = &run["derived"][0]["medians"]["greeting"];
    let metric = |key: &str| medians[key].as_f64();
    // Waits of 30 and 40 ms, five characters of five tokens; what more the machine took is no business of a test.
    assert!(metric("ttft_seconds").unwrap() >= 0.03);
    assert!(metric("tpot_seconds").unwrap() >= 0.04 / 4.0);
    assert_eq!(metric("characters_per_token"), Some(1.0));
    assert_eq!((metric("itl_max_seconds"), metric("stalls")), (None, None), "an arrival is not a token");
    assert_eq!(metric("prefill_seconds"), None, "nobody told when the prompt was through");
}

#[test]
fn a_request_that_fails_keeps_what_came_and_the_row_goes_on() {
    let bench = compared();
    let run = bench.export("latest");
    let trials = run["run"]["rows"][1]["trials"].as_array().unwrap();
    assert_eq!((&trials[0]["token_ids"], &trials[0]["outcome"]["status"]), (&json!([11, 12]), &json!("completed")));
    assert_eq!(trials[1]["outcome"]["message"], "the stream was cut off");
    assert_eq!((&trials[1]["text"], &trials[1]["timeline"]["arrival_tokens"]), (&json!("음"), &json!([null])));
}
