//! Baselines as a person reads them.

use std::path::PathBuf;

use super::grid::{Align, Column, Grid, Tone};
use super::table::Layout;
use crate::compare::{Baseline, Subject, places, values};
use crate::units::{Known, Share, UNKNOWN};

/// A folder's baselines, and for each whether `fits` says that this machine can be judged against it. Ends with a line feed.
pub fn list(all: &[(PathBuf, Baseline)], fits: impl Fn(&Baseline) -> bool, layout: &Layout) -> String {
    let column = |heading: &str, align, cell: &dyn Fn(&(PathBuf, Baseline)) -> String| {
        Column::new(heading, align, all.iter().map(cell).collect())
    };
    let grid = Grid {
        names: vec![column("file", Align::Left, &|(path, _)| path.display().to_string())],
        columns: vec![
            column("run", Align::Left, &|(_, baseline)| baseline.digest.run.clone()),
            column("candidates", Align::Right, &|(_, baseline)| baseline.digest.rows.len().to_string()),
            column("device", Align::Left, &|(_, baseline)| baseline.digest.environment.device_name.clone()),
            column("noise", Align::Left, &|(_, baseline)| {
                let runs = baseline.noise.as_ref().map(|noise| format!("of {} runs", noise.runs));
                runs.unwrap_or_else(|| UNKNOWN.to_owned())
            }),
            column("this machine", Align::Left, &|(_, baseline)| if fits(baseline) { "yes" } else { "no" }.to_owned()),
        ],
        tones: all.iter().map(|_| Tone::Plain).collect(),
    };
    grid.render(layout) + "\n"
}

/// What a baseline holds: each figure's median. Ends with a line feed.
pub fn show(baseline: &Baseline, layout: &Layout) -> String {
    let digest = &baseline.digest;
    let rows = || digest.rows.iter().filter(|row| row.trials() > 0);
    let figures: Vec<_> = rows()
        .flat_map(|row| places(row, &Subject::DEFAULT).into_iter().map(move |figure| (row, figure)))
        .filter_map(|(row, (place, subject))| Some((values(row, &place, subject)?, place, subject)))
        .collect();
    let cells = |cell: &dyn Fn(&(crate::compare::Values, crate::compare::Place, Subject)) -> String| {
        figures.iter().map(cell).collect::<Vec<String>>()
    };
    let noise = |place: &crate::compare::Place, subject| baseline.noise.as_ref()?.share(place, subject);
    let grid = Grid {
        names: vec![
            Column::new("figure", Align::Left, cells(&|(_, place, _)| place.to_string())),
            Column::new("metric", Align::Left, cells(&|(_, _, subject)| subject.label().to_owned())),
        ],
        columns: vec![
            Column::new(
                "median",
                Align::Right,
                cells(&|(values, _, subject)| {
                    values.median().map_or(UNKNOWN.to_owned(), |median| subject.show(median))
                }),
            ),
            Column::new("n", Align::Right, cells(&|(values, _, _)| values.count().to_string())),
            Column::new(
                "noise",
                Align::Right,
                cells(&|(_, place, subject)| Known(noise(place, *subject).map(Share)).to_string()),
            ),
        ],
        tones: figures.iter().map(|_| Tone::Plain).collect(),
    };
    format!(
        "Run {} on {} ({}, {} threads)\n\n{}\n",
        digest.run,
        digest.environment.device_name,
        digest.environment.device,
        digest.environment.threads,
        grid.render(layout)
    )
}
