//! A mistake in a TOML file: where it is, what is wrong, and the nearest right word.

#![warn(missing_docs)]

use std::ops::Range;
use std::path::{Path, PathBuf};

/// A mistake in a file that the user wrote.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}:{line}:{column}: {message}", file.display())]
pub struct TomlError {
    /// The file that was read.
    pub file: PathBuf,
    /// Counted from 1, as editors do.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
    /// What is wrong there.
    pub message: String,
    /// The right word that is nearest to the wrong one, if one is near.
    pub nearest: Option<String>,
}

impl TomlError {
    /// A mistake at a span of bytes of the file's text.
    pub fn at(file: &Path, text: &str, span: Range<usize>, message: impl Into<String>) -> Self {
        let before = text.get(..span.start).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            file: file.into(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            message: message.into(),
            nearest: None,
        }
    }

    /// What serde or the TOML parser says, at its place.
    pub fn parse(file: &Path, text: &str, error: &toml::de::Error) -> Self {
        let message = error.message().lines().collect::<Vec<_>>().join(", ");
        let nearest = nearest_in(&message);
        let span = error.span().unwrap_or(0..0);
        let message = match key_before(text, span.start) {
            Some(key) => format!("`{key}`: {message}"),
            None => message,
        };
        Self { nearest, ..Self::at(file, text, span, message) }
    }

    /// With the right word that is nearest to the wrong one that the message names.
    pub fn with_nearest(self) -> Self {
        Self { nearest: nearest_in(&self.message), ..self }
    }

    /// What the user can do about it: the right word, where one is near.
    pub fn hint(&self) -> Option<String> {
        self.nearest.as_ref().map(|word| format!("did you mean `{word}`?"))
    }
}

/// The key whose value begins at a byte of the text, or stands in the list there; `None` if a key begins there itself.
fn key_before(text: &str, at: usize) -> Option<&str> {
    let line = text.get(..at)?.rsplit('\n').next()?;
    let (key, value) = line.rsplit_once('=')?;
    let is_value = value.chars().all(char::is_whitespace) || value.trim_start().starts_with('[');
    is_value.then(|| key.trim().rsplit([' ', '{', ',']).next().unwrap_or_default()).filter(|key| !key.is_empty())
}

/// Of the words that serde lists after `expected`, the one nearest to the first word, which is the wrong one:
/// "unknown field \`quantisation\`, expected one of \`id\`, \`quantization\`".
fn nearest_in(message: &str) -> Option<String> {
    let mut words = message.split('`').skip(1).step_by(2);
    let wrong = words.next().filter(|_| message.starts_with("unknown"))?;
    nearest(wrong, words)
}

/// The nearest of `words`, if it is near enough to be meant.
pub fn nearest<'a>(wrong: &str, words: impl Iterator<Item = &'a str>) -> Option<String> {
    let near = |word: &'a str| (strsim::jaro_winkler(&wrong.to_lowercase(), word), word);
    // Of words that are equally near the first.
    let best = words.map(near).reduce(|best, next| if next.0 > best.0 { next } else { best })?;
    (best.0 > 0.75).then(|| best.1.to_owned())
}
