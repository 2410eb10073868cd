//! Selecting a run: `latest`, which is the one that was made last whatever the clock said, an id, or as much of the beginning of an
//! id as no other run shares.

use jiff::Timestamp;

use super::{Store, StoreError};

/// Makes a run's id from the time, to the second, and chance: `20261120-051733-4f2a`.
///
/// Ids sort by the time of the clock. Chance keeps two runs apart that start in the same second.
pub fn new_run_id(now: Timestamp, random: u16) -> String {
    format!("{}-{random:04x}", now.strftime("%Y%m%d-%H%M%S"))
}

impl Store {
    /// The id of the one run that `selector` means.
    pub fn select_run(&self, selector: &str) -> Result<String, StoreError> {
        if selector == "latest" {
            return self.latest_run();
        }
        let mut ids = self.ids_that_begin_with(selector)?;
        // A whole id is meant, even where it begins another.
        if let Some(exact) = ids.iter().position(|id| id == selector) {
            return Ok(ids.swap_remove(exact));
        }
        match ids.len() {
            0 => Err(StoreError::NoSuchRun { path: self.path.clone(), selector: selector.to_owned() }),
            1 => Ok(ids.swap_remove(0)),
            _ => Err(StoreError::AmbiguousRun { selector: selector.to_owned(), ids }),
        }
    }

    fn latest_run(&self) -> Result<String, StoreError> {
        self.connection.query_one("SELECT id FROM runs ORDER BY sequence DESC LIMIT 1", [], |row| row.get(0)).map_err(
            |source| match source {
                rusqlite::Error::QueryReturnedNoRows => StoreError::NoRuns { path: self.path.clone() },
                source => StoreError::Read { what: "the latest run".into(), source },
            },
        )
    }

    fn ids_that_begin_with(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let failed = |source| StoreError::Read { what: "the ids of the runs".into(), source };
        let mut statement = self
            .connection
            .prepare_cached("SELECT id FROM runs WHERE substr(id, 1, length(?1)) = ?1 ORDER BY sequence")
            .map_err(failed)?;
        let ids = statement.query_map([prefix], |row| row.get(0)).map_err(failed)?;
        ids.collect::<Result<Vec<String>, _>>().map_err(failed)
    }
}
