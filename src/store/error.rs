//! What can go wrong with the store, and the way out.

use std::error::Error;
use std::io;
use std::path::PathBuf;

use rusqlite::ErrorCode;

/// Why results could not be stored or read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("could not create the folder `{}`", path.display())]
    CreateFolder { path: PathBuf, source: io::Error },
    #[error("there are no stored results at `{}`", path.display())]
    Missing { path: PathBuf },
    #[error("could not open the results in `{}`", path.display())]
    Open { path: PathBuf, source: rusqlite::Error },
    #[error("`{}` is not a database", path.display())]
    NotADatabase { path: PathBuf, source: rusqlite::Error },
    #[error("`{}` is a database of another program", path.display())]
    Foreign { path: PathBuf },
    #[error("`{}` was made by a newer `bench`: its layout is version {found}, this program knows up to {known}", path.display())]
    Newer { path: PathBuf, found: i64, known: i64 },
    #[error("could not bring `{}` to this program's layout", path.display())]
    Migrate { path: PathBuf, source: Box<dyn Error + Send + Sync> },
    #[error("could not read {what}")]
    Read { what: String, source: rusqlite::Error },
    #[error("could not store {what}")]
    Write { what: String, source: rusqlite::Error },
    #[error("could not put {what} into the form that is stored")]
    Encode { what: String, source: Box<dyn Error + Send + Sync> },
    #[error("the stored {what} cannot be understood")]
    Decode { what: String, source: Box<dyn Error + Send + Sync> },
    #[error("{what} is stored already")]
    Duplicate { what: String },
    #[error("run `{run}` has no row `{row}`")]
    NoSuchRow { run: String, row: String },
    #[error("no runs are stored in `{}`", path.display())]
    NoRuns { path: PathBuf },
    #[error("no run in `{}` has an id that begins with `{selector}`", path.display())]
    NoSuchRun { path: PathBuf, selector: String },
    #[error("`{selector}` could be any of {} runs: {}", ids.len(), first_few(ids))]
    AmbiguousRun { selector: String, ids: Vec<String> },
}

impl StoreError {
    /// What to do about it, where something helps.
    pub fn hint(&self) -> Option<String> {
        match self {
            StoreError::CreateFolder { .. } => {
                Some("choose a place that can be written to with `--results DIR`".into())
            }
            StoreError::Missing { .. } | StoreError::NoRuns { .. } => {
                Some("`bench compare` makes results; `--results DIR` says where they are".into())
            }
            StoreError::NotADatabase { .. } | StoreError::Foreign { .. } => {
                Some("nothing was changed in it; name another folder with `--results DIR`".into())
            }
            StoreError::Newer { .. } => {
                Some("update `bench`, or keep this version's results apart with `--results DIR`".into())
            }
            StoreError::NoSuchRun { .. } => {
                Some("`bench history` lists the runs; `latest` is the one that was made last".into())
            }
            StoreError::AmbiguousRun { .. } => Some("give more of the id".into()),
            StoreError::Decode { .. } => {
                Some("the file may be damaged: `sqlite3 FILE 'PRAGMA integrity_check'` tells".into())
            }
            StoreError::Open { source, .. } | StoreError::Read { source, .. } | StoreError::Write { source, .. } => {
                hint_for(source)
            }
            StoreError::Migrate { source, .. } => source.downcast_ref().and_then(hint_for),
            StoreError::Encode { .. } | StoreError::Duplicate { .. } | StoreError::NoSuchRow { .. } => None,
        }
    }
}

fn hint_for(error: &rusqlite::Error) -> Option<String> {
    let hint = match error.sqlite_error_code()? {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
            "another program is writing to it: wait for it, or use another folder with `--results DIR`"
        }
        ErrorCode::DiskFull => "free some disk space; what was stored before is kept",
        ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::ReadOnly => {
            "the file and its folder must be writable, to read it too: SQLite keeps its log beside the file"
        }
        ErrorCode::DatabaseCorrupt => "the file may be damaged: `sqlite3 FILE 'PRAGMA integrity_check'` tells",
        _ => return None,
    };
    Some(hint.into())
}

fn first_few(ids: &[String]) -> String {
    const SHOWN: usize = 5;
    let mut listed = ids.iter().take(SHOWN).map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", ");
    if ids.len() > SHOWN {
        listed.push_str(", …");
    }
    listed
}
