//! Choosing: from the command line to candidates, steps and a run that can be told from others.

use std::collections::BTreeMap;
use std::path::Path;

use crate::catalog::{Candidate, Quantization, Requirements, Source, local_checkpoint};
use crate::cli;
use crate::commands::candidates::{catalog, stated};
use crate::commands::checkpoint;
use crate::compare::difference;
use crate::error::Error;
use crate::plan::{Choices, Schedule};
use crate::quality::{Judgement, Verdict};
use crate::record::{Asked, Environment, Row, Run, Settings, Stated};
use crate::suite::{self, Language, Prompt, Suite};
use crate::telemetry::environment;
use crate::toml_error::nearest;
use crate::ui::Printer;

/// Most rounds where a precision or a time is asked for and no number.
const MAX_REPEAT: u32 = 100;

/// What is to be run.
pub(super) struct Chosen {
    candidates: Vec<Candidate>,
    requirements: Requirements,
    stated: Option<Stated>,
    settings: Settings,
    prompts: Vec<Asked>,
    /// The trials of every candidate.
    pub schedule: Schedule,
}

impl Chosen {
    /// What the command line asks for.
    pub(super) fn from_args(args: &cli::Compare, printer: &Printer) -> Result<Self, Error> {
        let catalog = catalog(args.models.models.as_deref(), printer)?;
        let mut requirements = catalog.requirements;
        if catalog.file.is_none() && !args.local.is_empty() {
            // The service that the shipped file describes is not the one that the user's own models are for.
            requirements = Requirements { device: None, budget: None, ..requirements };
        }
        let requirements = requirements.with(&args.require.require).map_err(Error::Requirement)?;
        let stated = stated(catalog.file.as_deref(), &args.require.require);
        let mut candidates = if args.local.is_empty() {
            chosen(catalog.candidates, &args.candidate)?
        } else {
            args.local.iter().map(|path| local(path)).collect()
        };
        if let Some(quantization) = args.quantization {
            candidates = at_precision(candidates, quantization);
        }
        if args.synthetic {
            candidates.iter_mut().for_each(|candidate| candidate.source = synthetic(&candidate.source));
        }
        if let Some(twice) = duplicate(&candidates) {
            return Err(Error::usage(format!("`{twice}` would be run twice"), "name each candidate once".to_owned()));
        }
        let suites = named_suites(suites(&args.prompts)?, &args.suite, args.synthetic)?;
        let until = args.precision.is_some() || args.min_seconds.is_some();
        // Random weights screen candidates: one round tells those apart that differ by enough to matter then.
        let once = (args.synthetic && args.repeat.is_none() && !until).then_some(1);
        let settings = Settings {
            seed: args.seed,
            repeat: args.repeat.or(once),
            precision: args.precision,
            min_seconds: args.min_seconds,
            max_repeat: until.then(|| args.max_repeat.unwrap_or(MAX_REPEAT)),
            warmup: args.warmup.or(once),
            max_new_tokens: args.max_new_tokens,
            suites: hashes(&suites),
            languages: args.language.clone(),
            today: Some(args.templates.today),
        };
        let schedule = Schedule::of(&suites, &choices(&settings));
        if schedule.least().is_empty() {
            return Err(Error::usage("these suites have no prompts in that language", None));
        }
        let prompts = asked(&suites, &settings.languages);
        Ok(Self { candidates, requirements, stated: Some(stated), settings, prompts, schedule })
    }

    /// What run `id` was to do; its prompts must still be the same.
    pub(super) fn again(
        id: &str,
        candidates: Vec<Candidate>,
        settings: Settings,
        requirements: Requirements,
        prompts: &cli::Prompts,
    ) -> Result<Self, Error> {
        let mut suites = suites(prompts)?;
        suites.retain(|suite| settings.suites.contains_key(&suite.name));
        if hashes(&suites) != settings.suites {
            let hint = "give what it was started with as --prompts and --quality, or start a new run".to_owned();
            return Err(Error::usage(format!("the prompts of run {id} are not these any more"), hint));
        }
        let schedule = Schedule::of(&suites, &choices(&settings));
        let prompts = asked(&suites, &settings.languages);
        Ok(Self { candidates, requirements, stated: None, settings, prompts, schedule })
    }

    /// A run of it in which nothing has happened yet.
    pub(super) fn new_run(&self, id: String, started_at: jiff::Timestamp, environment: Environment) -> Run {
        Run {
            id,
            started_at,
            finished_at: None,
            environment,
            settings: self.settings.clone(),
            requirements: self.requirements.clone(),
            stated: self.stated.clone(),
            prompts: self.prompts.clone(),
            rows: self.candidates.iter().cloned().map(Row::pending).collect(),
        }
    }
}

fn choices(settings: &Settings) -> Choices {
    Choices {
        repeat: settings.repeat,
        max_repeat: settings.max_repeat,
        warmup: settings.warmup,
        max_new_tokens: settings.max_new_tokens,
        languages: settings.languages.clone(),
        seed: settings.seed,
    }
}

/// Refuses to go on with a run in another environment than it was begun in.
pub(super) fn same_environment(begun: &Environment) -> Result<(), Error> {
    let here = environment::detect(&begun.device, begun.threads);
    let changed: Vec<String> = difference::fields(begun, &here).iter().map(ToString::to_string).collect();
    if changed.is_empty() {
        return Ok(());
    }
    let message =
        format!("the run was begun in another environment, its figures would not compare: {}", changed.join(", "));
    Err(Error::usage(message, "resume it where it was started, or start a new run".to_owned()))
}

/// The suites of a folder, or the shipped ones, and those of JSON lines.
fn suites(prompts: &cli::Prompts) -> Result<Vec<Suite>, Error> {
    let mut suites = prompts.prompts.as_deref().map_or_else(suite::shipped, suite::read).map_err(Error::Suite)?;
    for file in &prompts.quality {
        let own = suite::read_lines(file).map_err(Error::Suite)?;
        if suites.iter().any(|suite| suite.name == own.name) {
            let hint = "name the file otherwise: a suite is named as its file is".to_owned();
            return Err(Error::usage(format!("there is a suite `{}` already", own.name), hint));
        }
        suites.push(own);
    }
    judgeable(&suites)?;
    Ok(suites)
}

/// Refuses suites in which the reference answer of a prompt is not good enough for its own checks.
fn judgeable(suites: &[Suite]) -> Result<(), Error> {
    for suite in suites {
        for prompt in &suite.prompts {
            let Some(reference) = &prompt.expected.reference else { continue };
            let Some(judgement) = Judgement::of(prompt, reference, false) else { continue };
            if let Some((check, Verdict::Fail { reason, .. })) = judgement.failures().next() {
                let language = prompt.language.map_or("", |language| language.tag());
                let what = format!(
                    "the reference answer of `{}` ({} {language}) fails its own `{check}`: {reason}",
                    prompt.id, suite.name
                );
                return Err(Error::usage(what, "mend the check or the reference".to_owned()));
            }
        }
    }
    Ok(())
}

/// The texts that will be asked, in the languages asked for.
fn asked(suites: &[Suite], languages: &[Language]) -> Vec<Asked> {
    let wanted = |prompt: &&Prompt| {
        prompt.language.is_some_and(|language| languages.is_empty() || languages.contains(&language))
    };
    let of = |suite: &Suite| -> Vec<Asked> {
        let asked = |prompt: &Prompt| Asked { suite: suite.name.clone(), prompt: prompt.clone() };
        suite.prompts.iter().filter(wanted).map(asked).collect()
    };
    suites.iter().flat_map(of).collect()
}

/// The suites of these names; all if none is named, or without texts where there will be no tokenizer for them.
fn named_suites(suites: Vec<Suite>, names: &[String], synthetic: bool) -> Result<Vec<Suite>, Error> {
    let known: Vec<String> = suites.iter().map(|suite| suite.name.clone()).collect();
    if let Some(unknown) = names.iter().find(|name| !known.contains(name)) {
        let hint = match nearest(unknown, known.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the suites are {}", known.join(", ")),
        };
        return Err(Error::usage(format!("there is no suite `{unknown}`"), hint));
    }
    let wanted =
        |suite: &Suite| if names.is_empty() { !(synthetic && suite.is_text()) } else { names.contains(&suite.name) };
    let chosen: Vec<Suite> = suites.into_iter().filter(wanted).collect();
    if synthetic && let Some(text) = chosen.iter().find(|suite| suite.is_text()) {
        let hint = "leave --suite out, or name `speed`".to_owned();
        return Err(Error::usage(format!("random weights have no tokenizer for the texts of `{}`", text.name), hint));
    }
    Ok(chosen)
}

fn hashes(suites: &[Suite]) -> BTreeMap<String, String> {
    suites.iter().map(|suite| (suite.name.clone(), suite.sha256.clone())).collect()
}

/// The candidates of these ids; all if none is named.
fn chosen(candidates: Vec<Candidate>, ids: &[String]) -> Result<Vec<Candidate>, Error> {
    if let Some(unknown) = ids.iter().find(|id| !candidates.iter().any(|candidate| candidate.id == **id)) {
        let hint = match nearest(unknown, candidates.iter().map(|candidate| candidate.id.as_str())) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "the candidates are those of models.toml".into(),
        };
        return Err(Error::usage(format!("there is no candidate `{unknown}`"), hint));
    }
    let chosen: Vec<Candidate> =
        candidates.into_iter().filter(|candidate| ids.is_empty() || ids.contains(&candidate.id)).collect();
    if chosen.is_empty() {
        let hint = "add a [[candidate]] to models.toml, or name one with --local".to_owned();
        return Err(Error::usage("there are no candidates", hint));
    }
    Ok(chosen)
}

/// A path as a candidate, named by its last part.
fn local(path: &Path) -> Candidate {
    let canonical = path.canonicalize().unwrap_or_else(|_| path.into());
    let name = canonical.file_name().unwrap_or(canonical.as_os_str()).to_string_lossy().into_owned();
    let id = name.strip_suffix(".gguf").unwrap_or(&name).replace(char::is_whitespace, "-");
    checkpoint::of_source(&id, Source::Local { path: local_checkpoint(path) }, None)
}

/// One row of each candidate, at this precision.
fn at_precision(candidates: Vec<Candidate>, quantization: Quantization) -> Vec<Candidate> {
    let mut changed: Vec<Candidate> = Vec::new();
    for candidate in candidates {
        let candidate = Candidate { quantization: Some(quantization), ..candidate };
        // Rows that differed in their precision alone have become the same.
        if !changed.contains(&candidate) {
            changed.push(candidate);
        }
    }
    changed
}

fn synthetic(source: &Source) -> Source {
    match source {
        // It has no shape that weights could be made for.
        Source::Scripted { .. } => source.clone(),
        other => Source::Synthetic { shape: other.name().into_owned() },
    }
}

fn duplicate(candidates: &[Candidate]) -> Option<String> {
    let mut seen = std::collections::BTreeSet::new();
    candidates.iter().map(Candidate::row).find(|row| !seen.insert(row.clone()))
}
