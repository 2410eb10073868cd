//! `bench audit`: the table that this program was made because of, and others.

use serde_json::Value;

use crate::snapshot;
use crate::support::bench::{Bench, Ran};
use crate::support::fixture;

fn place() -> Bench {
    let bench = Bench::new();
    bench.write("published.csv", std::fs::read(fixture("audit/published.csv")).unwrap());
    bench
}

fn rows(ran: &Ran) -> Vec<Value> {
    let document: Value = serde_json::from_str(&ran.stdout).unwrap();
    document["rows"].as_array().unwrap().clone()
}

/// By hand: 17.0757 GB × 27.61 and (13.7122 − 0.3796) GB × 27.11 a second are more than 300 GB, (7.6977 − 0.3080) × 20.62 and
/// all others are less.
#[test]
fn every_impossible_row_of_the_published_table_is_found() {
    let ran = place().run("audit published.csv --gpu l4 --format json").exits(1);
    let rows = rows(&ran);
    let of = |verdict: &str| -> Vec<&str> {
        rows.iter().filter(|row| row["verdict"] == verdict).map(|row| row["model"].as_str().unwrap()).collect()
    };
    assert_eq!(of("impossible"), ["gemma-ko-7b", "Llama-2-ko-7b-Chat"]);
    assert_eq!(of("nothing_stated"), ["DeepSeek-V2 Chat"]);
    assert_eq!(of("possible").len(), 5);
    let share = |model: &str| {
        let row = rows.iter().find(|row| row["model"] == model).unwrap();
        row["bandwidth_share"].as_f64().unwrap()
    };
    assert!((share("gemma-ko-7b") - 1.572).abs() < 0.001 && (share("Llama-2-ko-7b-Chat") - 1.205).abs() < 0.001);
    let document: Value = serde_json::from_str(&ran.stdout).unwrap();
    let mixed = document["mixed_precisions"].as_object().unwrap();
    assert_eq!(mixed["bf16"], serde_json::json!(["gemma-ko-7b", "Llama-2-ko-7b-Chat"]));
    assert_eq!((mixed.len(), mixed["nf4"].as_array().unwrap().len()), (2, 5));
}

#[test]
fn the_published_table_as_a_person_reads_it() {
    snapshot!("audit_published", place().run("audit published.csv --gpu l4").exits(1));
}

#[test]
fn a_faster_card_could_have_done_it() {
    let ran = place().run("audit published.csv --gpu a100-80 --format csv").exits(0);
    assert_eq!(ran.stdout.lines().filter(|line| line.contains(",possible,")).count(), 7, "{ran}");
}

#[test]
fn a_name_that_is_not_known_is_said_and_can_be_given() {
    let bench = place();
    bench.checkpoint("llama-gqa", "mine");
    bench.write("own.csv", "model,tok/s\nours,10\n");
    bench.run("audit own.csv --gpu l4").exits(2).answers("unknown model").answers("--shape");
    bench.run("audit own.csv --gpu l4 --shape ours=mine").exits(0).answers("possible");
    bench.run("audit own.csv --gpu l4 --shape ours=nowhere").exits(2).says("`nowhere`");
}

#[test]
fn what_cannot_be_read_is_no_answer() {
    let bench = place();
    bench.run("audit absent.csv --gpu l4").exits(2).says("absent.csv");
    bench.write("other.csv", "a,b\n1,2\n");
    bench.run("audit other.csv --gpu l4").exits(2).says("no column is headed as a model").says("hint: head it `model`");
    bench.write("unit.csv", "model,VRAM\nqwen2.5-7b,5\n");
    bench.run("audit unit.csv --gpu l4").exits(2).says("does not say whether it is in MB");
    bench.run("audit published.csv --gpu h20").exits(2).says("there is no GPU `h20`").says("did you mean `h200`?");
}

#[test]
fn a_stated_precision_that_contradicts_the_memory_is_found() {
    let bench = place();
    bench.write("own.csv", "모델,정밀도,tokens/s,메모리 GB\nqwen2.5-7b,bf16,10,5.5\nqwen2.5-7b,4bit,10,5.5\n");
    let ran = bench.run("audit own.csv --gpu l4 --format json").exits(1);
    let verdicts: Vec<Value> = rows(&ran).iter().map(|row| row["verdict"].clone()).collect();
    assert_eq!(verdicts, ["memory_does_not_match", "possible"]);
}
