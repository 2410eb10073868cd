//! Step two: from the list of files to those that a checkpoint needs.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;

use super::select::{self, CONFIG, Weights};
use super::snapshot::{RemoteFile, Snapshot};
use super::{Hub, HubError};
use crate::plain_file;

impl Hub {
    /// The files that a checkpoint needs: its configuration, its tokenizer and its weights as the index names them, or
    /// the GGUF file that the candidate chose with all its parts, in their order. Downloads the index, if there is one, to
    /// read it.
    pub fn wanted(
        &self,
        snapshot: &Snapshot,
        gguf: Option<&str>,
        cancel: &AtomicBool,
    ) -> Result<Vec<RemoteFile>, HubError> {
        if let Some(file) = gguf {
            return chosen(snapshot, file);
        }
        let has = |path: &str| snapshot.file(path).is_some();
        let mut paths: BTreeSet<String> = select::beside(has).map(str::to_owned).collect();
        let all: Vec<&str> = snapshot.files.iter().map(|file| file.path.as_str()).collect();
        match select::weights(&all) {
            Some(Weights::One(file)) => {
                paths.insert(file.to_owned());
            }
            Some(Weights::Indexed { index, suffix }) => {
                let text = self.read_index(snapshot, index, cancel)?;
                paths.extend(select::shards(index, suffix, &text)?);
                paths.insert(index.to_owned());
            }
            Some(Weights::Several(files)) => paths.extend(files),
            None if snapshot.from_cache => return Err(snapshot.not_cached(vec!["model.safetensors".to_owned()])),
            None => {
                let (repository, revision) = (snapshot.repository.clone(), snapshot.revision.clone());
                return Err(HubError::NoWeights { repository, revision, gguf: snapshot.gguf() });
            }
        }
        paths.insert(CONFIG.to_owned());
        // The weights last: what is wrong with a configuration should show before they are here, and where they are
        // whole, so is all that stands before them.
        let mut files = paths.iter().map(|path| pick(snapshot, path, Vec::new)).collect::<Result<Vec<_>, _>>()?;
        files.sort_by_key(|file| select::is_weights(&file.path));
        Ok(files)
    }

    fn read_index(&self, snapshot: &Snapshot, index: &str, cancel: &AtomicBool) -> Result<Vec<u8>, HubError> {
        const LARGEST: u64 = 64 << 20;
        let file = pick(snapshot, index, Vec::new)?;
        if file.size > LARGEST {
            let reason = format!("it is larger than {} MiB", LARGEST >> 20);
            return Err(HubError::BadIndex { file: index.to_owned(), reason });
        }
        let folder = self.folder(&snapshot.repository);
        if !snapshot.from_cache {
            self.bring(snapshot, std::slice::from_ref(&file), cancel)?;
        }
        let path = folder.snapshot(&snapshot.commit).join(index);
        plain_file::read(&path, LARGEST).map_err(|source| HubError::io("read the index", &path, source))
    }
}

/// The GGUF file that a candidate chose: one file, or all parts of one that is split.
fn chosen(snapshot: &Snapshot, word: &str) -> Result<Vec<RemoteFile>, HubError> {
    let similar = || snapshot.gguf();
    let files = select::gguf_files(snapshot.files.iter().map(|file| file.path.as_str()), word);
    match files.as_slice() {
        [] => Ok(vec![pick(snapshot, word, similar)?]),
        [parts] => parts.iter().map(|part| pick(snapshot, part, similar)).collect(),
        several => Err(HubError::ManyFiles {
            repository: snapshot.repository.clone(),
            word: word.to_owned(),
            files: several.iter().filter_map(|parts| parts.first().cloned()).collect(),
        }),
    }
}

/// A file of the snapshot, or what its absence means.
fn pick(snapshot: &Snapshot, path: &str, similar: impl FnOnce() -> Vec<String>) -> Result<RemoteFile, HubError> {
    if let Some(file) = snapshot.file(path) {
        return Ok(file.clone());
    }
    if snapshot.from_cache {
        return Err(snapshot.not_cached(vec![path.to_owned()]));
    }
    let (repository, revision) = (snapshot.repository.clone(), snapshot.revision.clone());
    Err(HubError::FileNotFound { repository, revision, file: path.to_owned(), similar: similar() })
}
