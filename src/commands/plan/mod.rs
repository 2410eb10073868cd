//! `bench plan`: what fits a GPU and how fast it can be, before any download.

mod evidence;
mod subject;

use std::sync::atomic::{AtomicBool, Ordering};

use super::candidates::catalog;
use super::deliver::terminal;
use super::interrupt::on_interrupt;
use super::status::Status;
use super::{checkpoint, gpu};
use crate::acquire::{self, AcquireError};
use crate::catalog::{Candidate, Catalog, Source};
use crate::causes::chain;
use crate::cli;
use crate::error::Error;
use crate::hardware::{GpuSpec, Gpus};
use crate::plan::{Layout, Outlook, Shape, Workload};
use crate::report::Renderer;
use crate::report::plan::{Outlooks, csv, json, page};
use crate::ui::{DownloadProgress, Printer};

use evidence::Evidence;
use subject::Subject;

pub(super) fn run(args: &cli::Plan, printer: &Printer) -> Result<Status, Error> {
    let cancel = on_interrupt();
    let gpus = gpu::known(&args.gpus)?;
    let catalog = catalog(args.models.models.as_deref(), printer)?;
    let gpu = gpu(args, &catalog, &gpus)?;
    let subjects = subjects(args, catalog, printer)?;
    let workload = Workload { context: args.context, chats: args.concurrency };

    let mut rows = Vec::new();
    let mut shapes: Vec<(Subject, Result<Shape, Error>)> = Vec::new();
    for subject in subjects {
        let shape = shape(&subject.source, printer, &cancel);
        if cancel.load(Ordering::Relaxed) {
            return Ok(Status::Unanswered);
        }
        shapes.push((subject, shape));
    }
    if let [(_, Err(_))] = shapes.as_slice()
        && let Some((_, Err(error))) = shapes.pop()
    {
        return Err(error);
    }
    let evidence = Evidence::of(args, &gpus, &gpu, &shapes, printer)?;
    let mut failed = false;
    for (subject, shape) in &shapes {
        for layout in subject.layouts(&args.quantization) {
            match shape {
                Ok(shape) => {
                    let outlook = Outlook::new(&subject.id, shape, layout, &gpu, workload);
                    rows.push(evidence.added_to(outlook, &subject.id, shape, layout, &gpu));
                }
                Err(error) => {
                    failed = true;
                    rows.push(Outlook::unknown(&subject.id, layout.map_or("stored", Layout::name), chain(error)));
                }
            }
        }
    }

    let fits = rows.iter().any(|row| row.fits == Some(true));
    let plan = Outlooks {
        gpu: &gpu,
        workload,
        rows: &rows,
        fit: evidence.fit.as_ref(),
        elsewhere: evidence.elsewhere.as_deref(),
    };
    let text = match args.format {
        cli::PlanFormat::Table => terminal(printer).render(&page(&plan)),
        cli::PlanFormat::Csv => csv(&plan)?,
        cli::PlanFormat::Json => json(&plan)?,
    };
    printer.answer(&text)?;
    Ok(if fits && !failed { Status::Yes } else { Status::No })
}

/// The GPU that is named, or that the service will have.
fn gpu(args: &cli::Plan, catalog: &Catalog, gpus: &Gpus) -> Result<GpuSpec, Error> {
    match (&args.gpu, &catalog.requirements.device) {
        (Some(word), _) | (None, Some(word)) => gpu::named(word, gpus),
        (None, None) => Err(Error::usage("no GPU is named", format!("give one as --gpu; {}", gpus.hint("")))),
    }
}

fn subjects(args: &cli::Plan, catalog: Catalog, printer: &Printer) -> Result<Vec<Subject>, Error> {
    let candidates: Vec<Candidate> = if args.candidates.is_empty() {
        catalog.candidates
    } else {
        let named = |word: &String| checkpoint::candidate(word, args.file.clone(), None, &args.models, printer);
        args.candidates.iter().map(named).collect::<Result<_, _>>()?
    };
    let mut subjects: Vec<Subject> = Vec::new();
    for Candidate { id, source, quantization, .. } in candidates {
        let layout = quantization.map(Layout::Held);
        match subjects.iter_mut().find(|subject| subject.id == id && subject.source == source) {
            Some(subject) => subject.own.push(layout),
            None => subjects.push(Subject { id, source, own: vec![layout] }),
        }
    }
    if subjects.is_empty() {
        return Err(Error::usage(
            "there are no candidates",
            "add a [[candidate]] to models.toml, or name one".to_owned(),
        ));
    }
    Ok(subjects)
}

/// What is known of a candidate without its weights.
fn shape(source: &Source, printer: &Printer, cancel: &AtomicBool) -> Result<Shape, Error> {
    let preview = acquire::preview(source, &mut DownloadProgress::new(printer), cancel)?;
    let path = source.name().as_ref().into();
    Shape::new(&preview.config, preview.stored_bytes).map_err(|source| AcquireError::Spec { path, source }.into())
}
