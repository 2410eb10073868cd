//! One metric's course over runs.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::minute;
use super::series::{NewLevel, Series};
use super::sparkline::{BREAK, sparkline};
use crate::compare::difference;
use crate::metric::{Aspect, Metric, RATES};
use crate::record::Run;
use crate::report::page::{Align, Block, Column, Page, Table};
use crate::report::{figure, machine};
use crate::suite::Language;
use crate::summarize::{Distribution, Interval, Rate, RowSummary, SuiteSummary};
use crate::units::{Change, Known, UNKNOWN};

/// Where a course took another level.
const NEW_LEVEL: char = '◆';

/// A metric over runs, for each candidate and each work apart: a suite's texts in a language, or a prompt of token ids, with the
/// same prompts, length of answers and seed. Of one suite if that is named. `runs` come with
/// what was summarized of them, and are shown in the order given: first each course at a glance, then run by run, and below in
/// words where a course took another level and where it does not continue.
pub fn course(metric: &Metric, suite: Option<&str>, runs: &[(Run, Vec<RowSummary>)]) -> Page {
    let mut courses = courses(metric, suite, runs);
    tell_apart(&mut courses);
    let head = runs.first().map(|(run, _)| Block::Paragraph(head(metric, runs.len(), run)));
    let tables = [glance(metric, &courses), by_run(metric, &courses)].map(Block::Table);
    Page::new(head.into_iter().chain(tables).chain(Block::list(notes(metric, &courses))))
}

fn head(metric: &Metric, runs: usize, first: &Run) -> String {
    let runs = if runs == 1 { "1 run".to_owned() } else { format!("{runs} runs") };
    format!("{} over {runs}, the first on {}", metric.label, machine::named(&first.environment))
}

/// One candidate's figure of one kind of work, over the runs that it was part of.
struct Course<'a> {
    candidate: &'a str,
    /// What was asked of it.
    work: String,
    runs: Vec<&'a Run>,
    figures: Vec<Option<Figure>>,
    series: Series,
}

/// A metric in one run.
#[derive(Debug, Clone, Copy)]
struct Figure {
    /// The median of trials, or the share of answers.
    value: f64,
    interval: Option<Interval>,
    /// Trials or answers.
    n: usize,
}

impl From<&Distribution> for Figure {
    fn from(of: &Distribution) -> Self {
        Self { value: of.median, interval: of.interval, n: of.n }
    }
}

impl Figure {
    fn of_rate(rate: Rate) -> Option<Self> {
        Some(Self { value: rate.share()?, interval: rate.interval(), n: rate.of })
    }
}

fn courses<'a>(metric: &Metric, suite: Option<&str>, runs: &'a [(Run, Vec<RowSummary>)]) -> Vec<Course<'a>> {
    let mut courses = Vec::new();
    for candidate in in_order(runs.iter().flat_map(|(_, rows)| rows).map(|row| row.row.as_str())) {
        let points: Vec<(&Run, &RowSummary)> =
            runs.iter().filter_map(|(run, rows)| Some((run, rows.iter().find(|row| row.row == candidate)?))).collect();
        let all = in_order(points.iter().flat_map(|(run, row)| works(run, row, suite)));
        // A candidate that never got anywhere has its lines too.
        let all: Vec<Option<Work>> = if all.is_empty() { vec![None] } else { all.into_iter().map(Some).collect() };
        for work in all {
            // Runs that asked for other work are of another course.
            let is_of = |(run, row): &&(&'a Run, &'a RowSummary)| {
                work.is_none_or(|work| works(run, row, suite).contains(&work) || row.suites.is_empty())
            };
            let points: Vec<(&Run, &RowSummary)> = points.iter().filter(is_of).copied().collect();
            let runs: Vec<&Run> = points.iter().map(|(run, _)| *run).collect();
            let figures: Vec<Option<Figure>> = points.iter().map(|(_, row)| work?.figure(row, metric)).collect();
            let series = Series::of(&runs, figures.iter().map(|figure| figure.map(|figure| figure.value)).collect());
            let work = work.map_or_else(|| UNKNOWN.to_owned(), Work::label);
            courses.push(Course { candidate, work, runs, figures, series });
        }
    }
    courses
}

/// Numbers the courses of a candidate that would have one name: their prompts or seeds differ.
fn tell_apart(courses: &mut [Course]) {
    for index in 0..courses.len() {
        let same = |other: &Course| (other.candidate, &other.work) == (courses[index].candidate, &courses[index].work);
        let alike: Vec<usize> = (index + 1..courses.len()).filter(|other| same(&courses[*other])).collect();
        for (number, other) in alike.into_iter().zip(2..) {
            courses[number].work.push_str(&format!(" (other prompts or seed, {other})"));
        }
    }
}

/// Each course in a line.
fn glance(metric: &Metric, courses: &[Course]) -> Table {
    let column =
        |heading: &str, align, cell: &dyn Fn(&Course) -> String| Column::new(heading, align, courses.iter().map(cell));
    let end = |course: &Course, of: fn(f64, f64) -> f64| {
        let known = course.series.values.iter().flatten().copied();
        Known(known.reduce(of).map(|value| metric.unit.show(value))).to_string()
    };
    let lowest = format!("lowest {}", figure::heading(metric));
    Table {
        names: vec![
            column("candidate", Align::Left, &|course| course.candidate.to_owned()),
            column("prompts", Align::Left, &|course| course.work.clone()),
        ],
        columns: vec![
            column("course", Align::Left, &|course| sparkline(&course.series.values, &course.series.breaks)),
            column(&lowest, Align::Right, &|course| end(course, f64::min)),
            column("highest", Align::Right, &|course| end(course, f64::max)).joined(),
        ],
    }
}

/// Each course run by run.
fn by_run(metric: &Metric, courses: &[Course]) -> Table {
    let lines: Vec<(&Course, usize)> =
        courses.iter().flat_map(|course| (0..course.runs.len()).map(move |index| (course, index))).collect();
    let column = |heading: &str, align, cell: &dyn Fn(&Course, usize) -> String| {
        Column::new(heading, align, lines.iter().map(|(course, index)| cell(course, *index)))
    };
    let show = |value: f64| metric.unit.show(value);
    let interval =
        |figure: Figure| figure.interval.map(|within| format!("{} – {}", show(within.low), show(within.high)));
    Table {
        names: vec![
            column("candidate", Align::Left, &|course, _| course.candidate.to_owned()),
            column("prompts", Align::Left, &|course, _| course.work.clone()),
        ],
        columns: vec![
            column("run", Align::Left, &|course, index| course.runs[index].id.clone()),
            column("started", Align::Left, &|course, index| minute(course.runs[index].started_at)).joined(),
            column("commit", Align::Left, &|course, index| commit(course.runs[index]).into_owned()).joined(),
            column(&figure::heading(metric), Align::Right, &|course, index| {
                Known(course.figures[index].map(|figure| show(figure.value))).to_string()
            }),
            column("95 % interval", Align::Right, &|course, index| {
                Known(course.figures[index].and_then(interval)).to_string()
            })
            .joined(),
            column("n", Align::Right, &|course, index| Known(course.figures[index].map(|figure| figure.n)).to_string())
                .joined(),
            column("change", Align::Left, &change).joined(),
        ],
    }
}

/// Whether a course took another level at a run, and by how much, or does not continue there.
fn change(course: &Course, index: usize) -> String {
    match course.series.new_level_at(index) {
        Some(level) => match level.change() {
            Some(change) => format!("{NEW_LEVEL} {}", Change(change)),
            None => NEW_LEVEL.to_string(),
        },
        None if course.series.breaks.contains(&index) => BREAK.to_string(),
        None => String::new(),
    }
}

/// Where a course took another level, and where it does not continue.
fn notes(metric: &Metric, courses: &[Course]) -> Vec<String> {
    let new_level = |course: &Course, level: &NewLevel| {
        let run = course.runs[level.index];
        let (before, after) = (metric.unit.show_in_text(level.before), metric.unit.show_in_text(level.after));
        format!(
            "{NEW_LEVEL} {}, {}: {} went from {before} to {after} at run {} (commit {}), p = {:.3}",
            course.candidate,
            course.work,
            metric.label,
            run.id,
            commit(run),
            level.p
        )
    };
    let levels =
        courses.iter().flat_map(|course| course.series.levels.iter().map(move |level| new_level(course, level)));
    let mut notes: Vec<String> = levels.collect();
    if !notes.is_empty() {
        notes.push(format!(
            "{NEW_LEVEL} another level from that run on (E-divisive); p: the share of random orders that show as much"
        ));
    }
    let breaks = courses.iter().flat_map(|course| {
        course.series.breaks.iter().map(|index| {
            let (before, run) = (course.runs[index - 1], course.runs[*index]);
            let differences = difference::environments(&before.environment, &run.environment);
            let differences: Vec<String> = differences.iter().map(ToString::to_string).collect();
            let differences = differences.join(", ");
            format!("{BREAK} run {} does not continue run {}: {differences}", run.id, before.id)
        })
    });
    let mut seen = BTreeSet::new();
    notes.extend(breaks.filter(|note| seen.insert(note.clone())));
    notes
}

/// What the program was built from, as short as git says it.
fn commit(run: &Run) -> Cow<'_, str> {
    const DIGITS: usize = 7;
    let Some(commit) = &run.environment.program_commit else { return UNKNOWN.into() };
    let (hash, dirty) = commit.split_once('-').map_or((commit.as_str(), ""), |(hash, _)| (hash, "-dirty"));
    format!("{}{dirty}", hash.chars().take(DIGITS).collect::<String>()).into()
}

/// What was asked of a candidate: only figures of the same work are one course.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Work<'a> {
    suite: &'a str,
    /// Of the suite's prompts: under the same name they may be others. `None` of runs that did not keep it.
    hash: Option<&'a str>,
    part: Part<'a>,
    /// Longest answer, where it was not left to the prompts.
    max_new_tokens: Option<u32>,
    seed: u64,
}

/// What of a suite is one course.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part<'a> {
    /// The texts in a language.
    Texts(Language),
    /// One prompt of token ids.
    Tokens(&'a str),
}

impl<'a> Work<'a> {
    /// `interview, ko` or `pp512+tg64`, with the longest answer if that was chosen for the run.
    fn label(self) -> String {
        let part = match self.part {
            Part::Texts(language) => format!("{}, {}", self.suite, language.tag()),
            Part::Tokens(prompt) => prompt.to_owned(),
        };
        let limit = self.max_new_tokens.map(|limit| format!(" ≤ {limit} tok")).unwrap_or_default();
        format!("{part}{limit}")
    }

    fn figure(self, row: &RowSummary, metric: &Metric) -> Option<Figure> {
        if RATES.contains(metric) {
            // Token ids are no text that could be judged.
            let Part::Texts(language) = self.part else { return None };
            let rate = row.quality.as_ref()?.rate_of_suite(self.suite, Aspect::in_language(*metric, language))?;
            return Figure::of_rate(rate);
        }
        let summary = &row.suites.iter().find(|suite| suite.suite == self.suite)?.summary;
        let distribution = match self.part {
            Part::Texts(language) => summary.language(language)?.get(metric),
            Part::Tokens(prompt) => summary.cell(prompt)?.get(metric),
        };
        distribution.map(Figure::from)
    }
}

/// What a run asked of a candidate, of one suite if that is named.
fn works<'a>(run: &'a Run, row: &'a RowSummary, suite: Option<&str>) -> Vec<Work<'a>> {
    let wanted = row.suites.iter().filter(|of| suite.is_none_or(|name| of.suite == name));
    let of_suite = |of: &'a SuiteSummary| {
        let work = |part| Work {
            suite: &of.suite,
            hash: run.settings.suites.get(&of.suite).map(String::as_str),
            part,
            max_new_tokens: run.settings.max_new_tokens,
            seed: run.settings.seed,
        };
        let texts = of.summary.languages.keys().map(|language| Part::Texts(*language));
        texts.chain(of.summary.cells.iter().map(|cell| Part::Tokens(&cell.prompt))).map(work).collect::<Vec<_>>()
    };
    wanted.flat_map(of_suite).collect()
}

/// Each once, in the order of its first appearance.
fn in_order<T: Ord + Copy>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut seen = BTreeSet::new();
    items.filter(|item| seen.insert(*item)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::{CHARACTERS, TTFT};
    use crate::report::{Renderer, Terminal};
    use crate::store::sample;
    use crate::summarize::summarize;
    use crate::summarize::testing::{self, text_trial};

    fn shown(metric: &Metric, suite: Option<&str>, runs: &[(Run, Vec<RowSummary>)], width: Option<usize>) -> String {
        Terminal { width, color: false }.render(&course(metric, suite, runs))
    }

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
    fn a_metric_over_runs_by_candidate_and_kind_of_work() {
        insta::assert_snapshot!(shown(&TTFT, None, &two_runs(), None), @r#"
        TTFT over 2 runs, the first on Example CPU, "two cores" (cpu, 2 threads)

        candidate        prompts     course  lowest TTFT  highest
        ─────────────────────────────────────────────────────────
        qwen2.5-7b q4_k  review, ko  ▁█           500 ms   1.00 s
        qwen2.5-7b q4_k  review, en  ▁█           500 ms   1.00 s
        qwen2.5-7b q4_k  short-1     ▄            500 ms   500 ms
        한국어 모델      —           ··                —        —

        candidate        prompts     run                   started            commit    TTFT  95 % interval  n  change
        ──────────────────────────────────────────────────────────────────────────────────────────────────────────────
        qwen2.5-7b q4_k  review, ko  20261120-051733-4f2a  2026-11-20 05:17Z  —       500 ms              —  1
        qwen2.5-7b q4_k  review, ko  20261121-051733-0001  2026-11-21 05:17Z  —       1.00 s              —  1
        qwen2.5-7b q4_k  review, en  20261120-051733-4f2a  2026-11-20 05:17Z  —       500 ms              —  1
        qwen2.5-7b q4_k  review, en  20261121-051733-0001  2026-11-21 05:17Z  —       1.00 s              —  1
        qwen2.5-7b q4_k  short-1     20261120-051733-4f2a  2026-11-20 05:17Z  —       500 ms              —  1
        한국어 모델      —           20261120-051733-4f2a  2026-11-20 05:17Z  —            —              —  —
        한국어 모델      —           20261121-051733-0001  2026-11-21 05:17Z  —            —              —  —
        "#);
    }

    #[test]
    fn one_suite_alone() {
        insta::assert_snapshot!(shown(&CHARACTERS, Some("review"), &two_runs(), None), @r#"
        chars/s over 2 runs, the first on Example CPU, "two cores" (cpu, 2 threads)

        candidate        prompts     course  lowest chars/s  highest
        ────────────────────────────────────────────────────────────
        qwen2.5-7b q4_k  review, ko  █▁                13.3     26.7
        qwen2.5-7b q4_k  review, en  █▁                61.0      122
        한국어 모델      —           ··                   —        —

        candidate        prompts     run                   started            commit  chars/s  95 % interval  n  change
        ───────────────────────────────────────────────────────────────────────────────────────────────────────────────
        qwen2.5-7b q4_k  review, ko  20261120-051733-4f2a  2026-11-20 05:17Z  —          26.7              —  1
        qwen2.5-7b q4_k  review, ko  20261121-051733-0001  2026-11-21 05:17Z  —          13.3              —  1
        qwen2.5-7b q4_k  review, en  20261120-051733-4f2a  2026-11-20 05:17Z  —           122              —  1
        qwen2.5-7b q4_k  review, en  20261121-051733-0001  2026-11-21 05:17Z  —          61.0              —  1
        한국어 모델      —           20261120-051733-4f2a  2026-11-20 05:17Z  —             —              —  —
        한국어 모델      —           20261121-051733-0001  2026-11-21 05:17Z  —             —              —  —
        "#);
    }

    /// Eighteen runs of a candidate with a Korean name: slower from the eighth on, on another number of threads from the
    /// sixteenth on, and without a token in one.
    fn many_runs() -> Vec<(Run, Vec<RowSummary>)> {
        let run = |number: u64| {
            let ttft = if number < 8 { 500 } else { 550 } + (number * 7 + number * number * 3) % 11;
            let tokens = if number == 3 { 0 } else { 11 };
            let mut run = testing::run(vec![testing::ran("한국어-라마-7b", vec![text_trial(ttft, 50, tokens, "가")])]);
            run.id = format!("20261120-0517{number:02}-0001");
            let commit = if number == 9 { "1f2e3d4c5b6a-dirty".to_owned() } else { format!("{number:x}f2e3d4c5b6a") };
            run.environment.program_commit = Some(commit);
            run.environment.threads = if number < 16 { 2 } else { 16 };
            run
        };
        summarized((0..18).map(run).collect())
    }

    #[test]
    fn a_new_level_is_marked_and_told_by_its_commit_and_another_environment_breaks_the_course() {
        insta::assert_snapshot!(shown(&TTFT, None, &many_runs(), None), @"
        TTFT over 18 runs, the first on AMD EPYC 9B45 (cpu, 2 threads)

        candidate       prompts        course               lowest TTFT  highest
        ────────────────────────────────────────────────────────────────────────
        한국어-라마-7b  interview, ko  ▁▂▁·▂▁▁▂███▇████│▇█       500 ms   560 ms

        candidate       prompts        run                   started            commit           TTFT  95 % interval  n  change
        ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
        한국어-라마-7b  interview, ko  20261120-051700-0001  1970-01-01 00:00Z  0f2e3d4        500 ms              —  1
        한국어-라마-7b  interview, ko  20261120-051701-0001  1970-01-01 00:00Z  1f2e3d4        510 ms              —  1
        한국어-라마-7b  interview, ko  20261120-051702-0001  1970-01-01 00:00Z  2f2e3d4        504 ms              —  1
        한국어-라마-7b  interview, ko  20261120-051703-0001  1970-01-01 00:00Z  3f2e3d4             —              —  —
        한국어-라마-7b  interview, ko  20261120-051704-0001  1970-01-01 00:00Z  4f2e3d4        510 ms              —  1
        한국어-라마-7b  interview, ko  20261120-051705-0001  1970-01-01 00:00Z  5f2e3d4        500 ms              —  1
        한국어-라마-7b  interview, ko  20261120-051706-0001  1970-01-01 00:00Z  6f2e3d4        507 ms              —  1
        한국어-라마-7b  interview, ko  20261120-051707-0001  1970-01-01 00:00Z  7f2e3d4        509 ms              —  1
        한국어-라마-7b  interview, ko  20261120-051708-0001  1970-01-01 00:00Z  8f2e3d4        556 ms              —  1  ◆ +9.8 %
        한국어-라마-7b  interview, ko  20261120-051709-0001  1970-01-01 00:00Z  1f2e3d4-dirty  559 ms              —  1
        한국어-라마-7b  interview, ko  20261120-051710-0001  1970-01-01 00:00Z  af2e3d4        557 ms              —  1
        한국어-라마-7b  interview, ko  20261120-051711-0001  1970-01-01 00:00Z  bf2e3d4        550 ms              —  1
        한국어-라마-7b  interview, ko  20261120-051712-0001  1970-01-01 00:00Z  cf2e3d4        560 ms              —  1
        한국어-라마-7b  interview, ko  20261120-051713-0001  1970-01-01 00:00Z  df2e3d4        554 ms              —  1
        한국어-라마-7b  interview, ko  20261120-051714-0001  1970-01-01 00:00Z  ef2e3d4        554 ms              —  1
        한국어-라마-7b  interview, ko  20261120-051715-0001  1970-01-01 00:00Z  ff2e3d4        560 ms              —  1
        한국어-라마-7b  interview, ko  20261120-051716-0001  1970-01-01 00:00Z  10f2e3d        550 ms              —  1  │
        한국어-라마-7b  interview, ko  20261120-051717-0001  1970-01-01 00:00Z  11f2e3d        557 ms              —  1

        ◆ 한국어-라마-7b, interview, ko: TTFT went from 507 ms to 557 ms at run 20261120-051708-0001 (commit 8f2e3d4), p = 0.005
        ◆ another level from that run on (E-divisive); p: the share of random orders that show as much
        │ run 20261120-051716-0001 does not continue run 20261120-051715-0001: threads was 2 and is 16
        ");
    }

    #[test]
    fn a_narrow_terminal_is_not_overrun() {
        let columns = |letter: char| if ('가'..='힣').contains(&letter) { 2 } else { 1 };
        for runs in [two_runs(), many_runs()] {
            for width in [80, 100, 120] {
                let text = shown(&TTFT, None, &runs, Some(width));
                let widest = text.lines().map(|line| line.chars().map(columns).sum::<usize>()).max();
                assert!(widest <= Some(width), "{widest:?}\n{text}");
            }
        }
    }
}
