//! Baselines: where they are, and which one is meant.

use std::path::{Path, PathBuf};

use crate::compare::{Baseline, Digest, difference};
use crate::error::Error;
use crate::plain_file;
use crate::record::Environment;
use crate::store::{self, Store};
use crate::telemetry::environment;

/// Most bytes of a baseline: a run of 100,000 trials takes some tens of millions.
const LARGEST: u64 = 1 << 30;

/// The folder beside the results in which baselines are kept.
pub(super) fn folder(results: &Path) -> PathBuf {
    results.join("baselines")
}

/// The baseline that a word means: a file of that name, or a stored run.
///
/// # Errors
/// A file that is none, or no such run.
pub(super) fn named(word: &str, results: &Path) -> Result<Baseline, Error> {
    let path = Path::new(word);
    if path.is_file() {
        return read(path);
    }
    if word.ends_with(".json") {
        let hint = "`bench baseline list` shows those that there are; `bench baseline save` makes one".to_owned();
        return Err(Error::usage(format!("there is no baseline `{word}`"), hint));
    }
    let run = Store::open_to_read(store::database(results))?.load_run(word)?;
    Ok(Baseline { digest: Digest::of(&run), noise: None })
}

/// The one baseline of the folder that was made where this program runs.
///
/// # Errors
/// None of it, or more than one.
pub(super) fn only(results: &Path, allowed: &[String]) -> Result<(PathBuf, Baseline), Error> {
    one_of(results, |baseline| is_of(baseline, &here(baseline), allowed))
}

/// Whether a baseline was made where this program runs; on how many threads of which device, it says itself.
pub(super) fn is_of_here(baseline: &Baseline) -> bool {
    is_of(baseline, &here(baseline), &[])
}

/// The environment of here, as a run like the baseline's would have it.
fn here(baseline: &Baseline) -> Environment {
    let then = &baseline.digest.environment;
    environment::detect(&then.device, then.threads)
}

/// Whether a baseline was made in an environment, but for the fields `allowed`.
fn is_of(baseline: &Baseline, environment: &Environment, allowed: &[String]) -> bool {
    let differences = difference::environments(&baseline.digest.environment, environment);
    differences.iter().all(|difference| allowed.contains(&difference.what))
}

/// The one baseline of the folder that was made in this environment.
///
/// # Errors
/// None of it, or more than one.
pub(super) fn of_environment(
    environment: &Environment,
    results: &Path,
    allowed: &[String],
) -> Result<(PathBuf, Baseline), Error> {
    one_of(results, |baseline| is_of(baseline, environment, allowed))
}

fn one_of(results: &Path, wanted: impl Fn(&Baseline) -> bool) -> Result<(PathBuf, Baseline), Error> {
    let mut found = all(results)?;
    found.retain(|(_, baseline)| wanted(baseline));
    let folder = folder(results);
    match found.len() {
        0 => Err(Error::usage(
            format!("`{}` has no baseline of this machine and build", folder.display()),
            "make one of a run: bench baseline save; or name a file or a run with --baseline".to_owned(),
        )),
        1 => Ok(found.swap_remove(0)),
        _ => {
            let names: Vec<String> = found.iter().map(|(path, _)| path.display().to_string()).collect();
            Err(Error::usage(
                "there are several baselines of this machine and build",
                format!("name one with --baseline: {}", names.join(", ")),
            ))
        }
    }
}

/// All baselines of the folder, by file name. No folder holds none.
///
/// # Errors
/// A file that cannot be read or is no baseline.
pub(super) fn all(results: &Path) -> Result<Vec<(PathBuf, Baseline)>, Error> {
    let folder = folder(results);
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(Error::ReadText { path: folder, source }),
    };
    let paths: Result<Vec<PathBuf>, std::io::Error> = entries.map(|entry| Ok(entry?.path())).collect();
    let mut paths = paths.map_err(|source| Error::ReadText { path: folder, source })?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    paths.into_iter().map(|path| read(&path).map(|baseline| (path, baseline))).collect()
}

/// Reads a baseline's file.
///
/// # Errors
/// A file that cannot be read or is no baseline.
pub(super) fn read(path: &Path) -> Result<Baseline, Error> {
    let text = plain_file::read_text(path, LARGEST).map_err(|source| Error::ReadText { path: path.into(), source })?;
    Baseline::from_text(&text).map_err(|source| Error::Baseline { path: path.into(), source })
}
