//! The Hub through the program: `bench pull`, and `bench compare` of what is pulled.

use std::path::Path;

use serde_json::Value;

use crate::snapshot;
use crate::support::bench::{Bench, files_under};
use crate::support::fixture;
use crate::support::hub_stand_in::{COMMIT, Contents, Fault, HubStandIn, REPOSITORY, sha256};

const TOKEN: &str = "hf_this-must-not-be-seen";

/// The address of a repository that nobody has accepted the licence of.
const GATED: &str = "/api/models/org/gated/revision/main";

/// A checkpoint of the fixtures as a repository.
fn repository(checkpoint: &str) -> Contents {
    let mut contents = Contents::default();
    for file in std::fs::read_dir(fixture("checkpoints").join(checkpoint)).unwrap() {
        let file = file.unwrap();
        let (name, content) = (file.file_name().into_string().unwrap(), std::fs::read(file.path()).unwrap());
        contents = match name.as_str() {
            "reference.json" => contents,
            name if name.ends_with(".safetensors") => contents.large(name, content),
            name => contents.small(name, content),
        };
    }
    contents
}

/// A stand-in Hub with one open repository and a gated one, and a place to work that knows only this Hub.
fn place() -> (HubStandIn, Bench) {
    let server = HubStandIn::start(repository("llama-gqa"));
    server.always(GATED, Fault::Status(403, &[("X-Error-Code", "GatedRepo")]));
    let bench = Bench::new()
        .prompts()
        .variable("HF_ENDPOINT", server.endpoint())
        .variable("HF_HOME", "hf")
        .variable("HF_TOKEN", TOKEN);
    let candidate = |id: &str, hub: &str| format!("[[candidate]]\nid = \"{id}\"\nhub = \"{hub}\"\n");
    bench.write("models.toml", candidate("open", REPOSITORY) + &candidate("gated", "org/gated"));
    (server, bench)
}

/// A place where there is no network any more.
fn offline(bench: Bench) -> Bench {
    bench.variable("HF_HUB_OFFLINE", "1").variable("HF_ENDPOINT", "http://127.0.0.1:9")
}

/// Where a file of the repository lies in the cache.
fn cached(bench: &Bench, file: &str) -> Vec<u8> {
    let folder = bench.path("hf/hub/models--org--name/snapshots").join(COMMIT);
    std::fs::read(folder.join(file)).unwrap()
}

#[track_caller]
fn assert_token_in_no_file(folder: &Path) {
    for file in files_under(folder) {
        let content = std::fs::read(&file).unwrap();
        let found = content.windows(TOKEN.len()).any(|window| window == TOKEN.as_bytes());
        assert!(!found, "the token is in {}", file.display());
    }
}

#[test]
fn pull_then_compare_stores_the_commit_and_the_hashes() {
    let (server, bench) = place();
    let pulled = bench.run("pull open").exits(0).never_mentions(TOKEN);
    assert!(pulled.stdout.starts_with("open\t") && pulled.stdout.contains(&format!("\t{COMMIT}\t")), "{pulled}");
    assert_eq!(
        cached(&bench, "model.safetensors"),
        std::fs::read(fixture("checkpoints/llama-gqa/model.safetensors")).unwrap()
    );

    let downloads = server.ranges("model.safetensors").len();
    bench.run("compare --candidate open --prompts prompts").exits(0).never_mentions(TOKEN);
    assert_eq!(server.ranges("model.safetensors").len(), downloads, "what is cached is not downloaded again");
    let run = bench.export("latest");
    let checkpoint = &run["run"]["rows"][0]["checkpoint"];
    assert_eq!(checkpoint["commit"], COMMIT);
    let files = checkpoint["files"].as_array().unwrap();
    let hash = |path: &str| files.iter().find(|file| file["path"] == path).map(|file| file["sha256"].clone());
    assert_eq!(hash("model.safetensors"), Some(sha256(&cached(&bench, "model.safetensors")).into()));
    assert!(hash("config.json").is_some() && hash("tokenizer.json").is_some());
    assert_eq!(hash("reference.json"), None);
    bench.run("export --format csv").exits(0).answers(COMMIT);

    assert!(server.requests().iter().any(|request| request.authorization == Some(format!("Bearer {TOKEN}"))));
    assert_token_in_no_file(&bench.path("results"));
    assert_token_in_no_file(&bench.path("hf"));
}

#[test]
fn a_gated_candidate_fails_its_row_with_the_way_out_and_the_other_runs() {
    let (_server, bench) = place();
    let ran = bench.run("compare --prompts prompts --suite greeting").exits(1);
    let run = bench.export("latest");
    let statuses: Vec<&Value> =
        run["run"]["rows"].as_array().unwrap().iter().map(|row| &row["outcome"]["status"]).collect();
    assert_eq!(statuses, ["ran", "failed"]);
    let ran = ran.says("`org/gated` is gated").says("hint: visit http").says("/org/gated").says("`HF_TOKEN`");
    ran.never_mentions(TOKEN).answers("Recommendation: open").answers("gated: failed");
    assert_token_in_no_file(&bench.path("results"));
}

#[test]
fn pulling_everything_goes_on_past_a_gated_repository() {
    let (server, bench) = place();
    let port = server.endpoint().rsplit_once(':').unwrap().1.to_owned();
    let mut ran = bench.run("pull").exits(1).never_mentions(TOKEN);
    ran.stderr = ran.stderr.replace(&port, "PORT");
    snapshot!("pull_all", ran);
    bench.run("pull gated").exits(2).says("hint: visit");
}

#[test]
fn without_a_token_the_hint_says_to_set_one() {
    let (_server, bench) = place();
    let bench = bench.variable("HF_TOKEN", "");
    bench.run("pull gated").exits(2).says("then set `HF_TOKEN` to a token of the same account");
}

#[test]
fn what_was_pulled_works_offline_and_what_was_not_says_so() {
    let (server, bench) = place();
    bench.run("pull open").exits(0);
    drop(server);
    let bench = offline(bench);
    bench.run("compare --candidate open --prompts prompts --suite greeting").exits(0).answers("open");
    assert_eq!(bench.export("latest")["run"]["rows"][0]["checkpoint"]["commit"], COMMIT);
    bench.run("run org/name --prompt hello --max-new-tokens 2").exits(0);
    bench.run("pull gated").exits(2).says("unset `HF_HUB_OFFLINE` to download it");
    bench.run("compare --candidate gated --prompts prompts").exits(1).says("not in the cache");
}

#[test]
fn a_checkpoint_is_named_by_its_repository_too() {
    let (_server, bench) = place();
    let line = "--prompt hello --max-new-tokens 4 --format json";
    let answer = bench.run(&format!("run org/name@main {line}")).exits(0).json();
    bench.checkpoint("llama-gqa", "llama-gqa");
    assert_eq!(answer["text"], bench.run(&format!("run llama-gqa {line}")).exits(0).json()["text"]);
    bench.run("pull org/name@nowhere").exits(2).says("has no revision `nowhere`");
    bench.run("pull org/other").exits(2).says("has no repository `org/other`");
}

#[test]
fn one_gguf_file_of_a_repository() {
    let gguf = std::fs::read(fixture("gguf/qwen2-tied.f32.gguf")).unwrap();
    let contents = Contents::default().large("tiny.gguf", gguf).large("other.gguf", vec![0; 5000]);
    let server = HubStandIn::start(contents);
    let bench = Bench::new().prompts().variable("HF_ENDPOINT", server.endpoint()).variable("HF_HOME", "hf");
    bench.write("models.toml", format!("[[candidate]]\nid = \"tiny\"\nhub = \"{REPOSITORY}\"\nfile = \"tiny.gguf\"\n"));
    bench.run("compare --prompts prompts").exits(0).answers("tiny");
    assert!(server.ranges("other.gguf").is_empty());
    let run = bench.export("latest");
    let files = run["run"]["rows"][0]["checkpoint"]["files"].as_array().unwrap();
    assert!(files.iter().any(|file| file["path"] == "tiny.gguf"));
    bench.run("pull org/name --file tinny.gguf").exits(2).says("has no file `tinny.gguf`");
}

/// As `Qwen/Qwen2.5-7B-Instruct-GGUF` holds its files: one whole, another in parts.
#[test]
fn a_split_gguf_file_is_pulled_and_run_whole_by_whatever_name() {
    let read = |name: &str| std::fs::read(fixture("gguf").join(name)).unwrap();
    let part = |number: u32| format!("qwen2-tied.split.f32-{number:05}-of-00002.gguf");
    let contents = Contents::default()
        .large("q8.gguf", vec![0; 5000])
        .large(&part(1), read(&part(1)))
        .large(&part(2), read(&part(2)));
    let server = HubStandIn::start(contents);
    let bench = Bench::new().prompts().variable("HF_ENDPOINT", server.endpoint()).variable("HF_HOME", "hf");
    let named = |file: &str| format!("--file '{file}'");
    for file in ["qwen2-tied.split.f32.gguf", &part(1), &part(2), "*f32*"] {
        bench.run(&format!("pull org/name {}", named(file))).exits(0);
        let ran = bench.run(&format!("plan org/name {} --gpu l4 --format json", named(file))).exits(0);
        bench.gguf("qwen2-tied.f32.gguf");
        let whole = bench.run("plan qwen2-tied.f32.gguf --gpu l4 --format json").exits(0);
        assert_eq!(ran.json()["rows"][0]["weights_bytes"], whole.json()["rows"][0]["weights_bytes"], "{file}");
    }
    assert_eq!((cached(&bench, &part(1)), cached(&bench, &part(2))), (read(&part(1)), read(&part(2))));
    assert!(server.ranges("q8.gguf").is_empty());

    let models = |file: &str| format!("[[candidate]]\nid = \"split\"\nhub = \"{REPOSITORY}\"\nfile = \"{file}\"\n");
    bench.write("models.toml", models("qwen2-tied.split.f32.gguf"));
    bench.run("compare --prompts prompts").exits(0).answers("split");
    let files = bench.export("latest")["run"]["rows"][0]["checkpoint"]["files"].clone();
    let paths: Vec<&str> = files.as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap()).collect();
    assert_eq!(paths, [part(1), part(2)]);

    bench.run("pull org/name --file '*.gguf'").exits(2).says("means several files of `org/name`: `q8.gguf`, `qwen2");
    bench.run("pull org/name --file q4.gguf").exits(2).says("has no file `q4.gguf`").says("it has `q8.gguf`, `qwen2");
}

#[test]
fn a_repository_that_lacks_a_part_says_which() {
    let first = "qwen2-tied.split.f32-00001-of-00002.gguf";
    let contents = Contents::default().large(first, std::fs::read(fixture("gguf").join(first)).unwrap());
    let server = HubStandIn::start(contents);
    let bench = Bench::new().variable("HF_ENDPOINT", server.endpoint()).variable("HF_HOME", "hf");
    let lacks = "has no file `qwen2-tied.split.f32-00002-of-00002.gguf`";
    bench.run("pull org/name --file qwen2-tied.split.f32.gguf").exits(2).says(lacks);
    bench.run(&format!("plan org/name --file {first} --gpu l4")).exits(2).says(lacks);
    assert!(server.ranges(first).is_empty());
}

#[test]
fn a_hub_that_cannot_be_reached_fails_its_rows() {
    let bench = Bench::new().prompts().variable("HF_ENDPOINT", "http://127.0.0.1:9").variable("HF_HOME", "hf");
    bench.write("models.toml", "[[candidate]]\nid = \"far\"\nhub = \"org/name\"\n");
    bench.run("compare --prompts prompts").exits(1).says("could not reach `127.0.0.1:9`");
}
