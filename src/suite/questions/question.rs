//! A question as a model sees it.

use crate::suite::Language;

/// What stands between a context and a choice: the harness's `target_delimiter`.
const BEFORE_CHOICE: &str = " ";

/// What stands between an example and what follows it: the harness's `fewshot_delimiter`.
const AFTER_EXAMPLE: &str = "\n\n";

/// A question as a model sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Of its file, counted from 1.
    pub line: usize,
    /// What stands before a choice.
    pub context: String,
    /// What may follow, without the space before it: two at least.
    pub choices: Vec<String>,
    /// Which of the choices is right, counted from 0.
    pub answer: usize,
    /// If its file states one.
    pub language: Option<Language>,
    /// Likewise.
    pub category: Option<String>,
}

impl Question {
    /// What follows the context if this choice is picked.
    pub fn continuation(&self, choice: &str) -> String {
        format!("{BEFORE_CHOICE}{choice}")
    }

    /// It with its answer, to stand before another question.
    pub(super) fn answered(&self) -> String {
        let right = self.choices.get(self.answer).map(|choice| self.continuation(choice)).unwrap_or_default();
        format!("{}{right}{AFTER_EXAMPLE}", self.context)
    }
}
