//! Whether this process runs in a container.

use std::fs;
use std::path::Path;

/// What is said of a process that shows no sign of a container.
const NONE: &str = "none";

/// Files that a container engine leaves in its containers.
const FILES: [(&str, &str); 2] = [(".dockerenv", "docker"), ("run/.containerenv", "podman")];

/// Parts of the names of control groups, as engines call theirs; a version 2 group in a namespace of its own shows none.
const GROUPS: [(&str, &str); 4] =
    [("kubepods", "kubernetes"), ("docker", "docker"), ("libpod", "podman"), ("lxc", "lxc")];

/// The kind of container by the signs in the file system at `root`: `docker`, `kubernetes`, …; `none` without a sign. `None`
/// where the system is not one that has them.
pub(super) fn kind(root: &Path) -> Option<String> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    let by_file = || FILES.iter().find(|(file, _)| root.join(file).exists()).map(|(_, kind)| (*kind).to_owned());
    // systemd, and what follows its interface, tell the first process; others may not always read it.
    let by_variable = || {
        let variables = fs::read(root.join("proc/1/environ")).ok()?;
        let mut kinds = variables.split(|byte| *byte == 0).filter_map(|pair| pair.strip_prefix(b"container="));
        kinds.next().map(|kind| String::from_utf8_lossy(kind).into_owned())
    };
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let by_group = || GROUPS.iter().find(|(part, _)| groups.contains(part)).map(|(_, kind)| (*kind).to_owned());
    by_file().or_else(by_variable).or_else(by_group).or_else(|| Some(NONE.to_owned()))
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    fn found(file: &str, contents: &[u8]) -> Option<String> {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, contents).unwrap();
        kind(root.path())
    }

    #[test]
    fn each_engine_is_known_by_what_it_leaves() {
        assert_eq!(found(".dockerenv", b"").as_deref(), Some("docker"));
        assert_eq!(found("run/.containerenv", b"").as_deref(), Some("podman"));
        assert_eq!(
            found("proc/1/environ", b"PATH=/bin\0container=systemd-nspawn\0").as_deref(),
            Some("systemd-nspawn")
        );
        assert_eq!(found("proc/self/cgroup", b"0::/kubepods.slice/pod1/cri-1\n").as_deref(), Some("kubernetes"));
    }

    #[test]
    fn a_machine_without_a_sign_has_none() {
        assert_eq!(found("proc/self/cgroup", b"0::/user.slice/session-1.scope\n").as_deref(), Some("none"));
        assert_eq!(found("proc/1/environ", b"PATH=/bin\0my_container=1\0").as_deref(), Some("none"));
    }
}
