//! `bench baseline`: what later runs are judged against.

use std::path::{Path, PathBuf};

use super::baselines;
use super::deliver::terminal;
use super::status::Status;
use crate::cli;
use crate::compare::{Baseline, Digest, incomparable};
use crate::error::Error;
use crate::record::Environment;
use crate::report::{self, Renderer};
use crate::store::{self, Store};
use crate::ui::Printer;

pub(super) fn run(args: &cli::Baseline, printer: &Printer) -> Result<Status, Error> {
    match &args.command {
        cli::BaselineCommand::Save(save) => self::save(save, printer),
        cli::BaselineCommand::List(results) => {
            let all = baselines::all(&results.results)?;
            if all.is_empty() {
                let folder = baselines::folder(&results.results);
                printer.say(&format!("`{}` has no baselines; `bench baseline save` makes one", folder.display()));
            } else {
                let page = report::baseline::list(&all, baselines::is_of_here);
                printer.answer(&terminal(printer).render(&page))?;
            }
            Ok(Status::Yes)
        }
        cli::BaselineCommand::Show { baseline, results } => {
            let baseline = baselines::named(baseline, &results.results)?;
            printer.answer(&terminal(printer).render(&report::baseline::show(&baseline)))?;
            Ok(Status::Yes)
        }
    }
}

fn save(args: &cli::BaselineSave, printer: &Printer) -> Result<Status, Error> {
    let results = &args.results.results;
    let run = Store::open_to_read(store::database(results))?.load_run(&args.run)?;
    let digest = Digest::of(&run);
    if digest.is_empty() {
        let hint = "name another with --run: `bench history` lists them".to_owned();
        return Err(Error::usage(format!("run {} has no measured trial", run.id), hint));
    }
    if run.finished_at.is_none() && !args.force {
        let hint = format!("finish it with `bench compare --resume {}`, or save it as it is with --force", run.id);
        return Err(Error::usage(format!("run {} did not finish", run.id), hint));
    }
    let disturbed: usize = digest.rows.iter().map(|row| row.disturbed).sum();
    if disturbed > 0 && !args.force {
        let hint = "run again when the machine is quiet, or save it all the same with --force".to_owned();
        let on_gpu = digest.rows.iter().map(|row| row.gpu_disturbed).sum();
        let by: Vec<String> = digest.rows.iter().flat_map(|row| row.disturbed_by.clone()).collect();
        let cause = report::check::disturbance(disturbed, on_gpu, &by);
        let message = format!("{cause} during {disturbed} trials of run {}", run.id);
        return Err(Error::usage(message, hint));
    }
    let path = args.output.clone().unwrap_or_else(|| baselines::folder(results).join(name(&digest.environment)));
    let noise = match replaced(&path)? {
        None => None,
        Some(old) => {
            let differences = incomparable(&old.digest, &digest);
            if !differences.is_empty() && !args.force {
                let differences: Vec<String> = differences.iter().map(ToString::to_string).collect();
                let message = format!(
                    "`{}` holds something that run {} does not compare with: {}",
                    path.display(),
                    run.id,
                    differences.join("; ")
                );
                let hint = "save it elsewhere with --output, or replace it with --force".to_owned();
                return Err(Error::usage(message, hint));
            }
            // What the machine's noise is does not depend on which of its runs is the baseline.
            old.noise.filter(|_| differences.is_empty())
        }
    };
    write(&path, &Baseline { digest, noise })?;
    printer.say(&format!("baseline of run {} written to {}", run.id, path.display()));
    Ok(Status::Yes)
}

/// What a file that is about to be written holds; `None` if there is none.
fn replaced(path: &Path) -> Result<Option<Baseline>, Error> {
    if path.exists() { baselines::read(path).map(Some) } else { Ok(None) }
}

/// Writes a baseline's file, and the folders that it is in.
///
/// # Errors
/// A place that cannot be written to.
pub(super) fn write(path: &Path, baseline: &Baseline) -> Result<(), Error> {
    let failed = |source| Error::Write { path: path.into(), source };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    // A file beside it first: a crash leaves the old one or the new one, never half of one.
    let beside = path.with_extension("json.part");
    std::fs::write(&beside, baseline.to_text()).and_then(|()| std::fs::rename(&beside, path)).map_err(failed)
}

/// A file's name by device, threads and build, so that machines have files of their own.
fn name(environment: &Environment) -> PathBuf {
    let mut name = format!("{} {} threads", environment.device_name, environment.threads);
    environment.build_features.iter().for_each(|feature| name.push_str(&format!(" {feature}")));
    let words = name.to_lowercase();
    let words: Vec<&str> = words.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    format!("{}.json", words.join("-")).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summarize::testing;

    #[test]
    fn a_baseline_is_named_by_its_machine() {
        let mut environment = testing::run(Vec::new()).environment;
        environment.device_name = "NVIDIA L4 (24 GB)".into();
        environment.build_features = vec!["cuda".into()];
        assert_eq!(name(&environment), Path::new("nvidia-l4-24-gb-2-threads-cuda.json"));
    }
}
