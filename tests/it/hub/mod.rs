//! The Hub, against a stand-in on loopback.

mod beginning;
mod dripping;
mod layout;
mod refusals;
mod resume;
mod selection;

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bench::acquire::hub::{FetchProgress, Hub, HubError, HubSettings, LocalSnapshot, Token};

use crate::support::hub_stand_in::{Contents, HubStandIn, REPOSITORY};

/// A stand-in Hub, an empty cache, and a note of every wait between attempts.
struct Place {
    server: HubStandIn,
    contents: Contents,
    folder: tempfile::TempDir,
    waits: Arc<Mutex<Vec<Duration>>>,
}

impl Place {
    fn new(contents: Contents) -> Self {
        let (server, folder) = (HubStandIn::start(contents.clone()), tempfile::tempdir().unwrap());
        Place { server, contents, folder, waits: Arc::default() }
    }

    fn settings(&self) -> HubSettings {
        let mut settings = HubSettings::new(self.server.endpoint(), self.folder.path());
        settings.patience.idle = Duration::from_secs(5);
        settings
    }

    fn hub(&self) -> Hub {
        self.hub_with(self.settings())
    }

    fn hub_with(&self, settings: HubSettings) -> Hub {
        let waits = self.waits.clone();
        Hub::new(settings).unwrap().with_sleep(Arc::new(move |wait, _| waits.lock().unwrap().push(wait)))
    }

    fn hub_with_token(&self) -> Hub {
        self.hub_with(HubSettings { token: Token::new("hf_secret", "the test").unwrap(), ..self.settings() })
    }

    fn offline(&self) -> Hub {
        self.hub_with(HubSettings { offline: true, ..self.settings() })
    }

    fn pull(&self) -> Result<LocalSnapshot, HubError> {
        pull(&self.hub(), None)
    }

    fn waits(&self) -> Vec<u64> {
        self.waits.lock().unwrap().iter().map(Duration::as_secs).collect()
    }

    fn blobs(&self) -> PathBuf {
        self.folder.path().join("models--org--name/blobs")
    }

    fn part(&self, path: &str) -> PathBuf {
        self.blobs().join(format!("{}.incomplete", self.contents.hash(path)))
    }

    /// All files of the snapshot that are there, read through their links, are those of the Hub.
    fn assert_whole(&self, local: &LocalSnapshot) {
        for file in &local.files {
            let content = std::fs::read(&file.location).unwrap();
            assert!(content == self.contents.content(&file.path), "`{}` differs", file.path);
        }
        let parts = std::fs::read_dir(self.blobs()).unwrap().map(|entry| entry.unwrap().file_name());
        let parts: Vec<_> = parts.filter(|name| name.to_string_lossy().ends_with(".incomplete")).collect();
        assert!(parts.is_empty(), "{parts:?} were left");
    }
}

fn pull(hub: &Hub, gguf: Option<&str>) -> Result<LocalSnapshot, HubError> {
    hub.pull(REPOSITORY, "main", gguf, &mut Bar::default(), &AtomicBool::new(false))
}

/// Notes what a progress bar would show.
#[derive(Debug, Default, PartialEq, Eq)]
struct Bar {
    total: u64,
    files: usize,
    names: Vec<String>,
    received: u64,
    ended: bool,
}

impl FetchProgress for Bar {
    fn begin(&mut self, total_bytes: u64, files: usize) {
        (self.total, self.files) = (total_bytes, files);
    }

    fn file(&mut self, name: &str, _: u64) {
        self.names.push(name.to_owned());
    }

    fn advance(&mut self, bytes: u64) {
        self.received += bytes;
    }

    fn end(&mut self) {
        self.ended = true;
    }

    fn restart(&mut self, bytes: u64) {
        self.total += bytes;
    }
}

/// Bytes that repeat nowhere near, so that a misplaced part shows.
fn weights(length: usize) -> Vec<u8> {
    (0..length as u64).map(|n| (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect()
}

/// A small checkpoint: a configuration and one file of weights.
fn checkpoint() -> Contents {
    Contents::default().small("config.json", "{\"model_type\": \"llama\"}").large("model.safetensors", weights(300_000))
}
