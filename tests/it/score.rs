//! `bench score`: how likely a checkpoint finds texts.

use std::path::PathBuf;

use serde_json::Value;

use crate::support::bench::Bench;
use crate::support::fixture;

fn reference(checkpoint: &str, file: &str) -> Value {
    read(fixture("checkpoints").join(checkpoint).join(file))
}

fn read(file: PathBuf) -> Value {
    serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

#[test]
fn every_token_has_the_probability_that_transformers_gives_it() {
    let bench = Bench::with(&["llama-gqa"]);
    let expected = reference("llama-gqa", "reference.json");
    let ids = expected["ids"].to_string();
    let answer = bench.run(&format!("score llama-gqa --ids {ids} --per-token --format json")).exits(0).json();
    let tokens = answer["per_token"].as_array().unwrap();
    assert_eq!(tokens[0]["log_prob"], Value::Null, "the first token has no context");
    let expected_log_probs = numbers(&expected["log_probs"]);
    for (token, (id, log_prob)) in
        tokens[1..].iter().zip(expected["ids"].as_array().unwrap()[1..].iter().zip(&expected_log_probs))
    {
        assert_eq!(&token["id"], id);
        assert!((token["log_prob"].as_f64().unwrap() - log_prob).abs() < 1e-3, "{token} against {log_prob}");
    }
    let nll = -expected_log_probs.iter().sum::<f64>();
    assert_eq!(answer["tokens"], expected["ids"].as_array().unwrap().len());
    assert!((answer["nll_nats"].as_f64().unwrap() - nll).abs() < 1e-2);
    let perplexity = (nll / expected_log_probs.len() as f64).exp();
    assert!((answer["perplexity"].as_f64().unwrap() / perplexity - 1.0).abs() < 1e-3);
}

#[test]
fn bytes_and_characters_are_the_texts() {
    let bench = Bench::with(&["llama-gqa"]);
    bench.write("text.txt", "서울은 수도");
    let answer = bench.run("score llama-gqa --text text.txt --format json").exits(0).json();
    assert_eq!((answer["bytes"].as_u64(), answer["characters"].as_u64()), (Some(16), Some(6)));
    let bits = answer["nll_nats"].as_f64().unwrap() / std::f64::consts::LN_2 / 16.0;
    assert!((answer["bits_per_byte"].as_f64().unwrap() - bits).abs() < 1e-9);
    assert_eq!(answer.get("per_token"), None);
}

/// Qwen's tokenizer puts nothing before a text, so its first token has no context. Here that is a third of a syllable: the
/// syllable is left out as a whole, of the figures and of the bytes.
#[test]
fn without_a_token_before_the_text_its_first_character_is_not_scored() {
    let bench = Bench::with(&["llama-gqa", "qwen2-tied"]);
    bench.write("text.txt", "서울은 수도");
    let score = |checkpoint: &str| {
        bench.run(&format!("score {checkpoint} --text text.txt --per-token --format json")).exits(0).json()
    };
    let (with, without) = (score("llama-gqa"), score("qwen2-tied"));
    let of = |answer: &Value, key: &str| answer[key].as_u64().unwrap();
    assert_eq!((&with["first_token"], &without["first_token"]), (&"added".into(), &"not_scored".into()));
    assert_eq!((of(&with, "bytes"), of(&with, "scored_tokens")), (16, of(&with, "tokens") - 1));
    assert_eq!((of(&without, "bytes"), of(&without, "characters")), (13, 5));
    let scored = of(&without, "scored_tokens") as usize;
    assert!(scored < of(&without, "tokens") as usize - 1, "the syllable is more than one token: {without}");
    let tokens = without["per_token"].as_array().unwrap();
    let nll: f64 = tokens[tokens.len() - scored..].iter().map(|token| -token["log_prob"].as_f64().unwrap()).sum();
    assert!((without["nll_nats"].as_f64().unwrap() - nll).abs() < 1e-9);
}

#[test]
fn texts_are_pooled_by_their_bytes_and_by_the_language_of_their_lines() {
    let bench = Bench::with(&["llama-gqa"]);
    bench.write("ko.txt", "서울은 수도이다.\n");
    bench.write("mixed.txt", "부산\n\nBusan is a city.\n");
    let score = |texts: &str| bench.run(&format!("score llama-gqa {texts} --format json")).exits(0).json();
    let both = score("--text ko.txt --text mixed.txt");
    let of = |answer: &Value, key: &str| answer[key].as_f64().unwrap();
    for key in ["nll_nats", "bytes", "tokens"] {
        let parts = of(&score("--text ko.txt"), key) + of(&score("--text mixed.txt"), key);
        assert!((of(&both, key) - parts).abs() < 1e-6, "{key}: {both}");
        let languages = of(&both["languages"]["ko"], key) + of(&both["languages"]["en"], key);
        // The tokens that the tokenizer adds to each text are of no language.
        let added = if key == "tokens" { 2.0 } else { 0.0 };
        assert!((of(&both, key) - languages - added).abs() < 1e-6, "{key}: {both}");
    }
    assert_eq!(both["languages"]["en"]["bytes"], "Busan is a city.\n".len());
    let ratio = of(&both["languages"]["ko"], "bits_per_byte") / of(&both["languages"]["en"], "bits_per_byte");
    assert!((of(&both["parity"], "bits_per_byte") - ratio).abs() < 1e-12);
    assert_eq!(both["parity"]["bits"], Value::Null, "nobody says that these texts say the same");
}

#[test]
fn the_shipped_texts_are_scored_where_none_is_given() {
    let bench = Bench::with(&["qwen2-tied"]);
    let answer = bench.run("score qwen2-tied --format json").exits(0).json();
    let names: Vec<&str> =
        answer["texts"].as_array().unwrap().iter().map(|text| text["name"].as_str().unwrap()).collect();
    assert_eq!(names.len(), 8);
    assert!(names.contains(&"notice ko") && names.contains(&"notice en"), "{names:?}");
    let of = |language: &str, key: &str| answer["languages"][language][key].as_f64().unwrap();
    let bits = of("ko", "nll_nats") / of("en", "nll_nats");
    assert!((answer["parity"]["bits"].as_f64().unwrap() - bits).abs() < 1e-9, "they say the same in both languages");
    assert_eq!(answer["parity"]["tokens"].as_f64().unwrap(), of("ko", "tokens") / of("en", "tokens"));
    let page = bench.run("score qwen2-tied").exits(0);
    page.answers("its first token is not scored").answers("for the same content");
}

/// Windows that overlap by half lose context, and so agree with the whole text where they have all of it.
#[test]
fn a_long_text_is_taken_in_windows() {
    let bench = Bench::with(&["llama-gqa"]);
    let ids = reference("llama-gqa", "reference.json")["ids"].to_string();
    let score = |options: &str| {
        let answer = bench.run(&format!("score llama-gqa --ids {ids} --per-token --format json {options}"));
        let answer = answer.exits(0).json();
        let tokens = answer["per_token"].as_array().unwrap()[1..].iter();
        tokens.map(|token| token["log_prob"].as_f64().unwrap()).collect::<Vec<_>>()
    };
    let (whole, windowed) = (score(""), score("--window 40 --stride 20"));
    assert_eq!(whole.len(), windowed.len());
    let differences: Vec<f64> = whole.iter().zip(&windowed).map(|(a, b)| (a - b).abs()).collect();
    assert!(differences[..39].iter().all(|difference| *difference < 1e-4), "{differences:?}");
    assert!(differences[39..].iter().any(|difference| *difference > 1e-3), "windows must lose context");
}

#[test]
fn a_precision_against_itself_diverges_by_nothing_and_fewer_bits_by_more() {
    let bench = Bench::with(&["llama-wide"]);
    bench.write("text.txt", "안녕하세요, 세계!\nHello there, world!\n");
    let against = |precision: &str| {
        let line = format!("score llama-wide --text text.txt --quantization f32 --against {precision} --format json");
        bench.run(&line).exits(0).json()["against"].clone()
    };
    let mean = |answer: &Value, of: &str| answer["divergence"][of]["mean_kl_nats"].as_f64().unwrap();
    let itself = against("f32");
    assert_eq!((mean(&itself, "ko"), mean(&itself, "en")), (0.0, 0.0));
    assert_eq!(itself["overall"]["same_top_share"], 1.0);
    // 16 bits of the same 16-bit weights change nothing but the order of additions.
    assert!(against("bf16")["overall"]["mean_kl_nats"].as_f64().unwrap() < 1e-6);
    let (eight, four) = (against("q8_0"), against("q4_k"));
    let overall = |answer: &Value| answer["overall"]["mean_kl_nats"].as_f64().unwrap();
    assert!(0.0 < overall(&eight) && overall(&eight) < 0.05, "{eight}");
    assert!(overall(&eight) < overall(&four) && overall(&four) < 1.0, "{four}");
    for language in ["ko", "en"] {
        assert!(
            four["divergence"][language]["p999_kl_nats"].as_f64()
                >= four["divergence"][language]["mean_kl_nats"].as_f64()
        );
    }
}

#[test]
fn an_adapter_is_of_the_checkpoint_and_of_its_other_precisions() {
    let bench = Bench::with(&["llama-gqa"]);
    bench.adapter("llama-gqa-lora");
    let expected = read(fixture("adapters/llama-gqa-lora/reference.json"));
    let ids = expected["ids"].to_string();
    let against = |other: &str| {
        let line = format!("score llama-gqa --adapter llama-gqa-lora --ids {ids} --against {other} --quantization f32");
        bench.run(&format!("{line} --per-token --format json")).exits(0).json()
    };
    let answer = against("llama-gqa");
    let tokens = answer["per_token"].as_array().unwrap()[1..].iter();
    for (token, log_prob) in tokens.zip(numbers(&expected["log_probs"])) {
        assert!((token["log_prob"].as_f64().unwrap() - log_prob).abs() < 1e-3, "{token} against {log_prob}");
    }
    let mean = |answer: &Value| answer["against"]["overall"]["mean_kl_nats"].as_f64().unwrap();
    assert!(mean(&answer) > 1e-3, "what is named by itself is without the adapter: {}", answer["against"]);
    assert_eq!(mean(&against("f32")), 0.0, "another precision has it too");
}

#[test]
fn mistakes_say_what_to_do() {
    let bench = Bench::with(&["llama-gqa", "qwen2-window"]);
    bench.gguf("qwen2-tied.f32.gguf");
    bench.adapter("llama-gqa-lora");
    bench.write("text.txt", "hello");
    for (line, part) in [
        ("score llama-gqa --text text.txt --ids [1]", "cannot be used with"),
        ("score llama-gqa --text nothing.txt", "could not read `nothing.txt`"),
        ("score llama-gqa --ids []", "the prompt is empty"),
        ("score llama-gqa --ids [1,99999]", "token id 99999 is not in the vocabulary"),
        ("score llama-gqa --text text.txt --window 10 --stride 10", "leaves gaps between windows"),
        ("score llama-gqa --text text.txt --against qwen2-window", "has another vocabulary"),
        ("score llama-gqa --text text.txt --adapter nowhere", "`nowhere` is no adapter"),
        ("score qwen2-tied.f32.gguf --text text.txt --adapter llama-gqa-lora", "not into a GGUF file"),
    ] {
        bench.run(line).exits(2).says(part);
    }
}
