//! `bench plan`: what fits a GPU and how fast it can be, before any download.

use std::collections::BTreeMap;

use serde_json::Value;

use ::bench::store::Store;

use crate::snapshot;
use crate::support::bench::{Bench, Ran};
use crate::support::fixture;
use crate::support::hub_stand_in::{Contents, HubStandIn, REPOSITORY};

fn document(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran}"))
}

#[test]
fn every_shipped_candidate_is_planned_in_every_usual_layout_without_a_network() {
    let bench = Bench::new().variable("HF_ENDPOINT", "http://127.0.0.1:9");
    let ran = bench.run("plan --gpu l4 --format csv").exits(0);
    let mut reader = csv::Reader::from_reader(ran.stdout.as_bytes());
    let rows: Vec<BTreeMap<String, String>> = reader.deserialize().collect::<Result<_, _>>().unwrap();
    assert_eq!(rows.len(), 10 * 5);
    for row in &rows {
        let number = |column: &str| row[column].parse::<u64>().unwrap();
        let total = number("weights_bytes") + number("kv_cache_bytes") + number("activation_bytes");
        assert_eq!(total, number("total_bytes"), "{row:?}");
        assert_eq!(row["fits"] == "true", total <= 23_034 << 20, "{row:?}");
        assert_eq!(row["decode_tokens_per_second_high"].is_empty(), row["fits"] == "false", "{row:?}");
    }
    let weights = |candidate: &str, layout: &str| {
        let row = rows.iter().find(|row| row["candidate"] == candidate && row["quantization"] == layout).unwrap();
        row["weights_bytes"].parse::<f64>().unwrap() / 1e6
    };
    assert!((weights("mistral-7b-v0.3", "nf4") / 4496.57 - 1.0).abs() < 0.06);
    assert!((weights("gemma-ko-7b", "bf16") / 17083.89 - 1.0).abs() < 0.06);
}

#[test]
fn a_plan_as_a_person_reads_it() {
    let line = "plan qwen2.5-7b deepseek-v2 koalpaca-12.8b --gpu l4 --quantization bf16 --quantization q4_k";
    snapshot!("plan", Bench::new().run(line).exits(0));
}

#[test]
fn nothing_that_fits_is_a_no() {
    let ran = Bench::new().run("plan deepseek-v2 --gpu l4").exits(1);
    ran.answers("no, lacks").answers("bf16").answers("nf4");
}

#[test]
fn more_chats_and_longer_contexts_need_more_and_each_is_slower() {
    let bench = Bench::new();
    let row = |options: &str| {
        let ran = bench.run(&format!("plan qwen2.5-7b --gpu l4 --quantization q4_k --format json {options}")).exits(0);
        document(&ran)["rows"][0].clone()
    };
    let (one, eight, long) = (row(""), row("--concurrency 8"), row("--context 16384"));
    assert_eq!(eight["kv_cache_bytes"].as_u64().unwrap(), 8 * one["kv_cache_bytes"].as_u64().unwrap());
    assert_eq!(long["kv_cache_bytes"].as_u64().unwrap(), 4 * one["kv_cache_bytes"].as_u64().unwrap());
    for slower in [&eight, &long] {
        let rate = |row: &Value| row["decode_tokens_per_second_high"].as_f64().unwrap();
        assert!(rate(slower) < rate(&one), "{slower}");
    }
    assert!(eight["longest_context_tokens"].as_u64() <= one["longest_context_tokens"].as_u64());
}

#[test]
fn the_gpu_is_the_services_own_unless_named() {
    let bench = Bench::new();
    let gpu = |options: &str| {
        document(&bench.run(&format!("plan qwen2.5-7b --format json {options}")).exits(0))["gpu"]["id"].clone()
    };
    assert_eq!(gpu(""), "l4");
    assert_eq!(gpu("--gpu 'NVIDIA H200'"), "h200");
    bench.write(
        "own.toml",
        "[[gpu]]\nid = \"b9000\"\nnames = []\nmemory_mib = 99_000\nbandwidth_gb_s = 9_000\ntflops = { fp32 = 90 }\n",
    );
    assert_eq!(gpu("--gpu b9000 --gpus own.toml"), "b9000");
    bench.run("plan --gpu h20").exits(2).says("there is no GPU `h20`").says("did you mean `h200`?");
    bench.write("models.toml", "[[candidate]]\nid = \"a\"\nhub = \"Qwen/Qwen2.5-7B-Instruct\"\n");
    bench.run("plan").exits(2).says("no GPU is named").says("--gpu");
}

#[test]
fn this_machines_gpu_is_taken_or_its_absence_explained() {
    let ran = Bench::new().run("plan qwen2.5-7b --gpu this");
    if ::bench::telemetry::nvml::gpus().is_ok_and(|gpus| !gpus.is_empty()) {
        // Which kind it is, this test cannot know.
        return;
    }
    ran.exits(2).says("this machine").says("GPU").says("hint: name the GPU that the service will have, as --gpu l4");
}

/// A stand-in Hub with a checkpoint of the fixtures, and a place to work that knows only this Hub.
fn hub(contents: Contents) -> (HubStandIn, Bench) {
    let server = HubStandIn::start(contents);
    let bench = Bench::new().variable("HF_ENDPOINT", server.endpoint()).variable("HF_HOME", "hf");
    (server, bench)
}

fn checkpoint_file(name: &str) -> Vec<u8> {
    std::fs::read(fixture("checkpoints/llama-gqa").join(name)).unwrap()
}

#[test]
fn a_repository_is_planned_by_its_config_and_the_headers_alone() {
    let mut weights = checkpoint_file("model.safetensors");
    let header = 8 + u64::from_le_bytes(*weights.first_chunk().unwrap());
    let tensors = weights.len() as u64 - header;
    // Enough that reading the whole would show.
    let padded = vec![0; 300_000];
    let text = String::from_utf8(weights[8..header as usize].to_vec()).unwrap();
    let text = format!(
        "{},\"padding\": {{\"dtype\": \"U8\", \"shape\": [{}], \"data_offsets\": [{tensors}, {}]}}}}",
        text.trim_end().trim_end_matches('}').to_owned() + "}",
        padded.len(),
        tensors + padded.len() as u64
    );
    let data = weights.split_off(header as usize);
    let file = [&(text.len() as u64).to_le_bytes()[..], text.as_bytes(), &data, &padded].concat();
    let (server, bench) =
        hub(Contents::default().small("config.json", checkpoint_file("config.json")).large("model.safetensors", file));

    bench.write("models.toml", format!("[[candidate]]\nid = \"a\"\nhub = \"{REPOSITORY}\"\n"));
    let ran = bench.run("plan --gpu l4 --format json").exits(0);
    let rows = document(&ran)["rows"].as_array().unwrap().clone();
    let stored = rows.iter().find(|row| row["quantization"] == "stored").unwrap();
    assert_eq!(stored["weights_bytes"].as_u64().unwrap(), tensors + padded.len() as u64);
    assert!(rows.iter().any(|row| row["quantization"] == "nf4"));
    assert_eq!(server.ranges("model.safetensors"), [Some("bytes=0-65535".to_owned())]);
}

#[test]
fn a_long_header_is_read_to_its_end() {
    let filler = "x".repeat(100_000);
    let tensor = r#"{"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}"#;
    let text = format!(r#"{{"__metadata__": {{"filler": "{filler}"}}, "a": {tensor}}}"#);
    let file = [&(text.len() as u64).to_le_bytes()[..], text.as_bytes(), &[0; 8]].concat();
    let (server, bench) =
        hub(Contents::default().small("config.json", checkpoint_file("config.json")).large("model.safetensors", file));
    bench.write("models.toml", format!("[[candidate]]\nid = \"a\"\nhub = \"{REPOSITORY}\"\n"));
    let rows = document(&bench.run("plan --gpu l4 --format json").exits(0))["rows"].clone();
    assert_eq!(rows[0]["weights_bytes"], 8);
    let asked = [Some("bytes=0-65535".to_owned()), Some(format!("bytes=0-{}", text.len() + 7))];
    assert_eq!(server.ranges("model.safetensors"), asked);
}

#[test]
fn a_gguf_file_is_planned_by_its_header_alone() {
    let whole = std::fs::read(fixture("gguf/llama-wide.q8_0.gguf")).unwrap();
    let (server, bench) = hub(Contents::default().large("q8.gguf", whole));
    let ran = bench.run(&format!("plan {REPOSITORY} --file q8.gguf --gpu l4 --format json")).exits(0);
    let there = document(&ran)["rows"].clone();
    bench.gguf("llama-wide.q8_0.gguf");
    let here = document(&bench.run("plan llama-wide.q8_0.gguf --gpu l4 --format json").exits(0))["rows"].clone();
    assert_eq!(there.as_array().unwrap().len(), 1);
    for figure in ["quantization", "weights_bytes", "kv_cache_bytes", "total_bytes", "decode_tokens_per_second_high"] {
        assert_eq!(there[0][figure], here[0][figure], "{figure}");
    }
    assert!(server.ranges("q8.gguf").iter().all(Option::is_some), "the whole file was asked for");
}

#[test]
fn a_header_that_lies_and_a_hub_that_is_away_are_told() {
    let hostile = [&u64::MAX.to_le_bytes()[..], &[b'x'; 100]].concat();
    let (_server, bench) = hub(Contents::default()
        .small("config.json", checkpoint_file("config.json"))
        .large("model.safetensors", hostile));
    bench
        .run(&format!("plan {REPOSITORY} --gpu l4"))
        .exits(2)
        .says("could not understand the header of `model.safetensors`");
    let away = bench.variable("HF_ENDPOINT", "http://127.0.0.1:9");
    away.run("plan other/name --gpu l4").exits(2).says("could not reach");
    let ran = away.run("plan qwen2.5-7b other/name --gpu l4").exits(1);
    ran.answers("other/name: could not download").answers("qwen2.5-7b");
}

/// Puts a run into the results as if it had been made on this device.
fn made_on(bench: &Bench, id: &str, device: &str, device_name: &str) {
    let database = bench.path("results/bench.db");
    let mut run = Store::open_existing(database.clone()).unwrap().load_run("latest").unwrap();
    run.id = id.into();
    run.started_at = jiff::Timestamp::now();
    (run.environment.device, run.environment.device_name) = (device.into(), device_name.into());
    Store::open(database).unwrap().create_run(&run).unwrap();
}

#[test]
fn measured_stands_beside_estimated_and_is_carried_to_another_card() {
    let names = ["llama-gqa", "qwen2-tied", "gemma2"];
    let bench = Bench::with(&names);
    let locals = names.map(|name| format!("[[candidate]]\nid = \"{name}\"\nlocal = \"{name}\"\n")).concat();
    bench.write("models.toml", locals);
    bench.run("compare --prompts prompts --suite count --repeat 3 --device cpu").exits(0);

    // What a CPU measured is told where it is asked for, and carried nowhere.
    let plain = document(&bench.run("plan --gpu l4 --format json").exits(0));
    assert!(plain["fit"].is_null() && plain["rows"][0]["measured_run"].is_null(), "{plain}");
    bench
        .run("plan --gpu l4 --from latest")
        .exits(0)
        .answers("Its bandwidth is not known, so nothing of it is carried");

    made_on(&bench, "30000101-000000-0000", "cuda:0", "NVIDIA L4");
    let rows = document(&bench.run("plan --gpu l4 --format json").exits(0))["rows"].clone();
    let stored =
        rows.as_array().unwrap().iter().find(|row| row["candidate"] == "llama-gqa" && row["quantization"] == "stored");
    let stored = stored.unwrap();
    assert_eq!(stored["measured_run"], "30000101-000000-0000");
    let (measured, low) = (
        stored["measured_decode_tokens_per_second"].as_f64().unwrap(),
        stored["estimated_decode_tokens_per_second_low"].as_f64().unwrap(),
    );
    let high = stored["estimated_decode_tokens_per_second_high"].as_f64().unwrap();
    let error = stored["decode_error"].as_f64().unwrap();
    assert!((error - ((low * high).sqrt() / measured - 1.0)).abs() < 1e-9, "{stored}");
    // On another card only the fit speaks, if the times of these tiny models grow with their bytes at all.
    let other = document(&bench.run("plan --gpu h200 --from 30000101 --format json").exits(0));
    assert!(other["rows"].as_array().unwrap().iter().all(|row| row["measured_run"].is_null()), "{other}");
    if let Some(fit) = other["fit"].as_object() {
        assert_eq!(fit["made_on"], "l4");
        let rate = |which: &str| fit[which]["bytes_per_second"].as_f64().unwrap();
        assert!((rate("carried") / rate("measured") - 16.0).abs() < 1e-9);
        assert_eq!(fit["carried"]["fixed_seconds"], fit["measured"]["fixed_seconds"]);
    }
}
