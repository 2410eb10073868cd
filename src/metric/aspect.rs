//! Aspect: a metric of all answers, or of those in one language.

use std::fmt;

use serde::{Serialize, Serializer};

use super::Metric;
use crate::suite::Language;

/// A metric of all answers, or of those in one language: what counts characters differs by language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Aspect {
    /// What is measured.
    pub metric: Metric,
    /// `None` for all.
    pub language: Option<Language>,
}

impl Aspect {
    /// Of all answers.
    pub const fn overall(metric: Metric) -> Self {
        Self { metric, language: None }
    }

    /// Of the answers in a language.
    pub const fn in_language(metric: Metric, language: Language) -> Self {
        Self { metric, language: Some(language) }
    }

    /// For machines: the metric's key, after the language's name where there is one: `korean_characters_per_second`.
    pub fn key(&self) -> String {
        match self.language {
            Some(language) => format!("{}_{}", language.name().to_lowercase(), self.metric.key),
            None => self.metric.key.to_owned(),
        }
    }

    /// A value with what it is of, for a sentence: `decode 18.7 tok/s`, `35.3 Korean chars/s`. `mark` stands before the
    /// number.
    pub fn tell(&self, mark: &str, value: f64) -> String {
        let (label, unit) = (self.metric.label, self.metric.unit);
        if label == unit.symbol() {
            // Where the label is the unit, once is enough.
            format!("{mark}{} {self}", unit.show(value))
        } else {
            format!("{self} {mark}{}", unit.show_in_text(value))
        }
    }
}

/// The metric's label, after the language's name where there is one: `Korean chars/s`.
impl fmt::Display for Aspect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.language.iter().try_for_each(|language| write!(f, "{} ", language.name()))?;
        f.write_str(self.metric.label)
    }
}

/// As its key.
impl Serialize for Aspect {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.key())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::{CHARACTERS, DECODE, MEMORY, TTFT};

    #[test]
    fn key_and_label_are_the_metrics_with_the_language_before() {
        let korean = Aspect::in_language(CHARACTERS, Language::Ko);
        assert_eq!(
            (korean.key().as_str(), korean.to_string().as_str()),
            ("korean_characters_per_second", "Korean chars/s")
        );
        let ttft = Aspect::overall(TTFT);
        assert_eq!((ttft.key().as_str(), ttft.to_string().as_str()), ("ttft_seconds", "TTFT"));
    }

    #[test]
    fn a_value_is_told_with_its_label_and_its_unit_once() {
        assert_eq!(Aspect::overall(DECODE).tell("", 18.7), "decode 18.7 tok/s");
        assert_eq!(Aspect::overall(MEMORY).tell("~", (5_u64 << 30) as f64), "memory ~5.00 GiB");
        assert_eq!(Aspect::in_language(CHARACTERS, Language::En).tell("", 70.5), "70.5 English chars/s");
    }
}
