//! How much room there is on the disk that holds a folder.

use std::path::Path;

/// Bytes that the user may still write to the file system of a folder, which need not be there yet. `None` where that
/// is not known (network and memory file systems), so that nobody is held up by a number about another disk.
pub(super) fn free_bytes(folder: &Path) -> Option<u64> {
    let there = std::path::absolute(folder).ok()?.ancestors().find(|folder| folder.exists())?.to_owned();
    let storage = sysinfo::DiskRefreshKind::nothing().with_storage();
    let disks = sysinfo::Disks::new_with_refreshed_list_specifics(storage).ok()?;
    disks.iter().find(|disk| same_disk(disk.mount_point(), &there)).map(sysinfo::Disk::available_space)
}

#[cfg(unix)]
fn same_disk(mount_point: &Path, folder: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let device = |path: &Path| path.metadata().map(|metadata| metadata.dev()).ok();
    device(folder).is_some_and(|number| device(mount_point) == Some(number))
}

#[cfg(not(unix))]
fn same_disk(mount_point: &Path, folder: &Path) -> bool {
    folder.starts_with(mount_point)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_not_there_yet_is_on_the_disk_of_its_parent() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("not/there/yet");
        assert_eq!(free_bytes(&deep).is_some(), free_bytes(folder.path()).is_some());
    }
}
