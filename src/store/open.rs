//! Opening: the file is found or made, recognised, and brought to this program's layout.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::backup::Backup;
use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction};
use rusqlite_migration::{HookResult, M, Migrations};

use super::{Store, StoreError};
use crate::record::Precision;

/// In order; a step that was released is never changed, another one follows it.
fn steps() -> [M<'static>; 6] {
    [
        M::up(include_str!("migrations/0001-runs-rows-trials.sql")),
        M::up(include_str!("migrations/0002-repeated-trials.sql")),
        M::up_with_hook(include_str!("migrations/0003-data-of-loads.sql"), upgrade_loads),
        M::up(include_str!("migrations/0004-prompts.sql")),
        M::up(include_str!("migrations/0005-order-of-runs.sql")),
        M::up(include_str!("migrations/0006-reviews.sql")),
    ]
}

/// See [`Precision::upgrade`]. A record that cannot be understood is left as it is, and named by who reads it.
fn upgrade_loads(transaction: &Transaction) -> HookResult {
    let mut select = transaction.prepare("SELECT rowid, load FROM rows WHERE load IS NOT NULL")?;
    let mut update = transaction.prepare("UPDATE rows SET load = ?2 WHERE rowid = ?1")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let (id, load): (i64, String) = (row.get(0)?, row.get(1)?);
        if let Ok(mut load) = serde_json::from_str(&load) {
            Precision::upgrade(&mut load);
            update.execute((id, load.to_string()))?;
        }
    }
    Ok(())
}

/// "benc", as the first migration writes it.
const APPLICATION_ID: i64 = 1_650_814_563;

/// How long to wait for another process that writes: its transactions take milliseconds, a slow disk's sync seconds.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// How often opening is tried again while another process may be making or migrating the file, which takes milliseconds.
const ATTEMPTS: u32 = 20;
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(25);

/// The file in a folder of results.
pub fn database(results: &Path) -> PathBuf {
    results.join("bench.db")
}

impl Store {
    /// Opens the results at `path`; makes the file and its folders where they are not there.
    ///
    /// # Errors
    /// A place that cannot be written to, a file that is not ours, or one of a newer layout.
    pub fn open(path: impl Into<PathBuf>) -> Result<Store, StoreError> {
        let path = path.into();
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)
                .map_err(|source| StoreError::CreateFolder { path: folder.to_owned(), source })?;
        }
        Store::open_with(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)
    }

    /// Opens the results at `path`: where there are none, that is the answer.
    ///
    /// # Errors
    /// No file there, and all that keeps [`Store::open`] from opening one.
    pub fn open_existing(path: impl Into<PathBuf>) -> Result<Store, StoreError> {
        let path = path.into();
        if !path.exists() {
            return Err(StoreError::Missing { path });
        }
        Store::open_with(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
    }

    /// Opens the results at `path` where nothing can be written, for commands that only read: a mount that is read-only, a disk
    /// that is full. Then what the file holds is read into memory, and what that lacks of this program's layout is made there.
    ///
    /// # Errors
    /// As of [`Store::open_existing`].
    pub fn open_to_read(path: impl Into<PathBuf>) -> Result<Store, StoreError> {
        let path = path.into();
        match Store::open_existing(&path) {
            Err(error @ (StoreError::Open { .. } | StoreError::Migrate { .. })) => {
                Store::in_memory(&path).map_err(|_| error)
            }
            result => result,
        }
    }

    /// What a file holds, as it is on the disk. Not of a file with a log beside it: then the log holds what was stored last.
    pub(super) fn in_memory(path: &Path) -> Result<Store, StoreError> {
        let failed = |source: rusqlite::Error| StoreError::Open { path: path.to_owned(), source };
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        if std::fs::metadata(log).is_ok_and(|log| log.len() > 0) {
            return Err(failed(rusqlite::Error::InvalidPath(path.to_owned())));
        }
        // https://www.sqlite.org/uri.html: what is immutable is neither locked nor given a log.
        let name = path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let source = Connection::open_with_flags(format!("file:{name}?immutable=1"), flags).map_err(failed)?;
        Header::read(&source).map_err(failed)?.check(path)?;
        let mut connection = Connection::open_in_memory().map_err(failed)?;
        let copied =
            Backup::new(&source, &mut connection).and_then(|copy| copy.run_to_completion(1_000, Duration::ZERO, None));
        copied.map_err(failed)?;
        migrate(&mut connection, path)?;
        Ok(Store { connection, path: path.to_owned() })
    }

    fn open_with(path: PathBuf, flags: OpenFlags) -> Result<Store, StoreError> {
        // Two processes that make or migrate the file at the same moment trip over each other: the switch to WAL does
        // not wait for the busy timeout, and both take the first step. The one that comes second finds it done.
        for _ in 0..ATTEMPTS {
            match Store::try_open(&path, flags) {
                Err(StoreError::Migrate { .. }) => {}
                Err(StoreError::Open { source, .. }) if source.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
                }
                result => return result,
            }
            std::thread::sleep(BETWEEN_ATTEMPTS);
        }
        Store::try_open(&path, flags)
    }

    fn try_open(path: &Path, flags: OpenFlags) -> Result<Store, StoreError> {
        let failed = |source: rusqlite::Error| match source.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => StoreError::NotADatabase { path: path.to_owned(), source },
            _ => StoreError::Open { path: path.to_owned(), source },
        };
        let mut connection =
            Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(failed)?;
        connection.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
        // Nothing may be written before it is known whose file it is.
        let header = Header::read(&connection).map_err(failed)?;
        header.check(path)?;
        configure(&connection).map_err(failed)?;
        migrate(&mut connection, path)?;
        Ok(Store { connection, path: path.to_owned() })
    }
}

fn migrate(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    Migrations::new(steps().into()).to_latest(connection).map_err(|error| {
        let source = match error {
            // Without the statement, which is the whole step.
            rusqlite_migration::Error::RusqliteError { err, .. } => err.into(),
            other => other.into(),
        };
        StoreError::Migrate { path: path.to_owned(), source }
    })
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    // Writers do not block readers: `bench history` works while a run goes on.
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // A commit that has reached the log survives the death of this process under NORMAL too; FULL makes it survive the
    // machine's as well, for one sync per trial: milliseconds between trials of seconds, in no timed stretch.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)
}

/// What tells whose database a file is.
struct Header {
    application_id: i64,
    version: i64,
    empty: bool,
}

impl Header {
    fn read(connection: &Connection) -> rusqlite::Result<Header> {
        // One view: another process may be making the file.
        let view = connection.unchecked_transaction()?;
        let pragma = |name| view.pragma_query_value(None, name, |row| row.get(0));
        let objects: i64 = view.query_one("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        Ok(Header { application_id: pragma("application_id")?, version: pragma("user_version")?, empty: objects == 0 })
    }

    fn check(&self, path: &Path) -> Result<(), StoreError> {
        let path = || path.to_owned();
        let known = steps().len() as i64;
        let untouched = self.application_id == 0 && self.version == 0 && self.empty;
        if !untouched && self.application_id != APPLICATION_ID {
            return Err(StoreError::Foreign { path: path() });
        }
        if self.version > known {
            return Err(StoreError::Newer { path: path(), found: self.version, known });
        }
        Ok(())
    }
}
