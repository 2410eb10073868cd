//! `bench review`: pairs of answers before a person, and `bench check` and `bench history` of what answers are worth.

use serde_json::json;

use crate::support::bench::Bench;

const MODELS: &str = r#"
[[candidate]]
id = "kind"
script = "kind.toml"

[[candidate]]
id = "rude"
script = "rude.toml"
"#;

fn script(answer: &str) -> String {
    format!(
        "request = [[{{ encoded = 12 }}, {{ output = {{ text = \"{answer}\", tokens = 5 }} }}, {{ wait_ms = 1 }}, {{ output = {{ text = \".\", tokens = 1 }} }}]]\n"
    )
}

/// Ten questions, each of which wants one word.
fn place() -> Bench {
    let bench = Bench::new();
    bench.write("models.toml", MODELS);
    bench.write("kind.toml", script("네, 배송은 오늘 출발합니다"));
    bench.write("rude.toml", script("그건 저도 모르는 일이에요"));
    let questions: Vec<String> = (0..10)
        .map(|number| {
            json!({
                "id": format!("q{number}"), "language": "ko", "text": format!("{number}번 고객: 언제 오나요?"),
                "reference": "배송은 오늘 출발합니다.", "checks": [{ "kind": "contains", "any": ["배송"] }],
            })
            .to_string()
        })
        .collect();
    bench.write("delivery.jsonl", questions.join("\n"));
    bench
}

const COMPARE: &str = "compare --models models.toml --quality delivery.jsonl --suite delivery --warmup 0";

#[test]
fn a_person_prefers_without_knowing_whom_and_goes_on_later() {
    let bench = place();
    bench.run(COMPARE);
    let shown = bench.run_with("review --format json", "1\nwhat\nt\ns\nq\n").exits(0);
    let shown = shown.never_mentions("\u{1b}").says("left: 1 or ←, right: 2 or →, tie: t, skip: s, end: q");
    let (pairs, summary) = shown.stdout.rsplit_once("{\"schema_version\"").unwrap();
    assert!(!pairs.contains("kind") && !pairs.contains("rude"), "{pairs}");
    assert_eq!(pairs.matches(" of 10: delivery, Korean").count(), 4, "the fourth was not answered: {pairs}");
    assert!(pairs.contains("배송은 오늘 출발합니다") && pairs.contains("그건 저도 모르는 일이에요"));
    let of = |text: &str| -> serde_json::Value { serde_json::from_str(text).unwrap() };
    let summary = of(&format!("{{\"schema_version\"{summary}"));
    assert_eq!((&summary["reviewed"], &summary["left"]), (&json!(3), &json!(7)));
    let preference = &summary["preferences"][0];
    assert_eq!(
        (&preference["row"], &preference["against"], &preference["language"]),
        (&json!("kind"), &json!("rude"), &json!("ko"))
    );
    assert_eq!(
        (&preference["preferred"]["of"], &preference["ties"], &preference["skipped"]),
        (&json!(1), &json!(1), &json!(1))
    );
    // Of one pair the answer with the word passes: whether the person took it depends on the side that it stood on.
    assert_eq!(summary["agreement"]["of"], json!(1));

    bench.run_with("review --count 2", "2\n2\n2\n").exits(0).answers("5 pairs reviewed, 5 left");
    bench.run("review --summary").exits(0).answers("5 pairs reviewed, 5 left").answers("kind");
}

#[test]
fn what_cannot_be_reviewed_is_said() {
    let bench = place();
    bench.run(COMPARE);
    bench.run("review --candidate kond").exits(2).says("has no candidate `kond`").says("did you mean `kind`?");
    bench.run("review --candidate kind").exits(2).says("has no two different answers to a prompt to compare");
    bench.run("review --language en").exits(2).says("has no two different answers");
}

#[test]
fn a_change_that_costs_quality_fails_the_check_and_shows_in_history() {
    let bench = place();
    bench.run(COMPARE);
    bench.run("baseline save").exits(0);
    bench.run("check --metric pass_rate --metric fidelity").exits(0);
    bench.write("kind.toml", script("그건 저도 모르는 일이에요"));
    bench.run(COMPARE);
    let ran = bench.run("check --metric pass_rate --metric fidelity").exits(1);
    ran.answers("kind: Korean pass rate was 10 of 10: 100 % (72 to 100) and is 0 of 10: 0 % (0 to 28): 10 lost")
        .answers("REGRESSED");
    let course = bench.run("history --metric pass_rate").exits(0);
    course.answers("pass rate over 2 runs").answers("delivery, ko").answers("72.2 % – 100 %");
    bench.run("check --metric pass_rote").exits(2).says("there is no metric `pass_rote`");
}
