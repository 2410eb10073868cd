//! Mistakes on the command line and in the files that the user writes: exit status 2, the place, and the way out.

use crate::snapshot;
use crate::support::bench::{Bench, runs_as_root};

#[test]
fn options() {
    let bench = Bench::with(&["llama-gqa"]);
    snapshot!("mistake_unknown_option", bench.run("compare --loacl llama-gqa").exits(2));
    snapshot!("mistake_unknown_command", bench.run("comapre").exits(2));
    for (line, part) in [
        ("compare --max-new-tokens 0", "0 is not in 1..=4294967295"),
        ("compare --repeat 0", "0 is not in 1..=100000"),
        ("compare --repeat many", "invalid digit"),
        ("compare --precision 2", "expected a share below 100%"),
        ("compare --min-seconds 0", "expected a number of seconds over 0"),
        ("compare --max-repeat 3", "were not provided"),
        ("compare --resume --precision 2%", "cannot be used with"),
        ("compare --threads 0", "0 is not in 1..=65535"),
        ("compare --seed=-1", "invalid digit"),
        ("compare --quantization q4", "[possible values: f32, bf16, f16, q8_0, q6_k"),
        ("compare --language fr", "[possible values: ko, en]"),
        ("compare --format xml", "[possible values: table, csv, json, markdown]"),
        ("compare --candidate a --local b", "cannot be used with"),
        ("compare --resume --repeat 3", "cannot be used with"),
        ("compare --resume --seed 3", "cannot be used with"),
        ("compare --quiet --verbose", "cannot be used with"),
        ("run llama-gqa", "--prompt <TEXT>"),
        ("run llama-gqa --prompt a --ids [1]", "cannot be used with"),
        ("run llama-gqa --ids 1,2", "expected a JSON list of token ids"),
        ("run llama-gqa --ids [-1]", "expected a JSON list of token ids"),
        ("run llama-gqa --ids [4294967296]", "expected a JSON list of token ids"),
        ("run llama-gqa --prompt a --temperature 0", "expected a number over 0"),
        ("run llama-gqa --prompt a --temperature NaN", "expected a number over 0"),
        ("history --suite count", "--metric <KEY>"),
        ("pull --file a.gguf", "<CANDIDATE>"),
        ("completions tcsh", "[possible values: bash, elvish, fish, powershell, zsh]"),
    ] {
        bench.run(line).exits(2).says(part);
    }
    assert!(!bench.path("results").exists(), "a mistake leaves nothing behind");
}

#[test]
fn names_that_are_nearly_right() {
    let bench = Bench::with(&["llama-gqa"]);
    snapshot!("mistake_candidate", bench.run("compare --candidate qwen2.5-7").exits(2));
    snapshot!("mistake_suite", bench.run("compare --local llama-gqa --prompts prompts --suite greting").exits(2));
    bench
        .run("compare --local llama-gqa --prompts prompts --suite xyz")
        .exits(2)
        .says("the suites are count, greeting");
    snapshot!("mistake_checkpoint", bench.run("run qwen2.5-7 --prompt a").exits(2));
    bench.run("run ./nowhere.gguf --prompt a").exits(2).says("neither a path that exists");
    bench.run("pull nothing-of-the-kind").exits(2).says("nor a Hub repository");
    bench.run("compare --local llama-gqa --prompts prompts --suite count").exits(0);
    snapshot!("mistake_metric", bench.run("history --metric ttft_second").exits(2));
    bench.run("history --metric xyz").exits(2).says("the metrics are ttft_seconds, ");
    snapshot!("mistake_requirement", bench.run("recommend --require ttft_second=1").exits(2));
    snapshot!("mistake_run", bench.run("export 19990101").exits(2));
}

#[test]
fn requirements() {
    let bench = Bench::with(&["llama-gqa"]);
    bench.run("compare --local llama-gqa --prompts prompts --suite count").exits(0);
    for (requirement, part) in [
        ("ttft_seconds", "`ttft_seconds` is not of the form KEY=VALUE"),
        ("ttft_seconds=fast", "the requirement `ttft_seconds` cannot be `fast`"),
        ("ttft_seconds=-1", "the requirement `ttft_seconds` cannot be -1"),
        ("attainment=95", "the requirement `attainment` cannot be 95"),
        ("budget.krw=1", "there is no requirement `budget.krw`"),
        ("budget=1", "budget"),
    ] {
        bench.run(&format!("recommend --require {requirement}")).exits(2).says(part);
        let line = format!("compare --local llama-gqa --prompts prompts --require {requirement}");
        bench.run(&line).exits(2).says(part);
    }
}

#[test]
fn models_toml() {
    let bench = Bench::new();
    let mistake = |text: &str| {
        bench.write("models.toml", text);
        bench.run("compare --synthetic").exits(2)
    };
    let candidate = "# 후보\n[[candidate]]\nid = \"하나\"\nhub = \"owner/name\"\n";
    snapshot!("models_unknown_key", mistake(&format!("{candidate}quantisation = \"q4_k\"\n")));
    snapshot!("models_duplicate_id", mistake(&[candidate, candidate].concat()));
    snapshot!("models_bad_value", mistake(&format!("{candidate}quantization = \"q4\"\n")));
    snapshot!("models_two_sources", mistake(&format!("{candidate}local = \"folder\"\n")));
    snapshot!("models_bad_requirement", mistake("[requirements]\nttft_seconds = -2.0\n"));
    snapshot!("models_not_toml", mistake("[[candidate]\nid = 1\n"));
    snapshot!("models_no_candidates", mistake(""));
    snapshot!("models_missing_file", bench.run("compare --models nowhere.toml").exits(2));
    // The same file, read by the other commands.
    bench.write("models.toml", "[candidates]\n");
    for line in ["pull", "run candidate --prompt a"] {
        bench.run(line).exits(2).says("models.toml:1:2: unknown field `candidates`").says("did you mean `candidate`?");
    }
}

#[test]
fn prompts() {
    let bench = Bench::with(&["llama-gqa"]);
    let line = "compare --local llama-gqa --prompts prompts";
    bench.run("compare --local llama-gqa --prompts nowhere").exits(2).says("`nowhere` has no suites");
    bench.write("prompts/ko/greeting.toml", "description = \"인사\"\nsystem = \"\"\nmax_tokens = 8\nprompt = []\n");
    snapshot!("prompts_unknown_key", bench.run(line).exits(2));
    bench.write("prompts/ko/greeting.toml", [0xFF, 0xFE]);
    bench.run(line).exits(2).says("could not read `prompts/ko/greeting.toml`");
    std::fs::remove_file(bench.path("prompts/ko/greeting.toml")).unwrap();
    bench.run(&format!("{line} --suite greeting --language ko")).exits(2).says("no prompts in that language");
}

#[test]
fn devices() {
    let bench = Bench::with(&["llama-gqa"]);
    let line = "compare --local llama-gqa --prompts prompts --device";
    if cfg!(not(feature = "cuda")) {
        snapshot!("mistake_no_cuda", bench.run(&format!("{line} cuda")).exits(2));
        bench.run("run llama-gqa --prompt a --device cuda:1").exits(2).says("this build has no CUDA");
    }
    bench.run(&format!("{line} gpu")).exits(2).says("it is neither `cpu` nor `cuda` nor `cuda:N`");
    bench.run(&format!("{line} cuda:x")).exits(2).says("`cuda:N` needs a number");
    assert!(!bench.path("results").exists(), "a mistake leaves nothing behind");
}

#[test]
fn candidates() {
    let bench = Bench::with(&["llama-gqa"]);
    let twice = "compare --local llama-gqa --local ./llama-gqa --prompts prompts";
    bench.run(twice).exits(2).says("`llama-gqa` would be run twice");
    let texts = "compare --synthetic --local llama-gqa --prompts prompts --suite greeting";
    bench.run(texts).exits(2).says("random weights have no tokenizer");
    assert!(!bench.path("results").exists(), "a mistake leaves nothing behind");
}

#[test]
fn prompts_that_a_checkpoint_cannot_take() {
    let bench = Bench::with(&["llama-gqa"]);
    bench.longest_context("llama-gqa", 64);
    let long = "안녕 ".repeat(100);
    let ran = bench.run(&format!("run llama-gqa --prompt '{long}'")).exits(2);
    ran.says("and 64 is the longest context of the model").says("hint: shorten the prompt");
    snapshot!("run_unknown_token", bench.run("run llama-gqa --ids [1,2,352]").exits(2));
    bench.run("run llama-gqa --ids []").exits(2).says("the prompt is empty");
    bench.gguf("llama-gqa.f32.gguf");
    snapshot!("run_requantize", bench.run("run llama-gqa.f32.gguf --prompt a --quantization q8_0").exits(2));
    let ran = bench.run("compare --local llama-gqa.f32.gguf --quantization q8_0 --prompts prompts").exits(1);
    ran.answers("it is not quantized again to q8_0");
}

#[test]
fn results_that_are_not_there_or_cannot_be_used() {
    let bench = Bench::with(&["llama-gqa"]);
    snapshot!("results_missing", bench.run("history").exits(2));
    for line in ["export", "recommend", "compare --resume", "history --metric ttft_seconds"] {
        bench.run(line).exits(2).says("there are no stored results at `results/bench.db`");
    }
    bench.write("results/bench.db", "");
    snapshot!("results_empty", bench.run("history").exits(2));
    bench.run("export").exits(2).says("no runs are stored");

    bench.write("results/bench.db", "this was never a database, however long one looks at it");
    snapshot!("results_not_a_database", bench.run("compare --local llama-gqa --prompts prompts").exits(2));
    bench.run("history").exits(2).says("is not a database");

    bench.write("file", "");
    let line = "compare --local llama-gqa --prompts prompts --results file";
    snapshot!("results_not_a_folder", bench.run(line).exits(2));
}

#[test]
fn results_that_are_damaged() {
    let bench = Bench::with(&["llama-gqa"]);
    bench.run("compare --local llama-gqa --prompts prompts --suite count").exits(0);
    let database = bench.path("results/bench.db");
    let whole = std::fs::read(&database).unwrap();
    let mut damaged = whole.clone();
    damaged[200..].fill(0xFF);
    std::fs::write(&database, damaged).unwrap();
    bench.run("history").exits(2).says("malformed").says("integrity_check");
    bench.run("compare --local llama-gqa --prompts prompts").exits(2).says("malformed");
    std::fs::write(&database, &whole[..whole.len() / 2]).unwrap();
    bench.run("export").exits(2).says("hint: ");
}

#[test]
fn results_that_may_not_be_written() {
    if runs_as_root() {
        return;
    }
    let bench = Bench::with(&["llama-gqa"]);
    std::fs::create_dir(bench.path("locked")).unwrap();
    let mut permissions = std::fs::metadata(bench.path("locked")).unwrap().permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(bench.path("locked"), permissions).unwrap();
    let line = "compare --local llama-gqa --prompts prompts --results locked/results";
    bench.run(line).exits(2).says("could not create the folder `locked/results`").says("--results DIR");
}
