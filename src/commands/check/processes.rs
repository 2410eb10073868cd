//! Processes: runs of this program or of another build of it, each in a process of its own.
//!
//! Where code and data happen to lie in memory makes two processes of the same program differ by per cents for as long as they
//! live (Mytkowicz et al., "Producing Wrong Data Without Doing Anything Obviously Wrong!", 2009). A difference between
//! builds is told from that only by starting each of them many times.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::cli;
use crate::clock::wall_time;
use crate::commands::interrupt::on_interrupt;
use crate::compare::{Baseline, Digest};
use crate::error::Error;
use crate::report::json;
use crate::store::new_run_id;
use crate::ui::{PassProgress, Printer};

/// Runs what a digest tells, process by process.
pub(super) struct Processes {
    /// Holds what each process ran, and stays for those who want to look into it.
    folder: PathBuf,
    prompts: cli::Prompts,
    cancel: Arc<AtomicBool>,
}

impl Processes {
    /// # Errors
    /// A folder that cannot be written to.
    pub(super) fn new(digest: &Digest, prompts: &cli::Prompts, results: &Path) -> Result<Self, Error> {
        let folder = results.join(format!("processes-{}", new_run_id(wall_time(), rand::random())));
        let this = Self { folder, prompts: prompts.clone(), cancel: on_interrupt() };
        let failed = |source| Error::Write { path: this.folder.clone(), source };
        std::fs::create_dir_all(&this.folder).map_err(failed)?;
        let baseline = Baseline { digest: digest.clone(), noise: None };
        std::fs::write(this.baseline(), baseline.to_text()).map_err(failed)?;
        Ok(this)
    }

    /// Runs this program so many times, each run whole; `None` if the user stopped it.
    ///
    /// # Errors
    /// A process that did not run.
    pub(super) fn again(&self, runs: u16, printer: &Printer) -> Result<Option<Vec<Digest>>, Error> {
        let program = this_program()?;
        let progress = PassProgress::new(printer, runs.into());
        let mut digests = Vec::new();
        for run in 0..runs {
            progress.starts(&format!("run {} of {runs}", run + 1));
            let Some(digest) = self.run(&program, "a", None)? else { return Ok(None) };
            digests.push(digest);
            progress.ended();
        }
        Ok(Some(digests))
    }

    /// Runs another build and this one so many times each, in the order A B B A, one round of the prompts at a time: what
    /// drifts meanwhile touches both alike. Gives what each of them did in all its processes; `None` if the user stopped it.
    ///
    /// # Errors
    /// A process that did not run.
    pub(super) fn alternate(
        &self,
        other: &Path,
        rounds: u16,
        printer: &Printer,
    ) -> Result<Option<(Digest, Digest)>, Error> {
        let this = this_program()?;
        let progress = PassProgress::new(printer, 2 * u64::from(rounds));
        let mut sides: [Option<Digest>; 2] = [None, None];
        for round in 0..rounds {
            let order = if round % 2 == 0 { [0, 1] } else { [1, 0] };
            for side in order {
                let (program, name) = [(other, "a"), (this.as_path(), "b")][side];
                progress.starts(&format!("round {} of {rounds}: {}", round + 1, name.to_uppercase()));
                let Some(digest) = self.run(program, name, Some(1))? else { return Ok(None) };
                match &mut sides[side] {
                    Some(whole) => whole.add(digest),
                    whole => *whole = Some(digest),
                }
                progress.ended();
            }
        }
        let [before, after] = sides;
        Ok(before.zip(after))
    }

    fn baseline(&self) -> PathBuf {
        self.folder.join("baseline.json")
    }

    /// One process, with its results in a folder of its side: builds of different ages do not share a database.
    fn run(&self, program: &Path, side: &str, repeat: Option<u32>) -> Result<Option<Digest>, Error> {
        let export = self.folder.join(format!("{side}.json"));
        // Else the one before would be read where this one writes none.
        let _ = std::fs::remove_file(&export);
        let mut command = Command::new(program);
        command.args(["compare", "--quiet", "--format", "json", "--like"]).arg(self.baseline());
        command.arg("--output").arg(&export).arg("--results").arg(self.folder.join(side));
        command.args(repeat.iter().flat_map(|repeat| [OsString::from("--repeat"), repeat.to_string().into()]));
        command.args(self.prompts.prompts.iter().flat_map(|folder| [OsString::from("--prompts"), folder.into()]));
        command.args(self.prompts.quality.iter().flat_map(|file| [OsString::from("--quality"), file.into()]));
        let output = command.stdin(Stdio::null()).output();
        if self.cancel.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let output = output.map_err(|source| Error::Process { program: program.into(), source })?;
        // 1 says that no candidate qualified, or one failed: the check has its own say on that.
        let ran = matches!(output.status.code(), Some(0 | 1));
        let Some(text) = ran.then(|| std::fs::read_to_string(&export).ok()).flatten() else {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            let hint = "both programs must be builds of `bench` that know `compare --like`".to_owned();
            let message = format!("`{}` could not run it ({}) {said}", program.display(), output.status);
            return Err(Error::usage(message.trim_end(), hint));
        };
        Ok(Some(Digest::of(&json::read(&text)?)))
    }
}

fn this_program() -> Result<PathBuf, Error> {
    std::env::current_exe().map_err(|source| Error::Process { program: "bench".into(), source })
}
