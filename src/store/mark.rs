//! A mark beside the database while a row runs. A program that is ended meanwhile leaves it behind, and a resumed run learns
//! from it which row that was.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Times that a row may be begun at the same trial: a process that vanishes may have been killed by anybody, twice at the
/// same place it was for what it did.
const MOST_TIMES: u32 = 2;

/// Most that is read of a mark, in bytes.
const LARGEST: u64 = 64 << 10;

/// Stands as long as a row runs; taken away when dropped.
pub struct Mark {
    path: PathBuf,
    file: File,
}

/// The row that a run was at when the program ended without saying so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fallen {
    /// Its name.
    pub row: String,
    /// The trials that it had when it was begun.
    trials: usize,
    /// How often it was begun with as many, this time included.
    times: u32,
    /// What the fault handler wrote of the signal that ended the program; `None` of one that nobody can handle.
    #[serde(skip)]
    signal: Option<String>,
}

impl Mark {
    /// Marks that a row of a run is begun with so many trials. `fallen` is what was left of the run.
    ///
    /// # Errors
    /// A folder that takes no file.
    pub fn set(database: &Path, run: &str, row: &str, trials: usize, fallen: Option<&Fallen>) -> io::Result<Self> {
        let before =
            fallen.filter(|fallen| fallen.row == row && fallen.trials == trials).map_or(0, |fallen| fallen.times);
        let fallen = Fallen { row: row.to_owned(), trials, times: before + 1, signal: None };
        let path = place(database, run);
        let mut file = File::create(&path)?;
        writeln!(file, "{}", serde_json::to_string(&fallen)?)?;
        Ok(Self { path, file })
    }

    /// For a fault handler to write the name of the signal into.
    pub fn file(&self) -> &File {
        &self.file
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        // It is no harm where it stays: the row is begun once more than it was.
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Fallen {
    /// Takes what is left of a run; `None` where it ended well, or was stopped by its user.
    pub fn take(database: &Path, run: &str) -> Option<Self> {
        let path = place(database, run);
        let mut text = String::new();
        File::open(&path).ok()?.take(LARGEST).read_to_string(&mut text).ok()?;
        std::fs::remove_file(path).ok()?;
        let (mark, signal) = text.split_once('\n')?;
        let signal = Some(signal.trim().to_owned()).filter(|signal| !signal.is_empty());
        Some(Self { signal, ..serde_json::from_str(mark).ok()? })
    }

    /// Why its row is not begun again, now that it has so many trials; `None` if it may be.
    pub fn fault(&self, trials: usize) -> Option<String> {
        match &self.signal {
            Some(signal) => Some(format!("the program was ended by {signal} while this row ran")),
            None if self.times >= MOST_TIMES && self.trials == trials => Some(format!(
                "the program was killed {} times while this row ran, each time after {trials} trials: a system that has no \
                 more memory does that",
                self.times
            )),
            None => None,
        }
    }
}

fn place(database: &Path, run: &str) -> PathBuf {
    database.with_file_name(format!("{run}.running"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_may_vanish_once_at_a_place_and_never_by_a_fault() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("bench.db");
        let fallen = || Fallen::take(&database, "run");
        // What is left of a mark when the program is killed.
        let killed = |trials, before: Option<&Fallen>, signal: &str| {
            let mark = Mark::set(&database, "run", "row", trials, before).unwrap();
            mark.file().write_all(signal.as_bytes()).unwrap();
            let left = std::fs::read(&mark.path).unwrap();
            let path = mark.path.clone();
            drop(mark);
            std::fs::write(path, left).unwrap();
        };
        assert_eq!(fallen(), None);
        drop(Mark::set(&database, "run", "row", 0, None).unwrap());
        assert_eq!(fallen(), None, "it ended well");

        killed(3, None, "");
        let once = fallen().unwrap();
        assert_eq!((once.row.as_str(), once.fault(3), once.fault(9)), ("row", None, None));
        killed(9, Some(&once), "");
        let further = fallen().unwrap();
        assert_eq!(further.fault(9), None, "it came further meanwhile");
        killed(9, Some(&further), "");
        let twice = fallen().unwrap();
        assert!(twice.fault(9).unwrap().contains("killed 2 times while this row ran, each time after 9 trials"));
        assert_eq!(twice.fault(10), None);

        killed(0, None, "SIGABRT\n");
        assert_eq!(fallen().unwrap().fault(7).unwrap(), "the program was ended by SIGABRT while this row ran");
        std::fs::write(folder.path().join("run.running"), "damaged").unwrap();
        assert_eq!(fallen(), None);
    }
}
