//! A check as a person reads it in a terminal: a table like benchstat's, `~` where nothing is shown to have changed.

use super::words;
use crate::compare::{Check, Verdict};
use crate::report::grid::{Align, Column, Grid, Tone};
use crate::report::prose::{bold, paragraph};
use crate::report::table::Layout;

/// The table, what there is to say about its rows, and the outcome. Ends with a line feed.
pub fn render(check: &Check, layout: &Layout) -> String {
    let mut parts = vec![paragraph(&head(check), layout)];
    if check.figures().next().is_some() {
        parts.push(grid(check).render(layout));
    }
    let mut remarks: Vec<String> = check.rows.iter().flat_map(words::remarks).collect();
    if check.figures().any(|figure| matches!(figure.judgement.verdict, Verdict::Incomparable(_))) {
        remarks.push(format!("To compare: {}", words::INCOMPARABLE));
    }
    if !check.new_rows.is_empty() {
        remarks.push(format!("not in the baseline, and not judged: {}", check.new_rows.join(", ")));
    }
    if !remarks.is_empty() {
        parts.push(remarks.iter().map(|remark| paragraph(remark, layout)).collect::<Vec<_>>().join("\n"));
    }
    parts.push(bold(&paragraph(&words::outcome(check), layout), layout));
    parts.join("\n\n") + "\n"
}

fn head(check: &Check) -> String {
    let turns = if check.paired { ", run in turn" } else { "" };
    format!(
        "{} against {}{turns}, on {}",
        words::side(&check.after),
        words::side(&check.before),
        check.after.device_name
    )
}

fn grid(check: &Check) -> Grid {
    let column = |heading: &str, align, cell: &dyn Fn(&crate::compare::FigureCheck) -> String| {
        Column::new(heading, align, check.figures().map(cell).collect())
    };
    let prompts = |figure: &crate::compare::FigureCheck| {
        let place = &figure.place;
        [&place.suite, &place.prompt].into_iter().flatten().cloned().collect::<Vec<_>>().join(" ")
    };
    Grid {
        names: vec![
            column("candidate", Align::Left, &|figure| figure.place.row.clone()),
            column("prompts", Align::Left, &prompts),
            column("metric", Align::Left, &|figure| figure.metric.label().to_owned()),
        ],
        columns: vec![
            column("before", Align::Right, &|figure| words::value(figure.metric, figure.before)),
            column("after", Align::Right, &|figure| words::value(figure.metric, figure.after)).joined(),
            column("n", Align::Right, &|figure| format!("{}+{}", figure.n.0, figure.n.1)).joined(),
            column("change", Align::Right, &words::change).joined(),
            column("tolerance", Align::Right, &|figure| words::share(figure.tolerance)).joined(),
            column("verdict", Align::Left, &|figure| words::verdict(&figure.judgement.verdict).to_owned()).joined(),
        ],
        tones: check.figures().map(|_| Tone::Plain).collect(),
    }
}
