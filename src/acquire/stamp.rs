//! Stamps: the state of a checkpoint's weight files, by which it is seen that they are not what they were.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The state of files at some moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stamps(Vec<(PathBuf, Option<Stamp>)>);

/// What the system tells of a file without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    bytes: u64,
    modified: Option<SystemTime>,
    /// 0 where the system has none.
    inode: u64,
}

impl Stamps {
    /// Of files as they are now.
    pub fn of<'p>(paths: impl IntoIterator<Item = &'p Path>) -> Self {
        Self(paths.into_iter().map(|path| (path.to_owned(), Stamp::of(path))).collect())
    }

    /// Adds files as they are now.
    pub fn add<'p>(&mut self, paths: impl IntoIterator<Item = &'p Path>) {
        self.0.extend(Self::of(paths).0);
    }

    /// The names of those that are others now, or are gone.
    pub fn changed(&self) -> Vec<String> {
        let is_other = |(path, stamp): &&(PathBuf, Option<Stamp>)| Stamp::of(path) != *stamp;
        let name = |path: &Path| path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        self.0.iter().filter(is_other).map(|(path, _)| name(path)).collect()
    }
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let state = path.metadata().ok()?;
        #[cfg(unix)]
        let inode = std::os::unix::fs::MetadataExt::ino(&state);
        #[cfg(not(unix))]
        let inode = 0;
        Some(Self { bytes: state.len(), modified: state.modified().ok(), inode })
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_file_that_is_another_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let paths = ["a", "b", "c", "d", "e"].map(|name| folder.path().join(name));
        paths.iter().for_each(|path| std::fs::write(path, "abc").unwrap());
        let stamps = Stamps::of(paths.iter().map(PathBuf::as_path));
        assert_eq!(stamps.changed(), Vec::<String>::new());
        // Longer, written over in place, put in its place, gone.
        std::fs::write(&paths[0], "abcd").unwrap();
        let file = File::options().write(true).open(&paths[1]).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1)).unwrap();
        let modified = paths[2].metadata().unwrap().modified().unwrap();
        std::fs::write(folder.path().join("new"), "xyz").unwrap();
        File::options().write(true).open(folder.path().join("new")).unwrap().set_modified(modified).unwrap();
        std::fs::rename(folder.path().join("new"), &paths[2]).unwrap();
        std::fs::remove_file(&paths[3]).unwrap();
        assert_eq!(stamps.changed(), ["a", "b", "c", "d"]);
    }
}
