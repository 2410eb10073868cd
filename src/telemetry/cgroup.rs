//! Control groups: what a container, a batch system or `systemd-run` leaves this process of the machine.
//!
//! A process has the limits of its own group and of every group above it (Linux, `admin-guide/cgroup-v2.rst` and
//! `cgroup-v1/memory.rst`). Inside a container the groups above are hidden, and its own stands where the tree is mounted.

use std::fs;
use std::path::{Path, PathBuf};

/// A limit on memory, and what it leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MemoryLimit {
    /// The smallest limit of the groups.
    pub limit_bytes: u64,
    /// What can still be used under all of them, the page cache that the kernel would give up included.
    pub free_bytes: u64,
}

/// The limit on this process's memory, by the file systems at `root`; `None` where nothing limits it.
pub(super) fn memory(root: &Path) -> Option<MemoryLimit> {
    let unified = groups(root, "", &["sys/fs/cgroup", "sys/fs/cgroup/unified"]);
    let own = groups(root, "memory", &["sys/fs/cgroup/memory"]);
    let limits = unified.iter().filter_map(|group| unified_memory(group));
    let limits = limits.chain(own.iter().filter_map(|group| version_1_memory(group)));
    limits.reduce(|a, b| MemoryLimit {
        limit_bytes: a.limit_bytes.min(b.limit_bytes),
        free_bytes: a.free_bytes.min(b.free_bytes),
    })
}

/// For how long processor quotas have kept this process's groups from running, in seconds, by the file systems at `root`: of its own
/// group and every one above it, all processors together. `None` where no group has a quota's account.
///
/// A group that has used its quota waits for the next period (Linux, `scheduler/sched-bwc.rst`).
pub(super) fn throttled_seconds(root: &Path) -> Option<f64> {
    let unified = groups(root, "", &["sys/fs/cgroup", "sys/fs/cgroup/unified"]);
    let own = groups(root, "cpu", &["sys/fs/cgroup/cpu,cpuacct", "sys/fs/cgroup/cpu"]);
    let account = |group: &Path| {
        let stat = read(group, "cpu.stat")?;
        let microseconds = field(&stat, "throttled_usec").map(|time| time as f64 / 1e6);
        microseconds.or_else(|| Some(field(&stat, "throttled_time")? as f64 / 1e9))
    };
    let accounts: Vec<f64> = unified.iter().chain(&own).filter_map(|group| account(group)).collect();
    (!accounts.is_empty()).then(|| accounts.iter().sum())
}

fn unified_memory(group: &Path) -> Option<MemoryLimit> {
    // Above `high` the kernel reclaims and holds the process up, so it is a limit too.
    let limits = ["memory.max", "memory.high"].into_iter().filter_map(|name| number(group, name));
    left(limits.min()?, number(group, "memory.current")?, group, "")
}

fn version_1_memory(group: &Path) -> Option<MemoryLimit> {
    let stat = read(group, "memory.stat").unwrap_or_default();
    // That of groups above which the container does not see is in it.
    let above = field(&stat, "hierarchical_memory_limit");
    let limit = number(group, "memory.limit_in_bytes")?.min(above.unwrap_or(u64::MAX));
    // Without a limit it is the largest number of whole pages.
    if limit >= i64::MAX as u64 & !0xffff {
        return None;
    }
    left(limit, number(group, "memory.usage_in_bytes")?, group, "total_")
}

/// Page cache of files counts as used, but the kernel gives it up before it refuses memory. What tmpfs holds is not among it.
fn left(limit: u64, used: u64, group: &Path, prefix: &str) -> Option<MemoryLimit> {
    let stat = read(group, "memory.stat").unwrap_or_default();
    let of = |name: &str| field(&stat, &format!("{prefix}{name}")).unwrap_or_default();
    let held = used
        .saturating_sub(of("inactive_file") + of("active_file") + field(&stat, "slab_reclaimable").unwrap_or_default());
    Some(MemoryLimit { limit_bytes: limit, free_bytes: limit.saturating_sub(held) })
}

/// The folders of this process's own group and of every group above it in the hierarchy of a controller (`""`: version 2), in
/// the trees that may be mounted at `mounts`. A folder need not exist.
fn groups(root: &Path, controller: &str, mounts: &[&str]) -> Vec<PathBuf> {
    let text = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let path = text.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let controllers = parts.next()?;
        controllers.split(',').any(|name| name == controller).then(|| parts.next()).flatten()
    });
    let Some(path) = path else { return mounts.iter().map(|mount| root.join(mount)).collect() };
    let mounted = fs::read_to_string(root.join("proc/self/mountinfo")).unwrap_or_default();
    let of = |mount: &&str| {
        // Fields 4 and 5: which folder of the tree is mounted, and where (man 5 proc).
        let mut shown = mounted.lines().filter_map(|line| {
            let mut fields = line.split(' ').skip(3);
            let (shown, place) = (fields.next()?, fields.next()?);
            (place.trim_start_matches('/') == *mount).then_some(shown)
        });
        let shown = shown.next_back().unwrap_or("/");
        let below = Path::new(path).strip_prefix(shown).unwrap_or(Path::new(path));
        let below = below.strip_prefix("/").unwrap_or(below);
        below.ancestors().map(|part| root.join(mount).join(part)).collect::<Vec<_>>()
    };
    mounts.iter().flat_map(of).collect()
}

fn read(group: &Path, name: &str) -> Option<String> {
    fs::read_to_string(group.join(name)).ok()
}

/// A file of one number; `None` for `max`.
fn number(group: &Path, name: &str) -> Option<u64> {
    read(group, name)?.trim().parse().ok()
}

/// The number of a line `name number`.
fn field(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    fn machine(files: &[(&str, String)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    fn found(files: &[(&str, String)]) -> Option<(u64, u64)> {
        let limit = memory(machine(files).path())?;
        Some((limit.limit_bytes, limit.free_bytes))
    }

    fn text(value: u64) -> String {
        format!("{value}\n")
    }

    #[test]
    fn a_container_that_is_full_has_nothing_free() {
        let files = |current: u64, cache: u64| {
            [
                ("proc/self/cgroup", "0::/\n".into()),
                ("sys/fs/cgroup/memory.max", text(4 * GIB)),
                ("sys/fs/cgroup/memory.current", text(current)),
                ("sys/fs/cgroup/memory.stat", format!("anon 1\nfile 9\ninactive_file {cache}\nactive_file {GIB}\n")),
            ]
        };
        assert_eq!(found(&files(5 * GIB, 0)), Some((4 * GIB, 0)));
        // Of 4 GiB in use 3 are cache.
        assert_eq!(found(&files(4 * GIB, 2 * GIB)), Some((4 * GIB, 3 * GIB)));
    }

    #[test]
    fn every_group_above_its_own_limits_a_process() {
        let group = "sys/fs/cgroup/slurm/job_1/step_0";
        let above = "sys/fs/cgroup/slurm/job_1";
        let files = [
            ("proc/self/cgroup", "0::/slurm/job_1/step_0\n".into()),
            (&format!("{group}/memory.max"), "max\n".into()),
            (&format!("{group}/memory.current"), text(GIB)),
            (&format!("{above}/memory.max"), text(8 * GIB)),
            (&format!("{above}/memory.high"), text(6 * GIB)),
            (&format!("{above}/memory.current"), text(2 * GIB)),
            ("sys/fs/cgroup/other/memory.max", text(1)),
        ];
        assert_eq!(found(&files), Some((6 * GIB, 4 * GIB)));
    }

    #[test]
    fn quotas_that_held_a_process_back_are_those_of_every_group_above_it() {
        let of = |files: &[(&str, String)]| throttled_seconds(machine(files).path());
        let stat = |microseconds: u64| format!("usage_usec 9\nnr_throttled 3\nthrottled_usec {microseconds}\n");
        let own = [
            ("proc/self/cgroup", "0::/job/step\n".into()),
            ("sys/fs/cgroup/job/step/cpu.stat", stat(250_000)),
            ("sys/fs/cgroup/job/cpu.stat", stat(1_500_000)),
            ("sys/fs/cgroup/other/cpu.stat", stat(99_000_000)),
        ];
        assert_eq!(of(&own), Some(1.75));
        // Without a controller of processors the file has no account of throttling.
        assert_eq!(
            of(&[("proc/self/cgroup", "0::/\n".into()), ("sys/fs/cgroup/cpu.stat", "usage_usec 9\n".into())]),
            None
        );
        let version_1 = [
            ("proc/self/cgroup", "5:cpu,cpuacct:/docker/abc\n".into()),
            (
                "proc/self/mountinfo",
                "35 31 0:32 /docker/abc /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu\n".into(),
            ),
            ("sys/fs/cgroup/cpu,cpuacct/cpu.stat", "nr_periods 8\nnr_throttled 2\nthrottled_time 500000000\n".into()),
        ];
        assert_eq!(of(&version_1), Some(0.5));
    }

    #[test]
    fn version_1_is_read_at_its_own_group_or_where_a_container_sees_it() {
        let unlimited = text(0x7fff_ffff_ffff_f000);
        let own = [
            ("proc/self/cgroup", "5:cpu,cpuacct:/\n4:memory:/job/1\n0::/\n".into()),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", unlimited.clone()),
            ("sys/fs/cgroup/memory/memory.usage_in_bytes", text(9 * GIB)),
            ("sys/fs/cgroup/memory/job/1/memory.limit_in_bytes", text(4 * GIB)),
            ("sys/fs/cgroup/memory/job/1/memory.usage_in_bytes", text(3 * GIB)),
            ("sys/fs/cgroup/memory/job/1/memory.stat", format!("inactive_file 7\ntotal_inactive_file {GIB}\n")),
        ];
        assert_eq!(found(&own), Some((4 * GIB, 2 * GIB)));
        let inside = [
            ("proc/self/cgroup", "4:memory:/docker/abc/worker\n".into()),
            (
                "proc/self/mountinfo",
                "35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n".into(),
            ),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", text(4 * GIB)),
            ("sys/fs/cgroup/memory/memory.usage_in_bytes", text(GIB)),
            ("sys/fs/cgroup/memory/worker/memory.limit_in_bytes", text(2 * GIB)),
            ("sys/fs/cgroup/memory/worker/memory.usage_in_bytes", text(GIB)),
        ];
        assert_eq!(found(&inside), Some((2 * GIB, GIB)));
        assert_eq!(found(&own[..3]), None);
    }
}
