//! Exchange: a prompt and the answer to it, as checks and gates see them.

use std::cell::OnceCell;

use unicode_normalization::UnicodeNormalization as _;

use super::parts::Parts;
use crate::suite::Language;

/// A prompt and the answer to it.
///
/// Texts are compared in NFC: whether a syllable is one character or three says nothing of what it says. Only the gate
/// that is about just that looks at the answer as it came.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// The system message; empty where there was none.
    pub(super) system: String,
    /// What was asked.
    pub(super) prompt: String,
    /// The language that the answer is due in; `None` where none is stated.
    pub(super) language: Option<Language>,
    /// Whether the prompt wants its own text back: correct this, extract, quote.
    pub(super) copies_prompt: bool,
    /// Whether the answer was cut by a limit, and did not end by itself.
    pub(super) cut: bool,
    /// Labels that the prompt asks for: one of these is no echo, however the prompt spells it.
    pub(super) labels: Vec<String>,
    /// The answer in NFC.
    pub(super) answer: String,
    /// The answer as it came.
    pub(super) raw: String,
    /// What each character of the answer belongs to, found once for all that ask.
    parts: OnceCell<Parts>,
}

impl Exchange {
    /// Of a prompt in a language and the answer to it.
    pub fn new(prompt: &str, language: Option<Language>, answer: &str) -> Self {
        Self {
            system: String::new(),
            prompt: prompt.nfc().collect(),
            language,
            copies_prompt: false,
            cut: false,
            labels: Vec::new(),
            answer: answer.nfc().collect(),
            raw: answer.to_owned(),
            parts: OnceCell::new(),
        }
    }

    /// What each character of the answer belongs to.
    pub(super) fn parts(&self) -> &Parts {
        self.parts.get_or_init(|| Parts::of(&self.answer))
    }

    /// With another language that the answer is due in.
    pub(super) fn due_in(mut self, language: Language) -> Self {
        self.language = Some(language);
        self
    }

    /// With a system message.
    pub fn system(mut self, system: &str) -> Self {
        self.system = system.nfc().collect();
        self
    }

    /// Whether the prompt wants its own text back.
    pub fn copies_prompt(mut self, copies: bool) -> Self {
        self.copies_prompt = copies;
        self
    }

    /// Whether the answer was cut by a limit.
    pub fn cut(mut self, cut: bool) -> Self {
        self.cut = cut;
        self
    }

    /// With the labels that the prompt asks for.
    pub fn labels(mut self, labels: impl IntoIterator<Item = String>) -> Self {
        self.labels = labels.into_iter().map(|label| label.nfc().collect()).collect();
        self
    }
}
