//! A driver's library that answers by a script, built from `tests/fixtures/nvml/nvml.c`.

use std::path::{Path, PathBuf};
use std::process::Command;

use nvml_wrapper::Nvml;

use super::fixture;

/// The name that programs load it by.
const NAME: &str = "libnvidia-ml.so.1";

/// A card with everything told: the answers to every question that is asked of one.
const L4: [(&str, &str); 18] = [
    ("driver", "550.90.07"),
    ("cuda", "12040"),
    ("devices", "1"),
    ("name", "NVIDIA_L4"),
    ("uuid", "GPU-5a2f8c1e-1111-2222-3333-444455556666"),
    ("memory.total", "24152899584"),
    ("memory.used", "1048576"),
    ("processes", "-"),
    ("power", "17000"),
    ("power.limit", "72000"),
    ("energy", "5000000"),
    ("temperature", "45"),
    ("clock.sm", "1100"),
    ("clock.memory", "6251"),
    ("clock.sm.max", "2040"),
    ("clock.memory.max", "6251"),
    ("utilization", "98"),
    ("throttle", "0"),
];

/// A library of its own, with a script beside it; gone when dropped, but for what has loaded it.
pub struct FakeDriver {
    folder: tempfile::TempDir,
    script: Vec<(String, String)>,
}

impl FakeDriver {
    /// Of a machine with an L4 that nobody uses.
    pub fn l4() -> Self {
        Self::compiled(&[])
    }

    /// The same by a driver so old that it lacks the energy counter.
    pub fn without_energy_counter() -> Self {
        Self::compiled(&["-DWITHOUT_ENERGY_COUNTER"])
    }

    fn compiled(options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(folder.path().join(NAME)).args(options);
        let output = compiler.arg(fixture("nvml").join("nvml.c")).args(["-ldl", "-lpthread"]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let script = L4.map(|(question, answers)| (question.to_owned(), answers.to_owned())).to_vec();
        Self { folder, script }.says("ecc", "1").says("persistence", "0")
    }

    /// Answers a question so from now on.
    pub fn says(mut self, question: &str, answers: &str) -> Self {
        self.script.retain(|(other, _)| other != question);
        self.script.push((question.to_owned(), answers.to_owned()));
        let lines = self.script.iter().map(|(question, answers)| format!("{question} {answers}\n"));
        std::fs::write(self.folder().join("script"), lines.collect::<String>()).unwrap();
        self
    }

    /// For `LD_LIBRARY_PATH`.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Loaded into this process, as the program loads the driver's own.
    pub fn load(&self) -> &'static Nvml {
        let path: PathBuf = self.folder().join(NAME);
        let library = Nvml::builder().lib_path(path.as_os_str()).init().unwrap();
        Box::leak(Box::new(library))
    }
}
