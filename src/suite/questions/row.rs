//! A question as its file states it: values by their keys, and where each stands.

use std::fmt;
use std::path::Path;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use crate::suite::lines::lines_of;
use crate::toml_error::TomlError;

/// An object of a file of JSON lines, or a row of CSV.
pub(super) struct Row {
    /// Counted from 1.
    pub line: usize,
    /// Where it begins in its file, in bytes.
    start: usize,
    fields: Vec<Field>,
}

/// A value with its key. An empty cell of CSV is no field.
struct Field {
    key: String,
    value: Value,
    /// Where it stands in its file, in bytes.
    at: usize,
    /// Where the key stands: of CSV, in the heading.
    key_at: usize,
}

/// What is wrong with a row, and where in its file.
#[derive(Debug)]
pub(super) struct Mistake {
    at: usize,
    message: String,
}

impl Mistake {
    /// In its file, with the right word if the message names a wrong one.
    pub(super) fn at(self, file: &Path, text: &str) -> TomlError {
        TomlError::at(file, text, self.at..self.at, self.message).with_nearest()
    }
}

impl Row {
    /// Those of a file, by the end of its name.
    ///
    /// # Errors
    /// Another end, what is no object or no table, or a key that is there twice.
    pub(super) fn all(file: &Path, text: &str) -> Result<Vec<Self>, TomlError> {
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("jsonl") => Self::of_json(file, text),
            Some("csv") => Self::of_csv(file, text),
            _ => Err(TomlError::at(file, text, 0..0, "expected a name that ends in .jsonl or .csv")),
        }
    }

    fn of_json(file: &Path, text: &str) -> Result<Vec<Self>, TomlError> {
        let mut rows = Vec::new();
        for line in lines_of::<Pairs>(file, text)? {
            let mut fields: Vec<Field> = Vec::new();
            for (key, value) in &line.value.0 {
                if fields.iter().any(|field| field.key == *key) {
                    let again = place_of(&line.text, key, 1);
                    return Err(line.mistake(file, text, again, format!("`{key}` is there twice")));
                }
                let at = line.start + place_of(&line.text, key, 0);
                fields.push(Field { key: key.clone(), value: value.clone(), at, key_at: at });
            }
            rows.push(Self { line: line.number, start: line.start, fields });
        }
        Ok(rows)
    }

    fn of_csv(file: &Path, text: &str) -> Result<Vec<Self>, TomlError> {
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
        let mut heading: Option<(csv::StringRecord, usize)> = None;
        let mut rows = Vec::new();
        for record in reader.records() {
            let record = record.map_err(|error| {
                let start = error.position().map_or(0, |position| begin(text, position.byte()));
                let message = match error.kind() {
                    csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                        format!("{len} cells, and the heading has {expected_len}")
                    }
                    _ => error.to_string(),
                };
                TomlError::at(file, text, start..start, message)
            })?;
            let start = begin(text, record.position().map_or(0, csv::Position::byte));
            let Some((keys, keys_start)) = &heading else {
                let twice =
                    (1..record.len()).find(|at| record.iter().take(*at).any(|key| Some(key) == record.get(*at)));
                if let Some(twice) = twice {
                    let at = cell(text, start, twice);
                    let key = record.get(twice).unwrap_or_default();
                    return Err(TomlError::at(file, text, at..at, format!("`{key}` is there twice")));
                }
                heading = Some((record, start));
                continue;
            };
            let field = |(index, (key, value)): (usize, (&str, &str))| Field {
                key: key.to_owned(),
                value: Value::String(value.to_owned()),
                at: cell(text, start, index),
                key_at: cell(text, *keys_start, index),
            };
            let cells = keys.iter().zip(&record).enumerate().filter(|(_, (_, value))| !value.is_empty());
            let line = text[..start].matches('\n').count() + 1;
            rows.push(Self { line, start, fields: cells.map(field).collect() });
        }
        Ok(rows)
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.field(key).is_some()
    }

    fn field(&self, key: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.key == key)
    }

    /// The value of a key that must be there.
    pub(super) fn value(&self, key: &str) -> Result<&Value, Mistake> {
        match self.field(key) {
            Some(field) => Ok(&field.value),
            None => Err(Mistake { at: self.start, message: format!("`{key}` is missing") }),
        }
    }

    /// The text of a key that must be there.
    pub(super) fn text(&self, key: &str) -> Result<&str, Mistake> {
        match self.value(key)? {
            Value::String(text) if text.trim().is_empty() => Err(self.mistake(key, format!("`{key}` is empty"))),
            Value::String(text) => Ok(text),
            other => Err(self.mistake(key, format!("`{key}` is {other}, expected a text"))),
        }
    }

    /// The text of a key that may be there.
    pub(super) fn text_if_any(&self, key: &str) -> Result<Option<&str>, Mistake> {
        if self.has(key) { self.text(key).map(Some) } else { Ok(None) }
    }

    /// What is wrong at a key.
    pub(super) fn mistake(&self, key: &str, message: String) -> Mistake {
        Mistake { at: self.field(key).map_or(self.start, |field| field.at), message }
    }

    /// # Errors
    /// The first key that is none of these.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), Mistake> {
        let Some(unknown) = self.fields.iter().find(|field| !known.contains(&field.key.as_str())) else {
            return Ok(());
        };
        let expected = known.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
        let message = format!("unknown field `{}`, expected one of {expected}", unknown.key);
        Err(Mistake { at: unknown.key_at, message })
    }
}

/// An object's keys and values in its order, a key that is there twice as well.
struct Pairs(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object: a question a line")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = object.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// Where a key stands in an object's text, skipping so many of its name; its beginning where the key is written in escapes.
fn place_of(text: &str, key: &str, skipped: usize) -> usize {
    let quoted = format!("\"{key}\"");
    let is_key = |at: &usize| text[at + quoted.len()..].trim_start().starts_with(':');
    text.match_indices(&quoted).map(|(at, _)| at).filter(is_key).nth(skipped).unwrap_or(0)
}

/// Where a row of CSV begins: its reader says so before the line breaks that it skips.
fn begin(text: &str, byte: u64) -> usize {
    let byte = usize::try_from(byte).unwrap_or(usize::MAX).min(text.len());
    byte + text.as_bytes()[byte..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count()
}

/// Where a cell of a row begins.
fn cell(text: &str, start: usize, index: usize) -> usize {
    let mut quoted = false;
    let mut commas = text.as_bytes()[start..].iter().enumerate().filter(|(_, byte)| {
        quoted ^= **byte == b'"';
        **byte == b',' && !quoted
    });
    match index.checked_sub(1) {
        None => start,
        Some(before) => commas.nth(before).map_or(start, |(at, _)| start + at + 1),
    }
}
