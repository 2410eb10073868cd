//! The cache's layout on disk, which the Python library and every other tool of Hugging Face share:
//!
//! ```text
//! models--Qwen--Qwen2.5-7B-Instruct/
//!   blobs/<hash>                      the bytes, named by SHA-256 (large files) or git hash; `.incomplete` until whole
//!   refs/main                         the commit that a branch or tag stood at
//!   snapshots/<commit>/config.json -> ../../blobs/<hash>
//! .locks/models--Qwen--Qwen2.5-7B-Instruct/<hash>.lock
//! ```
//!
//! <https://huggingface.co/docs/huggingface_hub/guides/manage-cache>

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use hf_hub::{Cache, CacheRepo, Repo, RepoType};

use super::error::HubError;
use super::names::{check_path, is_blob_name, is_commit};

/// The folder of one repository in the cache.
pub(super) struct RepoFolder {
    repo: CacheRepo,
    root: PathBuf,
    locks: PathBuf,
}

/// A file of a cached snapshot.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct CachedFile {
    pub path: String,
    pub size: u64,
    /// The name of its blob; `None` for a file that was copied in.
    pub blob: Option<String>,
}

impl RepoFolder {
    pub(super) fn new(cache: &Path, repository: &str) -> Self {
        let repo = Repo::new(repository.to_owned(), RepoType::Model);
        let name = repo.folder_name();
        let (root, locks) = (cache.join(&name), cache.join(".locks").join(name));
        RepoFolder { repo: Cache::new(cache.to_owned()).repo(repo), root, locks }
    }

    pub(super) fn snapshot(&self, commit: &str) -> PathBuf {
        self.repo.pointer_path(commit)
    }

    pub(super) fn blob(&self, hash: &str) -> PathBuf {
        self.root.join("blobs").join(hash)
    }

    /// The blob while it is being downloaded.
    pub(super) fn part(&self, hash: &str) -> PathBuf {
        self.blob(&format!("{hash}.incomplete"))
    }

    /// The file to lock while writing the blob; the Python library locks the same one.
    pub(super) fn lock(&self, hash: &str) -> PathBuf {
        self.locks.join(format!("{hash}.lock"))
    }

    /// The commit that a revision stood at when it was last downloaded.
    pub(super) fn commit(&self, revision: &str) -> Option<String> {
        if is_commit(revision) {
            return Some(revision.to_owned());
        }
        let commit = fs::read_to_string(self.root.join("refs").join(revision)).ok()?;
        Some(commit.trim().to_owned()).filter(|commit| is_commit(commit))
    }

    /// Notes the commit that a revision stands at, in one step, so that no reader finds half of it.
    pub(super) fn write_ref(&self, revision: &str, commit: &str) -> Result<(), HubError> {
        if revision == commit || self.commit(revision).as_deref() == Some(commit) {
            return Ok(());
        }
        let file = self.root.join("refs").join(revision);
        let new = beside(&file);
        create_parent(&file)?;
        fs::write(&new, commit)
            .and_then(|()| fs::rename(&new, &file))
            .map_err(|source| HubError::io("write the reference", &file, source))
    }

    /// Whether the snapshot has a file with this content: the right size and, where it is a link, the right blob.
    pub(super) fn has(&self, commit: &str, path: &str, blob: Option<&str>, size: u64) -> bool {
        let pointer = self.snapshot(commit).join(path);
        let right_size = fs::metadata(&pointer).is_ok_and(|metadata| metadata.is_file() && metadata.len() == size);
        right_size && (blob.is_none() || blob_of(&pointer).is_none_or(|linked| Some(linked.as_str()) == blob))
    }

    /// Makes a file of the snapshot point to its blob.
    pub(super) fn link(&self, commit: &str, path: &str, hash: &str) -> Result<(), HubError> {
        let pointer = self.snapshot(commit).join(path);
        let up = "../".repeat(2 + path.matches('/').count());
        let target = PathBuf::from(format!("{up}blobs/{hash}"));
        if fs::read_link(&pointer).is_ok_and(|linked| linked == target) {
            return Ok(());
        }
        create_parent(&pointer)?;
        let new = beside(&pointer);
        symlink(&target, &new)
            .or_else(|_| fs::hard_link(self.blob(hash), &new))
            .and_then(|()| fs::rename(&new, &pointer))
            .map_err(|source| HubError::io("link the file", &pointer, source))
    }

    /// All files of a cached snapshot, by path; `None` if there is no such snapshot. Links that lead nowhere and names
    /// that no repository can have are left out.
    pub(super) fn list(&self, commit: &str) -> Option<Vec<CachedFile>> {
        let mut files = Vec::new();
        collect(&self.snapshot(commit), "", 0, &mut files).ok()?;
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Some(files)
    }
}

fn collect(folder: &Path, prefix: &str, depth: usize, files: &mut Vec<CachedFile>) -> io::Result<()> {
    const DEEPEST: usize = 16;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let (path, at) = (format!("{prefix}{name}"), entry.path());
        if entry.file_type()?.is_dir() {
            if depth < DEEPEST {
                collect(&at, &format!("{path}/"), depth + 1, files)?;
            }
        } else if let Ok(metadata) = fs::metadata(&at)
            && metadata.is_file()
            && check_path(&path).is_ok()
        {
            files.push(CachedFile { path, size: metadata.len(), blob: blob_of(&at) });
        }
    }
    Ok(())
}

fn blob_of(pointer: &Path) -> Option<String> {
    let target = fs::read_link(pointer).ok()?;
    target.file_name()?.to_str().filter(|name| is_blob_name(name)).map(str::to_owned)
}

/// Makes the folder that a file stands in.
pub(super) fn create_parent(file: &Path) -> Result<(), HubError> {
    let Some(parent) = file.parent() else { return Ok(()) };
    fs::create_dir_all(parent).map_err(|source| HubError::io("make the folder", parent, source))
}

/// A name for a new version of a file until it is put in place, unlike that of any other thread or process.
fn beside(file: &Path) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let new = file.with_file_name(format!(".{}-{count}.new", std::process::id()));
    // Left behind by a process of the same number that was killed.
    let _ = fs::remove_file(&new);
    new
}

#[cfg(unix)]
fn symlink(target: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

#[cfg(not(unix))]
fn symlink(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
