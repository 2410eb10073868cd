//! `bench compare`: the main job, from outside.

use serde_json::{Value, json};

use crate::snapshot;
use crate::support::bench::Bench;

/// Limits that a tiny checkpoint meets on any machine, however busy.
const EASY: &str = "--require ttft_seconds=60 --require decode_tokens_per_second=0.001 --require korean_fidelity=none \
                    --require english_fidelity=none --require pass_rate=none --require korean_pass_rate=none";

/// A checkpoint of random weights on disk says nothing that any floor lets through.
const NO_FLOORS: &str = "--require korean_fidelity=none --require english_fidelity=none --require pass_rate=none \
                         --require korean_pass_rate=none";

/// A shape larger than any machine's memory.
const HUGE: &str = r#"{"model_type": "llama", "vocab_size": 1000000, "hidden_size": 1000000, "intermediate_size": 1000000,
    "num_hidden_layers": 1000, "num_attention_heads": 1000}"#;

/// A shape whose architecture nobody has heard of.
const ODD: &str = r#"{"model_type": "mammoth", "hidden_size": 64}"#;

fn trials(row: &Value) -> &Vec<Value> {
    row["trials"].as_array().unwrap()
}

fn statuses(run: &Value) -> Vec<&str> {
    run["run"]["rows"].as_array().unwrap().iter().map(|row| row["outcome"]["status"].as_str().unwrap()).collect()
}

#[test]
fn one_local_checkpoint() {
    let bench = Bench::with(&["llama-gqa"]);
    let line = "compare --local llama-gqa --prompts prompts --warmup 1";
    snapshot!("compare_local", bench.run(&format!("{line} {EASY}")).exits(0));
    let run = bench.export("latest");
    let row = &run["run"]["rows"][0];
    // Warm-up and two of token counts; warm-up and one in each language.
    assert_eq!(trials(row).len(), 6);
    assert_eq!(row["checkpoint"]["architecture"], "llama");
    let files = row["checkpoint"]["files"].as_array().unwrap();
    assert!(files.iter().any(|file| file["path"] == "model.safetensors" && file["sha256"].is_string()));
    let asked: Vec<(&Value, usize)> = trials(row)
        .iter()
        .filter(|trial| trial["suite"] == "count")
        .map(|trial| (&trial["prompt_tokens"], trial["token_ids"].as_array().unwrap().len()))
        .collect();
    assert_eq!(asked, vec![(&json!(16), 4); 3], "speed suites have exact counts");
}

#[test]
fn random_weights_at_real_shapes_and_rows_that_say_why_they_did_not_run() {
    let bench = Bench::with(&["llama-gqa"]);
    for (name, config) in [("huge", HUGE), ("odd", ODD)] {
        bench.write(&format!("{name}/config.json"), config);
    }
    // Only the shape is needed.
    bench.write("tiny/config.json", std::fs::read(bench.path("llama-gqa/config.json")).unwrap());
    let line = "compare --synthetic --local tiny --local huge --local odd --prompts prompts";
    let ran = bench.run(&format!("{line} {EASY}")).exits(0);
    snapshot!("compare_synthetic", ran).answers("tiny *").answers("huge *");
    let run = bench.export("latest");
    assert_eq!(statuses(&run), ["ran", "skipped", "skipped"]);
    assert_eq!(run["run"]["rows"][0]["checkpoint"]["synthetic"], true);
    assert!(run["run"]["rows"][1]["fit"]["weights_bytes"].as_u64() > Some(1 << 50));
}

#[test]
fn a_failing_candidate_has_its_row_and_the_others_run() {
    let bench = Bench::with(&["llama-gqa", "qwen2-tied"]);
    std::fs::remove_file(bench.path("llama-gqa/model.safetensors")).unwrap();
    let line = "compare --local llama-gqa --local nowhere --local qwen2-tied --prompts prompts --suite greeting";
    snapshot!("compare_failing", bench.run(&format!("{line} {EASY}")).exits(1));
    assert_eq!(statuses(&bench.export("latest")), ["failed", "failed", "ran"]);
}

#[test]
fn the_shipped_236b_candidate_is_refused_before_anything_is_made() {
    let bench = Bench::new();
    let ran = bench.run("compare --synthetic --candidate deepseek-v2").exits(1);
    ran.answers("Rejected:").answers("deepseek-v2 q4_k: skipped");
}

#[test]
fn several_precisions_of_a_candidate_are_rows_of_their_own_and_flagged() {
    let bench = Bench::with(&["llama-wide"]);
    bench.write(
        "models.toml",
        "[[candidate]]\nid = \"넓은-모델\"\nlocal = \"llama-wide\"\nquantization = [\"f32\", \"q8_0\", \"q4_k\"]\n\
         licence = \"mit\"\n",
    );
    let ran = bench.run("compare --prompts prompts --suite count --repeat 6").exits(0);
    ran.answers("넓은-모델").answers("precision");
    let run = bench.export("latest");
    let rows = run["run"]["rows"].as_array().unwrap();
    let bytes: Vec<u64> = rows.iter().map(|row| row["load"]["weights_bytes"].as_u64().unwrap()).collect();
    assert!(bytes[0] > 2 * bytes[1] && bytes[1] > bytes[2], "{bytes:?}");
    rows.iter().for_each(says_what_its_load_was_made_of);

    let one = bench.run("compare --prompts prompts --suite count --quantization q8_0").exits(0);
    assert_eq!(one.stdout.matches("넓은-모델  ").count(), 1, "{one}");
}

/// Times of threads: none without work, and no more of them than threads could spend while it lasted. The file holds
/// bfloat16, so that each row has another type.
fn says_what_its_load_was_made_of(row: &Value) {
    let load = &row["load"];
    let part = |name: &str| load["parts"][format!("{name}_seconds")].as_f64().unwrap();
    let parts = ["read", "quantize", "transfer"].map(part);
    assert!(parts[0] > 0.0 && parts[1] > 0.0 && parts[2] == 0.0, "{load}");
    // The thread that the others work for is one more.
    let threads = std::thread::available_parallelism().unwrap().get() + 1;
    let most = load["load_seconds"].as_f64().unwrap() * threads as f64;
    assert!(parts.iter().sum::<f64>() <= most, "{load}, {threads} threads");
    assert_eq!(load["downloaded_bytes"], 0, "it was at hand");
}

#[test]
fn options_choose_what_runs() {
    let bench = Bench::with(&["llama-gqa"]);
    let keys = |options: &str| -> Vec<String> {
        bench.run(&format!("compare --local llama-gqa --prompts prompts {NO_FLOORS} {options}")).exits(0);
        let run = bench.export("latest");
        let key = |trial: &Value| {
            let language = trial["language"].as_str().unwrap_or("tokens");
            let warmup = if trial["warmup"] == true { "w" } else { "" };
            format!("{language}{warmup}{}:{}", trial["repetition"], trial["token_ids"].as_array().unwrap().len())
        };
        trials(&run["run"]["rows"][0]).iter().map(key).collect()
    };
    assert_eq!(keys("--suite count --warmup 1"), ["tokensw0:4", "tokens0:4", "tokens1:4"]);
    let warmed = keys("--suite count");
    let warmups = warmed.len() - 2;
    assert!((3..=10).contains(&warmups) && warmed[warmups - 1] == format!("tokensw{}:4", warmups - 1), "{warmed:?}");
    assert_eq!(keys("--suite count --warmup 0 --repeat 3"), ["tokens0:4", "tokens1:4", "tokens2:4"]);
    assert_eq!(keys("--suite count --warmup 0 --repeat 1 --max-new-tokens 2"), ["tokens0:2"]);
    let korean = keys("--suite greeting --language ko --max-new-tokens 1");
    assert_eq!(korean, ["kow0:1", "ko0:1"]);
    let both = keys("--max-new-tokens 1 --warmup 0 --repeat 1");
    assert_eq!(both, ["tokens0:1", "en0:1", "ko0:1"]);
}

#[test]
fn a_precision_that_cannot_be_reached_ends_at_the_most_rounds_and_says_so() {
    let bench = Bench::with(&["llama-gqa"]);
    let line =
        "compare --local llama-gqa --prompts prompts --suite count --warmup 0 --precision 0.000001% --max-repeat 7";
    let ran = bench.run(&format!("{line} {EASY}")).exits(0);
    ran.says("at least 2 trials each").answers("% was not reached in 7 rounds (`--max-repeat 7`): TTFT of pp16+tg4 ±");
    let run = bench.export("latest");
    assert_eq!(trials(&run["run"]["rows"][0]).len(), 7);
    let settings = |run: &Value| run["run"]["settings"].clone();
    assert_eq!(settings(&run)["max_repeat"], 7);

    // What runs again what it ran does so in the same way, or exactly so often as it is told to.
    let id = run["run"]["id"].as_str().unwrap();
    bench.run(&format!("compare --like {id} --prompts prompts")).exits(0);
    let again = bench.export("latest");
    assert_eq!((settings(&again), trials(&again["run"]["rows"][0]).len()), (settings(&run), 7));
    bench.run(&format!("compare --like {id} --prompts prompts --repeat 3")).exits(0);
    let thrice = bench.export("latest");
    assert_eq!((&settings(&thrice)["precision"], trials(&thrice["run"]["rows"][0]).len()), (&Value::Null, 3));
}

#[test]
fn another_seed_is_other_prompts_of_token_ids_and_the_same_seed_the_same() {
    let bench = Bench::with(&["llama-gqa"]);
    let answers = |options: &str| {
        let line = format!("compare --local llama-gqa --prompts prompts --suite count --warmup 1 {options}");
        bench.run(&line).exits(0);
        let run = bench.export("latest");
        trials(&run["run"]["rows"][0]).iter().map(|trial| trial["token_ids"].clone()).collect::<Vec<_>>()
    };
    let first = answers("");
    assert_eq!(first, answers("--seed 0"));
    assert_ne!(first, answers("--seed 1"));
    assert_ne!(first[1], first[2], "no two trials have the same prompt");
}

#[test]
fn a_prompt_longer_than_the_context_fails_its_trial_alone() {
    let bench = Bench::with(&["llama-gqa"]);
    bench.longest_context("llama-gqa", 64);
    bench.write(
        "prompts/count.toml",
        "description = \"Counts\"\nrepeat = 1\nwarmup = 0\n[[prompt]]\nid = \"short\"\nprompt_tokens = 16\n\
         output_tokens = 4\n[[prompt]]\nid = \"long\"\nprompt_tokens = 4_000_000_000\noutput_tokens = 4\n",
    );
    let line = "compare --local llama-gqa --prompts prompts --suite count --warmup 0";
    snapshot!("compare_long_prompt", bench.run(&format!("{line} {EASY} --require attainment=0.5")).exits(0));
    let run = bench.export("latest");
    let ends: Vec<&Value> = trials(&run["run"]["rows"][0]).iter().map(|trial| &trial["outcome"]["status"]).collect();
    assert_eq!(ends, ["completed", "failed"]);
}

#[test]
fn the_formats_are_the_exports() {
    let bench = Bench::with(&["llama-gqa"]);
    let line = format!("compare --local llama-gqa --prompts prompts --suite greeting {NO_FLOORS}");
    for format in ["csv", "json", "markdown"] {
        let ran = bench.run(&format!("{line} --format {format}")).exits(0);
        let exported = bench.run(&format!("export --format {format}")).exits(0);
        assert!(ran.stdout == exported.stdout, "{ran}\n{exported}");
    }
    let ran = bench.run(&line).exits(0);
    let exported = bench.run("export --format table").exits(0);
    assert!(ran.stdout == exported.stdout, "{ran}\n{exported}");
}

#[test]
fn an_output_file_takes_the_answer_in_place_of_standard_output() {
    let bench = Bench::with(&["llama-gqa"]);
    let line = format!(
        "compare --local llama-gqa --prompts prompts --suite greeting {NO_FLOORS} --format csv --output out.csv"
    );
    let ran = bench.run(&line).exits(0).says("written to out.csv");
    assert!(ran.stdout.is_empty(), "{ran}");
    assert_eq!(std::fs::read_to_string(bench.path("out.csv")).unwrap(), bench.run("export").exits(0).stdout);
}

#[test]
fn an_output_file_that_cannot_be_written_is_refused_before_anything_runs() {
    let bench = Bench::with(&["llama-gqa"]);
    let line = "compare --local llama-gqa --prompts prompts --output nowhere/out.csv --format csv";
    snapshot!("compare_output_refused", bench.run(line).exits(2));
    assert!(!bench.path("results").exists());
}

#[test]
fn quiet_says_nothing_and_verbose_more() {
    let bench = Bench::with(&["llama-gqa"]);
    let line = "compare --local llama-gqa --prompts prompts --suite count";
    let quiet = bench.run(&format!("{line} --quiet")).exits(0);
    assert!(quiet.stderr.is_empty() && quiet.stdout.contains("llama-gqa"), "{quiet}");
    bench.run(&format!("{line} --verbose")).exits(0).says("there is no models.toml here").says("loaded");
}

#[test]
fn nothing_that_qualifies_is_the_answer_no_with_the_nearest_miss() {
    let bench = Bench::with(&["llama-gqa"]);
    let line = "compare --local llama-gqa --prompts prompts --suite greeting \
                --require device=none --require decode_tokens_per_second=1e9";
    snapshot!("compare_nothing_qualifies", bench.run(line).exits(1)).answers("Nearest miss: llama-gqa");
}

#[test]
fn results_elsewhere_are_named_in_what_to_do_next() {
    let bench = Bench::with(&["llama-gqa"]);
    let line = "compare --local llama-gqa --prompts prompts --suite count --results 'my results'";
    bench.run(line).exits(0).says("Results: my results/bench.db").says(" --results 'my results' --format json");
    bench.run("history --results 'my results'").exits(0);
}

#[test]
fn a_checkpoint_without_a_tokenizer_runs_what_needs_none() {
    let bench = Bench::with(&["llama-gqa"]);
    std::fs::remove_file(bench.path("llama-gqa/tokenizer.json")).unwrap();
    let ran = bench.run("compare --local llama-gqa --prompts prompts --warmup 1").exits(0);
    ran.says("warning: llama-gqa has no tokenizer: the texts are left out");
    assert_eq!(trials(&bench.export("latest")["run"]["rows"][0]).len(), 3);
}
