//! Tokenizers that are stated in several files, or by a name in a GGUF file.

use bench::acquire::local;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::support::bench::Bench;
use crate::support::fixture;
use crate::support::hub_stand_in::{Contents, HubStandIn, REPOSITORY};

#[derive(Deserialize)]
struct Case {
    name: String,
    own: Value,
    files: serde_json::Map<String, Value>,
    encode: Vec<Encoding>,
}

#[derive(Deserialize)]
struct Encoding {
    text: String,
    ids: Vec<u32>,
}

/// As transformers 5.23 gives them with tokenizers 0.23: `tests/fixtures/tokenizer_cases.py`.
#[test]
fn added_tokens_of_every_file_are_those_of_transformers() {
    let cases = std::fs::read(fixture("tokenizers/added_tokens.json")).unwrap();
    let cases: Vec<Case> = serde_json::from_slice(&cases).unwrap();
    assert!(cases.len() >= 14);
    let mut seen = std::collections::BTreeSet::new();
    for case in cases {
        let bench = Bench::with(&["llama-gqa"]);
        let file = "llama-gqa/tokenizer.json";
        let mut document: Value = serde_json::from_slice(&std::fs::read(bench.path(file)).unwrap()).unwrap();
        document["added_tokens"] = case.own;
        bench.write(file, document.to_string());
        for (name, contents) in &case.files {
            bench.write(&format!("llama-gqa/{name}.json"), contents.to_string());
        }
        let text = local::open(&bench.path("llama-gqa")).unwrap().text.unwrap().unwrap();
        for Encoding { text: input, ids } in &case.encode {
            let encoded = text.tokenizer.encode(input.as_str(), true).unwrap();
            assert_eq!(encoded.get_ids(), ids, "{}: {input:?}", case.name);
        }
        seen.insert(format!("{:?}", case.encode.iter().map(|encoding| &encoding.ids).collect::<Vec<_>>()));
    }
    assert!(seen.len() >= 8, "the files make a difference");
}

#[test]
fn files_beside_a_tokenizer_that_are_damaged_are_named() {
    for (name, contents, message) in [
        ("tokenizer_config", json!([]), "the settings are not an object"),
        ("tokenizer_config", json!({ "added_tokens_decoder": { "x": {} } }), "`x` is not the id of a token"),
        ("tokenizer_config", json!({ "added_tokens_decoder": { "350": {} } }), "a token has no content"),
        ("tokenizer_config", json!({ "pad_token": { "content": 1 } }), "a token has no content"),
        ("tokenizer_config", json!({ "pad_token": "a".repeat(5000) }), "bytes"),
        ("added_tokens", json!({ "<a>": "b" }), "the id of `<a>` is not a number"),
        ("special_tokens_map", json!({ "pad_token": {} }), "a token has no content"),
    ] {
        let bench = Bench::with(&["llama-gqa"]);
        bench.write(&format!("llama-gqa/{name}.json"), contents.to_string());
        bench.run("run llama-gqa --prompt hi").exits(2).says("error: could not use the tokenizer of").says(message);
        // What is not needed is not in the way.
        bench.run("run llama-gqa --ids [1,2] --max-new-tokens 1").exits(0);
    }
}

/// A GGUF file with other bytes of the same length somewhere in its metadata.
fn changed(from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut file = std::fs::read(fixture("gguf/llama-gqa.f32.gguf")).unwrap();
    let places: Vec<usize> =
        (0..file.len() - from.len()).filter(|at| file[*at..].starts_with(from.as_bytes())).collect();
    assert!(!places.is_empty());
    places.iter().for_each(|at| file[*at..*at + to.len()].copy_from_slice(to.as_bytes()));
    file
}

fn with_file(file: Vec<u8>) -> Bench {
    let bench = Bench::new().prompts();
    bench.write("model.gguf", file);
    bench
}

#[test]
fn a_pre_tokenizer_that_nobody_knows_is_skipped_where_texts_are_asked() {
    let bench = with_file(changed("llama-bpe", "mammoth-x"));
    let (says, hint) =
        ("`tokenizer.ggml.pre` = mammoth-x is not supported yet", "name the model's repository of safetensors");
    bench.run("run model.gguf --prompt hi").exits(2).says(says).says(hint);
    bench.run("run model.gguf --ids [1,2,3] --max-new-tokens 1").exits(0);
    bench.write("text.txt", "안녕");
    bench.run("score model.gguf --text text.txt").exits(2).says(says);
    bench.run("score model.gguf --ids [1,2,3]").exits(0);

    bench.run("compare --local model.gguf --prompts prompts").exits(1).answers(says).answers(hint);
    assert_eq!(bench.export("latest")["run"]["rows"][0]["outcome"]["status"], "skipped");
    bench.run("compare --local model.gguf --prompts prompts --suite count").exits(0);
    assert_eq!(bench.export("latest")["run"]["rows"][0]["outcome"]["status"], "ran");
}

#[test]
fn it_is_skipped_before_its_weights_are_downloaded() {
    let mut file = changed("llama-bpe", "mammoth-x");
    // More than is read for a header.
    file.resize(file.len() + (4 << 20), 0);
    let server = HubStandIn::start(Contents::default().large("model.gguf", file));
    let bench = Bench::new().prompts().variable("HF_ENDPOINT", server.endpoint());
    let models = format!("[[candidate]]\nid = \"x\"\nhub = \"{REPOSITORY}\"\nfile = \"model.gguf\"\n");
    bench.write("models.toml", models);
    bench.run("compare --models models.toml --prompts prompts").exits(1).answers("mammoth-x is not supported yet");
    let ranges = server.ranges("model.gguf");
    assert!(!ranges.is_empty() && ranges.iter().all(Option::is_some), "{ranges:?}");
}

#[test]
fn a_file_without_a_pre_tokenizer_is_split_by_default_with_a_warning() {
    let bench = with_file(changed("tokenizer.ggml.pre", "tokenizer.ggml.xxx"));
    bench.write("text.txt", "안녕 12345 hello-world");
    let says = "its file names no pre-tokenizer (tokenizer.ggml.pre): texts are split by llama.cpp's default";
    bench.run("run model.gguf --prompt hi --max-new-tokens 1").exits(0).says(says);
    bench.run("score model.gguf --text text.txt").exits(0).says(says);
    bench.run("run model.gguf --ids [1,2,3] --max-new-tokens 1").exits(0).never_mentions("pre-tokenizer");
    bench.run("compare --local model.gguf --prompts prompts --suite greeting --repeat 1 --warmup 0").says(says);
    let export = bench.export("latest");
    assert!(export["notes"].as_array().unwrap().iter().any(|note| note["kind"] == "split_by_default"), "{export}");
    bench.run("compare --local model.gguf --prompts prompts --suite count").exits(0).never_mentions("pre-tokenizer");
}

/// An answer would never end.
#[test]
fn an_end_of_sequence_that_no_token_has_is_refused_by_name() {
    let bench = Bench::with(&["llama-gqa"]);
    for file in ["config.json", "generation_config.json"] {
        let file = format!("llama-gqa/{file}");
        let whole = std::fs::read(bench.path(&file)).unwrap();
        for ids in [json!(999_999), json!([1, 352])] {
            let mut fields: Value = serde_json::from_slice(&whole).unwrap();
            fields["eos_token_id"] = ids.clone();
            bench.write(&file, fields.to_string());
            let ran = bench.run("run llama-gqa --prompt hi --max-new-tokens 1").exits(2);
            ran.says("`eos_token_id` is ").says("expected an id of the 352 tokens of the vocabulary");
        }
        bench.write(&file, whole);
    }
}

/// Known from the header: no failure, and before any weights are downloaded.
#[test]
fn gguf_files_that_are_no_model_are_skipped_for_what_they_are() {
    for (from, to, says) in [
        // The same lengths, so that only the texts differ.
        (
            "general.architecture\u{8}\0\0\0\u{5}\0\0\0\0\0\0\0llama",
            "general.architecture\u{8}\0\0\0\u{5}\0\0\0\0\0\0\0mamba",
            "architecture `mamba` is not supported yet",
        ),
        (
            "llama.attention.head_count\u{4}",
            "llama.attention.head_cxxxx\u{4}",
            "`llama.attention.head_cxxxx` is not supported yet",
        ),
    ] {
        let bench = with_file(changed(from, to));
        bench.run("run model.gguf --ids [1]").exits(2).says(says);
        bench.run("compare --local model.gguf --prompts prompts --suite count").exits(1).answers(says);
        assert_eq!(bench.export("latest")["run"]["rows"][0]["outcome"]["status"], "skipped");
    }
}
