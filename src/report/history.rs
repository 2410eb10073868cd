//! History: the stored runs, and one metric's course over them.

use std::borrow::Cow;
use std::collections::BTreeSet;

use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::figure;
use crate::measure::Metric;
use crate::measure::units::{Known, Seconds, UNKNOWN};
use crate::run::Run;
use crate::store::RunHead;
use crate::suite::Language;
use crate::summarize::{Distribution, RowSummary, Summary};

/// The list of runs, in the order given. `width` is the terminal's, if it goes to one.
pub fn runs(heads: &[RunHead], zone: &TimeZone, width: Option<u16>) -> String {
    let mut table = table(["run", "started", "took", "candidates", "trials", "device"], &[2, 3, 4], width);
    for head in heads {
        let took = head.finished_at.map(|end| Seconds(end.duration_since(head.started_at).as_secs_f64()));
        table.add_row([
            head.id.clone(),
            minute(head.started_at, zone),
            took.map_or("not finished".into(), |took| took.to_string()),
            head.candidates.to_string(),
            head.trials.to_string(),
            head.device_name.clone(),
        ]);
    }
    table.trim_fmt()
}

/// A metric over runs, for each candidate and each kind of work apart: text, by language where the metric means
/// different things in different ones, and each prompt of token ids. Of one suite if that is named. `runs` come with
/// what was summarized of them, and are shown in the order given.
pub fn course(
    metric: &Metric,
    suite: Option<&str>,
    runs: &[(Run, Vec<RowSummary>)],
    zone: &TimeZone,
    width: Option<u16>,
) -> String {
    let median = figure::heading(metric);
    let headings = ["candidate", "prompts", "run", "started", "device", &median, "95 % interval", "trials"];
    let mut table = table(headings, &[5, 6, 7], width);
    for candidate in in_order(runs.iter().flat_map(|(_, rows)| rows).map(|row| row.row.as_str())) {
        let points: Vec<(&Run, &RowSummary)> =
            runs.iter().filter_map(|(run, rows)| Some((run, rows.iter().find(|row| row.row == candidate)?))).collect();
        // A candidate that never got anywhere has its lines too.
        let mut works = in_order(points.iter().flat_map(|(_, row)| works(row, suite, metric)));
        if works.is_empty() {
            works.push(Work::Unknown);
        }
        for work in works {
            for (run, row) in &points {
                let distribution = work.distribution(row, suite, metric);
                table.add_row([
                    candidate.to_owned(),
                    work.label().into_owned(),
                    run.id.clone(),
                    minute(run.started_at, zone),
                    run.environment.device_name.clone(),
                    figure::median(metric, distribution),
                    figure::interval(metric, distribution),
                    Known(distribution.map(|distribution| distribution.n)).to_string(),
                ]);
            }
        }
    }
    table.trim_fmt()
}

/// What was asked of a candidate: only figures of the same work are one course.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Work<'a> {
    Text,
    TextIn(Language),
    /// One prompt of token ids.
    Tokens(&'a str),
    Unknown,
}

impl<'a> Work<'a> {
    fn label(self) -> Cow<'a, str> {
        match self {
            Work::Text => "text".into(),
            Work::TextIn(language) => format!("text, {}", language.tag()).into(),
            Work::Tokens(prompt) => prompt.into(),
            Work::Unknown => UNKNOWN.into(),
        }
    }

    fn distribution<'s>(self, row: &'s RowSummary, suite: Option<&str>, metric: &Metric) -> Option<&'s Distribution> {
        summaries(row, suite).find_map(|summary| match self {
            Work::Text => summary.overall.get(metric).filter(|_| !summary.languages.is_empty()),
            Work::TextIn(language) => summary.language(language)?.get(metric),
            Work::Tokens(prompt) => summary.cell(prompt)?.get(metric),
            Work::Unknown => None,
        })
    }
}

fn works<'a>(row: &'a RowSummary, suite: Option<&str>, metric: &Metric) -> impl Iterator<Item = Work<'a>> {
    let apart = figure::differs_by_language(metric);
    summaries(row, suite).flat_map(move |summary| {
        let languages = summary.languages.keys().map(|language| Work::TextIn(*language)).filter(move |_| apart);
        let text = (!apart && !summary.languages.is_empty()).then_some(Work::Text);
        let tokens = summary.cells.iter().map(|cell| Work::Tokens(&cell.prompt));
        languages.chain(text).chain(tokens)
    })
}

fn summaries<'a>(row: &'a RowSummary, suite: Option<&str>) -> impl Iterator<Item = &'a Summary> {
    let (of_suite, of_all) = match suite {
        Some(name) => (row.suites.iter().find(|suite| suite.suite == name).map(|suite| &suite.summary), [None, None]),
        None => (None, [row.text.as_ref(), row.tokens.as_ref()]),
    };
    of_suite.into_iter().chain(of_all.into_iter().flatten())
}

/// Each once, in the order of its first appearance.
fn in_order<T: Ord + Copy>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut seen = BTreeSet::new();
    items.filter(|item| seen.insert(*item)).collect()
}

fn table<const N: usize>(headings: [&str; N], right_aligned: &[usize], width: Option<u16>) -> Table {
    let mut table = Table::new();
    // One rule under the head: a history is long, and every further line of it is one run less on the screen.
    let style = TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));
    table.load_style(style).set_content_arrangement(ContentArrangement::Dynamic).force_no_tty();
    if let Some(width) = width {
        table.set_width(width);
    }
    table.set_header(headings);
    for index in right_aligned {
        if let Some(column) = table.column_mut(*index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn minute(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::metric::{CHARACTERS, TTFT};
    use crate::store::sample;
    use crate::summarize::summarize;

    fn summarized(runs: Vec<Run>) -> Vec<(Run, Vec<RowSummary>)> {
        runs.into_iter().map(|run| (run.clone(), summarize(&run))).collect()
    }

    /// The sample, and a day later another one with more trials of one candidate, twice as slow.
    fn two_runs() -> Vec<(Run, Vec<RowSummary>)> {
        let mut first = sample::run();
        first.rows.truncate(2);
        let mut second = first.clone();
        second.id = "20261121-051733-0001".into();
        second.started_at = "2026-11-21T05:17:33Z".parse().expect("a timestamp");
        let row = &mut second.rows[0];
        row.trials.retain(|trial| trial.key.suite == "review");
        for repetition in 2..8 {
            let mut trial = row.trials[1].clone();
            trial.key.repetition = repetition;
            row.trials.push(trial);
        }
        row.trials.iter_mut().flat_map(|trial| &mut trial.timeline.arrivals_ns).for_each(|at| *at *= 2);
        summarized(vec![first, second])
    }

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
        insta::assert_snapshot!(runs(&heads, &seoul, None), @r"
         run                    started                    took   candidates   trials   device
        ─────────────────────────────────────────────────────────────────────────────────────────
         20261120-051733-4f2a   2026-11-20 14:17     3 min 27 s           10     1200   예시 GPU
         20261120-051733-4f2b   2026-11-20 14:17   not finished           10        0   예시 GPU
        ");
    }

    #[test]
    fn a_metric_over_runs_by_candidate_and_kind_of_work() {
        insta::assert_snapshot!(course(&TTFT, None, &two_runs(), &TimeZone::UTC, None), @r#"
         candidate         prompts   run                    started            device                       TTFT     95 % interval   trials
        ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
         qwen2.5-7b q4_k   text      20261120-051733-4f2a   2026-11-20 05:17   Example CPU, "two cores"   500 ms                 —        3
         qwen2.5-7b q4_k   text      20261121-051733-0001   2026-11-21 05:17   Example CPU, "two cores"   1.00 s   1.00 s – 1.00 s        9
         qwen2.5-7b q4_k   short-1   20261120-051733-4f2a   2026-11-20 05:17   Example CPU, "two cores"   500 ms                 —        1
         qwen2.5-7b q4_k   short-1   20261121-051733-0001   2026-11-21 05:17   Example CPU, "two cores"        —                 —        —
         한국어 모델       —         20261120-051733-4f2a   2026-11-20 05:17   Example CPU, "two cores"        —                 —        —
         한국어 모델       —         20261121-051733-0001   2026-11-21 05:17   Example CPU, "two cores"        —                 —        —
        "#);
    }

    #[test]
    fn one_suite_alone() {
        insta::assert_snapshot!(course(&CHARACTERS, Some("review"), &two_runs(), &TimeZone::UTC, None), @r#"
         candidate         prompts    run                    started            device                     chars/s   95 % interval   trials
        ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
         qwen2.5-7b q4_k   text, ko   20261120-051733-4f2a   2026-11-20 05:17   Example CPU, "two cores"      40.0               —        2
         qwen2.5-7b q4_k   text, ko   20261121-051733-0001   2026-11-21 05:17   Example CPU, "two cores"      20.0     20.0 – 20.0        8
         qwen2.5-7b q4_k   text, en   20261120-051733-4f2a   2026-11-20 05:17   Example CPU, "two cores"       153               —        1
         qwen2.5-7b q4_k   text, en   20261121-051733-0001   2026-11-21 05:17   Example CPU, "two cores"      76.3               —        1
         한국어 모델       —          20261120-051733-4f2a   2026-11-20 05:17   Example CPU, "two cores"         —               —        —
         한국어 모델       —          20261121-051733-0001   2026-11-21 05:17   Example CPU, "two cores"         —               —        —
        "#);
    }

    #[test]
    fn a_narrow_terminal_is_not_overrun() {
        let columns = |letter: char| if ('가'..='힣').contains(&letter) { 2 } else { 1 };
        let text = course(&TTFT, None, &two_runs(), &TimeZone::UTC, Some(80));
        let widest = text.lines().map(|line| line.chars().map(columns).sum::<u32>()).max();
        assert!(widest <= Some(80), "{widest:?}\n{text}");
    }
}
