//! The list of runs.

use jiff::tz::TimeZone;

use super::minute;
use crate::report::page::{Align, Block, Column, Page, Table};
use crate::store::RunHead;
use crate::units::Seconds;

/// The list of runs, in the order given.
pub fn runs(heads: &[RunHead], zone: &TimeZone) -> Page {
    let column =
        |heading: &str, align, cell: &dyn Fn(&RunHead) -> String| Column::new(heading, align, heads.iter().map(cell));
    let took = |head: &RunHead| {
        let took = head.finished_at.map(|end| Seconds(end.duration_since(head.started_at).as_secs_f64()));
        took.map_or("not finished".to_owned(), |took| took.to_string())
    };
    let table = Table {
        names: vec![column("run", Align::Left, &|head| head.id.clone())],
        columns: vec![
            column("started", Align::Left, &|head| minute(head.started_at, zone)),
            column("took", Align::Right, &took).joined(),
            column("candidates", Align::Right, &|head| head.candidates.to_string()),
            column("trials", Align::Right, &|head| head.trials.to_string()).joined(),
            column("device", Align::Left, &|head| head.device_name.clone()),
        ],
    };
    Page::new([Block::Table(table)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Renderer, Terminal};

    #[test]
    fn the_list_of_runs() {
        let head = |id: &str, finished_at: Option<&str>, trials| RunHead {
            id: id.into(),
            started_at: "2026-11-20T05:17:33Z".parse().expect("a timestamp"),
            finished_at: finished_at.map(|at| at.parse().expect("a timestamp")),
            candidates: 10,
            trials,
            device_name: "예시 GPU".into(),
        };
        let heads =
            [head("20261120-051733-4f2a", Some("2026-11-20T05:21:00Z"), 1200), head("20261120-051733-4f2b", None, 0)];
        let seoul = TimeZone::fixed(jiff::tz::offset(9));
        insta::assert_snapshot!(Terminal::FILE.render(&runs(&heads, &seoul)), @r#"
        run                   started                   took  candidates  trials  device
        ──────────────────────────────────────────────────────────────────────────────────
        20261120-051733-4f2a  2026-11-20 14:17    3 min 27 s          10    1200  예시 GPU
        20261120-051733-4f2b  2026-11-20 14:17  not finished          10       0  예시 GPU
        "#);
    }
}
