//! The built program, run from outside in a folder and an environment of its own.

use std::ffi::OsString;
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::fake_host::FakeHost;
use super::fixture;

/// Longest that any command may take; only a hang does.
const PATIENCE: Duration = Duration::from_secs(120);

/// A folder to work in, variables to work with, and a machine to work on; nothing of the settings of the machine that the
/// tests run on gets in, and nothing of what else that machine does.
pub struct Bench {
    folder: tempfile::TempDir,
    variables: Vec<(&'static str, OsString)>,
    /// The machine that the program sees.
    pub host: FakeHost,
    /// Bytes of address space that the program may take.
    memory: Option<u64>,
    /// A signal that the program is started to ignore.
    ignored: Option<i32>,
}

impl Bench {
    /// In an empty folder, with no variable set that the program listens to, on a quiet machine.
    pub fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            variables: Vec::new(),
            host: FakeHost::quiet(),
            memory: None,
            ignored: None,
        }
    }

    /// With these checkpoints of the fixtures, and the prompts of [`Bench::prompts`].
    pub fn with(checkpoints: &[&str]) -> Self {
        let bench = Self::new().prompts();
        checkpoints.iter().for_each(|name| bench.checkpoint(name, name));
        bench
    }

    pub fn variable(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.variables.push((name, value.into()));
        self
    }

    /// Lets the program have so many bytes of memory, mapped files included, and no more.
    #[cfg(target_os = "linux")]
    pub fn memory(self, bytes: u64) -> Self {
        Self { memory: Some(bytes), ..self }
    }

    /// Has the program ignore a signal from its start, as `nohup` does.
    pub fn ignoring(mut self, signal: i32) -> Self {
        self.ignored = Some(signal);
        self
    }

    /// Two small suites in `prompts/`: texts in Korean and English, and token counts, short enough for every fixture.
    pub fn prompts(self) -> Self {
        let greeting = |description: &str, system: &str, text: &str| {
            format!(
                "description = \"{description}\"\nsystem = \"{system}\"\nmax_new_tokens = 8\n\
                 [[prompt]]\nid = \"hello\"\ntext = \"{text}\"\n"
            )
        };
        self.write("prompts/ko/greeting.toml", greeting("인사", "친절하게.", "안녕하세요?"));
        self.write("prompts/en/greeting.toml", greeting("A greeting", "Be kind.", "Good morning!"));
        self.write(
            "prompts/count.toml",
            "description = \"Counts\"\nrepeat = 2\nwarmup = 1\n\
             [[prompt]]\nid = \"pp16+tg4\"\nprompt_tokens = 16\noutput_tokens = 4\n",
        );
        self
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A file, and the folders that it is in.
    pub fn write(&self, name: &str, contents: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, contents).unwrap();
    }

    /// Makes a file longer by zeros, which take no room on the disk.
    pub fn grow(&self, name: &str, bytes: u64) {
        std::fs::OpenOptions::new().write(true).open(self.path(name)).unwrap().set_len(bytes).unwrap();
    }

    /// A checkpoint directory of the fixtures, under another name.
    pub fn checkpoint(&self, fixture_name: &str, name: &str) {
        self.directory(&fixture("checkpoints").join(fixture_name), name);
    }

    /// An adapter's directory of the fixtures.
    pub fn adapter(&self, name: &str) {
        self.directory(&fixture("adapters").join(name), name);
    }

    /// A copy of a directory.
    pub fn directory(&self, from: &Path, name: &str) {
        std::fs::create_dir_all(self.path(name)).unwrap();
        for file in std::fs::read_dir(from).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), self.path(name).join(file.file_name())).unwrap();
        }
    }

    /// Has a checkpoint hold no more than so many tokens.
    pub fn longest_context(&self, checkpoint: &str, tokens: usize) {
        let config = self.path(checkpoint).join("config.json");
        let mut fields: serde_json::Value = serde_json::from_slice(&std::fs::read(&config).unwrap()).unwrap();
        fields["max_position_embeddings"] = tokens.into();
        std::fs::write(config, fields.to_string()).unwrap();
    }

    /// A GGUF file of the fixtures.
    pub fn gguf(&self, name: &str) {
        std::fs::copy(fixture("gguf").join(name), self.path(name)).unwrap();
    }

    /// Runs the program to its end. `line` is split as a shell would: at spaces that no single quotes surround.
    #[track_caller]
    pub fn run(&self, line: &str) -> Ran {
        self.start(line).finish()
    }

    /// Runs the program to its end with a file as its standard input.
    #[track_caller]
    pub fn run_with(&self, line: &str, input: &str) -> Ran {
        self.write("input.txt", input);
        let file = std::fs::File::open(self.path("input.txt")).unwrap();
        self.start_with(line, Stdio::from(file)).finish()
    }

    /// Starts the program and does not wait for it.
    #[track_caller]
    pub fn start(&self, line: &str) -> Running {
        self.start_with(line, Stdio::null())
    }

    #[track_caller]
    fn start_with(&self, line: &str, input: Stdio) -> Running {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bench"));
        command.args(words(line)).current_dir(self.folder.path());
        command.env_clear().env("HOME", self.folder.path()).env("TZ", "UTC").env("NO_COLOR", "1").env("COLUMNS", "100");
        #[cfg(target_os = "linux")]
        command.env("LD_PRELOAD", self.host.library());
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped());
        #[cfg(target_os = "linux")]
        if let Some(bytes) = self.memory {
            use std::os::unix::process::CommandExt;
            let limit = libc::rlimit { rlim_cur: bytes, rlim_max: bytes };
            // SAFETY: the limit is read before the call returns.
            let set = move || match unsafe { libc::setrlimit(libc::RLIMIT_AS, &limit) } {
                0 => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            };
            // SAFETY: between fork and exec it makes one system call, and nothing that takes a lock or memory.
            unsafe { command.pre_exec(set) };
        }
        #[cfg(unix)]
        {
            use std::os::unix::process::CommandExt;
            // Whoever runs the tests in the background of a shell has them ignored.
            let heed = || {
                for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
                    // SAFETY: it is one system call, between fork and exec as at any time.
                    unsafe { libc::signal(signal, libc::SIG_DFL) };
                }
                Ok(())
            };
            // SAFETY: as above.
            unsafe { command.pre_exec(heed) };
        }
        #[cfg(unix)]
        if let Some(signal) = self.ignored {
            use std::os::unix::process::CommandExt;
            let ignore = move || {
                // SAFETY: to ignore a signal is one system call, between fork and exec as at any time.
                unsafe { libc::signal(signal, libc::SIG_IGN) };
                Ok(())
            };
            // SAFETY: as above.
            unsafe { command.pre_exec(ignore) };
        }
        let mut child = command.spawn().unwrap();
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let folder = self.folder.path().to_string_lossy().into_owned();
        let streams = Some((collect(stdout), collect(stderr)));
        Running { line: line.to_owned(), folder, child, streams }
    }

    /// The JSON export of a run.
    #[track_caller]
    pub fn export(&self, run: &str) -> serde_json::Value {
        let exported = self.run(&format!("export {run} --format json")).exits(0);
        serde_json::from_str(&exported.stdout).unwrap()
    }
}

fn words(line: &str) -> Vec<String> {
    let (mut words, mut quoted, mut open) = (vec![String::new()], false, false);
    for c in line.chars() {
        match c {
            '\'' => (quoted, open) = (!quoted, true),
            ' ' if !quoted => {
                words.push(String::new());
                open = false;
            }
            c => words.last_mut().unwrap().push(c),
        }
    }
    words.retain(|word| !word.is_empty() || open);
    words
}

fn collect(mut from: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// The program while it runs; killed when dropped.
pub struct Running {
    line: String,
    folder: String,
    child: Child,
    /// Standard output and standard error; taken when it is waited for.
    streams: Option<(JoinHandle<String>, JoinHandle<String>)>,
}

impl Running {
    /// Sends a signal by its name: `INT`, `TERM`, `KILL`.
    pub fn signal(&self, name: &str) {
        let command = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &command]).status().unwrap().success(), "{command}");
    }

    /// Whether it has started a process of its own.
    #[cfg(target_os = "linux")]
    pub fn has_child(&self) -> bool {
        let parent = format!(" {} ", self.child.id());
        let is_child = |status: String| {
            // `pid (name) state parent …`
            status.rsplit_once(')').is_some_and(|(_, rest)| rest.get(2..).is_some_and(|rest| rest.starts_with(&parent)))
        };
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        processes.filter_map(|process| std::fs::read_to_string(process.path().join("stat")).ok()).any(is_child)
    }

    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits for the end, which must be the program's own: neither a panic nor a hang.
    #[track_caller]
    pub fn finish(self) -> Ran {
        let ran = self.wait();
        assert!(ran.code.is_some() && !ran.stderr.contains("panicked"), "crashed: {ran}");
        ran
    }

    /// Waits for the end, whatever it is.
    #[track_caller]
    pub fn wait(mut self) -> Ran {
        let deadline = Instant::now() + PATIENCE;
        let mut hung = false;
        while !self.has_ended() {
            if Instant::now() > deadline {
                hung = true;
                self.child.kill().unwrap();
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        let code = self.child.wait().unwrap().code();
        let (stdout, stderr) = self.streams.take().unwrap();
        let (stdout, stderr) = (stdout.join().unwrap(), stderr.join().unwrap());
        let ran = Ran { line: self.line.clone(), folder: self.folder.clone(), code, stdout, stderr };
        assert!(!hung, "no end after {PATIENCE:?}: {ran}");
        ran
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Fails only where it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a command did. Shows all of it where an assertion fails.
pub struct Ran {
    line: String,
    folder: String,
    /// `None` if a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "$ bench {}", self.line)?;
        match self.code {
            Some(code) => writeln!(f, "exit status: {code}")?,
            None => writeln!(f, "ended by a signal")?,
        }
        write!(f, "----- standard output -----\n{}----- standard error -----\n{}", self.stdout, self.stderr)
    }
}

impl Ran {
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert!(self.code == Some(code), "expected exit status {code}: {self}");
        self
    }

    /// Standard error has this.
    #[track_caller]
    pub fn says(self, part: &str) -> Self {
        assert!(self.stderr.contains(part), "standard error lacks `{part}`: {self}");
        self
    }

    /// Standard output has this.
    #[track_caller]
    pub fn answers(self, part: &str) -> Self {
        assert!(self.stdout.contains(part), "standard output lacks `{part}`: {self}");
        self
    }

    /// Neither stream has this.
    #[track_caller]
    pub fn never_mentions(self, part: &str) -> Self {
        assert!(!self.stdout.contains(part) && !self.stderr.contains(part), "`{part}` is there: {self}");
        self
    }

    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self}"))
    }

    /// All that was said, without what differs between machines and moments: for a snapshot.
    pub fn steady(&self) -> String {
        let code = self.code.map_or("a signal".to_owned(), |code| code.to_string());
        let here = |text: &str| {
            let text = text.replace(&self.folder, "[folder]").replace(&bench::telemetry::host::cpu_name(), "[cpu]");
            steady(&text)
        };
        format!(
            "$ bench {}\nexit status: {code}\n----- standard output -----\n{}----- standard error -----\n{}",
            self.line,
            here(&self.stdout),
            here(&self.stderr)
        )
    }

    /// Patterns of what is left that differs, and what stands for it.
    pub fn filters() -> [(&'static str, &'static str); 9] {
        [
            (r"\b\d{8}-\d{6}-[0-9a-f]{4}\b", "YYYYMMDD-HHMMSS-XXXX"),
            (r"\d{4}-\d\d-\d\d \d\d:\d\d", "YYYY-MM-DD HH:MM"),
            (r"\b\d+ threads?\b", "N threads"),
            (r"[\d,.]*\d (ns|µs|ms|s|min|h)\b( [\d,.]*\d (s|min)\b)?", "N s"),
            (r"[\d,.]*\d ([KMG]iB|bytes)\b", "N bytes"),
            // A copy may be made without reading it into the page cache.
            (r"(\(N s to load)[^,)]*,", "$1,"),
            (r"[\d,.]*\d (tok/s|((Korean|English) )?chars/s|chars/tok|KRW)", "N $1"),
            (r"[\d,.]*\d times the limit", "N times the limit"),
            // Of the tests' own build only.
            (r"(?m)^! debug build: .*\n", ""),
        ]
    }
}

/// A text whose tables are without widths and figures: those are not the same twice.
fn steady(text: &str) -> String {
    let parts = text.split("\n\n").map(|part| if part.contains("──") { steady_table(part) } else { part.to_owned() });
    parts.collect::<Vec<_>>().join("\n\n")
}

fn steady_table(text: &str) -> String {
    let mut in_rows = false;
    let mut steady = String::new();
    for line in text.split_inclusive('\n') {
        let cells = line.trim().split("  ").map(str::trim).filter(|cell| !cell.is_empty());
        let cells: Vec<&str> = cells.map(|cell| if in_rows && is_figure(cell) { "#" } else { cell }).collect();
        let is_rule = line.contains("──");
        in_rows |= is_rule;
        steady.push_str(&if is_rule { "───".into() } else { cells.join("  ") });
        steady.push_str(if line.ends_with('\n') { "\n" } else { "" });
    }
    steady
}

/// Whether a cell is a number, with or without a unit; shares are the same on any machine, and times and ids are for the
/// filters.
fn is_figure(cell: &str) -> bool {
    let number = cell.trim_start_matches(['~', '=']).starts_with(|c: char| c.is_ascii_digit());
    number && !cell.ends_with('%') && !cell.contains(['-', ':'])
}

/// Compares what a command did with the snapshot of this name.
#[macro_export]
macro_rules! snapshot {
    ($name:expr, $ran:expr) => {{
        let ran = $ran;
        let mut settings = insta::Settings::clone_current();
        settings.set_omit_expression(true);
        settings.set_prepend_module_to_snapshot(false);
        for (pattern, stand_in) in $crate::support::bench::Ran::filters() {
            settings.add_filter(pattern, stand_in);
        }
        settings.bind(|| insta::assert_snapshot!($name, ran.steady()));
        ran
    }};
}

/// Whether a path is one that this user may not write to; nobody can tell for the user `root`, who may do anything.
pub fn runs_as_root() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().any(|line| line.starts_with("Uid:") && line.split_whitespace().nth(2) == Some("0"))
}

/// Every file under a folder.
pub fn files_under(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(files_under(&path)) } else { files.push(path) }
    }
    files
}
