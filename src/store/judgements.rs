//! How answers were judged: kept beside the trials, so that a later judgement can say what changed.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::columns::json;
use super::read::query;
use super::{Store, StoreError};
use crate::record::TrialKey;

/// A judgement as it was stored, and the version of the rules that it was made by.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredJudgement<J> {
    /// The trial that has the answer.
    pub key: TrialKey,
    /// That version.
    pub rules: u32,
    /// What was said of the answer.
    pub judgement: J,
}

impl Store {
    /// The stored judgements of a run's answers.
    ///
    /// # Errors
    /// A record that cannot be understood.
    pub fn judgements<J: DeserializeOwned>(&self, run_id: &str) -> Result<Vec<StoredJudgement<J>>, StoreError> {
        let what = format!("the judgements of run `{run_id}`");
        let sql = "SELECT * FROM judgements JOIN trials ON trials.sequence = judgements.trial
                   WHERE run_id = ?1 ORDER BY sequence";
        query(&self.connection, sql, [run_id], &what, |columns| {
            Ok(StoredJudgement {
                key: columns.trial_key()?,
                rules: columns.get("rules")?,
                judgement: columns.json("judgement")?,
            })
        })
    }

    /// Stores how answers were judged, in place of what was stored of them; all or nothing.
    ///
    /// # Errors
    /// A trial that is not stored, or a disk that takes nothing.
    pub fn set_judgements<'j, J: Serialize + 'j>(
        &mut self,
        run_id: &str,
        rules: u32,
        judgements: impl IntoIterator<Item = (&'j TrialKey, &'j J)>,
    ) -> Result<(), StoreError> {
        let what = format!("the judgements of run `{run_id}`");
        let failed = |source| StoreError::Write { what: what.clone(), source };
        let transaction = self.connection.transaction().map_err(failed)?;
        {
            let sql = "INSERT OR REPLACE INTO judgements (trial, rules, judgement)
                       SELECT sequence, ?8, ?9 FROM trials
                       WHERE run_id = ?1 AND row = ?2 AND suite = ?3 AND ifnull(language, '') = ?4 AND prompt = ?5
                             AND repetition = ?6 AND warmup = ?7";
            let mut statement = transaction.prepare_cached(sql).map_err(failed)?;
            for (key, judgement) in judgements {
                let language = key.language.map_or("", |language| language.tag());
                let text = json(&what, judgement)?;
                let of_trial =
                    (run_id, &key.row, &key.suite, language, &key.prompt, key.repetition, key.warmup, rules, text);
                statement.execute(of_trial).map_err(failed)?;
            }
        }
        transaction.commit().map_err(failed)
    }
}
