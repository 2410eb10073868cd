//! The figures of a table that were computed with each other: what a change did, and what cannot be.

use serde::Serialize;

use super::ReportError;
use super::page::{Align, Block, Column, Page, Table};
use crate::audit::{Arithmetic, Computed};
use crate::units::{Change, Known, Rate, UNKNOWN};

/// One JSON document on a line.
///
/// # Errors
/// What the encoder gives.
pub fn json(computed: &[Computed]) -> Result<String, ReportError> {
    #[derive(Serialize)]
    struct Document<'a> {
        schema_version: u64,
        figures: &'a [Computed],
    }
    super::json::line("the audit", &Document { schema_version: 1, figures: computed })
}

/// A line for each line of the table and each check of figures that belong together; an empty field is unknown.
///
/// # Errors
/// What the encoder gives.
pub fn csv(computed: &[Computed]) -> Result<String, ReportError> {
    super::csv::of_records(computed)
}

/// Lines with a figure before and after as a table, and in words what was computed.
pub fn page(computed: &[Computed]) -> Page {
    let changes: Vec<&Computed> = computed.iter().filter(|one| one.is_of_a_change()).collect();
    let column = |heading: &str, align, cell: &dyn Fn(&Computed) -> String| {
        Column::new(heading, align, changes.iter().map(|one| cell(one)))
    };
    let stated = |one: &Computed| one.stated.clone().unwrap_or(UNKNOWN.into());
    let table = Table {
        names: vec![column("what", Align::Left, &|one| one.of.clone())],
        columns: vec![
            column("before", Align::Right, &|one| Known(one.before.map(Rate)).to_string()),
            column("after", Align::Right, &|one| Known(one.after.map(Rate)).to_string()).joined(),
            column("change", Align::Right, &|one| Known(one.change.map(Change)).to_string()).joined(),
            column("stated", Align::Right, &stated).joined(),
            column("verdict", Align::Left, &|one| verdict(one.verdict).into()).joined(),
        ],
    };
    let table = (!changes.is_empty()).then_some(Block::Table(table));
    Page::new(table.into_iter().chain(Block::list(remarks(computed).collect())))
}

/// What is to be said: of changes that agree, nothing.
pub(super) fn remarks(computed: &[Computed]) -> impl Iterator<Item = String> {
    // A line with one figure of two says nothing, and there is nothing to say of it.
    let worth_saying =
        |one: &&Computed| !one.reason.is_empty() && (!one.is_of_a_change() || one.verdict != Arithmetic::Agrees);
    computed.iter().filter(worth_saying).map(|one| match one.verdict {
        // The table has the verdict of a change, but not of figures that belong together.
        Arithmetic::Contradicts if !one.is_of_a_change() => format!("{}: cannot be: {}", one.of, one.reason),
        _ => format!("{}: {}", one.of, one.reason),
    })
}

fn verdict(verdict: Arithmetic) -> &'static str {
    match verdict {
        Arithmetic::Agrees => "agrees",
        Arithmetic::Contradicts => "contradicts",
        Arithmetic::Implies => "implies",
        Arithmetic::Unread => "not computed",
    }
}
