use serde_json::Value;

use super::*;
use crate::quality::Picks;
use crate::summarize::{Accuracy, Picked};

fn fixture(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/choices").join(name)
}

fn task(name: &str) -> Task {
    clap::ValueEnum::from_str(name, true).unwrap()
}

fn parse_as(task: Task, first: Option<FirstChoice>, name: &str, text: &str) -> Result<Vec<Question>, TomlError> {
    parse(task, None, first, Path::new(name), text).map(|(_, questions)| questions)
}

/// What `tests/fixtures/choices/generate.py` had lm-evaluation-harness make of the files beside it: every context and
/// continuation, without examples and with them.
#[test]
fn prompts_are_byte_for_byte_those_of_the_public_harness() {
    let harness: Value = serde_json::from_str(&std::fs::read_to_string(fixture("harness.json")).unwrap()).unwrap();
    let cases = harness["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 16, "eight files, without examples and with");
    let mut compared = 0;
    for case in cases {
        let name = case["questions"].as_str().unwrap();
        let examples = case["examples"].as_str().map(fixture);
        let task = task(case["task"].as_str().unwrap());
        let questions = Questions::read(task, None, &fixture(name), examples.as_deref(), None).unwrap();
        let requests = case["requests"].as_array().unwrap();
        assert_eq!(questions.questions.len(), requests.len(), "{name}");
        for (question, expected) in questions.questions.iter().zip(requests) {
            let of_choice = |choice: &String| [questions.context(question), question.continuation(choice)];
            let built: Vec<[String; 2]> = question.choices.iter().map(of_choice).collect();
            assert_eq!(serde_json::to_value(&built).unwrap(), *expected, "{name}, line {}", question.line);
            compared += built.len();
        }
    }
    assert!(compared > 120, "{compared} requests");
}

/// The same made-up log-likelihoods as there.
#[test]
fn the_figures_are_those_of_the_public_harness() {
    let harness: Value = serde_json::from_str(&std::fs::read_to_string(fixture("harness.json")).unwrap()).unwrap();
    for case in harness["cases"].as_array().unwrap() {
        let name = case["questions"].as_str().unwrap();
        let questions =
            Questions::read(task(case["task"].as_str().unwrap()), None, &fixture(name), None, None).unwrap();
        let made_up =
            |question: usize, choice: usize| -1.0 - 10.0 * ((4 * question + 11 * choice + 1) as f64).sin().abs();
        let picked = |(index, question): (usize, &Question)| {
            let log_probs: Vec<f64> = (0..question.choices.len()).map(|choice| made_up(index, choice)).collect();
            let picks = Picks::of(&log_probs, &question.choices);
            Picked { choices: question.choices.len(), answer: question.answer, picks }
        };
        let picked: Vec<Picked> = questions.questions.iter().enumerate().map(picked).collect();
        let accuracy = Accuracy::of(&picked, questions.are_labels);
        for (key, found) in [
            ("acc", accuracy.raw.share()),
            ("acc_norm", accuracy.per_character.share()),
            ("acc_bytes", accuracy.per_byte.share()),
            ("f1", accuracy.macro_f1),
        ] {
            let Some(expected) = case["metrics"][key].as_f64() else { continue };
            assert!((found.unwrap() - expected).abs() < 1e-12, "{name}: {key} is {found:?}, expected {expected}");
        }
    }
}

#[test]
fn csv_and_json_lines_say_the_same() {
    let csv = "question,A,B,C,answer,language\n\"몇, 개?\",1,2,3,B,ko\nHow many?,1,2,,a,en\n";
    let json = r#"{"question":"몇, 개?","choices":["1","2","3"],"answer":"B","language":"ko"}
{"question":"How many?","choices":["1","2"],"answer":"(A)","language":"en"}"#;
    let read = |name: &str, text: &str| parse_as(Task::Plain, None, name, text).unwrap();
    let (csv, json) = (read("q.csv", csv), read("q.jsonl", json));
    let told = |questions: &[Question]| {
        questions.iter().map(|q| (q.context.clone(), q.choices.clone(), q.answer, q.language)).collect::<Vec<_>>()
    };
    assert_eq!(told(&csv), told(&json));
    assert_eq!((csv[0].line, csv[1].line, csv[1].choices.len(), csv[1].answer), (2, 3, 2, 0));
}

#[test]
fn a_number_is_a_choice_by_what_number_the_first_has() {
    let line = r#"{"question":"?","choices":["a","b","c"],"answer":1}"#;
    let answer = |first| parse_as(Task::Plain, Some(first), "q.jsonl", line).unwrap()[0].answer;
    assert_eq!((answer(FirstChoice::Zero), answer(FirstChoice::One)), (1, 0));
    // KMMLU's own count from 1, until somebody says otherwise.
    let of_kmmlu = |first| parse_as(Task::Kmmlu, first, "q.jsonl", line).unwrap()[0].answer;
    assert_eq!((of_kmmlu(None), of_kmmlu(Some(FirstChoice::Zero))), (0, 1));
}

#[test]
fn mistakes_are_refused_at_their_line_and_column_with_the_nearest_right_word() {
    let good = r#"{"question":"?","choices":["a","b"],"answer":"A"}"#;
    for (task, first, line, message) in [
        (Task::Plain, None, "[1]", "q.jsonl:2:1: invalid type: sequence, expected an object: a question a line"),
        (Task::Plain, None, r#"{"question":"?","choices":["a","b"],"answr":"A"}"#, "2:37: unknown field `answr`"),
        (
            Task::Plain,
            None,
            r#"{"question":"가?","choices":["a","b"],"answer":"C"}"#,
            "2:38: `answer` is the letter C, and the choices are A to B",
        ),
        (Task::Plain, None, r#"{"question":"?","choices":["a","b"]}"#, "2:1: `answer` is missing"),
        (
            Task::Plain,
            None,
            r#"{"question":"?","choices":["a","b"],"answer":1}"#,
            "`answer` is the number 1, and that of line 1 is the letter A",
        ),
        (
            Task::Plain,
            None,
            r#"{"question":"?","choices":["a","b"],"answer":"yes"}"#,
            "`answer` is \"yes\", expected the letter or the number",
        ),
        (
            Task::Plain,
            None,
            r#"{"question":"?","choices":["a","b"],"answer":-1}"#,
            "`answer` is -1, expected the letter or the number",
        ),
        (Task::Plain, None, r#"{"question":"?","choices":["a"],"answer":"A"}"#, "two choices at least"),
        (Task::Plain, None, r#"{"question":"?","choices":["a",""],"answer":"A"}"#, "choice 2 of `choices` is empty"),
        (
            Task::Plain,
            None,
            r#"{"question":"?","choices":["a",2],"answer":"A"}"#,
            "choice 2 of `choices` is 2, expected a text",
        ),
        (Task::Plain, None, r#"{"question":"?","choices":"a, b","answer":"A"}"#, "`choices` is no list of texts"),
        (Task::Plain, None, r#"{"question":"?","choices":["a","b"],"A":"a","answer":"A"}"#, "state the choices once"),
        (Task::Plain, None, r#"{"question":"?","A":"a","C":"c","answer":"A"}"#, "`C` is there, and `B` is missing"),
        (Task::Plain, None, r#"{"question":"?","answer":"A"}"#, "the choices are missing"),
        (Task::Plain, None, r#"{"question":" ","choices":["a","b"],"answer":"A"}"#, "2:2: `question` is empty"),
        (Task::Plain, None, r#"{"question":3,"choices":["a","b"],"answer":"A"}"#, "`question` is 3, expected a text"),
        (
            Task::Plain,
            None,
            r#"{"question":"?","choices":["a","b"],"answer":"A","answer":"B"}"#,
            "2:50: `answer` is there twice",
        ),
        (
            Task::Plain,
            None,
            r#"{"question":"?","choices":["a","b"],"answer":"A","language":"kr"}"#,
            "unknown language `kr`",
        ),
        (
            Task::Plain,
            Some(FirstChoice::One),
            good,
            "1:37: `answer` is the letter A, and --first-choice is about numbers",
        ),
        (Task::Kobest, None, good, "1:1: none of `paragraph`"),
        (Task::Haerae, None, good, "1:2: unknown field `question`, expected one of `query`"),
    ] {
        let error = parse_as(task, first, "q.jsonl", &format!("{good}\n{line}\n")).unwrap_err();
        assert!(error.to_string().contains(message), "{line}: {error}");
    }
    let misspelt = r#"{"question":"?","choises":["a","b"],"answer":"A"}"#;
    assert_eq!(parse_as(Task::Plain, None, "q.jsonl", misspelt).unwrap_err().nearest.as_deref(), Some("choices"));
}

#[test]
fn indices_outside_of_the_choices_are_refused_in_either_count() {
    for (first, answer, message) in [
        (None, "2", "`answer` is 2, a number: say with --first-choice whether the first choice is 0 or 1"),
        (Some(FirstChoice::Zero), "2", "`answer` is the number 2, and the choices are 0 to 1"),
        (Some(FirstChoice::One), "0", "`answer` is the number 0, and the choices are 1 to 2"),
        (Some(FirstChoice::One), "99999999999999999999", "expected the letter or the number"),
    ] {
        let csv = format!("question,A,B,answer\n\"가, \"\"나\"\"\",a,b,{answer}\n");
        let error = parse_as(Task::Plain, first, "q.csv", &csv).unwrap_err().to_string();
        assert!(error.contains(message) && error.starts_with("q.csv:2:16: "), "{answer}: {error}");
    }
}

#[test]
fn tables_that_are_none_are_refused() {
    for (name, text, message) in [
        ("q.csv", "question,A,B,answer\n?,a,b\n", "q.csv:2:1: 3 cells, and the heading has 4"),
        ("q.csv", "question,A,A,answer\n?,a,b,A\n", "q.csv:1:12: `A` is there twice"),
        ("q.csv", "question;A;B;answer\n?;a;b;A\n", "q.csv:1:1: unknown field `question;A;B;answer`"),
        ("q.csv", "question,A,B,answer\r\n?,a,b,A\r\n?,a,b,C\r\n", "q.csv:3:7: `answer` is the letter C"),
        ("q.csv", "question,A,B,answer\n", "no questions"),
        ("q.jsonl", "\n", "no questions"),
        ("q.txt", "?", "expected a name that ends in .jsonl or .csv"),
    ] {
        let error = parse_as(Task::Plain, None, name, text).unwrap_err().to_string();
        assert!(error.contains(message), "{text}: {error}");
    }
}

#[test]
fn examples_are_the_first_of_their_file_and_none_of_the_questions() {
    let questions = fixture("kobest_sentineg.jsonl");
    let examples = fixture("kobest_sentineg.examples.jsonl");
    let read = |examples: &Path, shots| Questions::read(Task::Kobest, None, &questions, Some(examples), shots);
    let one = read(&examples, Some(1)).unwrap();
    assert_eq!((one.examples, one.block.as_str()), (1, "문장: 색이 사진과 똑같아서 좋아요 긍부정: 긍정\n\n"));
    let error = |result: Result<Questions, SuiteError>| result.unwrap_err().to_string();
    assert!(error(read(&examples, Some(3))).contains("it has 2 examples, and --shots asks for 3"));
    assert!(error(read(&questions, None)).contains("1:1: this example is one of the questions"));
    let other = fixture("kobest_copa.examples.jsonl");
    assert!(error(read(&other, None)).contains("unknown field `premise`, expected one of `sentence`"));
}
