//! A suite of JSON lines: the user's own prompts with what their answers are held to, an object a line.

use std::collections::BTreeSet;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use super::check::Stated;
use super::{Body, Check, Expected, Language, Prompt, Suite, SuiteError, TEXT_REPEAT, TEXT_WARMUP, asked};
use crate::plain_file::{self, WRITTEN_BY_HAND};
use crate::toml_error::TomlError;

/// The longest answer where a line states none, in tokens.
const MAX_NEW_TOKENS: u32 = 96;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    id: String,
    text: String,
    /// The language that it is asked in, and that the answer is due in.
    language: Language,
    #[serde(default)]
    system: String,
    max_new_tokens: Option<u32>,
    #[serde(default)]
    copies_prompt: bool,
    reference: Option<String>,
    #[serde(default)]
    checks: Vec<Stated>,
}

/// A line of a file of JSON lines.
pub struct JsonLine<T> {
    /// Counted from 1, as editors do.
    pub number: usize,
    /// What it holds.
    pub value: T,
    /// Its text, and where that begins in the file's, in bytes.
    pub(super) text: String,
    pub(super) start: usize,
}

impl<T> JsonLine<T> {
    /// A mistake at a byte of the line.
    pub(super) fn mistake(&self, file: &Path, whole: &str, byte: usize, message: String) -> TomlError {
        let at = self.start + self.text.floor_char_boundary(byte);
        TomlError::at(file, whole, at..at, message)
    }
}

/// Reads a file of JSON lines; empty ones are left out.
///
/// # Errors
/// A file that cannot be read, is no file or is over 64 MiB, and a line that is not of the form, at its place.
pub fn json_lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<JsonLine<T>>, SuiteError> {
    Ok(lines_of(path, &text_of(path)?)?)
}

/// The text of a file that is no device and not too large, without the mark of UTF-8 that it may begin with.
pub(super) fn text_of(path: &Path) -> Result<String, SuiteError> {
    let failed = |source| SuiteError::Read { path: path.into(), source };
    let text = plain_file::read_text(path, WRITTEN_BY_HAND).map_err(failed)?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

pub(super) fn lines_of<T: DeserializeOwned>(file: &Path, text: &str) -> Result<Vec<JsonLine<T>>, TomlError> {
    let mut lines = Vec::new();
    let mut start = 0;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        if !line.trim().is_empty() {
            let unread = JsonLine { number: index + 1, value: (), text: line.to_owned(), start };
            let value = serde_json::from_str(line).map_err(|error| {
                let message = error.to_string();
                // Line and column of its own, within the line; columns are bytes, from 1.
                let message = message.split(" at line ").next().unwrap_or(&message).to_owned();
                unread.mistake(file, text, error.column().saturating_sub(1), message).with_nearest()
            })?;
            lines.push(JsonLine { number: unread.number, value, text: unread.text, start });
        }
        start += line.len();
    }
    Ok(lines)
}

/// Reads a suite, named as the file is.
///
/// # Errors
/// Those of [`json_lines`], and two prompts with one id in one language.
pub fn read_lines(path: &Path) -> Result<Suite, SuiteError> {
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    Ok(parse(path, &name, &text_of(path)?)?)
}

fn parse(file: &Path, name: &str, text: &str) -> Result<Suite, TomlError> {
    let mut prompts = Vec::new();
    let mut seen = BTreeSet::new();
    let mut hash = Sha256::new();
    for line in lines_of::<Line>(file, text)? {
        let at =
            |byte: usize, message: String| TomlError::at(file, text, line.start + byte..line.start + byte, message);
        let parsed = line.value;
        if !seen.insert((parsed.language, parsed.id.clone())) {
            return Err(at(0, format!("prompt `{}` is there twice in {}", parsed.id, parsed.language.name())));
        }
        let mut expected = Expected {
            language: Some(parsed.language),
            copies_prompt: parsed.copies_prompt,
            reference: parsed.reference,
            ..Expected::default()
        };
        for (number, mut stated) in parsed.checks.into_iter().enumerate() {
            expected.fails.push(stated.fails.take());
            // The place of the check: its kind.
            let place = line.text.match_indices("\"kind\"").nth(number).map_or(0, |(byte, _)| byte);
            expected.checks.push(Check::try_from(stated).map_err(|message| at(place, message))?);
        }
        let prompt = Prompt {
            id: parsed.id,
            language: Some(parsed.language),
            body: Body::Text { system: parsed.system, text: parsed.text },
            max_new_tokens: parsed.max_new_tokens.unwrap_or(MAX_NEW_TOKENS),
            expected,
        };
        asked(&mut hash, &prompt);
        prompts.push(prompt);
    }
    if prompts.is_empty() {
        return Err(TomlError::at(
            file,
            text,
            0..0,
            "no prompts: expected a JSON object a line, with `id`, `language` and `text`",
        ));
    }
    Ok(Suite {
        name: name.into(),
        description: format!("The prompts of {}.", file.display()),
        repeat: TEXT_REPEAT,
        warmup: TEXT_WARMUP,
        prompts,
        sha256: hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::CheckKind;

    fn read(text: &str) -> Result<Suite, String> {
        parse(Path::new("mine.jsonl"), "mine", text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_line_is_a_prompt_with_its_checks() {
        let line = r#"{"id":"a","language":"ko","text":"몇 개?","checks":[{"kind":"number","is":3,"fails":"4"}],"reference":"3"}"#;
        let suite = read(&format!("{line}\n\n")).unwrap();
        let [prompt] = &suite.prompts[..] else { panic!() };
        assert_eq!((prompt.expected.language, prompt.max_new_tokens), (Some(Language::Ko), 96));
        assert_eq!(prompt.expected.checks[0].kind(), CheckKind::Number);
        assert_eq!(prompt.expected.fails, [Some("4".to_owned())]);
    }

    #[test]
    fn mistakes_are_refused_at_their_line_and_column() {
        let good = r#"{"id":"a","language":"ko","text":"가"}"#;
        for (line, message) in [
            ("[1]", "mine.jsonl:2:"),
            ("not json", "mine.jsonl:2:2: expected ident"),
            (good, "mine.jsonl:2:1: prompt `a` is there twice in Korean"),
            (r#"{"id":"b","language":"kr","text":"가"}"#, "mine.jsonl:2:25: unknown variant `kr`"),
            (r#"{"id":"가","language":"ko","test":"가"}"#, "mine.jsonl:2:32: unknown field `test`"),
            (
                r#"{"id":"b","language":"ko","text":"가","checks":[{"kind":"list","min":1},{"kind":"list"}]}"#,
                "mine.jsonl:2:73: `list` needs `min` or `max`",
            ),
        ] {
            let error = read(&format!("{good}\n{line}\n")).unwrap_err();
            assert!(error.contains(message), "{line}: {error}");
        }
        assert!(read(" \n").unwrap_err().contains("no prompts"));
    }
}
