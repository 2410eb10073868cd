//! Which choice a question's file calls right: by a letter, or by a number that begins at a stated one. Never guessed.

use serde_json::Value;

use super::row::{Mistake, Row};

/// What number the first choice has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum FirstChoice {
    /// Choices are 0, 1, 2, …
    #[value(name = "0")]
    Zero,
    /// Choices are 1, 2, 3, …
    #[value(name = "1")]
    One,
}

impl FirstChoice {
    fn number(self) -> usize {
        match self {
            Self::Zero => 0,
            Self::One => 1,
        }
    }
}

/// How the answers of a file are stated: all alike.
pub(super) struct Answers {
    first: Option<FirstChoice>,
    /// The user says what number the first choice has, so answers are numbers.
    asked: bool,
    /// The first of the file, and its line.
    seen: Option<(Stated, usize)>,
}

/// How an answer names its choice.
#[derive(Debug, Clone, Copy)]
enum Stated {
    Letter(char),
    Number(usize),
}

impl Stated {
    fn of(value: &Value) -> Option<Self> {
        let text = match value {
            Value::Number(number) => number.to_string(),
            Value::String(text) => text.trim().to_owned(),
            _ => return None,
        };
        if let Ok(number) = text.parse() {
            return Some(Self::Number(number));
        }
        let bare = text.strip_prefix('(').and_then(|text| text.strip_suffix(')')).unwrap_or(&text);
        let mut letters = bare.chars();
        match (letters.next(), letters.next()) {
            (Some(letter), None) if letter.is_ascii_alphabetic() => Some(Self::Letter(letter.to_ascii_uppercase())),
            _ => None,
        }
    }

    fn in_words(self) -> String {
        match self {
            Self::Letter(letter) => format!("the letter {letter}"),
            Self::Number(number) => format!("the number {number}"),
        }
    }
}

impl Answers {
    /// `asked`: the user says what number the first choice has.
    pub(super) fn new(first: Option<FirstChoice>, asked: bool) -> Self {
        Self { first, asked, seen: None }
    }

    /// Which of so many choices the answer of a row is, counted from 0.
    ///
    /// # Errors
    /// An answer that is neither a letter nor a number, a letter where those before were numbers, a number where nobody says
    /// which number the first choice has, or one that no choice has.
    pub(super) fn read(&mut self, row: &Row, key: &str, choices: usize) -> Result<usize, Mistake> {
        let value = row.value(key)?;
        let refuse = |message: String| Err(row.mistake(key, message));
        let Some(stated) = Stated::of(value) else {
            return refuse(format!("`{key}` is {value}, expected the letter or the number of a choice"));
        };
        if let Some((before, line)) = self.seen
            && std::mem::discriminant(&before) != std::mem::discriminant(&stated)
        {
            let (now, before) = (stated.in_words(), before.in_words());
            return refuse(format!("`{key}` is {now}, and that of line {line} is {before}: state all in one way"));
        }
        self.seen = self.seen.or(Some((stated, row.line)));
        let (index, range) = match (stated, self.first) {
            (Stated::Letter(letter), _) if self.asked => {
                return refuse(format!("`{key}` is the letter {letter}, and --first-choice is about numbers"));
            }
            (Stated::Letter(letter), _) => {
                let last = (b'A' + u8::try_from(choices.saturating_sub(1)).unwrap_or(25).min(25)) as char;
                (Some(usize::from(letter as u8 - b'A')), format!("A to {last}"))
            }
            (Stated::Number(number), None) => {
                return refuse(format!(
                    "`{key}` is {number}, a number: say with --first-choice whether the first choice is 0 or 1"
                ));
            }
            (Stated::Number(number), Some(first)) => {
                let range = format!("{} to {}", first.number(), first.number() + choices - 1);
                (number.checked_sub(first.number()), range)
            }
        };
        match index.filter(|index| *index < choices) {
            Some(index) => Ok(index),
            None => refuse(format!("`{key}` is {}, and the choices are {range}", stated.in_words())),
        }
    }
}
