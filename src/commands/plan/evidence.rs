//! The evidence: what a stored run measured, beside which the estimates are shown.

use super::subject::Subject;
use crate::catalog::Candidate;
use crate::cli;
use crate::error::Error;
use crate::hardware::{GpuSpec, Gpus};
use crate::measure::{Measurement, made_on, mean_context};
use crate::plan::{Layout, Measured, Outlook, Shape, StepTime, TimeFit, Transfer};
use crate::quantile::quantile;
use crate::record::{Outcome, Phase, Row, Run, Trial};
use crate::store::{self, Store};
use crate::summarize::{RowSummary, summarize};
use crate::ui::Printer;
use crate::units::Rate;

/// What a run says of the candidates.
#[derive(Default)]
pub(super) struct Evidence {
    /// By candidate and layout, where the run was made on the kind of GPU that is planned for.
    measured: Vec<(Candidate, Measured)>,
    pub fit: Option<Transfer>,
    /// What a run says that was made on a device of which no bandwidth is known.
    pub elsewhere: Option<String>,
}

impl Evidence {
    /// Of the run that is named, else of the latest that was made on a known kind of GPU; nothing if there is none.
    pub(super) fn of(
        args: &cli::Plan,
        gpus: &Gpus,
        gpu: &GpuSpec,
        shapes: &[(Subject, Result<Shape, Error>)],
        printer: &Printer,
    ) -> Result<Self, Error> {
        let path = store::database(&args.results.results);
        let run = match &args.from {
            Some(selector) => Some(Store::open_to_read(path)?.load_run(selector)?),
            None if path.is_file() => latest_on_a_gpu(&Store::open_to_read(path)?, gpus)?,
            None => None,
        };
        let Some(run) = run else { return Ok(Self::default()) };
        let made_on = made_on(&run.environment, gpus);
        let measured = measured(&run);
        let Some(made_on) = made_on else {
            let rates: Vec<String> = measured
                .iter()
                .map(|(candidate, measured)| {
                    format!("{} {} tok/s", candidate.row(), Rate(1.0 / measured.seconds_per_token))
                })
                .collect();
            let rates = if rates.is_empty() { "nothing".to_owned() } else { rates.join(", ") };
            let elsewhere = format!(
                "run {} on {}: measured {rates}. Its bandwidth is not known, so nothing of it is carried to {}",
                run.id, run.environment.device_name, gpu.id
            );
            return Ok(Self { elsewhere: Some(elsewhere), ..Self::default() });
        };
        let points: Vec<(StepTime, u64)> = measured
            .iter()
            .filter_map(|(candidate, measured)| {
                let shape = shapes.iter().find(|(subject, _)| subject.id == candidate.id)?.1.as_ref().ok()?;
                let layout = candidate.quantization.map(Layout::Held);
                Some((measured.step_time(shape, layout), shape.cache_number_bytes(measured.cache_bytes_per_token)))
            })
            .collect();
        let times: Vec<StepTime> = points.iter().map(|(time, _)| *time).collect();
        let fit = TimeFit::of(&times).map(|fit| Transfer {
            run: run.id.clone(),
            made_on: made_on.id.clone(),
            measured: fit,
            carried: fit.carried(gpu.bandwidth() / made_on.bandwidth()),
            cache_number_bytes: points.first().map_or(0, |(_, bytes)| *bytes),
        });
        if fit.is_none() && args.from.is_some() {
            printer.warn(&format!(
                "run {} has {} of the {} candidates that a fit needs, of different sizes",
                run.id,
                times.len(),
                TimeFit::NEEDS
            ));
        }
        let same_kind = made_on.id == gpu.id;
        Ok(Self { measured: if same_kind { measured } else { Vec::new() }, fit, elsewhere: None })
    }

    /// A row of the plan with what the run says of it.
    pub(super) fn added_to(
        &self,
        outlook: Outlook,
        id: &str,
        shape: &Shape,
        layout: Option<Layout>,
        gpu: &GpuSpec,
    ) -> Outlook {
        let is = |candidate: &Candidate| candidate.id == id && candidate.quantization.map(Layout::Held) == layout;
        let outlook = match self.measured.iter().find(|(candidate, _)| is(candidate)) {
            Some((_, measured)) => outlook.with_measured(measured, shape, layout, gpu),
            None => outlook,
        };
        match &self.fit {
            Some(fit) => outlook.with_fit(fit, shape, layout),
            None => outlook,
        }
    }
}

/// The latest run that was made on a known kind of GPU and measured anything.
fn latest_on_a_gpu(store: &Store, gpus: &Gpus) -> Result<Option<Run>, Error> {
    for head in store.list_runs()?.into_iter().rev().filter(|head| gpus.find(&head.device_name).is_some()) {
        let run = store.load_run(&head.id)?;
        if !measured(&run).is_empty() {
            return Ok(Some(run));
        }
    }
    Ok(None)
}

/// What each candidate of a run measured, of those that decoded anything.
fn measured(run: &Run) -> Vec<(Candidate, Measured)> {
    let summaries = summarize(run);
    let rows = run.rows.iter().zip(&summaries);
    rows.filter_map(|(row, summary)| Some((row.candidate.clone(), of_row(&run.id, row, summary)?))).collect()
}

/// Of prompts of token ids where there are any, which are the same work for every candidate; else of all.
fn of_row(run: &str, row: &Row, summary: &RowSummary) -> Option<Measured> {
    let load = row.load.as_ref()?;
    let decoded: Vec<(&Trial, f64)> = row
        .trials
        .iter()
        .filter(|trial| trial.key.phase() == Phase::Measured && matches!(trial.outcome, Outcome::Completed { .. }))
        .filter_map(|trial| Some((trial, Measurement::of(trial).tpot_seconds.filter(|seconds| *seconds > 0.0)?)))
        .collect();
    let of_tokens = decoded.iter().any(|(trial, _)| trial.key.language.is_none());
    let chosen: Vec<(&Trial, f64)> =
        decoded.into_iter().filter(|(trial, _)| trial.key.language.is_none() || !of_tokens).collect();
    let mut seconds: Vec<f64> = chosen.iter().map(|(_, seconds)| *seconds).collect();
    seconds.sort_by(f64::total_cmp);
    let median = quantile(&seconds, 0.5)?;
    let contexts: Vec<f64> = chosen.iter().filter_map(|(trial, _)| mean_context(trial)).collect();
    let context = contexts.iter().sum::<f64>() / contexts.len().max(1) as f64;
    Some(Measured {
        run: run.to_owned(),
        seconds_per_token: median,
        context: context as u64,
        cache_bytes_per_token: load.kv_bytes_per_token?,
        memory_bytes: summary.memory.measured_bytes,
        estimated_memory_bytes: summary.memory.estimated_bytes,
    })
}
