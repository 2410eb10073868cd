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

/// The table as the team keeps it: Korean headings, names of its own, and the repository beside them. By hand as above.
#[test]
fn korean_headings_and_repositories_are_understood() {
    let bench = place();
    let table = "\
모델명,Hugging Face 경로,속도 (tokens/sec),VRAM 사용량 (MB)
DeepSeek-V2 Chat 7B,deepseek-ai/DeepSeek-V2-Chat,-,-
Qwen2.5-7B-Instruct,Qwen/Qwen2.5-7B-Instruct,18.68,5564.99
LLaMA-3-8B Instruct,meta-llama/Meta-Llama-3-8B-instruct,18.638,6047.93
gemma-ko-7b,beomi/gemma-ko-7b,27.61,17083.89
Llama-2-ko-7b-Chat,kfkas/Llama-2-ko-7b-Chat,27.11,13720.25
";
    let (cp949, _, unmappable) = encoding_rs::EUC_KR.encode(table);
    assert!(!unmappable);
    let utf_16: Vec<u8> =
        "\u{feff}".encode_utf16().chain(table.replace(',', "\t").encode_utf16()).flat_map(u16::to_le_bytes).collect();
    for bytes in [table.as_bytes(), &cp949, &utf_16] {
        bench.write("own.csv", bytes);
        let ran = bench.run("audit own.csv --gpu l4 --format json").exits(1);
        let verdicts: Vec<Value> = rows(&ran).iter().map(|row| row["verdict"].clone()).collect();
        assert_eq!(verdicts, ["nothing_stated", "possible", "possible", "impossible", "impossible"]);
    }
    bench
        .run("audit own.csv --gpu l4")
        .exits(1)
        .answers("repository from `Hugging Face 경로`")
        .answers("read as UTF-16LE");
}

/// 19.03 tokens/s of Mistral's 4.2 GB are possible; 1,903 would not be.
#[test]
fn a_decimal_comma_is_no_separator_of_thousands() {
    let bench = place();
    bench.write(
        "comma.csv",
        "model,precision,tokens/s,memory (MB)\n\"Mistral-7B-Instruct-v0.3\",nf4,\"19,03\",\"4.496,57\"\n",
    );
    let ran = bench.run("audit comma.csv --gpu l4 --format json").exits(0);
    assert_eq!(rows(&ran)[0]["tokens_per_second"], 19.03);
    bench.write("open.csv", "model,tokens/s\nqwen2.5-7b,\"1,019\"\n");
    bench.run("audit open.csv --gpu l4").exits(2).answers("`1,019` may have a decimal comma").answers("no figures");
    bench.write("bytes.csv", b"model,tok/s\nqwen2.5-7b,1\xff\n");
    bench.run("audit bytes.csv --gpu l4").exits(2).says("no text in UTF-8, UTF-16 or CP949");
}

/// By hand: 6.5 ÷ 16.0 − 1 = −59.4 %, 40 ÷ 80 − 1 = −50 %, 500 ÷ 19.03 = 26.3 s, (1.2 − 0.3) ÷ (1.2 − 0.05) = 78.3 %.
#[test]
fn a_table_of_before_and_after_is_computed_again() {
    let bench = Bench::new();
    bench.write("effects.csv", std::fs::read(fixture("audit/before_and_after.csv")).unwrap());
    let ran = bench.run("audit effects.csv").exits(1);
    ran.answers("80 → 40 is -50.0 %, not 25%")
        .answers("500 tokens at 19.0/s take 26.3 s, and the latency is 1.70 s")
        .answers("needs 78.3 % hits");
    let json = bench.run("audit effects.csv --format json").exits(1).json();
    let of = |verdict: &str| -> Vec<&str> {
        let figures = json["figures"].as_array().unwrap().iter();
        figures.filter(|one| one["verdict"] == verdict).map(|one| one["of"].as_str().unwrap()).collect()
    };
    assert_eq!(
        of("contradicts"),
        ["응답 캐시, 평균 응답 시간 (s)", "배치, GPU 사용률 (%)", "INT4 양자화, 적용 전", "INT4 양자화, 적용 후",]
    );
    assert_eq!(of("implies"), ["응답 캐시, 적용 후"]);
    snapshot!("audit_before_and_after", bench.run("audit effects.csv").exits(1));
}

#[test]
fn a_row_of_a_table_must_agree_with_itself() {
    let bench = Bench::new();
    bench.write(
        "rows.csv",
        "모델,속도 (tokens/sec),생성 토큰 수,응답 시간 (초)\nMistral-7B-Instruct-v0.3,19.03,500,1.7\n",
    );
    bench.run("audit rows.csv").exits(1).answers("500 tokens at 19.0/s take 26.3 s");
    bench
        .run("audit rows.csv --gpu l4")
        .exits(1)
        .answers("Could l4")
        .answers("cannot be: 500 tokens at 19.0/s take 26.3 s");
}

#[test]
fn a_table_of_speeds_needs_a_gpu() {
    let bench = place();
    bench
        .run("audit published.csv")
        .exits(2)
        .says("a table of speeds is judged by a GPU, and none is given")
        .says("--gpu l4");
}
