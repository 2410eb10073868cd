//! Reading: a stored run as it was, and the list of runs.

use jiff::Timestamp;
use rusqlite::Connection;

use super::columns::Columns;
use super::{Store, StoreError};
use crate::record::{Row, Run, Timeline, Trial};

/// A run in the list of runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunHead {
    pub id: String,
    pub started_at: Timestamp,
    /// `None` while it runs, and after it was interrupted.
    pub finished_at: Option<Timestamp>,
    pub candidates: usize,
    /// Their rows, in the order of the plan.
    pub rows: Vec<String>,
    /// Those of its trials, by name.
    pub suites: Vec<String>,
    /// BCP 47 tags of the prompts' languages.
    pub languages: Vec<String>,
    /// All that are stored, warm-up included.
    pub trials: usize,
    pub device_name: String,
    /// The clock was set back while it ran: an instant of it lies before one that came earlier.
    pub clock_set_back: bool,
}

impl Store {
    /// Loads the run that `selector` means: `latest`, an id, or the beginning of one.
    ///
    /// # Errors
    /// No run that it means, or more than one, or a record that cannot be understood.
    pub fn load_run(&self, selector: &str) -> Result<Run, StoreError> {
        // One view of the file throughout, while another process may be adding to it.
        let view = self
            .connection
            .unchecked_transaction()
            .map_err(|source| StoreError::Read { what: format!("run `{selector}`"), source })?;
        let id = self.select_run(selector)?;
        read_run(&view, &id)
    }

    /// All runs, in the order in which they were made.
    ///
    /// # Errors
    /// A record that cannot be understood.
    pub fn list_runs(&self) -> Result<Vec<RunHead>, StoreError> {
        let sql = "SELECT id, started_at, finished_at, device_name,
                          (SELECT count(*) FROM rows WHERE run_id = runs.id) AS candidates,
                          (SELECT json_group_array(name) FROM (SELECT name FROM rows WHERE run_id = runs.id ORDER BY position))
                              AS names,
                          (SELECT json_group_array(suite)
                           FROM (SELECT DISTINCT suite FROM trials WHERE run_id = runs.id ORDER BY suite)) AS suites,
                          (SELECT json_group_array(language) FROM (
                               SELECT DISTINCT language FROM trials
                               WHERE run_id = runs.id AND language IS NOT NULL ORDER BY language
                           )) AS languages,
                          (SELECT count(*) FROM trials WHERE run_id = runs.id) AS trials,
                          ifnull(finished_at < started_at, 0) OR EXISTS (
                              SELECT 1 FROM (
                                  SELECT started_at AS at, lag(started_at, 1, runs.started_at) OVER (ORDER BY sequence) AS before
                                  FROM trials WHERE run_id = runs.id
                              ) WHERE at < before
                          ) AS clock_set_back
                   FROM runs ORDER BY sequence";
        query(&self.connection, sql, [], "the list of runs", |columns| {
            Ok(RunHead {
                id: columns.get("id")?,
                started_at: columns.instant("started_at")?,
                finished_at: columns.instant_or_null("finished_at")?,
                candidates: columns.count("candidates")?,
                rows: columns.json("names")?,
                suites: columns.json("suites")?,
                languages: columns.json("languages")?,
                trials: columns.count("trials")?,
                device_name: columns.get("device_name")?,
                clock_set_back: columns.get("clock_set_back")?,
            })
        })
    }
}

fn read_run(connection: &Connection, id: &str) -> Result<Run, StoreError> {
    let what = format!("run `{id}`");
    let sql = "SELECT * FROM runs WHERE id = ?1";
    let mut runs = query(connection, sql, [id], &what, |columns| {
        Ok(Run {
            id: columns.get("id")?,
            started_at: columns.instant("started_at")?,
            finished_at: columns.instant_or_null("finished_at")?,
            environment: columns.json("environment")?,
            settings: columns.json("settings")?,
            requirements: columns.json("requirements")?,
            stated: columns.json_or_null("stated")?,
            prompts: columns.json_or_null("prompts")?.unwrap_or_default(),
            rows: read_rows(connection, id)?,
        })
    })?;
    runs.pop().ok_or_else(|| StoreError::Read { what, source: rusqlite::Error::QueryReturnedNoRows })
}

fn read_rows(connection: &Connection, run_id: &str) -> Result<Vec<Row>, StoreError> {
    let sql = "SELECT * FROM rows WHERE run_id = ?1 ORDER BY position";
    query(connection, sql, [run_id], &format!("a row of run `{run_id}`"), |columns| {
        Ok(Row {
            candidate: columns.json("candidate")?,
            checkpoint: columns.json_or_null("checkpoint")?,
            load: columns.json_or_null("load")?,
            fit: columns.json_or_null("fit")?,
            outcome: columns.json("outcome")?,
            agreements: columns.json_or_null("agreements")?.unwrap_or_default(),
            // By the name that it was stored under, should later versions name rows otherwise.
            trials: read_trials(connection, run_id, &columns.get::<String>("name")?)?,
        })
    })
}

fn read_trials(connection: &Connection, run_id: &str, row: &str) -> Result<Vec<Trial>, StoreError> {
    let sql = "SELECT * FROM trials WHERE run_id = ?1 AND row = ?2 ORDER BY sequence";
    let what = format!("a trial of row `{row}` of run `{run_id}`");
    query(connection, sql, [run_id, row], &what, |columns| {
        Ok(Trial {
            key: columns.trial_key()?,
            seed: columns.decimal("seed")?,
            started_at: columns.instant("started_at")?,
            prompt_tokens: columns.get("prompt_tokens")?,
            timeline: Timeline {
                encoded_ns: columns.nanoseconds("encoded_ns")?,
                prefilled_ns: columns.nanoseconds("prefilled_ns")?,
                arrivals_ns: columns.json("arrivals_ns")?,
                arrival_tokens: columns.json_or_null("arrival_tokens")?,
                arrival_characters: columns.json_or_null("arrival_characters")?,
                finished_ns: columns.nanoseconds("finished_ns")?,
            },
            outcome: columns.json("outcome")?,
            token_ids: columns.json("token_ids")?,
            text: columns.get("text")?,
            readings: columns.json("readings")?,
            repeated: columns.word_or_null("repeated")?,
        })
    })
}

/// The records that a query finds, each made by `make`.
pub(super) fn query<T>(
    connection: &Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
    what: &str,
    mut make: impl FnMut(Columns<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let failed = |source| StoreError::Read { what: what.to_owned(), source };
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    let mut rows = statement.query(parameters).map_err(failed)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        found.push(make(Columns { row, what })?);
    }
    Ok(found)
}
