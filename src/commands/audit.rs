//! `bench audit`: which rows of a published table a GPU cannot have done, and which figures of it contradict each other.

use std::collections::HashMap;
use std::path::Path;

use super::candidates::catalog;
use super::deliver::terminal;
use super::gpu;
use super::status::Status;
use crate::acquire::{known_config, local, synthetic};
use crate::audit::{Arithmetic, Claim, Computed, Effects, Finding, Table, Verdict, compute, judge};
use crate::catalog::Catalog;
use crate::cli::{self, PlanFormat};
use crate::error::Error;
use crate::plain_file::{self, WRITTEN_BY_HAND};
use crate::plan::Shape;
use crate::report::Renderer;
use crate::report::audit::{Audit, csv, json, page};
use crate::report::effects;
use crate::spec::{Config, shipped_repositories, shipped_shape};
use crate::ui::Printer;

pub(super) fn run(args: &cli::Audit, printer: &Printer) -> Result<Status, Error> {
    let path = &args.table;
    let bytes =
        plain_file::read(path, WRITTEN_BY_HAND).map_err(|source| Error::ReadText { path: path.clone(), source })?;
    let unreadable = |source| Error::Table { path: path.clone(), source };
    let effects = Effects::read(&bytes).map_err(unreadable)?;
    let computed = compute(&effects);
    let Some(gpu) = args.gpu.as_ref().filter(|_| !effects.has_changes()) else {
        if computed.is_empty() {
            let hint = "add --gpu l4; to audit what a change did, head the columns `before` and `after`".to_owned();
            return Err(Error::usage("a table of speeds is judged by a GPU, and none is given".to_owned(), hint));
        }
        let text = match args.format {
            PlanFormat::Table => terminal(printer).render(&effects::page(&computed)),
            PlanFormat::Csv => effects::csv(&computed)?,
            PlanFormat::Json => effects::json(&computed)?,
        };
        printer.answer(&text)?;
        return Ok(status(&[], &computed));
    };
    let gpus = gpu::known(&args.gpus)?;
    let gpu = gpu::named(gpu, &gpus)?;
    let table = Table::read(&bytes).map_err(unreadable)?;
    let shapes = Shapes::new(catalog(args.models.models.as_deref(), printer)?, &args.shape)?;

    let findings: Vec<Finding> =
        table.claims.iter().map(|claim| judge(claim, shapes.of(claim).as_ref(), &gpu)).collect();
    let audit = Audit::new(&gpu, &table.taken, &findings, &computed);
    let text = match args.format {
        PlanFormat::Table => terminal(printer).render(&page(&audit)),
        PlanFormat::Csv => csv(&audit)?,
        PlanFormat::Json => json(&audit)?,
    };
    printer.answer(&text)?;
    Ok(status(&findings, &computed))
}

fn status(findings: &[Finding], computed: &[Computed]) -> Status {
    let any = |verdicts: &[Verdict]| findings.iter().any(|finding| verdicts.contains(&finding.verdict));
    let came_out = |as_one_of: &[Arithmetic]| computed.iter().any(|one| as_one_of.contains(&one.verdict));
    if any(&[Verdict::Impossible, Verdict::MemoryDoesNotMatch]) || came_out(&[Arithmetic::Contradicts]) {
        Status::No
    } else if any(&[Verdict::Possible]) || came_out(&[Arithmetic::Agrees, Arithmetic::Implies]) {
        Status::Yes
    } else {
        // No row could be judged.
        Status::Unanswered
    }
}

/// Shapes by the names that tables have for them.
struct Shapes(HashMap<String, Config>);

impl Shapes {
    /// Those that ship, by repository, by its name alone and by the candidate's id; those of models.toml's local candidates;
    /// and those given as `NAME=SHAPE`, which go before all others.
    fn new(catalog: Catalog, given: &[String]) -> Result<Self, Error> {
        let mut shapes = HashMap::new();
        let mut add = |name: &str, config: &Config| {
            shapes.insert(plain(name), config.clone());
        };
        for repository in shipped_repositories() {
            let Some(config) = shipped_shape(&repository) else { continue };
            add(&repository, &config);
            add(repository.rsplit('/').next().unwrap_or_default(), &config);
        }
        for candidate in catalog.candidates {
            if let Some(config) = known_config(&candidate.source) {
                add(&candidate.id, &config);
            }
        }
        for pair in given {
            let hint = "write it as --shape 'NAME IN THE TABLE=DIRECTORY'".to_owned();
            let Some((name, shape)) = pair.split_once('=') else {
                return Err(Error::usage(format!("`{pair}` is not of the form NAME=SHAPE"), hint));
            };
            let config =
                if Path::new(shape).is_dir() { local::config(Path::new(shape))? } else { synthetic::config(shape)? };
            // What the decoder does not do should be said now, not as an unknown model.
            Shape::new(&config, None)
                .map_err(|source| crate::acquire::AcquireError::Spec { path: shape.into(), source })?;
            add(name, &config);
        }
        Ok(Self(shapes))
    }

    /// That of a row: its repository says more exactly than its name which model it is, but may be somebody's copy.
    fn of(&self, claim: &Claim) -> Option<Shape> {
        let repository = claim.repository.as_deref().map(|path| path.trim_start_matches("https://huggingface.co/"));
        let names = [repository, repository.and_then(|path| path.rsplit('/').next()), Some(&claim.model)];
        names.into_iter().flatten().find_map(|name| self.find(name))
    }

    fn find(&self, name: &str) -> Option<Shape> {
        Shape::new(self.0.get(&plain(name))?, None).ok()
    }
}

/// A name without case and punctuation, so that `DeepSeek-V2 Chat` is `deepseek-v2-chat`; nothing less is taken for the same.
fn plain(name: &str) -> String {
    name.to_lowercase().chars().filter(|letter| letter.is_alphanumeric()).collect()
}
