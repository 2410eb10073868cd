//! Baselines as a person reads them.

use std::path::PathBuf;

use super::machine;
use super::page::{Align, Block, Column, Page, Table};
use crate::compare::{Baseline, Place, Subject, Values, places, values};
use crate::units::{Known, Share};

/// A folder's baselines, and for each whether `fits` says that this machine can be judged against it.
pub fn list(all: &[(PathBuf, Baseline)], fits: impl Fn(&Baseline) -> bool) -> Page {
    let column = |heading: &str, align, cell: &dyn Fn(&(PathBuf, Baseline)) -> String| {
        Column::new(heading, align, all.iter().map(cell))
    };
    let noise = |(_, baseline): &(PathBuf, Baseline)| {
        let runs = baseline.noise.as_ref().map(|noise| format!("of {} runs", noise.runs));
        Known(runs).to_string()
    };
    let fits = |(_, baseline): &(PathBuf, Baseline)| if fits(baseline) { "yes" } else { "no" }.to_owned();
    let table = Table {
        names: vec![column("file", Align::Left, &|(path, _)| path.display().to_string())],
        columns: vec![
            column("run", Align::Left, &|(_, baseline)| baseline.digest.run.clone()),
            column("candidates", Align::Right, &|(_, baseline)| baseline.digest.rows.len().to_string()),
            column("device", Align::Left, &|(_, baseline)| baseline.digest.environment.device_name.clone()),
            column("noise", Align::Left, &noise),
            column("this machine", Align::Left, &fits),
        ],
    };
    Page::new([Block::Table(table)])
}

/// What a baseline holds: each figure's median.
pub fn show(baseline: &Baseline) -> Page {
    let digest = &baseline.digest;
    let rows = || digest.rows.iter().filter(|row| row.trials() > 0);
    let figures: Vec<(Values, Place, Subject)> = rows()
        .flat_map(|row| places(row, &Subject::DEFAULT).into_iter().map(move |figure| (row, figure)))
        .filter_map(|(row, (place, subject))| Some((values(row, &place, subject)?, place, subject)))
        .collect();
    let column = |heading: &str, align, cell: &dyn Fn(&(Values, Place, Subject)) -> String| {
        Column::new(heading, align, figures.iter().map(cell))
    };
    let noise = |(_, place, subject): &(Values, Place, Subject)| {
        Known(baseline.noise.as_ref().and_then(|noise| noise.share(place, *subject)).map(Share)).to_string()
    };
    let median = |(values, _, subject): &(Values, Place, Subject)| {
        Known(values.median().map(|median| subject.show(median))).to_string()
    };
    let table = Table {
        names: vec![
            column("figure", Align::Left, &|(_, place, _)| place.to_string()),
            column("metric", Align::Left, &|(_, _, subject)| subject.label().to_owned()),
        ],
        columns: vec![
            column("median", Align::Right, &median),
            column("n", Align::Right, &|(values, _, _)| values.count().to_string()),
            column("noise", Align::Right, &noise),
        ],
    };
    let place = format!("Run {} on {}", digest.run, machine::named(&digest.environment));
    Page::new([Block::Paragraph(place), Block::Table(table)])
}
