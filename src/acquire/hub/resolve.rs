//! Step one: from a revision to a commit and its list of files.

use std::sync::atomic::AtomicBool;

use ureq::http::header::LINK;

use super::address::{follow, next_page};
use super::client::Subject;
use super::snapshot::{RemoteFile, RevisionAnswer, Snapshot, Tree, TreeEntry};
use super::{Hub, HubError, error, names, select};

impl Hub {
    /// Finds the commit that a revision stands at, and the files that it has.
    pub fn resolve(&self, repository: &str, revision: &str, cancel: &AtomicBool) -> Result<Snapshot, HubError> {
        names::check_repository(repository)?;
        names::check_revision(revision)?;
        if self.settings.offline {
            return self.resolve_cached(repository, revision);
        }
        let subject = Subject { repository, revision, file: None };
        let address = self.client.revision_address(repository, revision);
        let (answer, _, uri): (RevisionAnswer, _, _) = self.ask(&address, &subject, cancel)?;
        let host = uri.host().unwrap_or_default();
        let bad = |reason: String| HubError::BadResponse { host: host.to_owned(), reason };
        let commit = answer.sha;
        if !names::is_commit(&commit) {
            return Err(bad(format!("`{}` is no commit", error::shown(&commit))));
        }

        const MOST_PAGES: usize = 200;
        let mut tree = Tree::default();
        let mut address = self.client.tree_address(repository, &commit);
        for _ in 0..MOST_PAGES {
            let (entries, headers, uri): (Vec<TreeEntry>, _, _) = self.ask(&address, &subject, cancel)?;
            tree.add(entries, host)?;
            let Some(next) = headers.get(LINK).and_then(|link| next_page(link.to_str().ok()?)) else {
                let (repository, revision) = (repository.to_owned(), revision.to_owned());
                return Ok(Snapshot { repository, revision, commit, files: tree.files(), from_cache: false });
            };
            let next = follow(&uri, next).ok_or_else(|| bad("its next page has no usable address".to_owned()))?;
            address = next.to_string();
        }
        Err(bad(format!("its list of files has more than {MOST_PAGES} pages")))
    }

    /// The snapshot that the cache has of a revision.
    pub(super) fn resolve_cached(&self, repository: &str, revision: &str) -> Result<Snapshot, HubError> {
        let folder = self.folder(repository);
        let (repository, revision) = (repository.to_owned(), revision.to_owned());
        let listed = folder.commit(&revision).and_then(|commit| Some((folder.list(&commit)?, commit)));
        let Some((files, commit)) = listed else {
            return Err(HubError::NotCached { repository, revision, missing: vec![select::CONFIG.to_owned()] });
        };
        let files = files.into_iter().map(RemoteFile::from).collect();
        Ok(Snapshot { repository, revision, commit, files, from_cache: true })
    }

    fn ask<T: serde::de::DeserializeOwned>(
        &self,
        address: &str,
        subject: &Subject,
        cancel: &AtomicBool,
    ) -> Result<(T, ureq::http::HeaderMap, ureq::http::Uri), HubError> {
        self.client.json(address, subject, &self.settings.patience, &self.sleep, cancel)
    }
}
