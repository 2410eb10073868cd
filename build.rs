//! Tells the program which commit it is built from, so that figures can be followed by commit.

use std::process::Command;

fn main() {
    // The sources are watched too: a build of changed files says `-dirty`.
    for path in ["build.rs", "src", "Cargo.toml", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={path}");
    }
    // Grows with every commit and checkout. Outside of a repository there is none, and cargo would rebuild for ever if it were
    // told to watch a file that is not there.
    if let Some(log) =
        git(&["rev-parse", "--git-path", "logs/HEAD"]).filter(|path| std::fs::exists(path).unwrap_or(false))
    {
        println!("cargo::rerun-if-changed={log}");
    }
    if let Some(commit) = git(&["describe", "--always", "--dirty", "--exclude=*", "--abbrev=12"]) {
        println!("cargo::rustc-env=BENCH_COMMIT={commit}");
    }
}

/// What git answers, if there is a git and a repository.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
