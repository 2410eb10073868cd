//! Markdown: a run as a comment on a pull request: tables, what did not run and why, and the answers folded away.
//!
//! GitHub's dialect, <https://github.github.com/gfm/>. Nothing that a model, a file or a server said can end a cell, open
//! a tag or leave its code block.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::Write;

use super::escape::{escaped, fenced, in_html};
use super::{ReportError, figure, hardware, sampling};
use crate::metric::{CHARACTERS, CHARACTERS_PER_TOKEN, DECODE, LATENCY, MBU, MFU, Metric, PREFILL, TTFT};
use crate::record::{FinishReason, Outcome, Row, RowOutcome, Run, Trial};
use crate::suite::Language;
use crate::summarize::{Attainment, Figures, RowSummary, ties};
use crate::units::{Bytes, Known, Seconds, Share, UNKNOWN};

/// Writes a run, what [`crate::summarize::summarize`] made of it, and the lines of [`crate::recommend::explain`], if any.
///
/// # Errors
/// What `out` gives.
pub fn write(
    run: &Run,
    summaries: &[RowSummary],
    recommendation: &[String],
    out: &mut dyn Write,
) -> Result<(), ReportError> {
    let sections = [
        head(run),
        recommended(recommendation),
        text_table(summaries),
        tokens_table(summaries),
        remarks(run, summaries),
        not_run(run),
        answers(run),
    ];
    let sections: Vec<String> = sections.into_iter().flatten().collect();
    writeln!(out, "{}", sections.join("\n\n"))?;
    Ok(())
}

fn head(run: &Run) -> Option<String> {
    let environment = &run.environment;
    let mut text = format!(
        "### Run {}\n\n{} · {} · {} threads · bench {} · started {}",
        escaped(&run.id),
        escaped(&environment.device_name),
        escaped(&environment.device),
        environment.threads,
        escaped(&environment.program_version),
        run.started_at.strftime("%Y-%m-%d %H:%M UTC"),
    );
    if run.finished_at.is_none() {
        text.push_str(" · **not finished**");
    }
    if environment.debug_build {
        text.push_str("\n\n> **Debug build**: its speeds mean nothing.");
    }
    Some(text)
}

/// The answer to the question, before the figures.
fn recommended(lines: &[String]) -> Option<String> {
    // Lines that start with two spaces belong to the one above, in Markdown's lists too.
    let items = lines.iter().map(|line| {
        let text = line.trim_start();
        format!("{}- {}", &line[..line.len() - text.len()], escaped(text))
    });
    let items: Vec<String> = items.collect();
    if items.is_empty() { None } else { Some(items.join("\n")) }
}

/// Requests in a natural language: a service's work.
fn text_table(summaries: &[RowSummary]) -> Option<String> {
    let speeds = [TTFT, LATENCY, DECODE];
    let shares = told(&[MBU], summaries.iter().filter_map(|row| Some(&row.text.as_ref()?.overall)));
    let characters = [CHARACTERS, CHARACTERS_PER_TOKEN];
    let by_language = || Language::ALL.into_iter().flat_map(|language| characters.map(|metric| (language, metric)));
    let mut table = Table::new(
        2,
        common_headings()
            .chain(speeds.iter().chain(&shares).map(figure::heading))
            .chain(by_language().map(|(language, metric)| format!("{} {}", language.tag(), figure::heading(&metric))))
            .chain(["trials".into(), "failed".into(), "requirements met".into()]),
    );
    let rows: Vec<_> = summaries.iter().filter_map(|row| Some((row, row.text.as_ref()?))).collect();
    let all: Vec<Option<&Figures>> = rows.iter().map(|(_, summary)| Some(&summary.overall)).collect();
    for (index, (row, summary)) in rows.iter().enumerate() {
        table.row(
            common_cells(row)
                .chain(speeds.iter().map(|metric| shown(&all, index, metric)))
                .chain(shares.iter().map(|metric| figure::median(metric, summary.overall.get(metric))))
                .chain(by_language().map(|(language, metric)| {
                    figure::median(&metric, summary.language(language).and_then(|figures| figures.get(&metric)))
                }))
                .chain([
                    summary.measured.to_string(),
                    summary.failed.to_string(),
                    attainment(summary.attainment.as_ref()),
                ]),
        );
    }
    table.titled("Text prompts: medians, and in brackets where they lie at 95 %; = is not told apart from the best")
}

/// Prompts of token ids: a fixed amount of computing. Each length has a line of its own.
fn tokens_table(summaries: &[RowSummary]) -> Option<String> {
    let speeds = [TTFT, PREFILL, DECODE];
    let cells = summaries.iter().filter_map(|row| row.tokens.as_ref()).flat_map(|tokens| &tokens.cells);
    let shares = told(&[MFU, MBU], cells.map(|cell| &cell.figures));
    let mut table = Table::new(
        2,
        common_headings()
            .chain(["prompt".into(), "prompt tokens".into()])
            .chain(speeds.iter().chain(&shares).map(figure::heading))
            .chain(["trials".into()]),
    );
    let rows: Vec<_> = summaries.iter().filter_map(|row| Some((row, row.tokens.as_ref()?))).collect();
    for (index, (row, summary)) in rows.iter().enumerate() {
        for cell in &summary.cells {
            let all: Vec<Option<&Figures>> = rows.iter().map(|(_, summary)| summary.cell(&cell.prompt)).collect();
            table.row(
                common_cells(row)
                    .chain([escaped(&cell.prompt).into_owned(), Known(cell.prompt_tokens).to_string()])
                    .chain(speeds.iter().map(|metric| shown(&all, index, metric)))
                    .chain(shares.iter().map(|metric| figure::median(metric, cell.figures.get(metric))))
                    .chain([Known(cell.figures.get(&TTFT).map(|distribution| distribution.n)).to_string()]),
            );
        }
    }
    table.titled(
        "Prompts of token ids: medians, and in brackets where they lie at 95 %; = is not told apart from the best",
    )
}

/// Those metrics that only some devices tell, of which any did.
fn told<'f>(metrics: &[Metric], all: impl Iterator<Item = &'f Figures> + Clone) -> Vec<Metric> {
    let is_told = |metric: &&Metric| all.clone().any(|figures| figures.get(metric).is_some());
    metrics.iter().filter(is_told).copied().collect()
}

/// What the tables cannot say in their cells.
fn remarks(run: &Run, summaries: &[RowSummary]) -> Option<String> {
    let impossible = summaries.iter().filter_map(|summary| hardware::impossible(run, summary));
    let notes = impossible.chain(run.rows.iter().flat_map(|row| sampling::notes(row, &run.settings)));
    let notes: Vec<String> = notes.map(|note| format!("- {}", escaped(&note))).collect();
    if notes.is_empty() { None } else { Some(notes.join("\n")) }
}

fn common_headings() -> impl Iterator<Item = String> {
    ["candidate", "precision", "memory", "load"].map(String::from).into_iter()
}

fn common_cells(row: &RowSummary) -> impl Iterator<Item = String> {
    let precision = Known(row.precision.as_ref()).to_string();
    let precision = escaped(&precision);
    [
        escaped(&row.row).into_owned(),
        if row.synthetic { format!("{precision}, random weights") } else { precision.into_owned() },
        Known(row.memory.measured_bytes.map(Bytes)).to_string(),
        Known(row.load_seconds.map(Seconds)).to_string(),
    ]
    .into_iter()
}

/// A metric of one of all candidates' figures of the same work.
fn shown(all: &[Option<&Figures>], index: usize, metric: &Metric) -> String {
    let figures: Vec<_> = all.iter().map(|figures| figures.and_then(|figures| figures.get(metric))).collect();
    let tied = ties(&figures, metric.direction);
    figure::compared_with_interval(metric, figures[index], tied[index])
}

/// `38 of 40 (95 %)`
fn attainment(attainment: Option<&Attainment>) -> String {
    attainment
        .map_or(UNKNOWN.into(), |attained| format!("{} of {} ({})", attained.met, attained.of, Share(attained.share())))
}

/// Candidates and trials that came to nothing, each with its reason.
fn not_run(run: &Run) -> Option<String> {
    let mut table = Table::new(3, ["candidate", "what happened", "why"].map(String::from).into_iter());
    for row in &run.rows {
        let (what, why): (Cow<str>, &str) = match &row.outcome {
            RowOutcome::Skipped { reason } => ("skipped".into(), reason),
            RowOutcome::Failed { message, .. } => ("failed".into(), message),
            RowOutcome::Pending => ("not come to".into(), "the run was interrupted, or goes on"),
            RowOutcome::Ran => match failed_trials(row) {
                Some((failed, measured, message)) => (format!("{failed} of {measured} trials failed").into(), message),
                None => continue,
            },
        };
        let candidate = row.candidate.row();
        table.row([escaped(&candidate), what, escaped(why)].map(Cow::into_owned).into_iter());
    }
    table.titled("Not run, or failed")
}

/// How many of how many measured trials failed, and why the first of them did.
fn failed_trials(row: &Row) -> Option<(usize, usize, &str)> {
    let measured = || row.trials.iter().filter(|trial| !trial.key.warmup);
    let mut messages = measured().filter_map(|trial| match &trial.outcome {
        Outcome::Failed { message, .. } => Some(message.as_str()),
        Outcome::Completed { .. } => None,
    });
    let first = messages.next()?;
    Some((1 + messages.count(), measured().count(), first))
}

fn answers(run: &Run) -> Option<String> {
    let folds: Vec<String> = run.rows.iter().filter_map(answers_of).collect();
    if folds.is_empty() { None } else { Some(format!("#### Answers\n\n{}", folds.join("\n\n"))) }
}

/// What one candidate answered, each different answer to a prompt once.
fn answers_of(row: &Row) -> Option<String> {
    let mut answers: Vec<(&Trial, &str, Vec<u32>)> = Vec::new();
    for trial in row.trials.iter().filter(|trial| !trial.key.warmup) {
        let Some(text) = trial.text.as_deref() else { continue };
        let same = |(other, answer, _): &&mut (&Trial, &str, Vec<u32>)| {
            same_prompt(other, trial) && other.outcome == trial.outcome && *answer == text
        };
        match answers.iter_mut().find(same) {
            Some((_, _, repetitions)) => repetitions.push(trial.key.repetition),
            None => answers.push((trial, text, vec![trial.key.repetition])),
        }
    }
    if answers.is_empty() {
        return None;
    }
    // The blank lines end GitHub's HTML blocks, so that Markdown counts again in between.
    let mut fold = format!("<details>\n<summary>{}</summary>\n\n", in_html(&row.candidate.row()));
    for (trial, text, repetitions) in answers {
        let key = &trial.key;
        let language = key.language.map(|language| format!("{}/", language.tag())).unwrap_or_default();
        let place = format!("{language}{}/{}", key.suite, key.prompt);
        let _ = write!(
            fold,
            "**{}**, {}, {}\n\n{}\n\n",
            escaped(&place),
            listed(&repetitions),
            how_it_ended(&trial.outcome),
            fenced(text)
        );
    }
    fold.push_str("</details>");
    Some(fold)
}

fn same_prompt(a: &Trial, b: &Trial) -> bool {
    (&a.key.suite, a.key.language, &a.key.prompt) == (&b.key.suite, b.key.language, &b.key.prompt)
}

/// Repetitions are counted from 1 here, as people do.
fn listed(repetitions: &[u32]) -> String {
    let numbers: Vec<String> = repetitions.iter().map(|repetition| (u64::from(*repetition) + 1).to_string()).collect();
    let noun = if numbers.len() == 1 { "repetition" } else { "repetitions" };
    format!("{noun} {}", numbers.join(", "))
}

fn how_it_ended(outcome: &Outcome) -> Cow<'_, str> {
    match outcome {
        Outcome::Completed { finish: FinishReason::Stop } => "ended by itself".into(),
        Outcome::Completed { finish: FinishReason::Length } => "cut at the limit".into(),
        Outcome::Failed { message, .. } => format!("failed: {}", escaped(message)).into(),
    }
}

/// A table in the making; cells must be escaped already.
pub(super) struct Table {
    text: String,
    columns: usize,
    rows: usize,
}

impl Table {
    /// The first `words` columns hold words, the others numbers, which stand right.
    pub(super) fn new(words: usize, headings: impl Iterator<Item = String>) -> Table {
        let mut table = Table { text: String::new(), columns: 0, rows: 0 };
        table.columns = table.line(headings);
        table.line((0..table.columns).map(|index| if index < words { "---".into() } else { "---:".into() }));
        table
    }

    pub(super) fn row(&mut self, cells: impl Iterator<Item = String>) {
        let columns = self.line(cells);
        debug_assert_eq!(columns, self.columns, "as many cells as headings");
        self.rows += 1;
    }

    fn line(&mut self, cells: impl Iterator<Item = String>) -> usize {
        let cells: Vec<String> = cells.collect();
        let _ = writeln!(self.text, "| {} |", cells.join(" | "));
        cells.len()
    }

    /// `None` of a table without rows.
    pub(super) fn finished(self) -> Option<String> {
        (self.rows > 0).then(|| self.text.trim_end().to_owned())
    }

    fn titled(self, title: &str) -> Option<String> {
        self.finished().map(|table| format!("#### {title}\n\n{table}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::FailureKind;
    use crate::store::sample;
    use crate::summarize::summarize;
    use crate::summarize::testing::{self, ran, speed_trial};

    fn written(run: &Run) -> String {
        let mut out = Vec::new();
        let lines = ["Recommendation: a_b", "  score 1.00", "Rejected:", "  c: <no> | licence"].map(String::from);
        write(run, &summarize(run), &lines, &mut out).expect("writing to memory");
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn a_run_as_a_comment() {
        insta::assert_snapshot!(written(&sample::run()), @r#"
        ### Run 20261120-051733-4f2a

        Example CPU, "two cores" · cpu · 2 threads · bench 0.1.0 · started 2026-11-20 05:17 UTC

        - Recommendation: a_b
          - score 1.00
        - Rejected:
          - c: &lt;no&gt; \| licence

        #### Text prompts: medians, and in brackets where they lie at 95 %; = is not told apart from the best

        | candidate | precision | memory | load | TTFT | latency | decode, tok/s | ko chars/s | ko chars/tok | en chars/s | en chars/tok | trials | failed | requirements met |
        | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
        | qwen2.5-7b q4_k | q4_k 93 % | 5.00 GiB | 12.5 s | 500 ms | 700 ms | 10.0 | 40.0 | 2.67 | 153 | 12.2 | 4 | 1 | 3 of 4 (75 %) |

        #### Prompts of token ids: medians, and in brackets where they lie at 95 %; = is not told apart from the best

        | candidate | precision | memory | load | prompt | prompt tokens | TTFT | prefill, tok/s | decode, tok/s | trials |
        | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
        | qwen2.5-7b q4_k | q4_k 93 % | 5.00 GiB | 12.5 s | short-1 | 128 | 500 ms | 321 | 10.0 | 1 |

        #### Not run, or failed

        | candidate | what happened | why |
        | --- | --- | --- |
        | qwen2.5-7b q4_k | 1 of 5 trials failed | the engine stopped, "why" unknown |
        | 한국어 모델 | failed | \`config.json\` is missing, the folder has \| pipes and &lt;tags&gt; |
        | deepseek-v2 q4_k | skipped | does not fit: 114 GiB are missing |
        | gemma-2-9b q8_0 | not come to | the run was interrupted, or goes on |

        #### Answers

        <details>
        <summary>qwen2.5-7b q4_k</summary>

        **ko/review/short-1**, repetitions 1, 2, cut at the limit

        ```text
        좋은 제품입니다
        ```

        **en/review/short-1**, repetition 1, ended by itself

        ````text
        # Not a heading
        | pipe | `tick` ``` <b>bold</b> & </details>
        ````

        </details>
        "#);
    }

    #[test]
    fn what_is_not_told_apart_from_the_best_is_marked() {
        let trials = |gap: u64| (0..8).map(|trial| speed_trial("pp128", 128, 500, gap + trial)).collect();
        let run = testing::run(vec![ran("a", trials(20)), ran("b", trials(22)), ran("c", trials(40))]);
        let text = written(&run);
        let (_, table) = text.split_once("#### Prompts").expect("a table");
        let decodes: Vec<&str> = table.lines().filter_map(|line| line.split(" | ").nth(8)).skip(2).collect();
        assert_eq!(decodes, ["=42.6 (38.4 – 47.8)", "=39.2 (35.6 – 43.6)", "23.0 (21.7 – 24.4)"], "{text}");
    }

    #[test]
    fn shares_of_a_gpu_are_shown_where_it_is_known_and_what_is_beyond_it_is_told() {
        let text = written(&testing::beyond_an_l4());
        assert!(text.contains(" | MFU | MBU | trials |") && text.contains(" | 596.4 % | 505.1 % | 1 |"), "{text}");
        assert!(text.contains(r"- \! a bf16: impossible on NVIDIA L4: decode of speed pp512+tg64 needs"), "{text}");
        assert!(!written(&sample::run()).contains("MBU"));
    }

    #[test]
    fn every_line_of_a_table_has_as_many_cells() {
        let mut run = sample::run();
        run.rows[3].outcome = RowOutcome::Failed { kind: FailureKind::Load, message: "a|b\\|c\n|d".into() };
        let text = written(&run);
        let tables = text.split("\n\n").filter(|block| block.starts_with('|'));
        let mut count = 0;
        for table in tables {
            let cells = |line: &str| line.replace("\\\\", "").replace("\\|", "").matches('|').count();
            let counts: Vec<usize> = table.lines().map(cells).collect();
            assert!(counts.iter().all(|count| *count == counts[0]), "{counts:?}\n{table}");
            count += 1;
        }
        assert_eq!(count, 3);
    }

    #[test]
    fn a_run_without_candidates_still_says_where_it_was_made() {
        let mut run = sample::run();
        run.rows.clear();
        run.finished_at = None;
        run.environment.debug_build = true;
        insta::assert_snapshot!(written(&run), @r#"
        ### Run 20261120-051733-4f2a

        Example CPU, "two cores" · cpu · 2 threads · bench 0.1.0 · started 2026-11-20 05:17 UTC · **not finished**

        > **Debug build**: its speeds mean nothing.

        - Recommendation: a_b
          - score 1.00
        - Rejected:
          - c: &lt;no&gt; \| licence
        "#);
    }
}
