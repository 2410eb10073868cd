//! What the program says about itself: help, version, completions.

use std::process::Command;

use crate::snapshot;
use crate::support::bench::Bench;

#[test]
fn the_help_of_every_command() {
    let bench = Bench::new();
    snapshot!("help", bench.run("--help").exits(0));
    snapshot!("help_compare", bench.run("compare --help").exits(0));
    snapshot!("help_run", bench.run("run --help").exits(0));
    snapshot!("help_score", bench.run("score --help").exits(0));
    snapshot!("help_plan", bench.run("plan --help").exits(0));
    snapshot!("help_audit", bench.run("audit --help").exits(0));
    snapshot!("help_pull", bench.run("pull --help").exits(0));
    snapshot!("help_recommend", bench.run("recommend --help").exits(0));
    snapshot!("help_export", bench.run("export --help").exits(0));
    snapshot!("help_history", bench.run("history --help").exits(0));
    snapshot!("help_doctor", bench.run("doctor --help").exits(0));
    snapshot!("help_completions", bench.run("completions --help").exits(0));
}

/// What clap breaks into two lines nobody reads.
#[test]
fn no_line_of_the_examples_is_broken() {
    let bench = Bench::new();
    for command in ["", "compare", "run", "score", "plan", "audit", "pull", "recommend", "export", "history"] {
        let ran = bench.run(&format!("{command} --help")).exits(0);
        let examples = ran.stdout.split("\nExamples:\n").nth(1).unwrap_or_else(|| panic!("no examples: {ran}"));
        let examples: Vec<&str> = examples.lines().take_while(|line| !line.is_empty()).collect();
        assert!(examples.len() >= 2 && examples.iter().all(|line| line.starts_with("  bench ")), "{ran}");
    }
}

#[test]
fn the_version() {
    let ran = Bench::new().run("--version").exits(0);
    assert_eq!(ran.stdout, format!("bench {}\n", env!("CARGO_PKG_VERSION")), "{ran}");
}

#[test]
fn no_command_is_a_mistake_that_shows_the_help() {
    Bench::new().run("").exits(2).says("Usage: bench").says("compare");
}

#[test]
fn completions_are_scripts_of_their_shells() {
    let bench = Bench::new();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        bench.run(&format!("completions {shell}")).exits(0).answers("max-new-tokens");
    }
    let ran = bench.run("completions bash");
    bench.write("completions.bash", &ran.stdout);
    // Where there is no bash there is nobody to read them.
    let Ok(bash) = Command::new("bash").arg("-n").arg(bench.path("completions.bash")).output() else { return };
    assert!(bash.status.success(), "{}", String::from_utf8_lossy(&bash.stderr));
}
