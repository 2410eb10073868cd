//! `bench judge`: stored answers judged again, or those of a file, without running anything.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::deliver::terminal;
use super::status::Status;
use crate::cli::{self, RunFormat};
use crate::error::Error;
use crate::quality::{Judgement, RULES, Verdict};
use crate::record::{Run, TrialKey};
use crate::report::Renderer;
use crate::report::judge::{self, Change, Judged, JudgedLine, JudgedRow};
use crate::store::{self, Store, StoredJudgement};
use crate::suite::{Body, Check, Expected, Language, Prompt, SuiteError};
use crate::summarize::{BrokenRule, JudgedAnswer, Rates, judged, summarize};
use crate::toml_error::TomlError;
use crate::ui::Printer;

pub(super) fn run(args: &cli::Judge, printer: &Printer) -> Result<Status, Error> {
    if let Some(file) = &args.answers {
        let lines = of_file(file)?;
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
    let again = again(&run, &before);
    keep(&mut store, &run)?;
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
    let judgements = answers.iter().map(|answer| (&answer.trial.key, &answer.judgement));
    Ok(store.set_judgements(&run.id, RULES, judgements)?)
}

fn again(run: &Run, before: &[StoredJudgement<Judgement>]) -> Judged {
    let stored: BTreeMap<Key, &Judgement> =
        before.iter().map(|stored| (Key::of(&stored.key), &stored.judgement)).collect();
    let answers: Vec<JudgedAnswer> = run.rows.iter().flat_map(|row| judged(run, row)).collect();
    let mut changes = Vec::new();
    let mut judged_before = 0;
    for answer in &answers {
        let key = &answer.trial.key;
        let Some(old) = stored.get(&Key::of(key)) else { continue };
        judged_before += 1;
        changes.extend(changed(answer, old));
    }
    let rates = |row: String, language: Option<Language>, rates: &Rates| JudgedRow {
        row,
        language,
        fidelity: rates.fidelity,
        pass_rate: rates.pass_rate,
    };
    let rows = summarize(run).into_iter().flat_map(|summary| {
        let row = summary.row.clone();
        let of = move |quality: crate::summarize::Quality| {
            let all = [rates(row.clone(), None, &quality.overall)];
            let each = quality.languages.iter().map(|(language, of)| rates(row.clone(), Some(*language), of));
            all.into_iter().chain(each).collect::<Vec<_>>()
        };
        summary.quality.map(of).unwrap_or_default()
    });
    Judged {
        schema_version: 1,
        run: run.id.clone(),
        rules: RULES,
        answers: answers.len(),
        judged_before,
        rows: rows.collect(),
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

/// The answers of a file of JSON lines.
///
/// # Errors
/// A file that cannot be read, or a line that is not of the form, with its number.
fn of_file(path: &Path) -> Result<Vec<JudgedLine>, Error> {
    let text =
        std::fs::read_to_string(path).map_err(|source| Error::Suite(SuiteError::Read { path: path.into(), source }))?;
    let mut lines = Vec::new();
    let mut start = 0;
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let at = start;
        start += line.len();
        if line.trim().is_empty() {
            continue;
        }
        let parsed: Line = serde_json::from_str(line).map_err(|error| {
            let message = error.to_string();
            let message = message.split(" at line ").next().unwrap_or(&message).to_owned();
            let place = at + line.floor_char_boundary(error.column().saturating_sub(1));
            Error::Suite(TomlError::at(path, &text, place..place, message).with_nearest().into())
        })?;
        lines.push(of_line(parsed, number + 1));
    }
    Ok(lines)
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
    JudgedLine { id, passes: broken.is_empty(), faithful, broken }
}
