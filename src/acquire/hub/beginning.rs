//! The beginning of a file, by a range request: what a header tells without the rest of the file.

use std::fs::File;
use std::io::{self, Read};
use std::sync::atomic::AtomicBool;

use super::attempts::{Attempts, Fault, check};
use super::client::{Subject, cut};
use super::snapshot::{RemoteFile, Snapshot};
use super::{Hub, HubError};

impl Hub {
    /// The first `length` bytes of a file, or all of a shorter one: out of the cache if it is there. Nothing is kept, and as
    /// a hash is of a whole file, nothing is verified: good for an estimate alone.
    pub fn beginning(
        &self,
        snapshot: &Snapshot,
        file: &RemoteFile,
        length: u64,
        cancel: &AtomicBool,
    ) -> Result<Vec<u8>, HubError> {
        let length = length.min(file.size);
        let folder = self.folder(&snapshot.repository);
        if folder.has(&snapshot.commit, &file.path, file.hash.as_deref(), file.size) {
            let path = folder.snapshot(&snapshot.commit).join(&file.path);
            let failed = |source| HubError::io("read", &path, source);
            let mut bytes = Vec::new();
            File::open(&path).map_err(failed)?.take(length).read_to_end(&mut bytes).map_err(failed)?;
            return Ok(bytes);
        }
        if snapshot.from_cache || self.settings.offline {
            return Err(snapshot.not_cached(vec![file.path.clone()]));
        }
        if length == 0 {
            return Ok(Vec::new());
        }
        let doing = format!("read the beginning of `{}`", file.path);
        let mut attempts = Attempts::new(doing, &self.settings.patience, &self.sleep, cancel);
        loop {
            match self.ask_for_beginning(snapshot, file, length, cancel) {
                Ok(bytes) => return Ok(bytes),
                Err(fault) => attempts.after(fault)?,
            }
        }
    }

    fn ask_for_beginning(
        &self,
        snapshot: &Snapshot,
        file: &RemoteFile,
        length: u64,
        cancel: &AtomicBool,
    ) -> Result<Vec<u8>, Fault> {
        let address = self.client.file_address(&snapshot.repository, &snapshot.commit, &file.path);
        let subject = Subject { repository: &snapshot.repository, revision: &snapshot.commit, file: Some(&file.path) };
        let mut answer = self.client.get(&address, Some((0, Some(length - 1))), &subject, cancel)?;
        match (answer.response.status().as_u16(), answer.content_range()) {
            (206, Some((0, _))) => {}
            // A server that knows no ranges sends the whole file, of which no more is read than is wanted.
            (200, _) => {}
            _ => return Err(Fault::Lasting(answer.bad("it sent another part of the file than asked for"))),
        }
        let uri = answer.uri.clone();
        let mut reader = answer.response.body_mut().as_reader().take(length);
        let (mut bytes, mut chunk) = (Vec::new(), [0; 16 << 10]);
        while (bytes.len() as u64) < length {
            check(cancel)?;
            match reader.read(&mut chunk) {
                Ok(0) => return Err(cut(&uri, io::Error::from(io::ErrorKind::UnexpectedEof))),
                Ok(read) => bytes.extend_from_slice(&chunk[..read]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(cut(&uri, error)),
            }
        }
        Ok(bytes)
    }
}
