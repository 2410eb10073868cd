//! A snapshot: the files of a repository at one commit, as the Hub lists them or as they lie in the cache.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::error::{HubError, shown};
use super::layout::CachedFile;
use super::names::{check_path, is_blob_name};
use crate::catalog::PartName;

/// A repository at a commit, with the files that it has there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    pub repository: String,
    /// As it was asked for: a branch, a tag or a commit.
    pub revision: String,
    /// The commit that the revision stands at.
    pub commit: String,
    /// Ordered by path.
    pub files: Vec<RemoteFile>,
    /// Listed from the cache: there may be more files, and what is not listed cannot be fetched.
    pub from_cache: bool,
}

/// A file of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteFile {
    pub path: String,
    pub size: u64,
    /// The name of its blob in the cache: the SHA-256 of a large file, the git hash of a small one. `None` only for a
    /// cached file that is no link.
    pub hash: Option<String>,
    /// Stated for large files (LFS) only.
    pub sha256: Option<String>,
}

/// A snapshot's wanted files on this machine, all of them whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalSnapshot {
    pub repository: String,
    pub revision: String,
    pub commit: String,
    /// The folder of the snapshot in the cache: a directory in Hugging Face layout.
    pub folder: PathBuf,
    pub files: Vec<LocalFile>,
}

/// A file on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalFile {
    /// Within the repository.
    pub path: String,
    /// Where it is.
    pub location: PathBuf,
    pub size: u64,
    pub sha256: Option<String>,
}

impl Snapshot {
    pub fn file(&self, path: &str) -> Option<&RemoteFile> {
        self.files.iter().find(|file| file.path == path)
    }

    /// The names of its GGUF files, one of which a candidate may choose: of a split one the first part's.
    pub fn gguf(&self) -> Vec<String> {
        let is_first = |path: &str| PartName::parse(path).is_none_or(|part| part.number == 1);
        let paths = self.files.iter().map(|file| &file.path);
        paths.filter(|path| path.ends_with(".gguf") && is_first(path)).cloned().collect()
    }

    pub(super) fn not_cached(&self, missing: Vec<String>) -> HubError {
        HubError::NotCached { repository: self.repository.clone(), revision: self.revision.clone(), missing }
    }
}

impl LocalSnapshot {
    /// Where a file of it is.
    pub fn file(&self, path: &str) -> Option<&Path> {
        self.files.iter().find(|file| file.path == path).map(|file| file.location.as_path())
    }

    pub fn bytes(&self) -> u64 {
        self.files.iter().fold(0, |sum, file| sum.saturating_add(file.size))
    }
}

impl From<CachedFile> for RemoteFile {
    fn from(file: CachedFile) -> Self {
        let sha256 = file.blob.clone().filter(|name| name.len() == 64);
        RemoteFile { path: file.path, size: file.size, hash: file.blob, sha256 }
    }
}

/// An answer of `/api/models/{repository}/revision/{revision}`.
#[derive(Deserialize)]
pub(super) struct RevisionAnswer {
    pub sha: String,
}

/// An entry of `/api/models/{repository}/tree/{commit}`.
#[derive(Deserialize)]
pub(super) struct TreeEntry {
    #[serde(rename = "type")]
    kind: String,
    path: String,
    #[serde(default)]
    size: u64,
    #[serde(default)]
    oid: String,
    lfs: Option<Lfs>,
}

#[derive(Deserialize)]
struct Lfs {
    oid: String,
    size: u64,
}

/// The files of a tree, gathered page by page. Nothing in it is trusted: names and hashes become paths.
#[derive(Default)]
pub(super) struct Tree(BTreeMap<String, RemoteFile>);

impl Tree {
    pub(super) fn add(&mut self, entries: Vec<TreeEntry>, host: &str) -> Result<(), HubError> {
        for entry in entries {
            check_path(&entry.path)?;
            if entry.kind != "file" {
                continue;
            }
            let (hash, size, large) = match entry.lfs {
                Some(lfs) => (lfs.oid, lfs.size, true),
                None => (entry.oid, entry.size, false),
            };
            if !is_blob_name(&hash) || large != (hash.len() == 64) {
                let reason = format!("`{}` has the hash `{}`", shown(&entry.path), shown(&hash));
                return Err(HubError::BadResponse { host: host.to_owned(), reason });
            }
            let sha256 = large.then(|| hash.clone());
            let path = entry.path.clone();
            self.0.insert(path, RemoteFile { path: entry.path, size, hash: Some(hash), sha256 });
        }
        Ok(())
    }

    pub(super) fn files(self) -> Vec<RemoteFile> {
        self.0.into_values().collect()
    }
}
