//! Rows in which the program ended, and files that change under it.

#![cfg(unix)]

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::time::Duration;

use bench::store::Store;
use serde_json::json;

use crate::support::bench::Bench;

/// A row that takes long to load before one that does not.
fn slow() -> Bench {
    let bench = Bench::with(&["qwen2-tied"]);
    bench.write("slow.toml", "load = [{ wait_ms = 100000 }]\nrequest = []");
    let models =
        "[[candidate]]\nid = \"slow\"\nscript = \"slow.toml\"\n[[candidate]]\nid = \"next\"\nlocal = \"qwen2-tied\"\n";
    bench.write("models.toml", models);
    bench
}

const LINE: &str = "compare --models models.toml --prompts prompts --suite count --repeat 1";

/// Waits until a row is begun for this time at the same place.
fn until_begun(bench: &Bench, times: u32) {
    let is_begun = || {
        let files = std::fs::read_dir(bench.path("results")).into_iter().flatten().flatten();
        let mut marks =
            files.map(|file| file.path()).filter(|path| path.extension().is_some_and(|end| end == "running"));
        let mark = marks.next().and_then(|mark| std::fs::read_to_string(mark).ok());
        mark.is_some_and(|mark| mark.contains(&format!("\"times\":{times}}}\n")))
    };
    while !is_begun() {
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// As where memory runs out, and candle or the standard library aborts.
#[test]
fn a_row_that_ended_the_program_is_failed_on_resume_and_the_next_ones_run() {
    let bench = slow();
    let running = bench.start(LINE);
    until_begun(&bench, 1);
    running.signal("ABRT");
    assert_eq!(running.wait().code, None);
    let words = "the program was ended by SIGABRT (as when there is no more memory) while this row ran";
    bench.run("compare --resume --prompts prompts").exits(1).says(&format!("warning: slow: {words}")).answers(words);
    let rows = bench.export("latest")["run"]["rows"].clone();
    assert_eq!(rows[0]["outcome"], json!({ "status": "failed", "kind": "engine", "message": words }));
    assert_eq!(rows[1]["outcome"]["status"], "ran");
    // A failed row is tried again, as any other.
    bench.write("slow.toml", "request = [[{ encoded = 16 }, { token = [11, \"a\"] }]]");
    bench.run("compare --resume --prompts prompts").exits(0);
    assert_eq!(bench.export("latest")["run"]["rows"][0]["outcome"]["status"], "ran");
}

/// Whoever killed it once may have meant something else.
#[test]
fn a_row_in_which_the_program_vanishes_twice_is_failed() {
    let bench = slow();
    let mut line = LINE;
    for time in [1, 2] {
        let running = bench.start(line);
        until_begun(&bench, time);
        running.signal("KILL");
        running.wait();
        line = "compare --resume --prompts prompts";
    }
    bench.run(line).exits(1).says("slow: the program was killed 2 times while this row ran, each time after 0 trials");
    let rows = bench.export("latest")["run"]["rows"].clone();
    assert_eq!((&rows[0]["outcome"]["status"], &rows[1]["outcome"]["status"]), (&json!("failed"), &json!("ran")));
}

/// Two interruptions are the user's, and no fault of the row.
#[test]
fn a_row_that_the_user_ends_at_once_is_begun_again() {
    let bench = slow();
    let mut line = LINE;
    for _ in 0..3 {
        let mut running = bench.start(line);
        until_begun(&bench, 1);
        while !running.has_ended() {
            running.signal("INT");
            std::thread::sleep(Duration::from_millis(20));
        }
        running.wait().exits(2).never_mentions("was killed");
        line = "compare --resume --prompts prompts";
    }
}

/// Many trials of a checkpoint that lies in a file of its own.
fn long() -> Bench {
    Bench::with(&["llama-gqa"])
}

const LONG: &str = "compare --local llama-gqa --prompts prompts --suite count --repeat 100000 --warmup 0";

/// Waits until the first trials are stored.
fn until_under_way(bench: &Bench) {
    let stored = || Some(Store::open_existing(bench.path("results/bench.db")).ok()?.list_runs().ok()?.last()?.trials);
    while stored().unwrap_or_default() < 20 {
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Weights are read in their mapped file: what is not there any more cannot be read.
#[cfg(target_os = "linux")]
#[test]
fn weights_that_are_cut_short_end_the_program_with_a_word() {
    let bench = long();
    let running = bench.start(LONG);
    until_under_way(&bench);
    File::options().write(true).open(bench.path("llama-gqa/model.safetensors")).unwrap().set_len(0).unwrap();
    let ran = running.finish().exits(2);
    ran.says("error: a file was cut short while the program read from it, or its disk failed (SIGBUS)\n");
    let words = "the program was ended by SIGBUS while this row ran";
    bench.run("compare --resume --prompts prompts").exits(1).says(&format!("llama-gqa: {words}"));
}

/// Numbers that are overwritten are numbers still, of nobody's model.
#[test]
fn a_row_whose_weights_are_overwritten_is_marked_and_not_recommended() {
    let bench = long();
    let running = bench.start(&LONG.replace("100000", "3000"));
    until_under_way(&bench);
    let file = bench.path("llama-gqa/model.safetensors");
    // In place: nothing of it is cut off meanwhile.
    let mut file = File::options().write(true).open(&file).unwrap();
    file.seek(SeekFrom::End(-4096)).unwrap();
    file.write_all(&[0; 4096]).unwrap();
    drop(file);
    let ran = running.finish().exits(1);
    ran.says("warning: llama-gqa: its files changed while it ran: model.safetensors")
        .answers("its files changed while it ran (model.safetensors): neither its answers nor its figures are to be believed")
        .answers("Recommendation: none");
    let export = bench.export("latest");
    assert_eq!(export["run"]["rows"][0]["load"]["files_changed"], json!(["model.safetensors"]));
    assert_eq!(export["notes"][0]["kind"], "files_changed");
}

/// Where a file is expected, and where nothing is.
#[test]
fn pipes_and_folders_are_errors_and_no_absences() {
    let pipe = |bench: &Bench, name: &str| {
        let _ = std::fs::remove_file(bench.path(name));
        assert!(std::process::Command::new("mkfifo").arg(bench.path(name)).status().unwrap().success());
    };
    for name in ["config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors", "chat_template.jinja"] {
        let bench = Bench::with(&["llama-gqa"]);
        let name = format!("llama-gqa/{name}");
        pipe(&bench, &name);
        let ran = bench.run("run llama-gqa --prompt hi --max-new-tokens 1").exits(2);
        ran.says("it is no file, but a device or a pipe");
        std::fs::remove_file(bench.path(&name)).unwrap();
        std::fs::create_dir(bench.path(&name)).unwrap();
        bench.run("run llama-gqa --prompt hi --max-new-tokens 1").exits(2).says("it is a folder, not a file");
    }
    let bench = Bench::with(&["llama-gqa"]);
    pipe(&bench, "pipe.gguf");
    bench.run("run pipe.gguf --ids [1]").exits(2).says("it is no file, but a device or a pipe");
    bench.write("huge.toml", "");
    bench.grow("huge.toml", 10 << 30);
    pipe(&bench, "prompts/ko/pipe.toml");
    for (line, says) in [
        ("audit /dev/zero --gpu l4", "a device or a pipe"),
        ("audit huge.toml --gpu l4", "larger than 64 MiB"),
        ("plan --gpu l4 --gpus /dev/zero", "a device or a pipe"),
        ("plan --gpu l4 --gpus huge.toml", "larger than 64 MiB"),
        ("compare --models /dev/zero", "a device or a pipe"),
        ("compare --models huge.toml", "larger than 64 MiB"),
        ("compare --local llama-gqa --prompts prompts", "a device or a pipe"),
        ("compare --local llama-gqa --quality huge.toml", "larger than 64 MiB"),
        ("score llama-gqa --text /dev/zero", "a device or a pipe"),
    ] {
        bench.run(line).exits(2).says(says);
    }
}
