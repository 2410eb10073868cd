//! Files that a user names: read as far as a limit, and only where they are files.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// Most bytes of a file that a person writes: a list of models, of GPUs, a table, prompts.
pub const WRITTEN_BY_HAND: u64 = 64 << 20;

/// Opens a plain file.
///
/// # Errors
/// What cannot be opened, and what is no file: a device or a pipe might never end.
pub fn open(path: &Path) -> io::Result<File> {
    let kind = path.metadata()?;
    if kind.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder, not a file"));
    }
    if kind.is_file() { File::open(path) } else { Err(io::Error::other("it is no file, but a device or a pipe")) }
}

/// The contents of a plain file. The bytes are counted as they come: the file may grow meanwhile.
///
/// # Errors
/// As [`open`], and a file of more than `limit` bytes.
pub fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        let message = format!("it is larger than {} MiB, which no such file is", limit >> 20);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    Ok(bytes)
}

/// The contents of a plain file of UTF-8.
///
/// # Errors
/// As [`read`], and what is no UTF-8.
pub fn read_text(path: &Path, limit: u64) -> io::Result<String> {
    String::from_utf8(read(path, limit)?).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_file_or_too_large_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a");
        std::fs::write(&file, "abc").unwrap();
        assert_eq!(read(&file, 3).unwrap(), b"abc");
        assert_eq!(read(&file, 2).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(read(folder.path(), 3).unwrap_err().kind(), io::ErrorKind::IsADirectory);
        std::fs::write(&file, [0xFF]).unwrap();
        assert_eq!(read_text(&file, 3).unwrap_err().kind(), io::ErrorKind::InvalidData);
        #[cfg(unix)]
        {
            let pipe = folder.path().join("pipe");
            let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
            assert!(made.success());
            assert!(read(&pipe, 3).unwrap_err().to_string().contains("a device or a pipe"));
            assert!(read(Path::new("/dev/zero"), 3).is_err());
        }
    }
}
