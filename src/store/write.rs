//! Writing: each result as soon as it exists.

use jiff::Timestamp;
use rusqlite::{Connection, TransactionBehavior, ffi, named_params};

use super::columns::{instant, json, json_or_null, nanoseconds, word};
use super::{Store, StoreError};
use crate::record::{Row, Run, Trial, TrialKey};

impl Store {
    /// Stores a run with its rows, and with the trials that they have already, all or nothing.
    ///
    /// # Errors
    /// A run of that id that is there already, or a disk that takes nothing.
    pub fn create_run(&mut self, run: &Run) -> Result<(), StoreError> {
        let what = format!("run `{}`", run.id);
        let failed = |source| StoreError::Write { what: what.clone(), source };
        // Immediate: one that begins by reading could not wait its turn to write.
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        transaction
            .execute(
                "INSERT INTO runs (id, started_at, finished_at, environment, settings, requirements, stated, prompts, sequence)
                 SELECT :id, :started_at, :finished_at, :environment, :settings, :requirements, :stated, :prompts,
                        ifnull(max(sequence), 0) + 1 FROM runs",
                named_params! {
                    ":id": run.id,
                    ":started_at": instant(run.started_at),
                    ":finished_at": run.finished_at.map(instant),
                    ":environment": json(&what, &run.environment)?,
                    ":settings": json(&what, &run.settings)?,
                    ":requirements": json(&what, &run.requirements)?,
                    ":stated": json_or_null(&what, &run.stated)?,
                    ":prompts": json(&what, &run.prompts)?,
                },
            )
            .map_err(|source| match extended_code(&source) {
                Some(ffi::SQLITE_CONSTRAINT_PRIMARYKEY) => StoreError::Duplicate { what: what.clone() },
                _ => failed(source),
            })?;
        for (position, row) in run.rows.iter().enumerate() {
            insert_row(&transaction, &run.id, position, row)?;
            for trial in &row.trials {
                insert_trial(&transaction, &run.id, trial)?;
            }
        }
        transaction.commit().map_err(failed)
    }

    /// Stores what became known of a row since, its trials apart.
    ///
    /// # Errors
    /// A row that was not stored with its run, or a disk that takes nothing.
    pub fn update_row(&self, run_id: &str, row: &Row) -> Result<(), StoreError> {
        let name = row.candidate.row();
        let what = what_of_row(run_id, &name);
        let failed = |source| StoreError::Write { what: what.clone(), source };
        let mut statement = self
            .connection
            .prepare_cached(
                "UPDATE rows
                 SET candidate = :candidate, checkpoint = :checkpoint, load = :load, fit = :fit, outcome = :outcome,
                     agreements = :agreements
                 WHERE run_id = :run_id AND name = :name",
            )
            .map_err(failed)?;
        let changed = statement
            .execute(named_params! {
                ":run_id": run_id,
                ":name": name,
                ":candidate": json(&what, &row.candidate)?,
                ":checkpoint": json_or_null(&what, &row.checkpoint)?,
                ":load": json_or_null(&what, &row.load)?,
                ":fit": json_or_null(&what, &row.fit)?,
                ":outcome": json(&what, &row.outcome)?,
            ":agreements": json(&what, &row.agreements)?,
            })
            .map_err(failed)?;
        if changed == 0 {
            return Err(StoreError::NoSuchRow { run: run_id.to_owned(), row: name });
        }
        Ok(())
    }

    /// Stores a trial. It is kept once this returns, whatever becomes of the program.
    ///
    /// # Errors
    /// A trial of that key that is there already, or a disk that takes nothing.
    pub fn add_trial(&self, run_id: &str, trial: &Trial) -> Result<(), StoreError> {
        insert_trial(&self.connection, run_id, trial)
    }

    /// Says that all that was planned was done.
    ///
    /// # Errors
    /// A run that is not there, or a disk that takes nothing.
    pub fn finish_run(&self, run_id: &str, at: Timestamp) -> Result<(), StoreError> {
        let changed = self
            .connection
            .execute("UPDATE runs SET finished_at = ?2 WHERE id = ?1", (run_id, instant(at)))
            .map_err(|source| StoreError::Write { what: format!("the end of run `{run_id}`"), source })?;
        if changed == 0 {
            return Err(StoreError::NoSuchRun { path: self.path.clone(), selector: run_id.to_owned() });
        }
        Ok(())
    }
}

fn insert_row(connection: &Connection, run_id: &str, position: usize, row: &Row) -> Result<(), StoreError> {
    let name = row.candidate.row();
    let what = what_of_row(run_id, &name);
    let failed = |source: rusqlite::Error| match extended_code(&source) {
        Some(ffi::SQLITE_CONSTRAINT_PRIMARYKEY) => StoreError::Duplicate { what: what.clone() },
        _ => StoreError::Write { what: what.clone(), source },
    };
    let mut statement = connection
        .prepare_cached(
            "INSERT INTO rows (run_id, position, name, candidate, checkpoint, load, fit, outcome, agreements)
             VALUES (:run_id, :position, :name, :candidate, :checkpoint, :load, :fit, :outcome, :agreements)",
        )
        .map_err(failed)?;
    statement
        .execute(named_params! {
            ":run_id": run_id,
            ":position": position as i64,
            ":name": name,
            ":candidate": json(&what, &row.candidate)?,
            ":checkpoint": json_or_null(&what, &row.checkpoint)?,
            ":load": json_or_null(&what, &row.load)?,
            ":fit": json_or_null(&what, &row.fit)?,
            ":outcome": json(&what, &row.outcome)?,
            ":agreements": json(&what, &row.agreements)?,
        })
        .map_err(failed)?;
    Ok(())
}

fn insert_trial(connection: &Connection, run_id: &str, trial: &Trial) -> Result<(), StoreError> {
    let key = &trial.key;
    let what = what_of_trial(run_id, key);
    let failed = |source: rusqlite::Error| match extended_code(&source) {
        Some(ffi::SQLITE_CONSTRAINT_UNIQUE) => StoreError::Duplicate { what: what.clone() },
        Some(ffi::SQLITE_CONSTRAINT_FOREIGNKEY) => {
            StoreError::NoSuchRow { run: run_id.to_owned(), row: key.row.clone() }
        }
        _ => StoreError::Write { what: what.clone(), source },
    };
    let mut statement = connection
        .prepare_cached(
            "INSERT INTO trials (
                 run_id, row, suite, language, prompt, repetition, warmup, seed, started_at, prompt_tokens, outcome,
                 encoded_ns, prefilled_ns, arrivals_ns, arrival_tokens, arrival_characters, finished_ns, token_ids, text,
                 readings, repeated
             ) VALUES (
                 :run_id, :row, :suite, :language, :prompt, :repetition, :warmup, :seed, :started_at, :prompt_tokens,
                 :outcome, :encoded_ns, :prefilled_ns, :arrivals_ns, :arrival_tokens, :arrival_characters, :finished_ns,
                 :token_ids, :text, :readings, :repeated
             )",
        )
        .map_err(failed)?;
    statement
        .execute(named_params! {
            ":run_id": run_id,
            ":row": key.row,
            ":suite": key.suite,
            ":language": key.language.map(|language| language.tag()),
            ":prompt": key.prompt,
            ":repetition": key.repetition,
            ":warmup": key.warmup,
            ":seed": trial.seed.to_string(),
            ":started_at": instant(trial.started_at),
            ":prompt_tokens": trial.prompt_tokens,
            ":outcome": json(&what, &trial.outcome)?,
            ":encoded_ns": nanoseconds(&what, trial.timeline.encoded_ns)?,
            ":prefilled_ns": nanoseconds(&what, trial.timeline.prefilled_ns)?,
            ":arrivals_ns": json(&what, &trial.timeline.arrivals_ns)?,
            ":arrival_tokens": json_or_null(&what, &trial.timeline.arrival_tokens)?,
            ":arrival_characters": json_or_null(&what, &trial.timeline.arrival_characters)?,
            ":finished_ns": nanoseconds(&what, trial.timeline.finished_ns)?,
            ":token_ids": json(&what, &trial.token_ids)?,
            ":text": trial.text,
            ":readings": json(&what, &trial.readings)?,
            ":repeated": word(&what, trial.repeated)?,
        })
        .map_err(failed)?;
    Ok(())
}

fn what_of_row(run_id: &str, name: &str) -> String {
    format!("row `{name}` of run `{run_id}`")
}

fn what_of_trial(run_id: &str, key: &TrialKey) -> String {
    let language = key.language.map(|language| format!("{}/", language.tag())).unwrap_or_default();
    let phase = if key.warmup { "warm-up" } else { "repetition" };
    format!(
        "{phase} {} of prompt `{language}{}/{}` for row `{}` of run `{run_id}`",
        key.repetition, key.suite, key.prompt, key.row
    )
}

fn extended_code(error: &rusqlite::Error) -> Option<i32> {
    error.sqlite_error().map(|error| error.extended_code)
}
