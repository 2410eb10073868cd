//! What a person said of a run's answers, kept as it is said.

use super::columns::{instant, word};
use super::read::query;
use super::{Store, StoreError};
use crate::record::{Choice, Review};

impl Store {
    /// The reviews of a run, in the order in which they were made.
    ///
    /// # Errors
    /// A record that cannot be understood.
    pub fn reviews(&self, run_id: &str) -> Result<Vec<Review>, StoreError> {
        let what = format!("the reviews of run `{run_id}`");
        let sql = "SELECT * FROM reviews WHERE run_id = ?1 ORDER BY rowid";
        query(&self.connection, sql, [run_id], &what, |columns| {
            Ok(Review {
                suite: columns.get("suite")?,
                language: columns.language("language")?,
                prompt: columns.get("prompt")?,
                left: columns.get("left_row")?,
                right: columns.get("right_row")?,
                choice: columns.word_or_null("choice")?.unwrap_or(Choice::Skip),
                at: columns.instant("reviewed_at")?,
            })
        })
    }

    /// Adds one; a pair that was reviewed before is reviewed anew.
    ///
    /// # Errors
    /// A run that is not stored, or a disk that takes nothing.
    pub fn add_review(&self, run_id: &str, review: &Review) -> Result<(), StoreError> {
        let what = format!("a review of run `{run_id}`");
        let language = review.language.map(|language| language.tag());
        let choice = word(&what, Some(review.choice))?;
        let sql =
            "INSERT OR REPLACE INTO reviews (run_id, suite, language, prompt, left_row, right_row, choice, reviewed_at)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
        let of_pair =
            (run_id, &review.suite, language, &review.prompt, &review.left, &review.right, choice, instant(review.at));
        self.connection.execute(sql, of_pair).map_err(|source| StoreError::Write { what, source })?;
        Ok(())
    }
}
