//! The store: every run and every trial in one SQLite file, `results/bench.db`.
//!
//! A trial is committed when [`Store::add_trial`] returns, so that killing the program loses at most the trial in
//! flight. The file's layout is told where it is made, in `migrations/`; it is meant to be read by other programs too.

mod columns;
mod error;
mod judgements;
mod mark;
mod open;
mod read;
mod reviews;
mod select;
mod write;

#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

pub use error::StoreError;
pub use judgements::StoredJudgement;
pub use mark::{Fallen, Mark};
pub use open::database;
pub use read::RunHead;
pub use select::new_run_id;

/// An open results database.
#[derive(Debug)]
pub struct Store {
    connection: rusqlite::Connection,
    path: PathBuf,
}

impl Store {
    /// The file that it is in.
    pub fn path(&self) -> &Path {
        &self.path
    }
}
