//! Noise as a person reads it.

use crate::compare::{Noise, Subject};
use crate::report::grid::{Align, Column, Grid, Tone};
use crate::report::table::Layout;
use crate::units::Share;

/// What a machine's own runs differ by. Ends with a line feed.
pub fn render(noise: &Noise, layout: &Layout) -> String {
    let column = |heading: &str, align, cell: &dyn Fn(&crate::compare::NoiseFigure) -> String| {
        Column::new(heading, align, noise.figures.iter().map(cell).collect())
    };
    let grid = Grid {
        names: vec![
            column("figure", Align::Left, &|figure| figure.place.to_string()),
            column("metric", Align::Left, &|figure| {
                Subject::named(&figure.metric).map_or(figure.metric.clone(), |subject| subject.label().to_owned())
            }),
        ],
        columns: vec![column("noise", Align::Right, &|figure| Share(figure.share).to_string())],
        tones: noise.figures.iter().map(|_| Tone::Plain).collect(),
    };
    format!(
        "{}\n\n{} runs of one build. A further run differs from another by more than its noise in one of twenty cases.\n",
        grid.render(layout),
        noise.runs
    )
}
