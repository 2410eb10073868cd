//! `bench run`: one checkpoint, one prompt.

use serde_json::{Value, json};

use crate::snapshot;
use crate::support::bench::Bench;
use crate::support::fixture;

/// What transformers answers to these prompts: `tests/fixtures/generate.py`.
fn greedy(checkpoint: &str) -> Value {
    let file = fixture("checkpoints").join(checkpoint).join("reference.json");
    serde_json::from_slice::<Value>(&std::fs::read(file).unwrap()).unwrap()["greedy"].clone()
}

fn as_argument(ids: &Value) -> String {
    ids.to_string().replace(' ', "")
}

#[test]
fn text_streams_the_answer_and_says_the_timings() {
    let bench = Bench::with(&["llama-gqa"]);
    let line = "run llama-gqa --prompt '대한민국의 수도는?' --system 짧게 --max-new-tokens 12 --ignore-eos";
    let mut ran = bench.run(line).exits(0);
    let answer = bench.run(&format!("{line} --format json")).exits(0).json();
    assert_eq!(ran.stdout, format!("{}\n", answer["text"].as_str().unwrap()), "both formats give the same answer");
    // What random weights say hangs on how a processor rounds.
    ran.stdout = "[the answer]\n".into();
    snapshot!("run_text", ran);
}

#[test]
fn an_adapter_answers_as_merged_by_peft() {
    let bench = Bench::with(&["llama-gqa"]);
    for adapter in ["llama-gqa-lora", "llama-gqa-rslora"] {
        bench.adapter(adapter);
        let file = fixture("adapters").join(adapter).join("reference.json");
        let expected = serde_json::from_slice::<Value>(&std::fs::read(file).unwrap()).unwrap()["greedy"].clone();
        assert_ne!(expected["ids"], greedy("llama-gqa")["ids"], "{adapter} changes nothing");
        let ids = as_argument(&expected["prompt_ids"]);
        let line = format!("run llama-gqa --adapter {adapter} --ids {ids} --max-new-tokens 32 --ignore-eos");
        let answer = bench.run(&format!("{line} --format json")).exits(0).json();
        assert_eq!(answer["token_ids"], expected["ids"], "{adapter}");
    }
}

#[test]
fn json_has_the_tokens_the_text_and_the_metrics() {
    let bench = Bench::with(&["llama-gqa"]);
    let expected = greedy("llama-gqa");
    let ids = as_argument(&expected["prompt_ids"]);
    let ran = bench.run(&format!("run llama-gqa --ids {ids} --max-new-tokens 8 --ignore-eos --format json")).exits(0);
    assert!(ran.stderr.is_empty(), "{ran}");
    let answer = ran.json();
    let keys: Vec<&String> = answer.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["prompt_token_ids", "token_ids", "text", "finish_reason", "metrics"]);
    assert_eq!(answer["prompt_token_ids"], expected["prompt_ids"]);
    assert_eq!(answer["token_ids"].as_array().unwrap()[..], expected["ids"].as_array().unwrap()[..8]);
    assert_eq!(answer["finish_reason"], "length");
    let metrics: Vec<(&String, bool)> =
        answer["metrics"].as_object().unwrap().iter().map(|(key, value)| (key, value.is_f64())).collect();
    // On a CPU nobody tells energy, nor what the hardware can do at most; of seven gaps there are no percentiles.
    let expected = [
        ("ttft_seconds", true),
        ("visible_ttft_seconds", true),
        ("tokenizing_seconds", true),
        ("prefill_seconds", true),
        ("prefill_tokens_per_second", true),
        ("tpot_seconds", true),
        ("itl_p50_seconds", false),
        ("itl_p99_seconds", false),
        ("itl_max_seconds", true),
        ("decode_tokens_per_second", true),
        ("characters_per_second", true),
        ("characters_per_token", true),
        ("latency_seconds", true),
        ("text_after_seconds", true),
        ("stalls", true),
        ("energy_joules", false),
        ("energy_joules_per_token", false),
        ("mfu_share", false),
        ("mbu_share", false),
    ];
    assert!(metrics.iter().map(|(key, is)| (key.as_str(), *is)).eq(expected), "{metrics:?}");
}

#[test]
fn unknown_is_null_in_json() {
    let bench = Bench::with(&["llama-gqa"]);
    let answer = bench.run("run llama-gqa --ids [1,2,3] --max-new-tokens 1 --format json").exits(0).json();
    assert!(answer["metrics"]["ttft_seconds"].is_f64());
    assert_eq!(answer["metrics"]["decode_tokens_per_second"], Value::Null);
}

#[test]
fn without_a_tokenizer_token_ids_run_and_texts_do_not() {
    let bench = Bench::with(&["llama-gqa"]);
    std::fs::remove_file(bench.path("llama-gqa/tokenizer.json")).unwrap();
    let answer = bench.run("run llama-gqa --ids [1,2,3] --max-new-tokens 2 --format json").exits(0).json();
    assert_eq!(answer["text"], Value::Null);
    let ran = bench.run("run llama-gqa --ids [1,2,3] --max-new-tokens 2").exits(0);
    assert_eq!(ran.stdout.trim(), as_argument(&answer["token_ids"]));
    snapshot!("run_without_tokenizer", bench.run("run llama-gqa --prompt hello").exits(2));
}

#[test]
fn the_end_of_the_answer_is_passed_over_on_request() {
    // With every token as an end of sequence the answer ends before it begins.
    let bench = Bench::with(&["llama-gqa"]);
    let every: Vec<u32> = (0..352).collect();
    bench.write("llama-gqa/generation_config.json", json!({ "eos_token_id": every }).to_string());
    let stopped = bench.run("run llama-gqa --ids [1,2,3] --max-new-tokens 5 --format json").exits(0).json();
    assert_eq!((&stopped["finish_reason"], &stopped["token_ids"]), (&json!("stop"), &json!([])));
    assert_eq!(stopped["metrics"]["ttft_seconds"], Value::Null);
    let on = bench.run("run llama-gqa --ids [1,2,3] --max-new-tokens 5 --ignore-eos --format json").exits(0).json();
    assert_eq!((&on["finish_reason"], on["token_ids"].as_array().unwrap().len()), (&json!("length"), 5));
    snapshot!("run_stops_at_once", bench.run("run llama-gqa --ids [1,2,3]").exits(0));
}

#[test]
fn draws_repeat_with_their_seed_and_differ_with_another() {
    let bench = Bench::with(&["llama-gqa"]);
    let drawn = |options: &str| {
        let line = format!("run llama-gqa --ids [1,2,3] --max-new-tokens 24 --ignore-eos --format json {options}");
        bench.run(&line).exits(0).json()["token_ids"].clone()
    };
    let warm = drawn("--temperature 1.5 --seed 7");
    assert_eq!(warm, drawn("--temperature 1.5 --seed 7"));
    assert_ne!(warm, drawn("--temperature 1.5 --seed 8"));
    assert_ne!(warm, drawn(""));
    assert_eq!(drawn("--temperature 1e-300"), drawn(""), "the coldest draw is the most likely token");
}

#[test]
fn raw_leaves_the_chat_template_out() {
    let bench = Bench::with(&["llama-gqa"]);
    let prompt_ids = |options: &str| {
        let line = format!("run llama-gqa --prompt hello --max-new-tokens 1 --format json {options}");
        bench.run(&line).exits(0).json()["prompt_token_ids"].as_array().unwrap().len()
    };
    assert!(prompt_ids("--raw") < prompt_ids(""));
    assert!(prompt_ids("") < prompt_ids("--system kind"));
}

#[test]
fn the_longest_limit_is_the_context() {
    let bench = Bench::with(&["llama-gqa"]);
    bench.longest_context("llama-gqa", 64);
    let line = "run llama-gqa --ids [1,2,3] --max-new-tokens 4294967295 --ignore-eos --format json";
    let answer = bench.run(line).exits(0).json();
    assert_eq!(answer["token_ids"].as_array().unwrap().len(), 64 - 3 + 1);
    assert_eq!(answer["finish_reason"], "context");
}

#[test]
fn a_gguf_file_answers_as_the_checkpoint_that_it_was_made_of() {
    let bench = Bench::with(&["qwen2-tied"]);
    bench.gguf("qwen2-tied.f32.gguf");
    let answer = |checkpoint: &str| {
        let line = format!("run {checkpoint} --prompt '안녕하세요?' --max-new-tokens 6 --format json");
        let answer = bench.run(&line).exits(0).json();
        (answer["prompt_token_ids"].clone(), answer["token_ids"].clone(), answer["text"].clone())
    };
    assert_eq!(answer("qwen2-tied.f32.gguf"), answer("qwen2-tied"));
}

#[test]
fn a_candidate_of_models_toml_runs_by_its_id_in_its_prompt_format() {
    let bench = Bench::with(&["llama-gqa"]);
    let mut settings: Value =
        serde_json::from_slice(&std::fs::read(bench.path("llama-gqa/tokenizer_config.json")).unwrap()).unwrap();
    settings.as_object_mut().unwrap().remove("chat_template");
    bench.write("llama-gqa/tokenizer_config.json", settings.to_string());
    bench.write(
        "models.toml",
        "[[candidate]]\nid = \"작은\"\nlocal = \"llama-gqa\"\nprompt_format = { template = \"Q {prompt} A\" }\n",
    );
    let ids = |line: &str| bench.run(line).exits(0).json()["prompt_token_ids"].clone();
    let formatted = ids("run 작은 --prompt hello --max-new-tokens 1 --format json");
    assert_eq!(formatted, ids("run llama-gqa --raw --prompt 'Q hello A' --max-new-tokens 1 --format json"));
}

#[test]
fn more_threads_than_processors_are_warned_of() {
    let bench = Bench::with(&["llama-gqa"]);
    let processors = std::thread::available_parallelism().unwrap().get();
    let run =
        |threads: usize| bench.run(&format!("run llama-gqa --ids [1,2,3] --max-new-tokens 1 --threads {threads}"));
    run(2 * processors).exits(0).says(&format!("warning: {} threads on ", 2 * processors));
    run(1).exits(0).never_mentions("warning");
}
