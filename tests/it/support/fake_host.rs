//! A machine that does what a test says: a folder like `/proc`, and what makes the built program read it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use bench::telemetry::Host;

use super::fixture;

/// A folder of its own, gone when dropped.
pub struct FakeHost {
    folder: tempfile::TempDir,
}

impl FakeHost {
    /// A machine with 16 GiB of memory, 12 GiB of them free, on which nothing but the program runs.
    pub fn quiet() -> Self {
        let host = Self { folder: tempfile::tempdir().unwrap() };
        host.write("meminfo", "MemTotal: 16777216 kB\nMemFree: 8388608 kB\nMemAvailable: 12582912 kB\n");
        host.busy(1_000);
        #[cfg(unix)]
        for own in ["self", "cpuinfo"] {
            std::os::unix::fs::symlink(Path::new("/proc").join(own), host.proc().join(own)).unwrap();
        }
        host
    }

    /// A control group allows so many bytes of memory and its processes hold so many, of which some are page cache.
    pub fn limits_memory(&self, limit: u64, held: u64, cache: u64) {
        let files = [
            ("memory.max", format!("{limit}\n")),
            ("memory.current", format!("{held}\n")),
            ("memory.stat", format!("anon {}\ninactive_file {cache}\nactive_file 0\n", held - cache)),
        ];
        let group = self.folder.path().join("sys/fs/cgroup");
        fs::create_dir_all(&group).unwrap();
        for (name, text) in files {
            fs::write(group.join(name), text).unwrap();
        }
    }

    /// The processors have been busy for so many seconds since the machine was started, all of them together.
    pub fn busy(&self, seconds: u64) {
        let mut text = format!("cpu  {}00 0 0 900000 0 0 0 0 0 0\n", seconds);
        for processor in 0..bench::telemetry::host::threads() {
            text.push_str(&format!("cpu{processor} 0 0 0 0 0 0 0 0 0 0\n"));
        }
        self.write("stat", &text);
    }

    /// A program has used the processors for so many seconds, in one process of this number.
    pub fn runs(&self, number: u32, name: &str, seconds: u64) {
        let stat = format!("{number} ({name}) R 1 1 1 0 -1 4 0 0 0 0 {seconds}00 0 0 0 20 0 1 0 7 0 0\n");
        self.write(&format!("{number}/stat"), &stat);
    }

    /// This process has used the processors for so many seconds, and not for as long as it really has.
    pub fn used(&self, seconds: u64) {
        fs::remove_file(self.proc().join("self")).unwrap();
        self.write("self/stat", &format!("7 (bench) R 1 1 1 0 -1 4 0 0 0 0 {seconds}00 0 0 0 20 0 1 0 7 0 0\n"));
    }

    /// As the library sees it, within the tests' own process.
    pub fn host(&self) -> Host {
        Host::at(self.proc())
    }

    /// For `LD_PRELOAD`: has a program see it in place of the machine that it runs on.
    pub fn library(&self) -> PathBuf {
        let place = self.folder.path().join("libhost.so");
        if !place.exists() {
            fs::write(&place, compiled()).unwrap();
        }
        place
    }

    fn proc(&self) -> PathBuf {
        self.folder.path().join("proc")
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.proc().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

/// `tests/fixtures/host/host.c`, compiled once: it finds its machine by where it lies itself.
fn compiled() -> &'static [u8] {
    static LIBRARY: OnceLock<Vec<u8>> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("libhost.so");
        let mut compiler = Command::new("cc");
        compiler.args(["-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-O1", "-o"]).arg(&file);
        let output = compiler.arg(fixture("host").join("host.c")).arg("-ldl").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        fs::read(&file).unwrap()
    })
}
