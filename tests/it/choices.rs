//! `bench score --choices`: multiple-choice questions by the likelihood of their choices.

use bench::catalog::Quantization;
use bench::engine::candle::{Continuations, Windows, predict};
use serde_json::Value;

use crate::support::bench::Bench;
use crate::support::decoder::{Reference, checkpoint, checkpoints, load};
use crate::support::fixture;

/// Largest difference of the log-probability of a continuation that float32 products of other shapes explain, a token.
const TOLERANCE: f64 = 1e-4;

/// With every kind of attention, window and rotary embedding: contexts that share a beginning with the one before, short
/// ones after long ones, and continuations of one token and of several give what one pass over the whole text gives.
#[test]
fn continuations_are_as_likely_as_in_a_text_by_themselves() {
    for name in checkpoints() {
        let ids = Reference::of(&name).tokens(400);
        let alone = |context: &[u32], continuation: &[u32]| {
            let whole = [context, continuation].concat();
            let mut sum = 0.0;
            let mut engines = [load(checkpoint(&name), Some(Quantization::F32))];
            predict(&mut engines, &whole, Windows::new(whole.len(), 1), &mut |position, rows| {
                if position >= context.len() {
                    sum += f64::from(rows[0][whole[position] as usize]);
                }
            })
            .unwrap();
            sum
        };
        let mut engine = load(checkpoint(&name), Some(Quantization::F32));
        let long = 300.min(engine.spec().max_positions - 6);
        let mut asked = Continuations::of(&mut engine);
        // Beyond 128 tokens, longrope turns by other frequencies: nothing of a shorter text may stay.
        for (from, to) in [(0, 60), (0, 64), (0, 20), (0, long), (0, 60), (7, 9)] {
            let context = &ids[from..to];
            let continuations = [&ids[to..to + 1], &ids[to + 3..to + 9], &ids[30..32]];
            let found = asked.log_probs(context, &continuations).unwrap();
            for (found, continuation) in found.iter().zip(continuations) {
                let expected = alone(context, continuation);
                let most = TOLERANCE * continuation.len() as f64;
                assert!((found - expected).abs() < most, "{name}, {from}..{to}: {found} instead of {expected}");
            }
        }
    }
}

#[test]
fn continuations_of_nothing_and_by_nothing_are_refused() {
    let mut engine = load(checkpoint("llama-gqa"), Some(Quantization::F32));
    let vocabulary = engine.spec().vocabulary as u32;
    let longest = engine.spec().max_positions;
    let mut asked = Continuations::of(&mut engine);
    let error = |result: Result<Vec<f64>, bench::engine::EngineError>| result.unwrap_err().to_string();
    assert_eq!(error(asked.log_probs(&[], &[&[1]])), "the prompt is empty");
    assert_eq!(error(asked.log_probs(&[1], &[&[1], &[]])), "the prompt is empty");
    assert!(error(asked.log_probs(&[1], &[&[vocabulary]])).contains("is not in the vocabulary"));
    assert!(error(asked.log_probs(&vec![1; longest + 1], &[&[1]])).contains("is the longest context"));
    assert_eq!(asked.log_probs(&[1], &[]).unwrap(), Vec::<f64>::new());
}

fn questions(bench: &Bench, name: &str) {
    bench.write(name, std::fs::read(fixture("choices").join(name)).unwrap());
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

/// The choices' log-likelihoods are those of the same text scored token by token, and the picks are made of them.
#[test]
fn a_question_is_right_if_its_right_choice_is_the_likeliest() {
    let bench = Bench::with(&["llama-gqa", "qwen2-tied"]);
    questions(&bench, "plain.jsonl");
    for (checkpoint, adds) in [("llama-gqa", true), ("qwen2-tied", false)] {
        let line = format!("score {checkpoint} --choices plain.jsonl --task plain --format json");
        let answer = bench.run(&line).exits(0).json();
        assert_eq!(answer["begins_with_added"], adds);
        let scored = answer["questions"].as_array().unwrap();
        assert_eq!(scored.len(), 8);
        let text = std::fs::read_to_string(bench.path("plain.jsonl")).unwrap();
        let mut right = 0;
        for (question, line) in scored.iter().zip(text.lines()) {
            let stated: Value = serde_json::from_str(line).unwrap();
            let log_probs = numbers(&question["log_probs"]);
            let best = (0..log_probs.len()).reduce(|a, b| if log_probs[b] > log_probs[a] { b } else { a }).unwrap();
            assert_eq!(question["picks"]["raw"], best);
            right += u64::from(question["picks"]["raw"] == question["answer"]);
            let context = stated["question"].as_str().unwrap();
            let choice = stated["choices"][0].as_str().unwrap();
            let score = |text: String| {
                bench.write("text.txt", text);
                let line = format!("score {checkpoint} --text text.txt --per-token --format json");
                bench.run(&line).exits(0).json()["per_token"].as_array().unwrap().clone()
            };
            let (whole, before) = (score(format!("{context} {choice}")), score(context.trim_end().to_owned()));
            let expected: f64 = whole[before.len()..].iter().map(|token| token["log_prob"].as_f64().unwrap()).sum();
            assert!((log_probs[0] - expected).abs() < 1e-3, "{} instead of {expected}: {line}", log_probs[0]);
        }
        assert_eq!((answer["accuracy"]["passed"].as_u64(), answer["accuracy"]["of"].as_u64()), (Some(right), Some(8)));
        let of = |language: &str| answer["languages"][language]["accuracy"]["of"].as_u64();
        assert_eq!((of("ko"), of("en")), (Some(4), Some(4)));
        assert_eq!(answer["categories"]["지리"]["accuracy"]["of"], 2);
    }
}

#[test]
fn random_weights_are_at_chance_and_the_page_says_so() {
    let bench = Bench::with(&["llama-gqa"]);
    questions(&bench, "kobest_sentineg.jsonl");
    questions(&bench, "kobest_sentineg.examples.jsonl");
    let line = "score llama-gqa --choices kobest_sentineg.jsonl --task kobest";
    let page = bench.run(line).exits(0);
    page.answers("asked as kobest with 0 examples")
        .answers("the 95 % interval holds chance: this shows no more than guessing does")
        .answers("50 %");
    let with = format!("{line} --examples kobest_sentineg.examples.jsonl --format json");
    let [two, one] = [with.clone(), format!("{with} --shots 1")].map(|line| bench.run(&line).exits(0).json());
    assert_eq!((&two["examples"], &one["examples"]), (&2.into(), &1.into()));
    assert_eq!((&one["chance"], &one["is_at_chance"]), (&0.5.into(), &true.into()));
    assert_ne!(
        two["questions"][0]["log_probs"], one["questions"][0]["log_probs"],
        "the examples are part of the prompt"
    );
}

/// As lm-evaluation-harness does, and said.
#[test]
fn a_prompt_that_is_longer_than_the_context_loses_its_beginning() {
    let bench = Bench::with(&["llama-gqa"]);
    let line = |question: &str| format!(r#"{{"question":"{question}","choices":["a","bc"],"answer":"A"}}"#);
    bench.write("long.jsonl", line(&"한 줄의 글입니다. ".repeat(200)));
    bench.longest_context("llama-gqa", 64);
    let run = "score llama-gqa --choices long.jsonl --task plain";
    assert_eq!(bench.run(&format!("{run} --format json")).exits(0).json()["cut_prompts"], 1);
    bench.run(run).exits(0).answers("lost their beginning: 1");
}

/// Nothing is loaded: the checkpoint does not even exist.
#[test]
fn mistakes_are_refused_before_a_model_is_looked_for() {
    let bench = Bench::new();
    bench.write("bad.csv", "question,A,B,anser\n?,a,b,A\n");
    bench.write("list.jsonl", "[1,2]\n");
    bench.write("latin.csv", b"question,A,B,answer\n\xb0\xa1,a,b,A\n");
    bench.write("ok.jsonl", r#"{"question":"?","choices":["a","b"],"answer":"A"}"#);
    for (line, parts) in [
        ("--choices bad.csv --task plain", &["bad.csv:1:14: unknown field `anser`", "did you mean `answer`?"][..]),
        ("--choices list.jsonl --task kmmlu", &["list.jsonl:1:1: invalid type", "expected an object"]),
        ("--choices latin.csv --task plain", &["could not read `latin.csv`", "save the file as UTF-8"]),
        ("--choices nothing.csv --task plain", &["could not read `nothing.csv`"]),
        ("--choices ok.jsonl", &["--task <TASK>"]),
        ("--choices ok.jsonl --task mmlu", &["[possible values: kmmlu, haerae, kobest, plain]"]),
        ("--choices ok.jsonl --task plain --text a.txt", &["cannot be used with"]),
        ("--choices ok.jsonl --task plain --shots 1", &["--examples <FILE>"]),
        ("--choices ok.jsonl --task plain --first-choice 2", &["[possible values: 0, 1]"]),
        (
            "--choices ok.jsonl --task plain --examples ok.jsonl",
            &["ok.jsonl:1:1: this example is one of the questions"],
        ),
    ] {
        let mut ran = bench.run(&format!("score nowhere {line}")).exits(2);
        for part in parts {
            ran = ran.says(part);
        }
    }
    bench.run("score nowhere --choices ok.jsonl --task plain").exits(2).says("`nowhere` is neither a path");
}
