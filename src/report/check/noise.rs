//! Noise as a person reads it.

use crate::compare::{Noise, NoiseFigure, Subject};
use crate::report::page::{Align, Block, Column, Page, Table};
use crate::units::Share;

/// What a machine's own runs differ by.
pub fn page(noise: &Noise) -> Page {
    let column = |heading: &str, align, cell: &dyn Fn(&NoiseFigure) -> String| {
        Column::new(heading, align, noise.figures.iter().map(cell))
    };
    let label = |figure: &NoiseFigure| {
        Subject::named(&figure.metric).map_or(figure.metric.clone(), |subject| subject.label().to_owned())
    };
    let table = Table {
        names: vec![
            column("figure", Align::Left, &|figure| figure.place.to_string()),
            column("metric", Align::Left, &label),
        ],
        columns: vec![column("noise", Align::Right, &|figure| Share(figure.share).to_string())],
    };
    let meaning = format!(
        "{} runs of one build. A further run differs from another by more than its noise in one of twenty cases.",
        noise.runs
    );
    Page::new([Block::Table(table), Block::Paragraph(meaning)])
}
