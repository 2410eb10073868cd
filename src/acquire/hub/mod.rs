//! The Hub: finds a repository's files, brings those that a checkpoint needs into the standard cache, whole.
//!
//! Three steps, so that a caller can add up sizes before the first byte: [`Hub::resolve`] lists a repository at a
//! commit, [`Hub::wanted`] chooses files, [`Hub::fetch`] downloads what is missing. [`Hub::pull`] is all three.
//! [`Hub::cached`] finds what is there without a connection. With `HF_HUB_OFFLINE` set, the three steps do the same.

mod address;
mod attempts;
mod beginning;
mod client;
mod disk;
mod download;
mod error;
mod fetch;
mod layout;
mod names;
mod progress;
mod resolve;
mod select;
mod settings;
mod snapshot;
mod wanted;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

pub use attempts::Sleep;
pub use error::HubError;
pub use progress::{FetchProgress, NoProgress};
pub use settings::{HubSettings, Patience, Token};
pub use snapshot::{LocalFile, LocalSnapshot, RemoteFile, Snapshot};

use client::Client;
use layout::RepoFolder;

type FreeBytes = Arc<dyn Fn(&Path) -> Option<u64> + Send + Sync>;

/// The Hugging Face Hub, or a server that answers as it does, and the cache of its files.
pub struct Hub {
    settings: HubSettings,
    client: Client,
    sleep: Sleep,
    free_bytes: FreeBytes,
}

impl Hub {
    /// The Hub that the environment names.
    ///
    /// # Errors
    /// A variable that cannot be used, or no folder for the cache.
    pub fn from_env() -> Result<Self, HubError> {
        Hub::new(HubSettings::from_env()?)
    }

    /// One with these settings.
    ///
    /// # Errors
    /// An endpoint that is not an address.
    pub fn new(settings: HubSettings) -> Result<Self, HubError> {
        let client = Client::new(&settings)?;
        Ok(Hub { settings, client, sleep: attempts::real_sleep(), free_bytes: Arc::new(disk::free_bytes) })
    }

    /// With another way to wait between attempts.
    pub fn with_sleep(self, sleep: Sleep) -> Self {
        Hub { sleep, ..self }
    }

    /// With another way to ask how many bytes the disk of a folder has free.
    pub fn with_free_bytes(self, free_bytes: impl Fn(&Path) -> Option<u64> + Send + Sync + 'static) -> Self {
        Hub { free_bytes: Arc::new(free_bytes), ..self }
    }

    pub fn settings(&self) -> &HubSettings {
        &self.settings
    }

    /// Bytes that are free on the cache's disk; `None` where the system does not tell.
    pub fn free_bytes(&self) -> Option<u64> {
        (self.free_bytes)(&self.settings.cache)
    }

    /// All three steps: the files of a checkpoint, downloaded as far as they are not there.
    ///
    /// # Errors
    /// Whatever keeps one of the files from being there, whole. What was received is kept, and the next call goes on from it.
    pub fn pull(
        &self,
        repository: &str,
        revision: &str,
        gguf: Option<&str>,
        progress: &mut dyn FetchProgress,
        cancel: &AtomicBool,
    ) -> Result<LocalSnapshot, HubError> {
        let snapshot = self.resolve(repository, revision, cancel)?;
        let files = self.wanted(&snapshot, gguf, cancel)?;
        self.fetch(&snapshot, &files, progress, cancel)
    }

    /// The wanted files of a repository, if all of them are in the cache. Opens no connection. A file that is wanted
    /// only where the repository has it counts as not there: the cache does not know what it never saw.
    pub fn cached(
        &self,
        repository: &str,
        revision: &str,
        gguf: Option<&str>,
    ) -> Result<Option<LocalSnapshot>, HubError> {
        names::check_repository(repository)?;
        names::check_revision(revision)?;
        let found = self.resolve_cached(repository, revision).and_then(|snapshot| {
            let files = self.wanted(&snapshot, gguf, &AtomicBool::new(false))?;
            self.locate(&snapshot, &files)
        });
        match found {
            Ok(local) => Ok(Some(local)),
            Err(HubError::NotCached { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn folder(&self, repository: &str) -> RepoFolder {
        RepoFolder::new(&self.settings.cache, repository)
    }
}
