//! A candidate's row, summarized.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::capacity::Capacity;
use super::cold_start::ColdStart;
use super::impossible::Impossible;
use super::machine::MachineState;
use super::memory::Memory;
use super::quality::{Quality, asked, is_random, judged, key};
use super::reader::{self, ReaderView};
use super::suite::SuiteSummary;
use super::summary::Summary;
use crate::catalog::Requirements;
use crate::measure::Ceiling;
use crate::record::{Environment, MainType, Phase, Row, Run, Trial};
use crate::suite::Language;

/// What one candidate's part of a run amounts to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RowSummary {
    /// [`crate::catalog::Candidate::row`].
    pub row: String,
    /// Precision of most of the weights as run, with its share if it is not all of them; as asked for if not loaded.
    /// `None` where the stored precision was not looked at.
    pub precision: Option<MainType>,
    /// Random weights: speed and memory are real, text is not.
    pub synthetic: bool,
    /// What it took, and what was estimated.
    pub memory: Memory,
    /// Reading the weights and making them ready, in seconds; lower is better. `None` before it was loaded.
    pub load_seconds: Option<f64>,
    /// What its first user waits for; `None` where too few requests show it.
    pub cold_start: Option<ColdStart>,
    /// `None` on a CPU, and on a GPU that is not known.
    pub capacity: Option<Capacity>,
    /// Figures that its GPU cannot have given.
    pub impossible: Vec<Impossible>,
    /// During its measured trials.
    pub machine: MachineState,
    /// Those with a measured trial, by name.
    pub suites: Vec<SuiteSummary>,
    /// What its answers are worth; `None` of random weights, of prompts of token ids, and where no answer came.
    pub quality: Option<Quality>,
    /// What a reader sees of its answers, by the language of the prompts; none of random weights.
    pub reader: BTreeMap<Language, ReaderView>,
    /// Over all prompts in a natural language.
    pub text: Option<Summary>,
    /// Over all prompts of token ids.
    pub tokens: Option<Summary>,
}

impl RowSummary {
    /// The precision without its share, for comparing: `q4_k` of `q4_k 93 %`.
    pub fn precision_type(&self) -> Option<&str> {
        self.precision.as_ref().map(|main| main.name.as_str())
    }
}

/// Summarizes every row of a run, in its order.
pub fn summarize(run: &Run) -> Vec<RowSummary> {
    run.rows.iter().map(|row| summarize_row(run, row)).collect()
}

fn summarize_row(run: &Run, row: &Row) -> RowSummary {
    let (requirements, environment): (&Requirements, &Environment) = (&run.requirements, &run.environment);
    let ceiling = Ceiling::of(row, environment);
    let asked = asked(run);
    let due = |trial: &Trial| asked.get(&key(trial)).map_or(trial.key.language, |asked| asked.prompt.expected.language);
    let summary = |belongs: &dyn Fn(&Trial) -> bool| {
        Summary::of(row.trials.iter().filter(|trial| belongs(trial)), &due, requirements, ceiling.as_ref())
    };
    let names: BTreeSet<&str> = row.trials.iter().map(|trial| trial.key.suite.as_str()).collect();
    let suites: Vec<SuiteSummary> = names
        .into_iter()
        .filter_map(|suite| {
            let summary = summary(&|trial| trial.key.suite == suite)?;
            Some(SuiteSummary { suite: suite.to_owned(), summary })
        })
        .collect();
    let memory = Memory::of(row);
    RowSummary {
        row: row.candidate.row(),
        precision: precision(row),
        synthetic: is_random(row),
        memory,
        load_seconds: row.load.as_ref().map(|load| load.load_seconds),
        cold_start: ColdStart::of(row),
        machine: MachineState::of(row.trials.iter().filter(|trial| trial.key.phase() == Phase::Measured)),
        capacity: row
            .load
            .as_ref()
            .zip(ceiling.as_ref())
            .and_then(|(load, ceiling)| Some(Capacity::of(&memory, load.weights_bytes?, ceiling))),
        impossible: ceiling.as_ref().map_or(Vec::new(), |ceiling| Impossible::among(&suites, ceiling)),
        suites,
        quality: Quality::of(&judged(run, row)),
        reader: if is_random(row) { BTreeMap::new() } else { reader::views(row, requirements) },
        text: summary(&|trial| trial.key.language.is_some()),
        tokens: summary(&|trial| trial.key.language.is_none()),
    }
}

fn precision(row: &Row) -> Option<MainType> {
    let as_run = row.load.as_ref().and_then(|load| load.precision.as_ref()?.main());
    let as_asked = || Some(MainType { name: row.candidate.quantization?.name().to_owned(), share: 1.0 });
    as_run.or_else(as_asked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::{DECODE, TTFT};
    use crate::record::{FitEstimate, GpuReading, Precision, Reading};
    use crate::summarize::testing::{load, of_prompts, ran, row, run, speed_trial, text_trial};

    #[test]
    fn text_and_token_ids_are_not_pooled() {
        let trials = vec![text_trial(200, 100, 11, "가나다"), speed_trial("pp128", 128, 1000, 50)];
        let summary = &summarize(&run(vec![ran("a", trials)]))[0];
        let ttft = |summary: &Option<Summary>| summary.as_ref().and_then(|summary| summary.overall.median(&TTFT));
        assert_eq!((ttft(&summary.text), ttft(&summary.tokens)), (Some(0.2), Some(1.0)));
        let suites: Vec<&str> = summary.suites.iter().map(|suite| suite.suite.as_str()).collect();
        assert_eq!(suites, ["interview", "speed"]);
    }

    #[test]
    fn twenty_prompts_have_an_interval() {
        let trials = of_prompts((1..=20).map(|step| text_trial(200, 50 + step * step, 11, "가")));
        let summary = &summarize(&run(vec![ran("a", trials)]))[0];
        let text = summary.text.as_ref().unwrap();
        assert!(text.overall.get(&DECODE).is_some_and(|distribution| distribution.interval.is_some()));
    }

    #[test]
    fn memory_is_the_peak_above_what_was_in_use_before() {
        let mut measured = row("a");
        measured.load = Some(load(2 << 30));
        measured.fit =
            Some(FitEstimate { weights_bytes: 10, kv_cache_bytes: 2, activation_bytes: 3, available_bytes: 100 });
        assert_eq!(Memory::of(&measured).measured_bytes, Some(2 << 30));
        measured.load = None;
        assert_eq!(Memory::of(&measured), Memory { estimated_bytes: Some(15), ..Memory::default() });
    }

    #[test]
    fn memory_by_phase_is_above_the_same_baseline() {
        // A baseline of 100 MiB, and 1 GiB once loaded.
        let mib = |count: u64| count << 20;
        let mut trial = text_trial(200, 100, 5, "가");
        let reading = |(at_ms, bytes): (u64, u64)| Reading {
            at_ns: at_ms * 1_000_000,
            resident_bytes: Some(mib(bytes)),
            ..Reading::default()
        };
        trial.readings = [(0, 1124), (100, 1300), (300, 1200), (600, 1250)].map(reading).into();
        let mut measured = ran("a", vec![trial, text_trial(200, 100, 5, "나")]);
        measured.load = Some(load(2 << 30));
        let memory = Memory::of(&measured);
        assert_eq!(
            (memory.loaded_bytes, memory.prefill_bytes, memory.decode_bytes, memory.process_bytes),
            (Some(1 << 30), Some(mib(1200)), Some(mib(1150)), None)
        );
    }

    /// A trial of so many tokens at which a GPU had so much in use once its prompt was through, of MiB.
    fn looked_at(prompt_tokens: u32, mib: u64) -> Trial {
        let mut trial = text_trial(200, 100, 100, "가");
        trial.prompt_tokens = Some(prompt_tokens);
        let reading = |(at_ms, mib): (u64, u64)| Reading {
            at_ns: at_ms * 1_000_000,
            gpu: Some(GpuReading { used_bytes: Some(mib << 20), ..GpuReading::default() }),
            ..Reading::default()
        };
        trial.readings = [(0, 1124), (100, 1300), (300, mib)].map(reading).into();
        trial
    }

    #[test]
    fn the_cache_of_a_token_is_measured_of_the_longest_trial() {
        let measured = |trials| {
            let mut row = ran("a", trials);
            // 1,124 MiB in use once it was loaded.
            row.load = Some(load(2 << 30));
            let memory = Memory::of(&row);
            assert_eq!(memory.kv_bytes_per_token, Some(1024));
            memory.measured_kv_bytes_per_token
        };
        // 412 + 100 tokens in 128 MiB.
        let trials = vec![looked_at(412, 1300), looked_at(412, 1252), looked_at(28, 1500)];
        assert_eq!(measured(trials), Some((128 << 20) / 512));
        assert_eq!(measured(vec![looked_at(412, 1124)]), None, "nothing was taken that could be seen");
        let mut on_a_cpu = looked_at(412, 1252);
        on_a_cpu.readings.iter_mut().for_each(|reading| reading.gpu = None);
        assert_eq!(measured(vec![on_a_cpu]), None);
    }

    #[test]
    fn precision_is_as_run_before_as_asked() {
        let mut as_run = row("a");
        as_run.candidate.quantization = Some(crate::catalog::Quantization::Q4K);
        assert_eq!(precision(&as_run).map(|main| main.to_string()).as_deref(), Some("q4_k"));
        for (stored, shown) in [(vec![("q8_0", 60), ("q4_k", 40)], "q8_0 60 %"), (vec![("bf16", 8)], "bf16")] {
            let mut facts = load(1);
            facts.precision = Some(Precision::of(stored));
            as_run.load = Some(facts);
            assert_eq!(precision(&as_run).map(|main| main.to_string()).as_deref(), Some(shown));
        }
    }
}
