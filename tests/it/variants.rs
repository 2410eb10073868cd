//! `bench compare --variants`: one candidate, set otherwise in one thing, through the whole program: with scripted answers first,
//! then on tiny checkpoints.

use serde_json::{Value, json};

use crate::snapshot;
use crate::support::bench::Bench;

const MODELS: &str = r#"
[[candidate]]
id = "server"
script = "server.toml"
quantization = "q8_0"
"#;

/// What is asked: so many questions in both languages, whose answers must say "red" or "빨강".
fn questions(count: usize) -> Bench {
    let bench = Bench::new();
    let prompts = |text: &str, word: &str| -> String {
        let one = |n: usize| {
            format!(
                "[[prompt]]\nid = \"p{n}\"\ntext = \"{text} {n}\"\n\
                 [[prompt.check]]\nkind = \"contains\"\nany = [\"{word}\"]\n"
            )
        };
        (1..=count).map(one).collect()
    };
    let suite = |description: &str, system: &str, prompts: String| {
        format!("description = \"{description}\"\nsystem = \"{system}\"\nmax_new_tokens = 8\n{prompts}")
    };
    bench.write("prompts/ko/colour.toml", suite("색", "짧게.", prompts("무슨 색인가요?", "빨강")));
    bench.write("prompts/en/colour.toml", suite("Colours", "Be brief.", prompts("Which colour?", "red")));
    bench.write("models.toml", MODELS);
    bench
}

/// A request that is answered with a text of two tokens, the second after so many milliseconds.
fn request(milliseconds: u64, text: &str) -> String {
    let middle = text.char_indices().nth(1).unwrap().0;
    let (first, second) = text.split_at(middle);
    format!(
        "[{{ encoded = 9 }}, \"prefilled\", {{ token = [1, \"{first}\"] }}, {{ wait_ms = {milliseconds} }}, \
         {{ token = [2, \"{second}\"] }}]"
    )
}

/// What a variant answers, request by request: English, then Korean.
fn answers(count: usize, milliseconds: u64, wrong: &[usize]) -> String {
    let answer =
        |n: usize, right: &str, other: &str| request(milliseconds, if wrong.contains(&n) { other } else { right });
    let korean = (1..=count).map(|n| answer(n, "빨강입니다.", "파랑입니다."));
    let english = (1..=count).map(|n| answer(n, "It is red.", "It is blue."));
    format!("request = [{}]\n", english.chain(korean).collect::<Vec<_>>().join(",\n"))
}

fn script(variants: &[(&str, String)]) -> String {
    let of = |(name, body): &(&str, String)| format!("[variant.quantization.{name}]\n{body}");
    variants.iter().map(of).collect::<Vec<_>>().join("\n")
}

const LINE: &str = "compare --models models.toml --prompts prompts --warmup 0 --variants";

fn order(run: &Value) -> Vec<(String, String)> {
    let rows = run["run"]["rows"].as_array().unwrap().iter();
    let mut trials: Vec<&Value> = rows.flat_map(|row| row["trials"].as_array().unwrap()).collect();
    trials.sort_by_key(|trial| trial["started_at"].as_str().unwrap().to_owned());
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    trials.iter().map(|trial| (text(&trial["prompt"]), text(&trial["row"]))).collect()
}

fn figure<'a>(run: &'a Value, key: &str) -> &'a Value {
    let figures = run["variants"]["changes"][0]["figures"].as_array().unwrap();
    figures.iter().find(|figure| figure["figure"] == key).unwrap()
}

#[test]
fn a_faster_variant_with_worse_answers_says_both() {
    let bench = questions(8);
    let slow = answers(8, 40, &[3]);
    let fast = answers(8, 10, &[5, 6]);
    bench.write("server.toml", script(&[("q8_0", slow), ("q4_k", fast)]));
    let ran =
        bench.run(&format!("{LINE} quantization=q8_0,q4_k --require pass_rate=none --require korean_pass_rate=none"));
    let ran = ran.exits(0).answers("What quantization q8_0 → q4_k changes");
    let ran = ran.answers("4 answers pass no more, 2 pass that did not").answers("colour en p5: fails now: contains, ");
    ran.answers("q8_0: It is red.").answers("q4_k: It is blue.");
    let run = bench.export("latest");
    assert_eq!(run["variants"]["axis"], "quantization");
    assert_eq!(
        (&run["variants"]["before"], &run["variants"]["in_turn"]),
        (&json!("server q8_0"), &json!("prompt_by_prompt"))
    );
    let latency = figure(&run, "latency_seconds");
    assert_eq!(latency["pairs"], 16);
    // 40 ms to 10 ms: a share of −0.75 less what the machine took beside the waits.
    assert!(latency["change"].as_f64().unwrap() < -0.4 && latency["interval"]["high"].as_f64().unwrap() < 0.0);
    assert!(figure(&run, "requests_per_second")["change"].as_f64().unwrap() > 0.5);
    assert_eq!(figure(&run, "energy_joules")["change"], Value::Null, "nothing tells energy here");
    let change = &run["variants"]["changes"][0];
    let flips: Vec<(&str, &str, bool)> = change["flips"]
        .as_array()
        .unwrap()
        .iter()
        .map(|flip| (flip["language"].as_str().unwrap(), flip["prompt"].as_str().unwrap(), flip["passes"] == true))
        .collect();
    let of = |language| [(language, "p3", true), (language, "p5", false), (language, "p6", false)];
    assert_eq!(flips, [of("en"), of("ko")].concat());
    assert_eq!(
        (&change["flips"][1]["before"], &change["flips"][1]["after"]),
        (&json!("It is red."), &json!("It is blue."))
    );
    assert_eq!(change["same_answers"]["passed"], 10);
}

#[test]
fn trials_alternate_prompt_by_prompt_and_who_was_first_is_last_the_next_time() {
    let bench = questions(4);
    let script_of = |values: &[&str]| {
        let each: Vec<(&str, String)> = values.iter().map(|value| (*value, answers(4, 1, &[]))).collect();
        script(&each)
    };
    bench.write("server.toml", script_of(&["q8_0", "q6_k", "q4_k"]));
    bench.run(&format!("{LINE} quantization=q8_0,q6_k,q4_k --language ko")).exits(0);
    let order = order(&bench.export("latest"));
    let rows = |names: [&str; 3]| names.map(|name| format!("server {name}"));
    let (there, back) = (rows(["q8_0", "q6_k", "q4_k"]), rows(["q4_k", "q6_k", "q8_0"]));
    let expected: Vec<(String, String)> = ["p1", "p2", "p3", "p4"]
        .iter()
        .zip([&there, &back, &there, &back])
        .flat_map(|(prompt, rows)| rows.iter().map(|row| ((*prompt).to_owned(), row.clone())))
        .collect();
    assert_eq!(order, expected);
}

#[test]
fn the_same_twice_shows_no_change() {
    let bench = questions(8);
    bench.write("server.toml", script(&[("q8_0", answers(8, 5, &[2])), ("q4_k", answers(8, 5, &[2]))]));
    let ran = bench.run(&format!("{LINE} quantization=q8_0,q4_k")).exits(0);
    ran.answers("no change shown").answers("The same answer to the letter: 16 of 16.").never_mentions("no more");
    let run = bench.export("latest");
    let change = &run["variants"]["changes"][0];
    assert_eq!(change["flips"], json!([]));
    for rate in change["rates"].as_array().unwrap() {
        assert_eq!((&rate["difference"], &rate["interval"]), (&json!(0.0), &json!({ "low": 0.0, "high": 0.0 })));
    }
}

#[test]
fn what_cannot_be_varied_is_refused_with_what_can() {
    let bench = questions(1);
    bench.write("server.toml", script(&[("q8_0", answers(1, 1, &[])), ("q4_k", answers(1, 1, &[]))]));
    snapshot!("mistake_variants", bench.run(&format!("{LINE} context=5000,1200")).exits(2));
    for (variants, part) in [
        ("contxt=1,2", "did you mean `context`?"),
        ("quantization=q4_k", "two values at least"),
        ("quantization=q4_k,q5", "`q5` is no value of quantization"),
    ] {
        bench.run(&format!("{LINE} {variants}")).exits(2).says(part);
    }
    bench.gguf("qwen2-tied.f32.gguf");
    let line = "compare --local qwen2-tied.f32.gguf --variants";
    bench.run(&format!("{line} adapter=none,there")).exits(2).says("it can be in quantization, context, kv-cache");
    bench.run(&format!("{line} kv-cache=on,off --resume")).exits(2).says("cannot be used with");
    let both = bench.run(&format!("{line} quantization=q8_0,q4_k --quantization q4_k")).exits(2);
    both.says("leave --quantization out");
    let several = "compare --synthetic --variants kv-cache=on,off";
    Bench::new().run(several).exits(2).says("variants are of one candidate, and these are several").says("--candidate");
    assert!(!bench.path("results").exists(), "a mistake leaves nothing behind");
}

#[test]
fn a_value_that_a_script_does_not_have_is_a_failed_row() {
    let bench = questions(1);
    bench.write("server.toml", script(&[("q8_0", answers(1, 1, &[])), ("q4_k", answers(1, 1, &[]))]));
    let ran = bench.run(&format!("{LINE} quantization=q8_0,q6_k --language en")).exits(1);
    ran.says("it has no variant with quantization q6_k");
    let run = bench.export("latest");
    assert_eq!(run["variants"]["changes"], json!([]));
    assert_eq!(run["run"]["rows"][0]["outcome"]["status"], "ran");
}

// The engine of this process, on tiny checkpoints.

/// Suites of [`Bench::prompts`]: one text in each language, and counts.
const TINY: &str = "--prompts prompts --warmup 0 --require korean_fidelity=none --require english_fidelity=none \
                    --require ttft_seconds=60 --require decode_tokens_per_second=0.001";

fn row(run: &Value, index: usize) -> &Value {
    &run["run"]["rows"][index]
}

fn answers_of(row: &Value) -> Vec<&Value> {
    row["trials"].as_array().unwrap().iter().map(|trial| &trial["token_ids"]).collect()
}

#[test]
fn without_a_cache_and_with_plain_attention_the_answers_are_the_same() {
    for checkpoint in ["llama-gqa", "mistral-window", "deepseek-v2-greedy"] {
        let bench = Bench::with(&[checkpoint]);
        for variants in ["kv-cache=on,off", "attention=blocked,plain"] {
            bench.run(&format!("compare --local {checkpoint} --variants {variants} {TINY}")).exits(0);
            let run = bench.export("latest");
            assert_eq!(answers_of(row(&run, 0)), answers_of(row(&run, 1)), "{checkpoint}: {variants}");
            let divergence = &run["variants"]["changes"][0]["divergence"];
            for language in ["ko", "en"] {
                assert_eq!(divergence[language]["same_top_share"], 1.0, "{checkpoint}: {variants}");
                assert!(divergence[language]["mean_kl_nats"].as_f64().unwrap() < 1e-6, "{checkpoint}: {divergence}");
            }
            let named: Vec<&str> = variants.split(['=', ',']).collect();
            let expected = format!("{checkpoint} {}={}", named[0], named[2]);
            assert_eq!(run["variants"]["changes"][0]["after"], json!(expected));
        }
    }
}

/// Beside quantized weights the cache is of 16 bits.
#[test]
fn plain_attention_reads_a_cache_of_16_bits() {
    let bench = Bench::with(&["llama-wide"]);
    let line = "compare --local llama-wide --quantization q8_0 --variants attention=blocked,plain";
    bench.run(&format!("{line} {TINY} --suite count")).exits(0);
    let run = bench.export("latest");
    assert_eq!(answers_of(row(&run, 0)), answers_of(row(&run, 1)));
}

#[test]
fn a_context_refuses_longer_prompts_cuts_answers_and_reserves_its_cache() {
    let bench = Bench::with(&["llama-gqa"]);
    // Prompts of 16 random tokens with answers of 4: 17 leave room for the first two, 10 for none.
    let line = "compare --local llama-gqa --variants context=100,17,10";
    let ran = bench.run(&format!("{line} {TINY} --suite count")).exits(0);
    ran.answers(
        "llama-gqa context=10: 2 of 2 requests failed, the first with: the prompt has 16 tokens, and the context was set to 10",
    );
    let run = bench.export("latest");
    let lengths = |index| -> Vec<usize> {
        answers_of(row(&run, index)).iter().map(|ids| ids.as_array().map_or(0, Vec::len)).collect()
    };
    assert_eq!((lengths(0), lengths(1), lengths(2)), (vec![4, 4], vec![2, 2], vec![0, 0]));
    assert_eq!(row(&run, 1)["trials"][0]["outcome"]["finish"], "context");
    let reserved = |index: usize| row(&run, index)["fit"]["kv_cache_bytes"].as_u64().unwrap();
    assert_eq!(reserved(0) * 17, reserved(1) * 100);
}

#[test]
fn a_gguf_file_is_quantized_again_and_an_adapter_is_merged_or_not() {
    let bench = Bench::new().prompts();
    bench.gguf("llama-wide.q8_0.gguf");
    let line = "compare --local llama-wide.q8_0.gguf --variants quantization=stored,q4_k,q8_0";
    bench.run(&format!("{line} {TINY} --suite count")).exits(0);
    let run = bench.export("latest");
    let held = |index: usize| row(&run, index)["load"]["precision"][0]["type"].as_str().unwrap().to_owned();
    assert_eq!([held(0), held(1), held(2)], ["q8_0", "q4_k", "q8_0"]);
    let weights = |index: usize| row(&run, index)["load"]["weights_bytes"].as_u64().unwrap();
    assert!(weights(1) < weights(0) && weights(2) == weights(0));
    // Blocks of 8 bits come back from their own numbers as they were.
    assert_eq!(answers_of(row(&run, 0)), answers_of(row(&run, 2)));

    let bench = Bench::with(&["llama-gqa"]);
    bench.adapter("llama-gqa-lora");
    bench.run(&format!("compare --local llama-gqa --variants adapter=none,llama-gqa-lora {TINY}")).exits(0);
    let run = bench.export("latest");
    assert_ne!(answers_of(row(&run, 0)), answers_of(row(&run, 1)));
    assert_eq!(run["variants"]["changes"][0]["after"], "llama-gqa adapter=llama-gqa-lora");
}

#[test]
fn a_run_of_variants_is_resumed_repeated_and_recommended_from_like_any_other() {
    let bench = Bench::with(&["llama-gqa"]);
    let line = "compare --local llama-gqa --variants quantization=q8_0,q4_0 --prompts prompts --suite count \
                --repeat 200 --warmup 1 --require ttft_seconds=60 --require decode_tokens_per_second=0.001";
    let mut running = bench.start(line);
    let stored = || {
        let heads = ::bench::store::Store::open_existing(bench.path("results/bench.db")).ok()?.list_runs().ok()?;
        Some(heads.last()?.trials)
    };
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while stored().unwrap_or_default() < 20 {
        assert!(!running.has_ended() && std::time::Instant::now() < deadline);
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    running.signal("KILL");
    running.wait();
    let before = bench.export("latest");
    let count = |run: &Value, index| row(run, index)["trials"].as_array().unwrap().len();
    assert!(count(&before, 0).abs_diff(count(&before, 1)) <= 1, "nobody goes ahead");
    bench.run("compare --resume --prompts prompts").exits(0).answers("What quantization q8_0 → q4_0 changes");
    let run = bench.export("latest");
    assert_eq!((count(&run, 0), count(&run, 1)), (201, 201));
    assert_eq!(row(&run, 0)["load"]["together"], true);
    assert_eq!(row(&run, 0)["load"]["peak_bytes"], Value::Null, "the other's memory is in it");
    bench.run("recommend --require memory_gib=1").exits(0).answers("llama-gqa q4_0");
    bench.run("baseline save").exits(0);
    bench
        .run("compare --like latest --prompts prompts --repeat 2")
        .exits(0)
        .answers("What quantization q8_0 → q4_0 changes");
}

/// What `bench score` says of the same text, computed along another way: the prompt and the answer as one text.
#[test]
fn predictions_are_compared_along_the_answers_of_the_first() {
    let bench = Bench::with(&["llama-gqa"]);
    let line = "compare --local llama-gqa --variants quantization=f32,q8_0,q4_0";
    bench.run(&format!("{line} {TINY} --suite greeting")).exits(0).answers("Korean: KL divergence ");
    let run = bench.export("latest");
    assert_eq!(row(&run, 0).get("agreements"), None, "it is the first");
    let mean = |change: usize, language: &str| {
        let divergence = &run["variants"]["changes"][change]["divergence"][language];
        assert_eq!(divergence["positions"], 8, "as many as the answer has tokens");
        divergence["mean_kl_nats"].as_f64().unwrap()
    };
    for language in ["ko", "en"] {
        assert!(0.0 < mean(0, language) && mean(0, language) < mean(1, language), "fewer bits are further away");
    }
    let answers = row(&run, 2)["agreements"].as_array().unwrap();
    assert_eq!(answers.len(), 2);
    assert!(answers.iter().all(|answer| answer["kl_nats"].as_array().unwrap().len() == 8));
}

#[test]
fn variants_that_do_not_fit_at_once_are_loaded_again_for_each_round() {
    let bench = Bench::with(&["llama-gqa"]);
    // Each takes 400 KiB or so.
    bench.host.limits_memory(16 << 30, (16 << 30) - (600 << 10), 0);
    let line = "compare --local llama-gqa --variants kv-cache=on,off --suite count --repeat 3";
    let ran = bench.run(&format!("{line} {TINY}")).exits(0);
    ran.answers("Trials alternated round by round, each variant loaded again for its turn");
    let run = bench.export("latest");
    let rows: Vec<String> = order(&run).into_iter().map(|(_, row)| row).collect();
    let [on, off] = ["on", "off"].map(|value| format!("llama-gqa kv-cache={value}"));
    assert_eq!(rows, [&on, &off, &off, &on, &on, &off].map(String::clone));
    for index in 0..2 {
        assert_eq!(row(&run, index)["outcome"]["status"], "ran");
        assert_eq!(row(&run, index)["load"].get("together"), None);
    }
    assert_eq!(run["variants"]["in_turn"], "round_by_round");
}
