//! The columns of the comparison, for each kind of prompts.

use crate::answer::{Answer, Work};
use crate::metric::{
    Aspect, CHARACTERS, CHARACTERS_PER_TOKEN, DECODE, ENERGY_PER_TOKEN, FIDELITY, LATENCY, LOAD, MBU, MEMORY, MFU,
    Metric, PASS_RATE, PREFILL, TTFT,
};
use crate::record::{Row, RowOutcome};
use crate::report::figure;
use crate::report::page::{Align, Cell, Column, Form, Role};
use crate::suite::Language;
use crate::summarize::{Attainment, Distribution, Figures, Rate, RowSummary, Summary};
use crate::units::{self, Bytes, Known, Seconds, Share, UNKNOWN};

/// A row of the run with its summary.
pub(super) type Line<'a> = (&'a Row, &'a RowSummary);

/// Which prompts a table is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Group {
    Tokens,
    Text,
}

impl Group {
    pub(super) const ALL: [Group; 2] = [Group::Tokens, Group::Text];

    pub(super) fn of(self, summary: &RowSummary) -> Option<&Summary> {
        match self {
            Group::Tokens => summary.tokens.as_ref(),
            Group::Text => summary.text.as_ref(),
        }
    }

    fn overall(self, summary: &RowSummary) -> Option<&Figures> {
        self.of(summary).map(|summary| &summary.overall)
    }

    fn work(self) -> Work {
        match self {
            Group::Tokens => Work::Tokens,
            Group::Text => Work::Text,
        }
    }
}

/// What columns of some rows are made of. A document has room for what a screen leaves to fewer columns: where each
/// figure lies, latency, the decode rate by length of prompt.
pub(super) struct Columns<'a> {
    pub answer: &'a Answer<'a>,
    pub lines: Vec<Line<'a>>,
    pub form: Form,
    /// What the user wants to see beside the table's own columns.
    pub more: &'a [Metric],
}

impl<'a> Columns<'a> {
    /// What a row is. Precision is beside the name in every table: two precisions of a model are two candidates.
    pub(super) fn names(&self) -> Vec<Column> {
        vec![
            self.column("candidate", Align::Left, |(row, summary)| {
                let mark = if summary.synthetic { " *" } else { "" };
                format!("{}{mark}", row.candidate.name())
            }),
            self.column("precision", Align::Left, |(_, summary)| Known(summary.precision.as_ref()).to_string()),
        ]
    }

    /// What it took to get it ready. A row that was not loaded says so in place of the time.
    pub(super) fn resources(&self) -> Vec<Column> {
        vec![
            self.column(MEMORY.label, Align::Right, |(_, summary)| {
                let memory = summary.memory;
                match (memory.measured_bytes, memory.estimated_bytes) {
                    (Some(measured), _) => Bytes(measured).to_string(),
                    (None, Some(estimated)) => format!("~{}", Bytes(estimated)),
                    (None, None) => UNKNOWN.to_owned(),
                }
            }),
            self.column(LOAD.label, Align::Right, |(row, summary)| match (summary.load_seconds, &row.outcome) {
                (Some(seconds), _) => Seconds(seconds).to_string(),
                (None, RowOutcome::Skipped { .. }) => "skipped".to_owned(),
                (None, RowOutcome::Failed { .. }) => "failed".to_owned(),
                (None, RowOutcome::Pending) => "pending".to_owned(),
                (None, RowOutcome::Ran) => UNKNOWN.to_owned(),
            })
            .joined(),
        ]
    }

    /// What was measured on prompts of a group.
    pub(super) fn figures(&self, group: Group, limits: bool) -> Vec<Column> {
        let mut columns = vec![self.column("n", Align::Right, |(_, summary)| match group {
            Group::Tokens => requests(summary.tokens.as_ref()),
            Group::Text => prompts(summary.text.as_ref()),
        })];
        match group {
            Group::Tokens => {
                columns.extend(self.prompts());
                columns.extend(self.longest_prefill());
                columns.extend(self.decode(group));
            }
            Group::Text => {
                columns.extend(self.repeated());
                columns.extend(self.passed());
                columns.extend(self.waits());
                columns.extend(self.decode(group));
                columns.extend(self.reading());
            }
        }
        let on_gpu = [MBU, ENERGY_PER_TOKEN];
        columns.extend(
            on_gpu.iter().filter_map(|metric| self.known(heading(metric), metric, |summary| group.overall(summary))),
        );
        columns.extend(self.more.iter().flat_map(|metric| self.asked_for(group, metric)));
        if limits {
            columns.push(self.column("within\nlimits", Align::Right, |(_, summary)| {
                let attained = group.of(summary).and_then(|summary| summary.attainment.as_ref());
                Known(attained.map(|attained| self.attained(attained))).to_string()
            }));
        }
        columns
    }

    /// How often texts were asked, where that is more than once: repetitions are no further sample.
    fn repeated(&self) -> Option<Column> {
        let texts = self.lines.iter().filter_map(|(_, summary)| summary.text.as_ref());
        let is_repeated = |text: &Summary| text.measured > text.prompts;
        let column = || self.column("requests", Align::Right, |(_, summary)| requests(summary.text.as_ref())).joined();
        texts.into_iter().any(is_repeated).then(column)
    }

    /// Beside the speeds: the share of answers that pass, by language.
    fn passed(&self) -> Vec<Column> {
        if self.form == Form::Document {
            return Vec::new();
        }
        let of = |language: Language| {
            let aspect = Aspect::in_language(PASS_RATE, language);
            self.rate_column(format!("{}\n{}", PASS_RATE.label, language.tag()), aspect, |rate| {
                Known(rate.share().map(Share)).to_string()
            })
        };
        let columns: Vec<Column> = Language::ALL.into_iter().filter_map(of).collect();
        columns.into_iter().enumerate().map(|(at, column)| if at == 0 { column } else { column.joined() }).collect()
    }

    /// What the answers are worth: each rate with where it lies, by language.
    pub(super) fn quality(&self) -> Vec<Column> {
        let judged = |(_, summary): &Line<'a>| {
            Known(summary.quality.as_ref().map(|quality| quality.overall.fidelity.of)).to_string()
        };
        let mut columns = vec![self.column("answers", Align::Right, judged)];
        for metric in [PASS_RATE, FIDELITY] {
            for language in Language::ALL {
                let heading = format!("{}\n{}", metric.label, language.tag());
                columns.extend(self.rate_column(heading, Aspect::in_language(metric, language), with_interval));
            }
        }
        columns
    }

    /// A column of a rate; none where no row has it.
    fn rate_column(&self, heading: String, aspect: Aspect, show: impl Fn(Rate) -> String) -> Option<Column> {
        let rate = |summary: &RowSummary| summary.quality.as_ref()?.rate(aspect);
        let is_known = self.lines.iter().any(|(_, summary)| rate(summary).is_some());
        is_known.then(|| self.column(heading, Align::Right, |(_, summary)| Known(rate(summary).map(&show)).to_string()))
    }

    fn attained(&self, attained: &Attainment) -> String {
        let share = Share(attained.share());
        match self.form {
            Form::Screen => share.to_string(),
            Form::Document => format!("{} of {} ({share})", attained.met, attained.of),
        }
    }

    fn waits(&self) -> Vec<Column> {
        let text = |summary: &'a RowSummary| summary.text.as_ref().map(|text| &text.overall);
        let p95 = |(_, summary): &Line<'a>| {
            let p95 = text(summary).and_then(|figures| figures.get(&TTFT)?.p95);
            Known(p95.map(Seconds)).to_string()
        };
        // Of too few prompts a median is no p50, but still what rows are ranked by.
        let median = |(_, summary): &Line<'a>| match text(summary).and_then(|figures| figures.get(&TTFT)) {
            Some(ttft) if ttft.p50.is_none() => Cell::from(format!("({})", self.median(&TTFT, Some(ttft)))),
            ttft => self.tied(&TTFT, &Work::Text, summary, self.median(&TTFT, ttft)),
        };
        let mut columns = vec![
            self.column(format!("{}\np50", TTFT.label), Align::Right, median),
            self.column(format!("{}\np95", TTFT.label), Align::Right, p95).joined(),
        ];
        if self.form == Form::Document {
            columns.push(self.placed(LATENCY.label, &LATENCY, text));
        }
        columns.push(self.placed(heading(&PREFILL), &PREFILL, text));
        columns
    }

    /// For each length of prompt the median time to first token and prefill rate.
    fn prompts(&self) -> Vec<Column> {
        let kinds = self.kinds();
        kinds
            .iter()
            .flat_map(|(prompt, tokens)| {
                let name = length(&kinds, prompt, *tokens);
                let figures = |summary: &'a RowSummary| cell(summary, prompt);
                let wait = |summary: &'a RowSummary| figures(summary)?.get(&TTFT);
                let work = Work::Prompt((*prompt).to_owned());
                let decode = (self.form == Form::Document)
                    .then(|| self.placed(format!("{}\n{name}", DECODE.label), &DECODE, figures).joined());
                let columns = [
                    self.compared(format!("{}\n{name}", TTFT.label), &TTFT, &work, wait),
                    self.placed(format!("{}\n{name}", PREFILL.label), &PREFILL, figures).joined(),
                ];
                columns.into_iter().chain(decode).collect::<Vec<_>>()
            })
            .collect()
    }

    /// The prompts of token ids and their lengths, shortest first.
    fn kinds(&self) -> Vec<(&'a str, Option<u32>)> {
        let mut kinds: Vec<(&str, Option<u32>)> = Vec::new();
        let tokens = self.lines.iter().filter_map(|(_, summary)| summary.tokens.as_ref());
        for cell in tokens.flat_map(|tokens| &tokens.cells) {
            if !kinds.iter().any(|(prompt, _)| *prompt == cell.prompt) {
                kinds.push((&cell.prompt, cell.prompt_tokens));
            }
        }
        kinds.sort_by_key(|(_, tokens)| *tokens);
        kinds
    }

    /// The median decode rate and where it lies.
    fn decode(&self, group: Group) -> Vec<Column> {
        let decode = |summary: &'a RowSummary| group.overall(summary)?.get(&DECODE);
        let median = |(_, summary): &Line<'a>| {
            self.tied(&DECODE, &group.work(), summary, figure::median(&DECODE, decode(summary)))
        };
        vec![
            self.column(heading(&DECODE), Align::Right, median),
            self.column("95 %\ninterval", Align::Left, |(_, summary)| {
                let interval = decode(summary).and_then(|distribution| distribution.interval);
                let text =
                    interval.map(|interval| format!("{}–{}", units::Rate(interval.low), units::Rate(interval.high)));
                Known(text).to_string()
            })
            .joined(),
        ]
    }

    /// A metric's medians: of each prompt of token ids, of all texts, or of those in each language where it counts characters.
    fn asked_for(&self, group: Group, metric: &Metric) -> Vec<Column> {
        let named = |what: &str| format!("{}\n{what}", figure::heading(metric).replace(", ", "\n"));
        match group {
            Group::Tokens => {
                let kinds = self.kinds();
                let of = |(prompt, tokens): &(&'a str, Option<u32>)| {
                    let (name, prompt) = (length(&kinds, prompt, *tokens), *prompt);
                    self.placed(named(&name), metric, move |summary| cell(summary, prompt))
                };
                kinds.iter().map(of).collect()
            }
            Group::Text if figure::differs_by_language(metric) => {
                let of = |language: Language| {
                    self.placed(named(language.tag()), metric, move |summary| summary.text.as_ref()?.language(language))
                };
                Language::ALL.into_iter().map(of).collect()
            }
            Group::Text => {
                let heading = figure::heading(metric).replace(", ", "\n");
                vec![self.placed(heading, metric, |summary| group.overall(summary))]
            }
        }
    }

    /// How near the prefill of the longest prompt came to what a GPU can compute, where that is known.
    fn longest_prefill(&self) -> Option<Column> {
        let kinds = self.kinds();
        let (prompt, tokens) = *kinds.last()?;
        self.known(format!("{}\n{}", MFU.label, length(&kinds, prompt, tokens)), &MFU, |summary| cell(summary, prompt))
    }

    /// What a reader sees, by language.
    fn reading(&self) -> Vec<Column> {
        let by_language = |metric: Metric, language: Language| {
            let name = format!("{}\n{}", metric.label, language.tag());
            self.column(name, Align::Right, move |(_, summary)| {
                let figures = summary.text.as_ref().and_then(|text| text.language(language));
                figure::median(&metric, figures.and_then(|figures| figures.get(&metric)))
            })
        };
        let [speed, text] = [CHARACTERS, CHARACTERS_PER_TOKEN]
            .map(|metric| vec![by_language(metric, Language::Ko), by_language(metric, Language::En).joined()]);
        [speed, self.other_language(), text].concat()
    }

    /// Answers that are in no speed of their language, being in another one; of a language that some row missed.
    fn other_language(&self) -> Vec<Column> {
        let of = |summary: &RowSummary, language| summary.text.as_ref()?.other_language.get(&language).copied();
        let is_missed = |language: &Language| {
            self.lines.iter().any(|(_, summary)| of(summary, *language).is_some_and(|counted| counted.answers > 0))
        };
        let column = |language: Language| {
            self.column(format!("not\n{}", language.name()), Align::Right, move |(_, summary)| {
                Known(of(summary, language).map(|counted| format!("{} of {}", counted.answers, counted.of))).to_string()
            })
            .joined()
        };
        Language::ALL.into_iter().filter(is_missed).map(column).collect()
    }

    /// A column of medians by which candidates are compared: those that are not told apart from the best are marked.
    fn compared(
        &self,
        heading: impl Into<String>,
        metric: &Metric,
        work: &Work,
        figure: impl Fn(&'a RowSummary) -> Option<&'a Distribution>,
    ) -> Column {
        self.column(heading, Align::Right, |(_, summary)| {
            self.tied(metric, work, summary, self.median(metric, figure(summary)))
        })
    }

    fn tied(&self, metric: &Metric, work: &Work, summary: &RowSummary, text: String) -> Cell {
        let role = if self.answer.is_tied(&summary.row, metric, work) { Role::Tied } else { Role::Plain };
        Cell { text, role }
    }

    /// A column of medians.
    fn placed(
        &self,
        heading: impl Into<String>,
        metric: &Metric,
        figures: impl Fn(&'a RowSummary) -> Option<&'a Figures>,
    ) -> Column {
        self.column(heading, Align::Right, |(_, summary)| {
            self.median(metric, figures(summary).and_then(|figures| figures.get(metric)))
        })
    }

    /// A median, and where it lies if there is room.
    fn median(&self, metric: &Metric, distribution: Option<&Distribution>) -> String {
        match self.form {
            Form::Screen => figure::median(metric, distribution),
            Form::Document => figure::with_interval(metric, distribution),
        }
    }

    /// A column of what only some devices report; none where nobody did.
    fn known(
        &self,
        heading: String,
        metric: &Metric,
        figures: impl Fn(&'a RowSummary) -> Option<&'a Figures>,
    ) -> Option<Column> {
        let figure = |(_, summary): &Line<'a>| figures(summary).and_then(|figures| figures.get(metric));
        let is_known = self.lines.iter().any(|line| figure(line).is_some());
        is_known.then(|| self.column(heading, Align::Right, |line| figure::median(metric, figure(line))))
    }

    fn column<C: Into<Cell>>(&self, heading: impl Into<String>, align: Align, cell: impl Fn(&Line<'a>) -> C) -> Column {
        Column::new(heading, align, self.lines.iter().map(cell))
    }
}

/// `62 % (55–69)`.
fn with_interval(rate: Rate) -> String {
    let percent = |share: f64| (100.0 * share).round();
    match (rate.share(), rate.interval()) {
        (Some(share), Some(interval)) => {
            format!("{} % ({}–{})", percent(share), percent(interval.low), percent(interval.high))
        }
        _ => UNKNOWN.to_owned(),
    }
}

/// Measured requests; those that completed before all, if not all did.
fn requests(summary: Option<&Summary>) -> String {
    summary.map_or(UNKNOWN.to_owned(), |summary| of(summary.measured - summary.failed, summary.measured))
}

/// Prompts that were asked; those that were answered before all, if not all were.
fn prompts(summary: Option<&Summary>) -> String {
    summary.map_or(UNKNOWN.to_owned(), |summary| of(summary.answered_prompts, summary.prompts))
}

/// `7/8`, or `8` of all eight.
fn of(part: usize, all: usize) -> String {
    if part == all { all.to_string() } else { format!("{part}/{all}") }
}

/// `@512`, or the prompt's name where another is as long.
fn length(kinds: &[(&str, Option<u32>)], prompt: &str, tokens: Option<u32>) -> String {
    match tokens {
        Some(length) if kinds.iter().filter(|(_, other)| *other == tokens).count() == 1 => format!("@{length}"),
        _ => prompt.to_owned(),
    }
}

fn cell<'s>(summary: &'s RowSummary, prompt: &str) -> Option<&'s Figures> {
    summary.tokens.as_ref()?.cell(prompt)
}

fn heading(metric: &Metric) -> String {
    format!("{}\n{}", metric.label, metric.unit.symbol())
}
