//! Which checkpoint a path on this disk means.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::file_names::{PartName, is_gguf_file};

/// The checkpoint that a path means: of a repository's folder in the Hub's cache its snapshot, of a folder without other
/// weights its only GGUF file, and else the path itself.
pub fn local_checkpoint(path: &Path) -> PathBuf {
    let path = snapshot(path).unwrap_or_else(|| path.to_owned());
    match gguf_files(&path).as_slice() {
        [only] if !has_other_weights(&path) => only.clone(),
        _ => path,
    }
}

/// The GGUF files of a folder, of a split one the first part that is there, in the order of their names; those that hold what
/// sees beside a model are none. Nothing of a path that is no folder.
pub fn gguf_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = BTreeMap::new();
    for path in entries(folder) {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        // llama.cpp's name for the projector of pictures, which is no model.
        if is_gguf_file(&path) && !name.contains("mmproj") {
            let whole = PartName::parse(name).map_or_else(|| name.to_owned(), |part| part.whole());
            files.entry(whole).or_insert(path);
        }
    }
    files.into_values().collect()
}

/// Everything in a folder, by name.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

fn has_other_weights(folder: &Path) -> bool {
    let is = |path: &PathBuf, extension: &str| path.extension().is_some_and(|found| found == extension);
    let is_weights = |path: &PathBuf| is(path, "safetensors") || is(path, "bin");
    entries(folder).iter().any(|path| is_weights(path) || path.to_string_lossy().ends_with(".index.json"))
}

/// The snapshot of a repository's folder in the cache: the one at which `main` stands, or the only one.
fn snapshot(folder: &Path) -> Option<PathBuf> {
    let root = if folder.file_name()? == "snapshots" { folder.parent()? } else { folder };
    let snapshots = root.join("snapshots");
    if root.join("config.json").exists() || !snapshots.is_dir() {
        return None;
    }
    let main = std::fs::read_to_string(root.join("refs/main")).ok();
    let plain = |commit: &str| !commit.is_empty() && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
    let main = main.map(|commit| commit.trim().to_owned()).filter(|commit| plain(commit));
    match main.map(|commit| snapshots.join(commit)).filter(|snapshot| snapshot.is_dir()) {
        Some(snapshot) => Some(snapshot),
        None => match entries(&snapshots).as_slice() {
            [only] => Some(only.clone()),
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        folder
    }

    /// What is meant by a folder with these files, within it.
    fn meant(files: &[(&str, &str)]) -> String {
        let folder = folder(files);
        let meant = local_checkpoint(folder.path());
        meant.strip_prefix(folder.path()).unwrap().to_string_lossy().into_owned()
    }

    #[test]
    fn a_folder_means_its_only_gguf_file() {
        assert_eq!(meant(&[("a.gguf", ""), ("README.md", "")]), "a.gguf");
        assert_eq!(meant(&[("config.json", "{}"), ("a.gguf", ""), ("mmproj-a.gguf", "")]), "a.gguf");
        let parts = [("a-00002-of-00002.gguf", ""), ("a-00001-of-00002.gguf", "")];
        assert_eq!(meant(&parts), "a-00001-of-00002.gguf");
        assert_eq!(meant(&[("a.gguf", ""), ("b.gguf", "")]), "");
        assert_eq!(meant(&[("a.gguf", ""), ("model.safetensors", "")]), "");
        assert_eq!(meant(&[("a.gguf", ""), ("pytorch_model.bin.index.json", "")]), "");
    }

    #[test]
    fn a_folder_of_the_cache_means_the_snapshot_of_main_or_the_only_one() {
        let snapshots = [("snapshots/ab/config.json", "{}"), ("snapshots/cd/config.json", "{}")];
        assert_eq!(meant(&[&snapshots[..], &[("refs/main", "cd\n")]].concat()), "snapshots/cd");
        assert_eq!(meant(&snapshots[..1]), "snapshots/ab");
        assert_eq!(meant(&snapshots), "");
        assert_eq!(meant(&[&snapshots[..1], &[("refs/main", "../../etc")]].concat()), "snapshots/ab");
        assert_eq!(meant(&[("snapshots/ab/a.gguf", "")]), "snapshots/ab/a.gguf");
        let folder = folder(&snapshots[..1]);
        assert_eq!(local_checkpoint(&folder.path().join("snapshots")), folder.path().join("snapshots/ab"));
        assert_eq!(local_checkpoint(Path::new("nowhere")), Path::new("nowhere"));
    }
}
