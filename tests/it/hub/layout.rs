//! The cache on disk: the layout that other tools read, and what is found there without a connection.

use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use bench::acquire::hub::{HubError, NoProgress};
use hf_hub::{Cache, Repo, RepoType};

use super::{Place, checkpoint, pull, weights};
use crate::support::hub_stand_in::{COMMIT, Contents, Fault, REPOSITORY};

fn with_gguf() -> Contents {
    checkpoint().large("gguf/q4/model.gguf", weights(5_000))
}

#[test]
fn the_layout_is_the_one_of_hugging_face() {
    let place = Place::new(with_gguf());
    let local = place.pull().unwrap();
    pull(&place.hub(), Some("gguf/q4/model.gguf")).unwrap();

    let root = place.folder.path().join("models--org--name");
    assert_eq!(fs::read_to_string(root.join("refs/main")).unwrap(), COMMIT);
    assert_eq!(local.folder, root.join("snapshots").join(COMMIT));
    let link = |path: &str| fs::read_link(local.folder.join(path)).unwrap();
    let blob = |path: &str| place.contents.hash(path).to_owned();
    assert_eq!(link("config.json"), Path::new("../../blobs").join(blob("config.json")));
    assert_eq!(link("model.safetensors"), Path::new("../../blobs").join(blob("model.safetensors")));
    assert_eq!(link("gguf/q4/model.gguf"), Path::new("../../../../blobs").join(blob("gguf/q4/model.gguf")));
    assert_eq!(fs::read_dir(root.join("blobs")).unwrap().count(), 3);
    assert_eq!(fs::read_dir(&local.folder).unwrap().count(), 3);
    let locks = place.folder.path().join(".locks/models--org--name");
    assert!(locks.join(format!("{}.lock", blob("config.json"))).exists());
}

#[test]
fn small_files_are_named_as_git_names_them() {
    // By `git hash-object`, so that the stand-in and what is tested cannot agree on a hash of their own.
    let contents = Contents::default()
        .small("config.json", "{}")
        .small("generation_config.json", "")
        .large("model.safetensors", weights(10));
    let place = Place::new(contents);
    place.assert_whole(&place.pull().unwrap());
    for hash in ["9e26dfeeb6e641a33dae4961196235bdb965b21b", "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"] {
        assert!(place.blobs().join(hash).exists(), "{hash}");
    }
}

#[test]
fn hf_hub_reads_what_was_written() {
    let place = Place::new(with_gguf());
    place.pull().unwrap();
    pull(&place.hub(), Some("gguf/q4/model.gguf")).unwrap();
    let cache = Cache::new(place.folder.path().to_owned());
    let repo = cache.repo(Repo::with_revision(REPOSITORY.to_owned(), RepoType::Model, "main".to_owned()));
    for path in ["config.json", "model.safetensors", "gguf/q4/model.gguf"] {
        assert_eq!(fs::read(repo.get(path).unwrap()).unwrap(), place.contents.content(path));
    }
    assert_eq!(repo.get("README.md"), None);
}

#[test]
fn a_second_pull_downloads_nothing() {
    let place = Place::new(checkpoint());
    let first = place.pull().unwrap();
    let before = place.server.requests().len();
    assert_eq!(place.pull().unwrap(), first);
    let after = place.server.requests();
    assert!(after[before..].iter().all(|request| request.path.starts_with("/api/")), "{after:?}");
}

#[test]
fn blobs_that_are_there_are_only_linked() {
    let place = Place::new(checkpoint());
    let local = place.pull().unwrap();
    fs::remove_dir_all(&local.folder).unwrap();
    let before = place.server.ranges("model.safetensors").len();
    place.assert_whole(&place.pull().unwrap());
    assert_eq!(place.server.ranges("model.safetensors").len(), before);
}

#[test]
fn a_blob_of_the_wrong_size_is_downloaded_anew() {
    let place = Place::new(checkpoint());
    let local = place.pull().unwrap();
    fs::write(local.file("model.safetensors").unwrap(), "short").unwrap();
    assert_eq!(place.hub().cached(REPOSITORY, "main", None).unwrap().unwrap().bytes(), 23 + 5);
    place.assert_whole(&place.pull().unwrap());
}

#[test]
fn offline_gives_the_same_answer_without_a_connection() {
    let index = r#"{"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}"#;
    let contents = checkpoint()
        .small("model.safetensors.index.json", index)
        .large("model-1.safetensors", weights(1_000))
        .large("model-2.safetensors", weights(2_000));
    let place = Place::new(contents);
    let online = place.pull().unwrap();
    let before = place.server.requests().len();
    assert_eq!(pull(&place.offline(), None).unwrap(), online);
    assert_eq!(place.hub().cached(REPOSITORY, "main", None).unwrap().unwrap(), online);
    let by_commit = place.hub().cached(REPOSITORY, COMMIT, None).unwrap().unwrap();
    assert_eq!((by_commit.files, by_commit.folder), (online.files, online.folder));
    assert_eq!(place.server.requests().len(), before);
}

#[test]
fn offline_names_what_is_missing_and_the_variable() {
    let place = Place::new(with_gguf());
    let error = pull(&place.offline(), None).unwrap_err();
    assert!(matches!(error, HubError::NotCached { .. }), "{error:?}");
    assert!(error.hint().unwrap().contains("HF_HUB_OFFLINE"));
    assert_eq!(place.hub().cached(REPOSITORY, "main", None).unwrap(), None);

    place.pull().unwrap();
    let error = pull(&place.offline(), Some("gguf/q4/model.gguf")).unwrap_err();
    assert_eq!(error.to_string(), "`org/name` at `main` is not in the cache: `gguf/q4/model.gguf` is missing");
    assert!(place.server.requests().iter().all(|request| !request.path.contains("gguf")));
}

#[test]
fn an_interrupted_download_is_not_taken_for_a_whole_one() {
    let place = Place::new(checkpoint());
    place.server.always("model.safetensors", Fault::CutAfter(1_000));
    place.pull().unwrap_err();
    assert_eq!(place.hub().cached(REPOSITORY, "main", None).unwrap(), None);
    assert_eq!(place.hub().cached(REPOSITORY, COMMIT, None).unwrap(), None);
    assert!(!place.folder.path().join("models--org--name/refs/main").exists());
}

#[test]
fn a_revision_with_a_slash_has_its_reference_in_a_folder() {
    let place = Place::new(checkpoint());
    let never = AtomicBool::new(false);
    let local = place.hub().pull(REPOSITORY, "refs/pr/1", None, &mut NoProgress, &never).unwrap();
    assert_eq!((local.revision.as_str(), local.commit.as_str()), ("refs/pr/1", COMMIT));
    let reference = place.folder.path().join("models--org--name/refs/refs/pr/1");
    assert_eq!(fs::read_to_string(reference).unwrap(), COMMIT);
}

#[test]
fn hashes_of_large_files_are_told() {
    let place = Place::new(checkpoint());
    let local = place.pull().unwrap();
    let hash = |path: &str| local.files.iter().find(|file| file.path == path).unwrap().sha256.clone();
    assert_eq!(hash("model.safetensors").as_deref(), Some(place.contents.hash("model.safetensors")));
    assert_eq!(hash("config.json"), None);
    assert_eq!(local.bytes(), 300_023);
}
