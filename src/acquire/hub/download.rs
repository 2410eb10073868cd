//! The download of one blob: resumed, hashed as it streams, checked before it gets its name.
//!
//! A blob is named by its content's hash, and so is its part: a part can only be a beginning of that very content, and
//! what a server glues to it wrongly shows in the hash. Large files state a SHA-256, the others the hash of their git
//! blob.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::attempts::{Attempts, Fault, Sleep, check};
use super::client::{Client, Subject, cut};
use super::error::HubError;
use super::layout::{RepoFolder, create_parent};
use super::progress::FetchProgress;
use super::settings::Patience;
use crate::clock::{Clock, SystemClock};

const CHUNK: usize = 128 << 10;

/// What is to be downloaded, and how it is known when it is there.
pub(super) struct Blob<'a> {
    pub path: &'a str,
    pub size: u64,
    /// The blob's name.
    pub hash: &'a str,
    /// Stated for large files; the name of any other is its git hash.
    pub sha256: Option<&'a str>,
}

impl Blob<'_> {
    /// Whether it is in the cache.
    pub(super) fn is_whole(&self, folder: &RepoFolder) -> bool {
        fs::metadata(folder.blob(self.hash)).is_ok_and(|metadata| metadata.len() == self.size)
    }

    /// How many bytes have to be downloaded.
    pub(super) fn missing(&self, folder: &RepoFolder) -> u64 {
        let part = fs::metadata(folder.part(self.hash)).map_or(0, |metadata| metadata.len());
        match self.size.checked_sub(part) {
            _ if self.is_whole(folder) => 0,
            Some(rest) => rest,
            None => self.size,
        }
    }
}

/// Who is asked, how patiently, and who is told.
pub(super) struct Downloader<'a> {
    pub client: &'a Client,
    pub folder: &'a RepoFolder,
    pub repository: &'a str,
    pub commit: &'a str,
    pub patience: &'a Patience,
    pub sleep: &'a Sleep,
    pub cancel: &'a AtomicBool,
}

impl Downloader<'_> {
    /// Brings a blob into the cache.
    pub(super) fn download(&self, blob: &Blob, progress: &mut dyn FetchProgress) -> Result<(), HubError> {
        let (whole, part_path) = (self.folder.blob(blob.hash), self.folder.part(blob.hash));
        let expected = blob.missing(self.folder);
        let _lock = self.lock(blob, progress)?;
        if blob.is_whole(self.folder) {
            // Another process brought it while this one waited for the lock.
            progress.advance(expected);
            return Ok(());
        }
        let mut part = Part::open(part_path, blob, self.cancel)?;
        self.fill(&mut part, blob, progress)?;
        part.finish(blob, whole)
    }

    /// Holds the blob's lock file, waiting for another process that is downloading the same blob.
    fn lock(&self, blob: &Blob, progress: &mut dyn FetchProgress) -> Result<File, HubError> {
        const ASK_AGAIN: Duration = Duration::from_millis(200);
        let path = self.folder.lock(blob.hash);
        let failed = |source| HubError::io("lock", &path, source);
        create_parent(&path)?;
        let file = File::options().create(true).append(true).open(&path).map_err(failed)?;
        let mut told = false;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) => {
                    if !told {
                        progress.waiting(blob.path);
                        told = true;
                    }
                    check(self.cancel)?;
                    (self.sleep)(ASK_AGAIN, self.cancel);
                }
                Err(TryLockError::Error(source)) => return Err(failed(source)),
            }
        }
    }

    fn fill(&self, part: &mut Part, blob: &Blob, progress: &mut dyn FetchProgress) -> Result<(), HubError> {
        let doing = format!("download `{}`", blob.path);
        let mut attempts = Attempts::new(doing, self.patience, self.sleep, self.cancel).once_reached();
        attempts.reached_byte(part.length);
        let mut refused_range = false;
        while part.length < blob.size {
            check(self.cancel)?;
            match self.stream(part, blob, &mut refused_range, progress) {
                Ok(()) => {}
                Err(fault) => {
                    attempts.reached_byte(part.length);
                    attempts.after(fault)?;
                }
            }
        }
        Ok(())
    }

    /// One request: from where the part ends to where the file, or the connection, ends.
    fn stream(
        &self,
        part: &mut Part,
        blob: &Blob,
        refused_range: &mut bool,
        progress: &mut dyn FetchProgress,
    ) -> Result<(), Fault> {
        let address = self.client.file_address(self.repository, self.commit, blob.path);
        let subject = Subject { repository: self.repository, revision: self.commit, file: Some(blob.path) };
        let from = Some(part.length).filter(|length| *length > 0);
        let mut answer = self.client.get(&address, from.map(|from| (from, None)), &subject, self.cancel)?;

        if let Some(stated) = &answer.stated_hash
            && stated.len() == blob.hash.len()
            && stated != blob.hash
        {
            return Err(Fault::Lasting(blob.wrong_hash(stated)));
        }
        match (answer.response.status().as_u16(), from) {
            (206, Some(from)) => match answer.content_range() {
                Some((first, total)) if first == from => {
                    if let Some(total) = total.filter(|total| *total != blob.size) {
                        return Err(Fault::Lasting(blob.wrong_size(total)));
                    }
                }
                _ => return Err(Fault::Lasting(answer.bad("it sent another part of the file than asked for"))),
            },
            (200, _) => {
                if let Some(length) = answer.response.body().content_length().filter(|length| *length != blob.size) {
                    return Err(Fault::Lasting(blob.wrong_size(length)));
                }
                // A server that knows no ranges sends the file from its beginning.
                part.restart(blob, progress)?;
            }
            (416, Some(_)) if !*refused_range => {
                *refused_range = true;
                part.restart(blob, progress)?;
                return Ok(());
            }
            (status, _) => {
                return Err(Fault::Lasting(answer.bad(format!("HTTP status {status} where none such is due"))));
            }
        }

        let uri = answer.uri.clone();
        let mut reader = answer.response.body_mut().as_reader();
        let mut chunk = vec![0; CHUNK];
        let mut floor = Floor::new(self.patience);
        loop {
            check(self.cancel)?;
            if floor.is_missed() {
                let Patience { floor_bytes: bytes, floor, .. } = *self.patience;
                let (host, seconds) = (answer.host(), floor.as_secs());
                return Err(Fault::Passing { error: HubError::TooSlow { host, bytes, seconds }, wait: None });
            }
            let read = match reader.read(&mut chunk) {
                Ok(0) if part.length < blob.size => {
                    return Err(cut(&uri, io::Error::from(io::ErrorKind::UnexpectedEof)));
                }
                Ok(0) => return Ok(()),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // All bytes are there; how the connection ended does not matter.
                Err(_) if part.length == blob.size => return Ok(()),
                Err(error) => return Err(cut(&uri, error)),
            };
            let length = part.length.saturating_add(read as u64);
            if length > blob.size {
                part.discard();
                return Err(Fault::Lasting(blob.wrong_size(length)));
            }
            part.append(&chunk[..read], blob.size)?;
            floor.received(read as u64);
            progress.advance(read as u64);
        }
    }
}

/// The slowest that a download may be.
struct Floor<'p> {
    patience: &'p Patience,
    clock: SystemClock,
    /// When the stretch at hand began, and what came in it.
    since: Duration,
    bytes: u64,
}

impl<'p> Floor<'p> {
    fn new(patience: &'p Patience) -> Self {
        let clock = SystemClock::new();
        Self { patience, since: clock.now(), clock, bytes: 0 }
    }

    fn received(&mut self, bytes: u64) {
        self.bytes += bytes;
    }

    /// Whether a stretch has ended in which too little came.
    fn is_missed(&mut self) -> bool {
        let now = self.clock.now();
        if now - self.since < self.patience.floor {
            return false;
        }
        self.since = now;
        std::mem::take(&mut self.bytes) < self.patience.floor_bytes
    }
}

impl Blob<'_> {
    /// What the content must hash to.
    fn expected_hash(&self) -> &str {
        self.sha256.unwrap_or(self.hash)
    }

    fn hasher(&self) -> ContentHash {
        match self.sha256 {
            Some(_) => ContentHash::Sha256(Sha256::new()),
            None => ContentHash::git_blob(self.size),
        }
    }

    fn wrong_size(&self, got: u64) -> HubError {
        HubError::WrongSize { file: self.path.to_owned(), expected: self.size, got }
    }

    fn wrong_hash(&self, got: &str) -> HubError {
        HubError::WrongHash {
            file: self.path.to_owned(),
            expected: self.expected_hash().to_owned(),
            got: got.to_owned(),
        }
    }
}

/// The hash of a file's content, as the Hub states it.
#[derive(Clone)]
enum ContentHash {
    /// Of files in large-file storage.
    Sha256(Sha256),
    /// Of all others: git's name of the blob, SHA-1 over `blob SIZE\0` and the content. It guards against damage and
    /// error bodies, not against a forger; who controls the endpoint controls the listing too.
    GitBlob(Sha1),
}

impl ContentHash {
    fn git_blob(size: u64) -> Self {
        Self::GitBlob(Sha1::new_with_prefix(format!("blob {size}\0")))
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hash) => hash.update(bytes),
            Self::GitBlob(hash) => hash.update(bytes),
        }
    }

    fn hex(self) -> String {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        match self {
            Self::Sha256(hash) => hex(&hash.finalize()),
            Self::GitBlob(hash) => hex(&hash.finalize()),
        }
    }
}

/// A blob while it is incomplete: the file, how long it is, and the hash of that much.
struct Part {
    path: PathBuf,
    file: File,
    length: u64,
    hash: ContentHash,
}

impl Part {
    /// Opens what an earlier attempt left, or an empty file.
    fn open(path: PathBuf, blob: &Blob, cancel: &AtomicBool) -> Result<Self, HubError> {
        create_parent(&path)?;
        let failed = |source| HubError::io("open the incomplete download", &path, source);
        let mut file =
            File::options().read(true).write(true).create(true).truncate(false).open(&path).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        let mut hash = blob.hasher();
        if length > blob.size {
            file.set_len(0).map_err(failed)?;
            return Ok(Part { path, file, length: 0, hash });
        }
        let (mut chunk, mut hashed) = (vec![0; CHUNK], 0);
        loop {
            check(cancel)?;
            match file.read(&mut chunk).map_err(failed)? {
                0 => return Ok(Part { path, file, length: hashed, hash }),
                read => {
                    hash.update(&chunk[..read]);
                    hashed += read as u64;
                }
            }
        }
    }

    fn append(&mut self, bytes: &[u8], size: u64) -> Result<(), HubError> {
        self.file.write_all(bytes).map_err(|source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                let folder = self.path.parent().unwrap_or(&self.path).to_owned();
                HubError::DiskFull { needed: size.saturating_sub(self.length), free: None, folder }
            }
            _ => HubError::io("write", &self.path, source),
        })?;
        self.hash.update(bytes);
        self.length += bytes.len() as u64;
        Ok(())
    }

    fn restart(&mut self, blob: &Blob, progress: &mut dyn FetchProgress) -> Result<(), HubError> {
        if self.length > 0 {
            progress.restart(self.length);
        }
        self.file
            .set_len(0)
            .and_then(|()| self.file.seek(SeekFrom::Start(0)))
            .map_err(|source| HubError::io("empty", &self.path, source))?;
        (self.length, self.hash) = (0, blob.hasher());
        Ok(())
    }

    /// Removes it, so that the next run begins anew. If that fails, the hash will stop it again.
    fn discard(&self) {
        let _ = fs::remove_file(&self.path);
    }

    /// Gives the blob its name, if it is what it was to be.
    fn finish(self, blob: &Blob, whole: PathBuf) -> Result<(), HubError> {
        let got = self.hash.clone().hex();
        if got != blob.expected_hash() {
            self.discard();
            return Err(blob.wrong_hash(&got));
        }
        self.file
            .sync_all()
            .and_then(|()| fs::rename(&self.path, &whole))
            .map_err(|source| HubError::io("put in place", &whole, source))
    }
}
