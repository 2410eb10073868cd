//! Git LFS pointers: the text that Git keeps in a file's place until Git LFS fetches the file
//! (<https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md>).

/// How every pointer begins.
pub(super) const POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";

/// Whether a file that begins with these bytes stands in for another one.
pub(super) fn is_pointer(beginning: &[u8]) -> bool {
    beginning.starts_with(POINTER)
}
