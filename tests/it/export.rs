//! `bench export`: a stored run as CSV, JSON or Markdown.

use std::process::Command;

use serde_json::Value;

use crate::snapshot;
use crate::support::bench::Bench;

/// A candidate with a Korean name, one whose failure has a comma and quotes in its reason.
fn compared() -> Bench {
    let bench = Bench::with(&["llama-gqa"]);
    bench.write(
        "models.toml",
        "[[candidate]]\nid = \"작은-모델\"\nlocal = \"llama-gqa\"\nnotes = \"쉼표, \\\"따옴표\\\"\"\n\
         [[candidate]]\nid = \"없는,\\\"모델\\\"\"\nlocal = \"no, \\\"such\\\" folder\"\n",
    );
    bench.run("compare --prompts prompts").exits(1);
    bench
}

#[test]
fn csv_is_read_back_as_it_was_written() {
    let bench = compared();
    let ran = bench.run("export --format csv --output out.csv").exits(0);
    assert!(ran.stdout.is_empty(), "{ran}");
    let text = std::fs::read_to_string(bench.path("out.csv")).unwrap();
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("export_csv_columns", header.join("\n"));
    });
    let records: Vec<Vec<String>> =
        reader.records().map(|record| record.unwrap().iter().map(str::to_owned).collect()).collect();
    let column = |name: &str| header.iter().position(|column| column == name).unwrap();
    let of = |name: &str| records.iter().map(|record| record[column(name)].as_str()).collect::<Vec<_>>();
    assert_eq!(of("candidate"), ["작은-모델", "작은-모델", "없는,\"모델\""]);
    assert_eq!(of("suite"), ["count", "greeting", ""]);
    assert_eq!(of("status"), ["ran", "ran", "failed"]);
    assert_eq!(of("reason")[2], "`no, \"such\" folder` does not exist");
    assert_eq!(of("trials"), ["2", "2", ""]);
    // Empty is unknown: a percentile of two trials, a figure of a candidate that never ran.
    assert_eq!(of("ttft_seconds_p99"), ["", "", ""]);
    let ttft = of("ttft_seconds_median");
    assert!(ttft[0].parse::<f64>().unwrap() > 0.0 && ttft[2].is_empty(), "{ttft:?}");

    // As Python's csv reads it, where there is a Python.
    let script = "import csv, json, sys; json.dump(list(csv.reader(open(sys.argv[1], newline='', encoding='utf-8'))), sys.stdout)";
    let Ok(python) = Command::new("python3").args(["-c", script]).arg(bench.path("out.csv")).output() else { return };
    let Ok(read) = serde_json::from_slice::<Vec<Vec<String>>>(&python.stdout) else { return };
    assert_eq!(read[0], header);
    assert_eq!(read[1..], records);
}

#[test]
fn json_satisfies_its_schema_and_has_the_answers() {
    let bench = compared();
    let document = bench.export("latest");
    let schema: Value = serde_json::from_str(include_str!("../../schemas/run.schema.json")).unwrap();
    let validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
    let complaints: Vec<String> = validator.iter_errors(&document).map(|error| error.to_string()).collect();
    assert!(complaints.is_empty(), "{complaints:?}");

    let rows = document["run"]["rows"].as_array().unwrap();
    assert_eq!(rows[0]["candidate"]["notes"], "쉼표, \"따옴표\"");
    let texts: Vec<&Value> =
        rows[0]["trials"].as_array().unwrap().iter().filter(|trial| trial["suite"] == "greeting").collect();
    for trial in texts {
        // The answer that `bench run` gives to the same prompt.
        let (system, prompt) = if trial["language"] == "ko" {
            ("친절하게.", "안녕하세요?")
        } else {
            ("Be kind.", "Good morning!")
        };
        let line = format!("run llama-gqa --system '{system}' --prompt '{prompt}' --max-new-tokens 8 --format json");
        let answer = bench.run(&line).exits(0).json();
        assert_eq!((&trial["text"], &trial["token_ids"]), (&answer["text"], &answer["token_ids"]));
        assert_eq!(
            trial["timeline"]["arrivals_ns"].as_array().unwrap().len(),
            answer["token_ids"].as_array().unwrap().len()
        );
    }
}

#[test]
fn markdown() {
    let bench = compared();
    let ran = bench.run("export --format markdown").exits(0);
    ran.answers("### Run ").answers("작은-모델").answers("| 없는,\"모델\" | failed, ");
}

#[test]
fn an_output_that_cannot_be_written_says_so() {
    let bench = compared();
    snapshot!("export_output_refused", bench.run("export --output nowhere/out.csv").exits(2));
}

#[test]
fn csv_may_begin_with_the_mark_of_its_encoding_and_holds_no_formula() {
    let bench = Bench::with(&["llama-gqa"]);
    std::fs::rename(bench.path("llama-gqa"), bench.path("=1+1")).unwrap();
    bench.run("compare --local ./=1+1 --prompts prompts --suite count").exits(0);
    let plain = bench.run("export --format csv").exits(0).stdout;
    assert!(plain.lines().nth(1).unwrap().contains(",'=1+1,"), "{plain}");
    let marked = bench.run("export --format csv --bom").exits(0).stdout;
    assert_eq!(marked, format!("\u{feff}{plain}"));
    assert!(bench.run("export --format json --bom").exits(0).stdout.starts_with('{'));
    bench.write("out.csv", "what was there before, and longer than a line of it");
    bench.run("export --format csv --output out.csv").exits(0);
    assert_eq!(std::fs::read_to_string(bench.path("out.csv")).unwrap(), plain);
    let parts = std::fs::read_dir(bench.path(".")).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(parts.into_iter().all(|name| !name.to_string_lossy().ends_with(".part")));
}

#[test]
fn a_name_colours_no_terminal() {
    let bench = Bench::with(&["llama-gqa"]);
    std::fs::rename(bench.path("llama-gqa"), bench.path("\u{1b}[31mred")).unwrap();
    let ran = bench.run("compare --local ./\u{1b}[31mred --prompts prompts --suite count").exits(0);
    ran.answers("\\u{1b}[31mred").never_mentions("\u{1b}");
    bench.run("export --format markdown").exits(0).never_mentions("\u{1b}");
    bench.run("compare --local ./\u{1b}[31mnone --prompts prompts").exits(1).never_mentions("\u{1b}");
}
