//! Every note in every format.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::escape::escaped;
use super::{Form, Markdown, Renderer, Terminal, comparison, csv, json};
use crate::answer::{Answer, Kind, Note, Subject, testing};

/// An answer in each format.
struct Formats {
    terminal: String,
    markdown: String,
    json: Value,
    /// Each line by column.
    csv: Vec<BTreeMap<String, String>>,
}

impl Formats {
    fn of(answer: &Answer) -> Self {
        let (mut json, mut csv) = (Vec::new(), Vec::new());
        json::write(answer, &mut json).expect("writing to memory");
        csv::write(answer, &mut csv).expect("writing to memory");
        Self {
            terminal: Terminal::FILE.render(&comparison::page(answer, Form::Screen, &[])),
            markdown: Markdown.render(&comparison::page(answer, Form::Document, &[])),
            json: serde_json::from_slice(&json).expect("JSON"),
            csv: ::csv::Reader::from_reader(&*csv).deserialize().collect::<Result<_, _>>().expect("CSV"),
        }
    }

    fn terminal_has(&self, note: &Note) -> bool {
        self.terminal.contains(&note.to_string())
    }

    fn markdown_has(&self, note: &Note) -> bool {
        let text = note.kind.to_string();
        match note.subject.row() {
            Some(row) => {
                let (row, text) = (escaped(row), escaped(&text));
                self.markdown.contains(&format!("{row}: {text}"))
                    || self.markdown.contains(&format!("| {row} | {text} |"))
            }
            None => self.markdown.lines().any(|line| line.starts_with("- ") && line.ends_with(&*escaped(&text))),
        }
    }

    fn json_has(&self, note: &Note) -> bool {
        let of_kind = |found: &&Value| found["kind"] == note.kind.name();
        let notes = self.json["notes"].as_array().expect("notes");
        notes
            .iter()
            .filter(of_kind)
            .any(|found| found["text"] == note.kind.to_string() && found["subject"].as_str() == note.subject.row())
    }

    fn csv_has(&self, note: &Note) -> bool {
        let text = note.kind.to_string();
        let is_of = |line: &&BTreeMap<String, String>| match &note.subject {
            Subject::Run => true,
            Subject::Row(row) => row.starts_with(&line["candidate"]),
        };
        let column = if note.subject == Subject::Run { "run_notes" } else { "notes" };
        let mut lines = self.csv.iter().filter(is_of).peekable();
        lines.peek().is_some() && lines.all(|line| line[column].contains(&text))
    }
}

/// None is left out of any format. A screen says of rows that did not run where the recommendation rejects them, and a
/// document in its table of those, in the same words; CSV says of the whole run in every line.
#[test]
fn every_kind_of_note_is_in_every_format() {
    let mut seen = BTreeSet::new();
    for run in testing::runs() {
        let answer = Answer::of(&run);
        let formats = Formats::of(&answer);
        for note in &answer.notes {
            seen.insert(note.kind.name());
            assert!(formats.terminal_has(note), "the terminal lacks `{note}`:\n{}", formats.terminal);
            assert!(formats.markdown_has(note), "Markdown lacks `{note}`:\n{}", formats.markdown);
            assert!(formats.json_has(note), "JSON lacks `{note}`:\n{}", formats.json["notes"]);
            assert!(formats.csv_has(note), "CSV lacks `{note}`:\n{:?}", formats.csv);
        }
    }
    let all: BTreeSet<&str> = Kind::NAMES.iter().copied().collect();
    assert_eq!(all.len(), Kind::NAMES.len(), "no name is two kinds'");
    assert_eq!(seen, all, "each kind needs a run in answer::testing that gives rise to it");
}
