//! Step three: from the wanted files to whole files on this machine.

use std::collections::HashSet;
use std::sync::atomic::AtomicBool;

use super::download::{Blob, Downloader};
use super::layout::RepoFolder;
use super::progress::{FetchProgress, NoProgress};
use super::snapshot::{LocalFile, LocalSnapshot, RemoteFile, Snapshot};
use super::{Hub, HubError};

impl Hub {
    /// How many bytes of these files have to be downloaded.
    pub fn missing_bytes(&self, snapshot: &Snapshot, files: &[RemoteFile]) -> u64 {
        let folder = self.folder(&snapshot.repository);
        total(&missing(&folder, &snapshot.commit, files), &folder)
    }

    /// Downloads what is missing of these files, one after another, and notes the revision once all are there.
    pub fn fetch(
        &self,
        snapshot: &Snapshot,
        files: &[RemoteFile],
        progress: &mut dyn FetchProgress,
        cancel: &AtomicBool,
    ) -> Result<LocalSnapshot, HubError> {
        if snapshot.from_cache || self.settings.offline {
            return self.locate(snapshot, files);
        }
        let folder = self.folder(&snapshot.repository);
        let blobs = missing(&folder, &snapshot.commit, files);
        let needed = total(&blobs, &folder);
        let cache = &self.settings.cache;
        if needed > 0
            && let Some(free) = (self.free_bytes)(cache).filter(|free| *free < needed)
        {
            return Err(HubError::DiskFull { needed, free: Some(free), folder: cache.clone() });
        }
        if !blobs.is_empty() {
            progress.begin(needed, blobs.len());
            let downloaded = self.download_all(snapshot, &folder, &blobs, progress, cancel);
            progress.end();
            downloaded?;
        }
        link(&folder, &snapshot.commit, files)?;
        let local = self.locate(snapshot, files)?;
        folder.write_ref(&snapshot.revision, &snapshot.commit)?;
        Ok(local)
    }

    /// Downloads a few small files without telling anybody.
    pub(super) fn bring(&self, snapshot: &Snapshot, files: &[RemoteFile], cancel: &AtomicBool) -> Result<(), HubError> {
        let folder = self.folder(&snapshot.repository);
        let blobs = missing(&folder, &snapshot.commit, files);
        self.download_all(snapshot, &folder, &blobs, &mut NoProgress, cancel)?;
        link(&folder, &snapshot.commit, files)
    }

    fn download_all(
        &self,
        snapshot: &Snapshot,
        folder: &RepoFolder,
        blobs: &[Blob],
        progress: &mut dyn FetchProgress,
        cancel: &AtomicBool,
    ) -> Result<(), HubError> {
        let downloader = Downloader {
            client: &self.client,
            folder,
            repository: &snapshot.repository,
            commit: &snapshot.commit,
            patience: &self.settings.patience,
            sleep: &self.sleep,
            cancel,
        };
        for blob in blobs {
            progress.file(blob.path, blob.size);
            downloader.download(blob, progress)?;
        }
        Ok(())
    }

    /// The files on this machine, or which of them are not there.
    pub(super) fn locate(&self, snapshot: &Snapshot, files: &[RemoteFile]) -> Result<LocalSnapshot, HubError> {
        let folder = self.folder(&snapshot.repository);
        let commit = &snapshot.commit;
        let absent = files.iter().filter(|file| !folder.has(commit, &file.path, file.hash.as_deref(), file.size));
        let absent: Vec<String> = absent.map(|file| file.path.clone()).collect();
        if !absent.is_empty() {
            return Err(snapshot.not_cached(absent));
        }
        let root = folder.snapshot(commit);
        let local = |file: &RemoteFile| LocalFile {
            path: file.path.clone(),
            location: root.join(&file.path),
            size: file.size,
            sha256: file.sha256.clone(),
        };
        Ok(LocalSnapshot {
            repository: snapshot.repository.clone(),
            revision: snapshot.revision.clone(),
            commit: commit.clone(),
            files: files.iter().map(local).collect(),
            folder: root,
        })
    }
}

/// The blobs that have to be downloaded for these files, each once.
fn missing<'a>(folder: &RepoFolder, commit: &str, files: &'a [RemoteFile]) -> Vec<Blob<'a>> {
    let mut seen = HashSet::new();
    let blob = |file: &'a RemoteFile| {
        let hash = file.hash.as_deref().filter(|hash| seen.insert(*hash))?;
        let blob = Blob { path: &file.path, size: file.size, hash, sha256: file.sha256.as_deref() };
        let there = folder.has(commit, &file.path, Some(hash), file.size);
        (!there && !blob.is_whole(folder)).then_some(blob)
    };
    files.iter().filter_map(blob).collect()
}

/// How many bytes have to be downloaded.
fn total(blobs: &[Blob], folder: &RepoFolder) -> u64 {
    blobs.iter().fold(0, |sum, blob| sum.saturating_add(blob.missing(folder)))
}

/// Gives the files their places in the snapshot.
fn link(folder: &RepoFolder, commit: &str, files: &[RemoteFile]) -> Result<(), HubError> {
    for file in files {
        if let Some(hash) = &file.hash
            && !folder.has(commit, &file.path, Some(hash), file.size)
        {
            folder.link(commit, &file.path, hash)?;
        }
    }
    Ok(())
}
