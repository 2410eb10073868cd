//! Reviews: a pair of answers to be looked at, and what was preferred so far.

use serde::Serialize;

use super::ReportError;
use super::page::{Align, Block, Column, Page, Table};
use crate::suite::Body;
use crate::summarize::{Pair, Preference, Rate};
use crate::units::{UNKNOWN, counted};

/// What came of all reviews of a run.
#[derive(Debug, Serialize)]
pub struct Reviews {
    pub schema_version: u64,
    /// The run's id.
    pub run: String,
    /// Pairs that were looked at, and that were not yet.
    pub reviewed: usize,
    pub left: usize,
    pub preferences: Vec<Preference>,
    /// How often the answer that passes was preferred, of pairs of which just one does.
    pub agreement: Rate,
}

/// One JSON document on a line.
///
/// # Errors
/// What the encoder gives.
pub fn json(reviews: &Reviews) -> Result<String, ReportError> {
    super::json::line("the reviews", reviews)
}

/// What was preferred, and how often the checks agree with that.
pub fn page(reviews: &Reviews) -> Page {
    let Reviews { run, reviewed, left, preferences, agreement, .. } = reviews;
    let head = format!("Run {run}: {} reviewed, {left} left", counted(*reviewed, "pair"));
    let column = |heading: &str, align, cell: &dyn Fn(&Preference) -> String| {
        Column::new(heading, align, preferences.iter().map(cell))
    };
    let rate = |one: &Preference| if one.preferred.of == 0 { UNKNOWN.to_owned() } else { one.preferred.to_string() };
    let table = Table {
        names: vec![
            column("candidate", Align::Left, &|one| one.row.clone()),
            column("against", Align::Left, &|one| one.against.clone()),
            column("language", Align::Left, &|one| one.language.map_or(UNKNOWN, |language| language.tag()).to_owned()),
        ],
        columns: vec![
            column("preferred", Align::Right, &rate),
            column("ties", Align::Right, &|one| one.ties.to_string()).joined(),
            column("skipped", Align::Right, &|one| one.skipped.to_string()).joined(),
        ],
    };
    let checks = (agreement.of > 0).then(|| {
        Block::Paragraph(format!(
            "Where the checks pass just one of two answers, it was the preferred one in {agreement}"
        ))
    });
    let table = (table.rows() > 0).then_some(Block::Table(table));
    Page::new([Block::Paragraph(head)].into_iter().chain(table).chain(checks))
}

/// Columns from which on two answers stand side by side.
const WIDE: usize = 100;

/// A pair, with nothing in it that says whose the answers are.
pub fn pair(pair: &Pair, number: usize, of: usize, width: Option<usize>) -> Page {
    let prompt = &pair.left.asked.prompt;
    let language = prompt.language.map(|language| format!(", {}", language.name())).unwrap_or_default();
    let mut blocks = vec![Block::Title(format!("{number} of {of}: {}{language}", pair.left.asked.suite))];
    if let Body::Text { system, text } = &prompt.body {
        if !system.is_empty() {
            blocks.push(Block::Paragraph(format!("({system})")));
        }
        blocks.push(Block::Verbatim(text.clone()));
    }
    let [left, right] =
        [&pair.left, &pair.right].map(|answer| answer.trial.text.clone().unwrap_or_default().trim().to_owned());
    if width.is_some_and(|width| width >= WIDE) {
        let column = |heading: &str, text: String| Column::new(heading, Align::Left, [text]);
        blocks.push(Block::Table(Table { names: vec![column("left", left)], columns: vec![column("right", right)] }));
    } else {
        for (heading, text) in [("Left", left), ("Right", right)] {
            blocks.extend([Block::Heading(heading.to_owned()), Block::Verbatim(text)]);
        }
    }
    Page::new(blocks)
}
