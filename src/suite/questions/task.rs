//! In what form a question is asked: byte for byte as the tasks of lm-evaluation-harness 0.4.13 ask it, which a test holds
//! every form to.

use serde::Serialize;
use serde_json::Value;

use super::answer::{Answers, FirstChoice};
use super::question::Question;
use super::row::{Mistake, Row};
use crate::suite::Language;

/// A public set of questions, or the plain form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// Korean exams: the question, its choices after A. to D. and 정답：, answered by the letter
    Kmmlu,
    /// Knowledge of Korea: the query as it stands, answered by (A) to (E)
    Haerae,
    /// BoolQ, COPA, HellaSwag, SentiNeg or WiC of KoBEST, told by their keys
    Kobest,
    /// The question as it stands, answered by the text of a choice
    Plain,
}

/// What a file's rows hold, and how they are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Kmmlu,
    Haerae,
    Boolq,
    Copa,
    Hellaswag,
    Sentineg,
    Wic,
    Plain,
}

/// Keys that every form takes.
const COMMON: [&str; 3] = ["id", "language", "category"];

/// Columns of choices.
const LETTERS: [&str; 5] = ["A", "B", "C", "D", "E"];

/// Most choices of a question: those that a letter can name.
const MOST_CHOICES: usize = 26;

impl Form {
    /// What a task's rows hold, by the first of them.
    pub(super) fn of(task: Task, row: &Row) -> Result<Self, Mistake> {
        let told_by = [
            ("paragraph", Self::Boolq),
            ("premise", Self::Copa),
            ("ending_1", Self::Hellaswag),
            ("sentence", Self::Sentineg),
            ("context_1", Self::Wic),
        ];
        match task {
            Task::Kmmlu => Ok(Self::Kmmlu),
            Task::Haerae => Ok(Self::Haerae),
            Task::Plain => Ok(Self::Plain),
            Task::Kobest => told_by.iter().find(|(key, _)| row.has(key)).map(|(_, form)| *form).ok_or_else(|| {
                let keys = told_by.map(|(key, _)| format!("`{key}`")).join(", ");
                row.mistake("", format!("none of {keys} is there, by which the tasks of KoBEST are told"))
            }),
        }
    }

    /// The number of the first choice in the public set.
    pub(super) fn first_choice(self) -> Option<FirstChoice> {
        match self {
            Self::Kmmlu => Some(FirstChoice::One),
            Self::Boolq | Self::Copa | Self::Hellaswag | Self::Sentineg | Self::Wic => Some(FirstChoice::Zero),
            Self::Haerae | Self::Plain => None,
        }
    }

    /// The keys that its rows may have, beside those of every form. Columns of the public sets that no prompt shows are known,
    /// so that their files can be read as they are.
    fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Kmmlu => &["question", "choices", "A", "B", "C", "D", "E", "answer", "Category", "Human Accuracy"],
            Self::Haerae => &["query", "options", "answer"],
            Self::Boolq => &["paragraph", "question", "label"],
            Self::Copa => &["premise", "question", "alternative_1", "alternative_2", "label"],
            Self::Hellaswag => &["context", "ending_1", "ending_2", "ending_3", "ending_4", "label"],
            Self::Sentineg => &["sentence", "label"],
            Self::Wic => &["word", "context_1", "context_2", "label"],
            Self::Plain => &["question", "choices", "A", "B", "C", "D", "E", "answer"],
        }
    }

    /// The question of a row.
    ///
    /// # Errors
    /// A key that is not known or is missing, or a value that cannot be meant.
    pub(super) fn question(self, row: &Row, answers: &mut Answers) -> Result<Question, Mistake> {
        row.only(&[self.keys(), &COMMON].concat())?;
        let (context, choices) = self.asked(row)?;
        let key = if self.keys().contains(&"label") { "label" } else { "answer" };
        let category = row.text_if_any("category")?;
        let category = if self == Self::Kmmlu { category.or(row.text_if_any("Category")?) } else { category };
        Ok(Question {
            line: row.line,
            answer: answers.read(row, key, choices.len())?,
            language: language(row)?,
            category: category.map(str::to_owned),
            context,
            choices,
        })
    }

    /// What stands before a choice, and the choices.
    fn asked(self, row: &Row) -> Result<(String, Vec<String>), Mistake> {
        let text = |key: &str| row.text(key);
        let labels = |labels: &[&str]| labels.iter().map(|label| (*label).to_owned()).collect::<Vec<_>>();
        let texts =
            |keys: &[&str]| keys.iter().map(|key| Ok(text(key)?.to_owned())).collect::<Result<Vec<_>, Mistake>>();
        Ok(match self {
            Self::Kmmlu => {
                let stated = stated_choices(row)?;
                let letters: Vec<String> = ('A'..='Z').take(stated.len()).map(String::from).collect();
                let lines = letters.iter().zip(&stated).map(|(letter, choice)| format!("{letter}. {choice}\n"));
                // The colon is the full-width one, U+FF1A.
                let context = format!("{}\n{}정답：", stripped(text("question")?), lines.collect::<String>());
                (context, letters)
            }
            Self::Haerae => (text("query")?.to_owned(), labels(&["(A)", "(B)", "(C)", "(D)", "(E)"])),
            Self::Boolq => {
                (format!("{} 질문: {} 답변: ", text("paragraph")?, text("question")?), labels(&["아니오", "예"]))
            }
            Self::Copa => {
                let connector = match text("question")?.trim() {
                    "원인" => " 왜냐하면",
                    "결과" => " 그래서",
                    other => {
                        return Err(row.mistake("question", format!("`question` is {other}, expected 원인 or 결과")));
                    }
                };
                (format!("{} {connector}", text("premise")?), texts(&["alternative_1", "alternative_2"])?)
            }
            Self::Hellaswag => {
                let context = format!("문장: {}", text("context")?);
                (context, texts(&["ending_1", "ending_2", "ending_3", "ending_4"])?)
            }
            Self::Sentineg => (format!("문장: {} 긍부정:", text("sentence")?), labels(&["부정", "긍정"])),
            Self::Wic => {
                let (first, second, word) = (text("context_1")?, text("context_2")?, text("word")?);
                let context = format!("문장1: {first} 문장2: {second} 두 문장에서 {word}가 같은 뜻으로 쓰였나?");
                (context, labels(&["아니오", "예"]))
            }
            Self::Plain => (text("question")?.to_owned(), stated_choices(row)?),
        })
    }
}

/// The choices of a list, or those of columns from A on.
fn stated_choices(row: &Row) -> Result<Vec<String>, Mistake> {
    let columns: Vec<&str> = LETTERS.into_iter().filter(|letter| row.has(letter)).collect();
    let choices: Vec<String> = if row.has("choices") {
        if let Some(letter) = columns.first() {
            return Err(row.mistake(letter, format!("`choices` is there, and `{letter}` too: state the choices once")));
        }
        let Value::Array(listed) = row.value("choices")? else {
            let message = "`choices` is no list of texts; in CSV, choices are columns from `A` to `E`";
            return Err(row.mistake("choices", message.to_owned()));
        };
        let text = |(number, value): (usize, &Value)| match value {
            Value::String(text) if !text.trim().is_empty() => Ok(text.clone()),
            Value::String(_) => Err(row.mistake("choices", format!("choice {} of `choices` is empty", number + 1))),
            other => {
                Err(row.mistake("choices", format!("choice {} of `choices` is {other}, expected a text", number + 1)))
            }
        };
        listed.iter().enumerate().map(text).collect::<Result<_, _>>()?
    } else {
        if let Some((expected, found)) = LETTERS.iter().zip(&columns).find(|(expected, found)| expected != found) {
            return Err(row.mistake(found, format!("`{found}` is there, and `{expected}` is missing")));
        }
        columns.iter().map(|letter| Ok(row.text(letter)?.to_owned())).collect::<Result<_, Mistake>>()?
    };
    match choices.len() {
        0 => Err(row.mistake("", "the choices are missing: `choices`, or `A`, `B` and so on".to_owned())),
        1 => Err(row.mistake("choices", "a question needs two choices at least".to_owned())),
        2..=MOST_CHOICES => Ok(choices),
        count => Err(row.mistake("choices", format!("{count} choices, and letters name {MOST_CHOICES} at most"))),
    }
}

fn language(row: &Row) -> Result<Option<Language>, Mistake> {
    let Some(word) = row.text_if_any("language")? else { return Ok(None) };
    let known = Language::ALL.into_iter().find(|language| language.tag() == word);
    let tags = Language::ALL.map(|language| format!("`{}`", language.tag())).join(", ");
    known.map(Some).ok_or_else(|| row.mistake("language", format!("unknown language `{word}`, expected one of {tags}")))
}

/// As Python's `str.strip` does it, which also takes away the four separators from U+001C on.
fn stripped(text: &str) -> &str {
    text.trim_matches(|character: char| character.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&character))
}
