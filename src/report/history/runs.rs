//! The list of runs.

use super::minute;
use crate::report::page::{Align, Block, Column, Page, Table};
use crate::store::RunHead;
use crate::units::{Seconds, UNKNOWN};

/// The list of runs, in the order given.
pub fn runs(heads: &[RunHead]) -> Page {
    let column =
        |heading: &str, align, cell: &dyn Fn(&RunHead) -> String| Column::new(heading, align, heads.iter().map(cell));
    let took = |head: &RunHead| match head.finished_at {
        None => "not finished".to_owned(),
        // How long it took is not in what the clock said.
        Some(_) if head.clock_set_back => UNKNOWN.to_owned(),
        Some(end) => Seconds(end.duration_since(head.started_at).as_secs_f64()).to_string(),
    };
    let notes = heads.iter().filter(|head| head.clock_set_back).map(|head| {
        format!("run {}: the clock was set back while it ran, so its times of day are not those of one clock", head.id)
    });
    let table = Table {
        names: vec![column("run", Align::Left, &|head| head.id.clone())],
        columns: vec![
            column("started", Align::Left, &|head| minute(head.started_at)),
            column("took", Align::Right, &took).joined(),
            column("candidates", Align::Left, &|head| first_few(&head.rows)),
            column("suites", Align::Left, &|head| first_few(&head.suites)),
            column("languages", Align::Left, &|head| first_few(&head.languages)).joined(),
            column("trials", Align::Right, &|head| head.trials.to_string()).joined(),
            column("device", Align::Left, &|head| head.device_name.clone()),
        ],
    };
    Page::new([Block::Table(table)].into_iter().chain(Block::list(notes.collect())))
}

/// `a, b and 8 more`
fn first_few(names: &[String]) -> String {
    const SHOWN: usize = 2;
    match names.len() {
        0 => UNKNOWN.to_owned(),
        all if all <= SHOWN => names.join(", "),
        all => format!("{} and {} more", names[..SHOWN].join(", "), all - SHOWN),
    }
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
            candidates: 3,
            rows: ["qwen2.5-7b q4_k", "gemma-2-9b", "한국어-라마"].map(str::to_owned).into(),
            suites: if trials > 0 { vec!["speed".into()] } else { Vec::new() },
            languages: if trials > 0 { vec!["en".into(), "ko".into()] } else { Vec::new() },
            trials,
            device_name: "예시 GPU".into(),
            clock_set_back: false,
        };
        let heads =
            [head("20261120-051733-4f2a", Some("2026-11-20T05:21:00Z"), 1200), head("20261120-051733-4f2b", None, 0)];
        let set_back =
            RunHead { clock_set_back: true, ..head("20261120-051733-4f2c", Some("2026-11-20T04:20:00Z"), 3) };
        let page = Terminal::FILE.render(&runs(&[set_back]));
        assert!(page.contains("05:17Z     —") && page.contains("4f2c: the clock was set back while it ran"), "{page}");
        insta::assert_snapshot!(Terminal::FILE.render(&runs(&heads)), @r#"
        run                   started                    took  candidates                              suites  languages  trials  device
        ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
        20261120-051733-4f2a  2026-11-20 05:17Z    3 min 27 s  qwen2.5-7b q4_k, gemma-2-9b and 1 more  speed   en, ko       1200  예시 GPU
        20261120-051733-4f2b  2026-11-20 05:17Z  not finished  qwen2.5-7b q4_k, gemma-2-9b and 1 more  —       —               0  예시 GPU
        "#);
    }
}
