//! The audit of a table: a verdict for each of its rows, and what is wrong with the table as a whole.

use std::collections::BTreeMap;

use serde::Serialize;

use super::ReportError;
use super::effects;
use super::page::{Align, Block, Column, Page, Table};
use crate::audit::{Computed, Finding, MEMORY_TOLERANCE, Taken, Verdict};
use crate::hardware::GpuSpec;
use crate::plan;
use crate::units::{Known, Rate, Share, UNKNOWN};

/// What is reported.
#[derive(Serialize)]
pub struct Audit<'a> {
    pub schema_version: u64,
    pub gpu: &'a GpuSpec,
    pub columns: &'a Taken,
    /// Rows by precision, where no single one is what all of them can be.
    pub mixed_precisions: BTreeMap<&'a str, Vec<&'a str>>,
    pub rows: &'a [Finding],
    /// Figures of a row that were computed with each other.
    pub figures: &'a [Computed],
}

impl<'a> Audit<'a> {
    pub fn new(gpu: &'a GpuSpec, columns: &'a Taken, rows: &'a [Finding], figures: &'a [Computed]) -> Self {
        let mut mixed = by_precision(rows);
        if mixed.len() < 2 {
            mixed.clear();
        }
        Self { schema_version: 1, gpu, columns, mixed_precisions: mixed, rows, figures }
    }
}

/// Rows by precision. A row that can be of several goes to the one that most others can be of, so that the groups are few.
fn by_precision(rows: &[Finding]) -> BTreeMap<&'static str, Vec<&str>> {
    let mut groups = BTreeMap::new();
    let mut left: Vec<&Finding> = rows.iter().filter(|row| !row.possible.is_empty()).collect();
    while !left.is_empty() {
        let count = |layout: &plan::Layout| left.iter().filter(|row| row.possible.contains(layout)).count();
        // Of layouts that as many rows can be of, the first.
        let Some(most) = plan::Layout::ALL.into_iter().rev().max_by_key(count) else { break };
        let (of_it, others): (Vec<&Finding>, _) = left.into_iter().partition(|row| row.possible.contains(&most));
        groups.insert(most.name(), of_it.into_iter().map(|row| row.model.as_str()).collect());
        left = others;
    }
    groups
}

/// One JSON document on a line.
///
/// # Errors
/// What the encoder gives.
pub fn json(audit: &Audit) -> Result<String, ReportError> {
    super::json::line("the audit", audit)
}

/// A line for each row of the table; an empty field is unknown.
///
/// # Errors
/// What the encoder gives.
pub fn csv(audit: &Audit) -> Result<String, ReportError> {
    super::csv::of_records(audit.rows)
}

/// A table and notes for a person.
pub fn page(audit: &Audit) -> Page {
    let rows = audit.rows;
    let gpu = audit.gpu;
    let title = format!("Could {} ({} GB/s) have done this?", gpu.id, gpu.bandwidth_gb_s);
    let columns = vec![
        column("tokens/s", Align::Right, rows, |row| Known(row.tokens_per_second.map(Rate)).to_string()),
        column("memory\nGB", Align::Right, rows, |row| {
            Known(row.memory_bytes.map(|bytes| Rate(bytes / 1e9))).to_string()
        })
        .joined(),
        column("judged\nas", Align::Left, rows, |row| row.precision.clone().unwrap_or(UNKNOWN.into())).joined(),
        column("needs\nGB/s", Align::Right, rows, |row| {
            Known(row.needed_bandwidth.map(|bytes| Rate(bytes / 1e9))).to_string()
        })
        .joined(),
        column("verdict", Align::Left, rows, |row| verdict(row.verdict).into()).joined(),
    ];
    let names = vec![column("model", Align::Left, rows, |row| row.model.clone())];
    let table = Table { names, columns };
    let mut notes: Vec<String> = rows.iter().map(|row| format!("{}: {}", row.model, row.reason)).collect();
    notes.extend(effects::remarks(audit.figures));
    notes.extend(mixed(audit));
    notes.push(taken(audit.columns));
    notes.push(format!(
        "judged for one request at a time, by the weights alone (a rate summed over a batch is not bound so); memory counts as \
         the weights of a layout within {}",
        Share(MEMORY_TOLERANCE)
    ));
    Page::new([Block::Title(title), Block::Table(table)].into_iter().chain(Block::list(notes)))
}

fn mixed(audit: &Audit) -> Option<String> {
    let several = &audit.mixed_precisions;
    let each: Vec<String> =
        several.iter().map(|(precision, models)| format!("{} ({precision})", models.join(", "))).collect();
    (!each.is_empty()).then(|| format!("precisions are mixed, so the rows do not compare: {}", each.join("; ")))
}

fn taken(taken: &Taken) -> String {
    let column = |what: &str, name: &Option<String>| name.as_ref().map(|name| format!("{what} from `{name}`"));
    let columns = [
        Some(format!("model from `{}`", taken.model)),
        column("repository", &taken.repository),
        column("precision", &taken.precision),
        column("tokens/s", &taken.tokens_per_second),
        column("memory", &taken.memory),
    ];
    let columns: Vec<String> = columns.into_iter().flatten().collect();
    let left_out =
        if taken.left_out.is_empty() { String::new() } else { format!("; left out: {}", taken.left_out.join(", ")) };
    let encoding = if taken.encoding == "UTF-8" { String::new() } else { format!("; read as {}", taken.encoding) };
    format!("columns: {}{left_out}{encoding}", columns.join(", "))
}

fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Possible => "possible",
        Verdict::Impossible => "impossible",
        Verdict::MemoryDoesNotMatch => "memory does not match",
        Verdict::UnknownModel => "unknown model",
        Verdict::NoSpeed => "no speed stated",
        Verdict::NothingStated => "nothing stated",
    }
}

fn column(heading: &str, align: Align, rows: &[Finding], cell: impl Fn(&Finding) -> String) -> Column {
    Column::new(heading, align, rows.iter().map(cell))
}
