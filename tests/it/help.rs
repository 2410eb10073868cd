//! What the program says about itself: help, version, completions.

use std::path::Path;
use std::process::Command;

use bench::cli::Cli;
use clap::CommandFactory;

use crate::snapshot;
use crate::support::bench::{Bench, files_under};

/// Every command as the program knows them, by the words that ask for it: none, `compare`, `baseline`, `baseline save`.
fn commands() -> Vec<(String, clap::Command)> {
    fn collect(words: &str, command: clap::Command, found: &mut Vec<(String, clap::Command)>) {
        for under in command.get_subcommands() {
            collect(format!("{words} {}", under.get_name()).trim_start(), under.clone(), found);
        }
        found.push((words.to_owned(), command));
    }
    let mut found = Vec::new();
    collect("", Cli::command(), &mut found);
    found
}

#[test]
fn the_help_of_every_command() {
    let bench = Bench::new();
    let mut names: Vec<String> = Vec::new();
    for (words, _) in commands() {
        let name = format!("help {words}").trim_end().replace(' ', "_");
        snapshot!(name.as_str(), bench.run(&format!("{words} --help")).exits(0));
        names.push(format!("{name}.snap"));
    }
    // And none of a command that is gone.
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/snapshots");
    let stored = files_under(&folder).into_iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned());
    let mut stored: Vec<String> = stored.filter(|name| name.starts_with("help") && name.ends_with(".snap")).collect();
    stored.sort();
    names.sort();
    assert_eq!(stored, names);
}

/// What clap breaks into two lines nobody reads. A command with several arguments, or with commands under it, has examples.
#[test]
fn no_line_of_the_examples_is_broken() {
    let bench = Bench::new();
    for (words, command) in commands() {
        let is_under_another = words.contains(' ');
        let is_simple = !command.has_subcommands() && command.get_arguments().count() < 2;
        if is_under_another || is_simple {
            continue;
        }
        let ran = bench.run(&format!("{words} --help")).exits(0);
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
