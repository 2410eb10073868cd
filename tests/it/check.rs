//! `bench check`: in what formats it writes what it found, and where to.

use serde_json::{Value, json};

use crate::support::bench::Bench;

/// A run, and a baseline of it in `then.json`.
fn with_a_baseline() -> Bench {
    let bench = Bench::with(&["llama-gqa"]);
    bench.run("compare --local llama-gqa --prompts prompts --suite count").exits(0);
    bench.run("baseline save --force --output then.json").exits(0);
    bench
}

/// The memory alone, which is the same where the run is judged against itself: times of two trials decide nothing.
const CHECK: &str = "check --baseline then.json --metric memory";

/// Has the baseline's first answer begin with another token.
fn answered_otherwise(bench: &Bench) {
    let mut baseline: Value = serde_json::from_str(&read(bench, "then.json")).unwrap();
    baseline["rows"][0]["prompts"][0]["token_ids"][0][0] = json!(4_000_000);
    bench.write("then.json", baseline.to_string());
}

fn read(bench: &Bench, name: &str) -> String {
    std::fs::read_to_string(bench.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn one_check_in_all_formats_that_say_the_same() {
    let bench = with_a_baseline();
    let formats =
        "--format table --format github --format junit=check.xml --format markdown=comment.md --format json=check.json";
    for (changed, status, said, outcome) in [
        (false, 0, "Check passed: 1 within noise", "passed"),
        (true, 1, "Check regressed: 1 within noise", "regressed"),
    ] {
        if changed {
            answered_otherwise(&bench);
        }
        let ran = bench.run(&format!("{CHECK} {formats}")).exits(status).answers(said);
        let (table, annotations) = ran.stdout.split_once("\n::").unwrap_or_else(|| panic!("{ran}"));
        assert!(table.starts_with("Run ") && table.contains("\nrun ") && table.contains("llama-gqa"), "{ran}");
        assert!(annotations.lines().skip(1).all(|line| line.starts_with("::")), "{ran}");
        assert!(read(&bench, "comment.md").starts_with(&format!("<!-- bench check -->\n### {said}")));
        assert!(read(&bench, "check.xml").contains(&format!("name=\"outcome\" value=\"{said}")));
        let document: Value = serde_json::from_str(&read(&bench, "check.json")).unwrap();
        assert_eq!(document["outcome"], outcome);
        for text in [annotations.to_owned(), read(&bench, "comment.md"), read(&bench, "check.xml")] {
            assert_eq!(text.contains("the answer parts at output token 0"), changed, "{text}");
        }
    }
}

#[test]
fn the_summary_of_a_workflow_is_added_to_and_only_with_its_format() {
    let bench = with_a_baseline().variable("GITHUB_STEP_SUMMARY", "summary.md");
    bench.write("summary.md", "# Before\n");
    bench.run(&format!("{CHECK} --format markdown=comment.md")).exits(0);
    assert_eq!(read(&bench, "summary.md"), "# Before\n");
    let comment = read(&bench, "comment.md");
    for times in 1..=2 {
        bench.run(&format!("{CHECK} --format github")).exits(0);
        assert_eq!(read(&bench, "summary.md"), format!("# Before\n{}", comment.repeat(times)));
    }
}

#[test]
fn outputs_that_cannot_be_are_refused_before_anything_is_measured() {
    let bench = with_a_baseline();
    let runs = bench.run("history").exits(0).stdout;
    let measure = "check --baseline then.json --prompts prompts --measure";
    for document in ["json", "junit", "markdown"] {
        let ran = bench.run(&format!("{measure} --format {document} --format table")).exits(2);
        ran.says("standard output can take one document only");
        bench.run(&format!("{CHECK} --format {document} --format table=check.txt")).exits(0);
    }
    let ran = bench.run(&format!("{measure} --format json=same --format junit=same")).exits(2);
    ran.says("two formats cannot both be written to `same`");
    bench
        .run(&format!("{measure} --format junit=nowhere/check.xml"))
        .exits(2)
        .says("could not write `nowhere/check.xml`");
    let ran = bench.run(&format!("{measure} --format html=check.html")).exits(2);
    ran.says("expected one of table, json, junit, markdown, github, or KIND=FILE");
    bench.run(&format!("{measure} --format junit=")).exits(2).says("the name of a file is missing");
    assert_eq!(bench.run("history").exits(0).stdout, runs, "nothing was run");
}

#[test]
fn a_check_that_cannot_be_leaves_no_file_behind() {
    let bench = with_a_baseline();
    bench
        .run("check --baseline other.json --format junit=check.xml")
        .exits(2)
        .says("there is no baseline `other.json`");
    assert!(!bench.path("check.xml").exists());
}
