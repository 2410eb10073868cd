//! `bench judge`: stored answers judged again, or those of a file, without running anything.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::deliver::terminal;
use super::status::Status;
use crate::cli::{self, RunFormat};
use crate::error::Error;
use crate::quality::{Judgement, RULES, Verdict, lines_pass};
use crate::record::{Row, Run, TrialKey};
use crate::report::Renderer;
use crate::report::judge::{self, Change, Judged, JudgedLine, JudgedRow};
use crate::store::{self, Store, StoredJudgement};
use crate::suite::{Body, Check, Expected, Language, Prompt, json_lines};
use crate::summarize::{BrokenRule, JudgedAnswer, Quality, judged};
use crate::ui::Printer;

pub(super) fn run(args: &cli::Judge, printer: &Printer) -> Result<Status, Error> {
    if let Some(file) = &args.answers {
        let lines = json_lines(file).map_err(Error::Suite)?;
        let lines: Vec<JudgedLine> = lines.into_iter().map(|line| of_line(line.value, line.number)).collect();
        let text = match args.format {
            RunFormat::Json => lines.iter().map(judge::json).collect::<Result<String, _>>()?,
            RunFormat::Text => terminal(printer).render(&judge::lines(&lines)),
        };
        printer.answer(&text)?;
        return Ok(Status::Yes);
    }
    let mut store = Store::open_existing(store::database(&args.results.results))?;
    let run = store.load_run(&args.run)?;
    if run.prompts.is_empty() {
        let hint = "judge a run of texts that was made by this version of bench or a later one".to_owned();
        return Err(Error::usage(format!("run {} has no stored prompts to judge its answers by", run.id), hint));
    }
    let before = store.judgements(&run.id)?;
    let rows: Vec<Vec<JudgedAnswer>> = run.rows.iter().map(|row| judged(&run, row)).collect();
    let again = again(&run, &rows, &before);
    store_judgements(&mut store, &run, rows.iter().flatten())?;
    let text = match args.format {
        RunFormat::Json => judge::json(&again)?,
        RunFormat::Text => terminal(printer).render(&judge::page(&again)),
    };
    printer.answer(&text)?;
    Ok(Status::Yes)
}

/// Stores how a run's answers are judged now.
///
/// # Errors
/// A store that cannot be written.
pub(super) fn keep(store: &mut Store, run: &Run) -> Result<(), Error> {
    let answers: Vec<JudgedAnswer> = run.rows.iter().flat_map(|row| judged(run, row)).collect();
    store_judgements(store, run, answers.iter())
}

fn store_judgements<'j>(
    store: &mut Store,
    run: &Run,
    answers: impl Iterator<Item = &'j JudgedAnswer<'j>>,
) -> Result<(), Error> {
    let judgements = answers.map(|answer| (&answer.trial.key, &answer.judgement));
    Ok(store.set_judgements(&run.id, RULES, judgements)?)
}

/// What judging a run's answers again gave; `rows` are those of each row, in their order.
fn again(run: &Run, rows: &[Vec<JudgedAnswer>], before: &[StoredJudgement<Judgement>]) -> Judged {
    let stored: BTreeMap<Key, &Judgement> =
        before.iter().map(|stored| (Key::of(&stored.key), &stored.judgement)).collect();
    let mut changes = Vec::new();
    let mut judged_before = 0;
    for answer in rows.iter().flatten() {
        let Some(old) = stored.get(&Key::of(&answer.trial.key)) else { continue };
        judged_before += 1;
        changes.extend(changed(answer, old));
    }
    let of_row = |(row, answers): (&Row, &Vec<JudgedAnswer>)| -> Vec<JudgedRow> {
        let Some(quality) = Quality::of(answers) else { return Vec::new() };
        let each = quality.languages.iter().map(|(language, rates)| (Some(*language), *rates));
        let all = [(None, quality.overall)].into_iter().chain(each);
        all.map(|(language, rates)| JudgedRow {
            row: row.candidate.row(),
            language,
            fidelity: rates.fidelity,
            pass_rate: rates.pass_rate,
            line_pass: language.and_then(|language| quality.line_pass.get(&language).copied()),
            manner: (language == Some(Language::Ko)).then_some(quality.manner),
        })
        .collect()
    };
    Judged {
        schema_version: 1,
        run: run.id.clone(),
        rules: RULES,
        answers: rows.iter().flatten().count(),
        judged_before,
        rows: run.rows.iter().zip(rows).flat_map(of_row).collect(),
        changes,
    }
}

/// What tells an answer from the others of a run.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key<'a>(&'a str, &'a str, Option<Language>, &'a str);

impl<'a> Key<'a> {
    fn of(key: &'a TrialKey) -> Self {
        Self(&key.row, &key.suite, key.language, &key.prompt)
    }
}

/// The verdicts of an answer that are others than they were.
fn changed(answer: &JudgedAnswer, before: &Judgement) -> Vec<Change> {
    let (old, new) = (before.verdicts(), answer.judgement.verdicts());
    let key = &answer.trial.key;
    let rules = (0..old.len().max(new.len())).filter_map(|at| {
        let (before, after) = (old.get(at), new.get(at));
        let rule = after.or(before)?.0;
        let word = |verdict: Option<&(&'static str, &Verdict)>| verdict.map(|(_, verdict)| verdict.word());
        let (was, is) = (word(before), word(after));
        let reason = match after {
            Some((_, Verdict::Fail { reason, .. })) => Some(reason.clone()),
            _ => None,
        };
        (was != is).then(|| Change {
            row: key.row.clone(),
            suite: key.suite.clone(),
            language: key.language,
            prompt: key.prompt.clone(),
            rule: rule.to_owned(),
            before: was,
            after: is,
            reason,
        })
    });
    rules.collect()
}

/// An answer of a file, with what it answers.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    id: Option<String>,
    language: Language,
    #[serde(default)]
    text: String,
    #[serde(default)]
    system: String,
    answer: String,
    #[serde(default)]
    cut: bool,
    #[serde(default)]
    copies_prompt: bool,
    #[serde(default)]
    checks: Vec<Check>,
}

fn of_line(line: Line, number: usize) -> JudgedLine {
    let id = line.id.unwrap_or_else(|| number.to_string());
    let prompt = Prompt {
        id: id.clone(),
        language: Some(line.language),
        body: Body::Text { system: line.system, text: line.text },
        max_new_tokens: 0,
        expected: Expected {
            language: Some(line.language),
            copies_prompt: line.copies_prompt,
            checks: line.checks,
            ..Expected::default()
        },
    };
    let judgement = Judgement::of(&prompt, &line.answer, line.cut);
    let broken = judgement.iter().flat_map(Judgement::failures).map(|(rule, verdict)| BrokenRule::of(rule, verdict));
    let broken: Vec<BrokenRule> = broken.collect();
    let faithful = judgement.as_ref().is_none_or(Judgement::is_faithful);
    let lines_pass = lines_pass(&line.answer, line.language);
    JudgedLine { id, passes: broken.is_empty(), faithful, lines_pass, broken }
}
