//! Gates and checks: the examples of docs/quality.md, the labelled answers, and what must hold of any answer.

use ::bench::quality::{Exchange, Gate, Judgement, Verdict};
use ::bench::suite::{Body, Language, Prompt, Suite, shipped};
use unicode_normalization::UnicodeNormalization;

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/quality.md");

fn gate(name: &str) -> Option<Gate> {
    Gate::ALL.into_iter().find(|gate| gate.name() == name)
}

/// A cell of a table: `⏎` for a new line, `\|` for a bar, `\u{…}` for a character that cannot be seen.
fn cell(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text.trim().replace("\\|", "|").replace('⏎', "\n");
    while let Some(at) = rest.find("\\u{") {
        let end = rest[at..].find('}').unwrap() + at;
        out.push_str(&rest[..at]);
        out.push(char::from_u32(u32::from_str_radix(&rest[at + 3..end], 16).unwrap()).unwrap());
        rest = rest[end + 1..].to_owned();
    }
    out + &rest
}

#[test]
fn the_documents_examples_are_judged_as_it_says() {
    let document = std::fs::read_to_string(DOCUMENT).unwrap();
    let (mut current, mut judged, mut wrong) = (None, 0, Vec::new());
    for line in document.lines() {
        if let Some(heading) = line.strip_prefix("### ") {
            current = gate(heading);
        } else if line.starts_with("## ") {
            current = None;
        }
        let (Some(gate), true) = (current, line.starts_with("| passes") || line.starts_with("| fails")) else {
            continue;
        };
        let line = line.replace("\\|", "\u{1}");
        let cells: Vec<String> = line.split('|').map(|text| cell(&text.replace('\u{1}', "\\|"))).collect();
        let due = if cells[2] == "ko" { Language::Ko } else { Language::En };
        let verdict = gate.judge(&Exchange::new(&cells[3], Some(due), &cells[4]));
        judged += 1;
        if verdict.is_fail() != (cells[1] == "fails") {
            wrong.push(format!("{}: {:?} of {:?}", gate.name(), verdict, cells));
        }
    }
    assert!(judged >= 53, "{judged} examples were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

const LABELLED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/quality/labelled.jsonl");

/// An answer and the gates that its reader says it breaks; made before any gate was run on it.
#[derive(serde::Deserialize)]
struct Labelled {
    id: String,
    language: Language,
    system: String,
    prompt: String,
    copies_prompt: bool,
    cut: bool,
    answer: String,
    fails: Vec<Gate>,
}

fn labelled() -> Vec<Labelled> {
    let text = std::fs::read_to_string(LABELLED).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// How a gate's verdicts agree with the labels.
#[derive(Default)]
struct Agreement {
    found: usize,
    missed: Vec<String>,
    wrong: Vec<String>,
}

impl Agreement {
    fn of(gate: Gate, answers: &[Labelled]) -> Self {
        let mut agreement = Self::default();
        for answer in answers {
            let exchange = Exchange::new(&answer.prompt, Some(answer.language), &answer.answer)
                .system(&answer.system)
                .copies_prompt(answer.copies_prompt)
                .cut(answer.cut);
            match (gate.judge(&exchange).is_fail(), answer.fails.contains(&gate)) {
                (true, true) => agreement.found += 1,
                (true, false) => agreement.wrong.push(answer.id.clone()),
                (false, true) => agreement.missed.push(answer.id.clone()),
                (false, false) => {}
            }
        }
        agreement
    }

    /// A row of the document: failing answers, precision and recall with their counts.
    fn row(&self, gate: Gate) -> String {
        let share = |of: usize| format!("{}/{of} {:.3}", self.found, self.found as f64 / of as f64);
        let (flagged, failing) = (self.found + self.wrong.len(), self.found + self.missed.len());
        format!("| `{}` | {failing} | {} | {} |", gate.name(), share(flagged), share(failing))
    }
}

#[test]
fn each_gate_agrees_with_the_labels_as_the_document_says() {
    let document = std::fs::read_to_string(DOCUMENT).unwrap();
    let answers = labelled();
    let count = format!("{} answers", answers.len());
    assert!(document.contains(&count), "{count}");
    for gate in Gate::ALL {
        let agreement = Agreement::of(gate, &answers);
        let row = agreement.row(gate);
        assert!(document.contains(&row), "{row}\nmissed {:?}\nwrong {:?}", agreement.missed, agreement.wrong);
        let (found, failing) = (agreement.found as f64, (agreement.found + agreement.missed.len()) as f64);
        assert!(failing >= 30.0 && found / failing >= 0.95, "recall: {row}");
        assert!(found / (found + agreement.wrong.len() as f64) >= 0.95, "precision: {row}");
    }
}

fn texts() -> impl Iterator<Item = (Suite, Prompt)> {
    let of = |suite: Suite| suite.prompts.clone().into_iter().map(move |prompt| (suite.clone(), prompt));
    shipped().unwrap().into_iter().flat_map(of).filter(|(_, prompt)| matches!(prompt.body, Body::Text { .. }))
}

#[test]
fn every_shipped_prompt_has_an_answer_that_passes_and_for_each_check_one_that_fails_only_that() {
    let mut wrong = Vec::new();
    for (suite, prompt) in texts() {
        let name = format!("{} {:?} {}", suite.name, prompt.language.unwrap(), prompt.id);
        let Some(reference) = &prompt.expected.reference else {
            wrong.push(format!("{name} has no reference"));
            continue;
        };
        for (broken, verdict) in Judgement::of(&prompt, reference, false).unwrap().failures() {
            wrong.push(format!("{name}: the reference fails {broken}: {verdict:?}"));
        }
        for (at, (check, fails)) in prompt.expected.checks.iter().zip(&prompt.expected.fails).enumerate() {
            let kind = check.kind().name();
            // That an answer was cut is no text.
            let (answer, cut) = match fails {
                Some(answer) => (answer, false),
                None if kind == "complete" => (reference, true),
                None => {
                    wrong.push(format!("{name}: {kind} has no answer that fails it"));
                    continue;
                }
            };
            let judgement = Judgement::of(&prompt, answer, cut).unwrap();
            let failed: Vec<(&str, &Verdict)> = judgement.failures().collect();
            if !judgement.checks[at].1.is_fail() || failed.len() != 1 {
                wrong.push(format!("{name}: the answer for {kind} ({at}) fails {failed:?}: {answer}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} faults\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_foreign_letter_after_a_passing_korean_answer_fails_it() {
    for (_, prompt) in texts().filter(|(_, prompt)| prompt.expected.language == Some(Language::Ko)) {
        let Some(reference) = &prompt.expected.reference else { continue };
        let judgement = Judgement::of(&prompt, &format!("{reference}龘"), false).unwrap();
        assert!(!judgement.is_faithful(), "{}: {reference}", prompt.id);
    }
}

#[test]
fn composed_and_decomposed_text_get_the_same_verdict_but_for_the_gate_that_is_about_it() {
    for (_, prompt) in texts() {
        let Some(reference) = &prompt.expected.reference else { continue };
        let of = |answer: &str| {
            let mut judgement = Judgement::of(&prompt, answer, false).unwrap();
            judgement.gates.retain(|(gate, _)| *gate != Gate::Decomposed);
            judgement
        };
        assert_eq!(of(reference), of(&reference.nfd().collect::<String>()), "{}", prompt.id);
    }
}

#[test]
fn another_check_never_makes_a_failing_answer_pass() {
    for (_, prompt) in texts() {
        for answer in prompt.expected.fails.iter().flatten() {
            let mut fewer = prompt.clone();
            while fewer.expected.checks.pop().is_some() {
                let passed_with_more = Judgement::of(&prompt, answer, false).unwrap().passes();
                assert!(!passed_with_more || Judgement::of(&fewer, answer, false).unwrap().passes());
            }
        }
    }
}

#[test]
fn any_text_gets_a_verdict() {
    let large = "가나다라 ".repeat(70_000);
    let nested = "[".repeat(50_000);
    let quotes = "“".repeat(30_000);
    let names = "Name ".repeat(20_000);
    let open = "x = (1\n".repeat(10_000);
    let code = "x = 1\n\n".repeat(10_000);
    for answer in [
        "",
        " ",
        "😢",
        "\u{202e}abc\u{200b}\u{feff}",
        "```",
        "```json\n{\"a\":1}",
        "{\"a\":1} {",
        "\u{fffd}",
        "\u{0}",
        "ᄀ",
        "\"",
        "'",
        "`",
        "<",
        "\\",
        ">",
        "|",
        "1.",
        "-",
        "…",
        "@",
        "http://",
        &large,
        &nested,
        &quotes,
        &names,
        &open,
        &code,
    ] {
        for (_, prompt) in texts().step_by(if answer.len() > 1_000 { 40 } else { 7 }) {
            let judgement = Judgement::of(&prompt, answer, true).unwrap();
            assert_eq!(judgement.gates.len(), Gate::ALL.len());
        }
        assert!(!Judgement::of(&texts().next().unwrap().1, "", false).unwrap().passes());
    }
}
