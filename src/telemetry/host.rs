//! The host: memory and processor time of this process, and what the machine has.

use std::fs;
use std::path::{Path, PathBuf};

use sysinfo::System;

use super::cgroup;
use super::processes::Processes;

/// What the kernel reports of this process and of the others, in the files of its process file system (man 5 proc). `None` is
/// what it does not report.
#[derive(Debug, Clone)]
pub struct Host {
    proc: PathBuf,
}

impl Host {
    /// The host that this process runs on.
    pub fn this() -> Self {
        Self::at("/proc")
    }

    /// The host that a folder like `/proc` describes: tests write one, to state which programs are busy.
    pub fn at(proc: impl Into<PathBuf>) -> Self {
        Self { proc: proc.into() }
    }

    fn read(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.proc.join(name)).ok()
    }

    /// Resident memory of this process now, in bytes.
    pub fn resident_bytes(&self) -> Option<u64> {
        status_bytes(&self.read("self/status")?, "VmRSS:")
    }

    /// Processor time that this process has used, in seconds, all threads together.
    pub fn cpu_seconds(&self) -> Option<f64> {
        let stat = self.read("self/stat")?;
        // Fields 14 and 15; the second field is a name in parentheses that may hold spaces.
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
        let ticks: u64 = fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?;
        // USER_HZ, which Linux fixes at 100 for every program (man 7 time).
        Some(ticks as f64 / 100.0)
    }

    /// Processor time that the whole machine has spent on anything but waiting, in seconds, all processors together.
    pub fn busy_seconds(&self) -> Option<f64> {
        let stat = self.read("stat")?;
        // user, nice, system, idle, iowait, irq, softirq, steal; guests are counted in user already.
        let mut ticks = stat.lines().next()?.strip_prefix("cpu ")?.split_whitespace().map(str::parse::<u64>);
        let mut of = |count: usize| ticks.by_ref().take(count).sum::<Result<u64, _>>().ok();
        let (working, _idle, interrupts_and_steal) = (of(3)?, of(2)?, of(3)?);
        Some((working + interrupts_and_steal) as f64 / 100.0)
    }

    /// For how long the machine is up, its sleep included, in seconds.
    pub fn uptime_seconds(&self) -> Option<f64> {
        self.read("uptime")?.split_whitespace().next()?.parse().ok()
    }

    /// For how long the processor quotas of this process's control groups have held it back, in seconds, all processors together.
    pub fn throttled_seconds(&self) -> Option<f64> {
        cgroup::throttled_seconds(self.proc.parent()?)
    }

    /// Clock of the fastest processor now, in MHz, as the kernel saw it last.
    pub fn cpu_megahertz(&self) -> Option<f64> {
        let processors = self.read("cpuinfo")?;
        let clocks =
            processors.lines().filter_map(|line| line.strip_prefix("cpu MHz")?.split(':').nth(1)?.trim().parse().ok());
        clocks.max_by(f64::total_cmp)
    }

    /// The other processes now.
    pub fn processes(&self) -> Processes {
        Processes::under(&self.proc, std::process::id())
    }
}

/// Processor time that this process has used, in seconds, all threads together: as [`Host::cpu_seconds`], without reading a file.
pub fn own_cpu_seconds() -> Option<f64> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes a whole `timespec` to the one that lives here.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    (failed == 0).then(|| time.tv_sec as f64 + time.tv_nsec as f64 / 1e9)
}

/// Largest resident memory since [`reset_peak`], or since the start where it cannot be reset.
pub fn peak_resident_bytes() -> Option<u64> {
    status_bytes(&fs::read_to_string("/proc/self/status").ok()?, "VmHWM:")
}

/// Starts the peak anew: Linux sets the high-water mark back when `5` is written to `clear_refs` (man 5 proc).
pub fn reset_peak() {
    // Where that is not allowed the peak covers earlier candidates too, and can only read too high.
    let _ = fs::write("/proc/self/clear_refs", "5");
}

fn status_bytes(status: &str, field: &str) -> Option<u64> {
    let line = status.lines().find(|line| line.starts_with(field))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}

/// Bytes that this process has had from storage so far, mapped files included, and not from the page cache.
pub fn disk_read_bytes() -> Option<u64> {
    let io = fs::read_to_string("/proc/self/io").ok()?;
    io.lines().find_map(|line| line.strip_prefix("read_bytes: "))?.parse().ok()
}

/// Memory that this process can still use without swapping, in bytes: what the machine has free, or what a limit leaves.
pub fn available_bytes() -> Option<u64> {
    let machine = with_memory().map(|system| system.available_memory()).filter(|bytes| *bytes > 0);
    let limit = cgroup::memory(Path::new("/")).map(|limit| limit.free_bytes);
    machine.into_iter().chain(limit).min()
}

/// The memory that this process's control groups allow, in bytes, where that is less than the machine has.
pub fn memory_limit_bytes() -> Option<u64> {
    let limit = cgroup::memory(Path::new("/"))?.limit_bytes;
    total_bytes().is_none_or(|total| limit < total).then_some(limit)
}

/// All memory of the machine, in bytes.
pub fn total_bytes() -> Option<u64> {
    Some(with_memory()?.total_memory()).filter(|bytes| *bytes > 0)
}

fn with_memory() -> Option<System> {
    let mut system = System::new().ok()?;
    system.refresh_memory();
    Some(system)
}

/// The processor's name, as `AMD EPYC 9R14`; its architecture where the system does not tell.
pub fn cpu_name() -> String {
    let brand = || {
        let mut system = System::new().ok()?;
        system.refresh_cpu_all();
        Some(system.cpus().first()?.brand().trim().to_owned()).filter(|brand| !brand.is_empty())
    };
    brand().unwrap_or_else(|| std::env::consts::ARCH.to_owned())
}

/// Logical processors of the machine, also those that this process may not use.
pub fn processors() -> Option<usize> {
    let mut system = System::new().ok()?;
    system.refresh_cpu_list(sysinfo::CpuRefreshKind::nothing());
    Some(system.cpus().len()).filter(|count| *count > 0)
}

/// Threads that this process may run at once.
pub fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn the_peak_follows_an_allocation_and_can_start_anew() {
        let touched = vec![1u8; 64 << 20];
        assert!(peak_resident_bytes().unwrap() >= 64 << 20);
        assert!(touched.iter().map(|byte| u64::from(*byte)).sum::<u64>() > 0);
        assert!(Host::this().resident_bytes().unwrap() > 0 && available_bytes().unwrap() <= total_bytes().unwrap());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn both_accounts_of_this_processs_time_agree() {
        let (by_file, by_clock) = (Host::this().cpu_seconds().unwrap(), own_cpu_seconds().unwrap());
        // The file has ticks of 10 ms, user and system each; other tests go on meanwhile.
        assert!(by_clock + 0.05 >= by_file && by_clock < by_file + 5.0, "{by_clock} s and {by_file} s");
        assert!(Host::this().uptime_seconds().unwrap() > 0.0);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_machine_was_busy_for_at_least_as_long_as_this_process() {
        let host = Host::this();
        // In ticks of 10 ms, each rounded by itself.
        assert!(host.busy_seconds().unwrap() + 0.05 >= host.cpu_seconds().unwrap());
    }
}
