//! CSV: one row for each candidate and suite, for spreadsheets and scripts.
//!
//! Column names carry their unit and are never renamed. An empty field is unknown, never zero. UTF-8, with a header.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::Write;

use super::{ReportError, figure};
use crate::answer::{Answer, Subject};
use crate::catalog::Quantization;
use crate::measure::{Energy, EnergySource};
use crate::metric::{Aspect, LOAD, METRICS, Metric, RATES};
use crate::record::{FailureKind, GpuVerdict, LoadFacts, Phase, PoolMemory, PoolPhases, Row, RowOutcome, Run, Trial};
use crate::suite::Language;
use crate::summarize::{Distribution, Rate, RowSummary, SuiteSummary};

/// Writes an answer. A row without a measured trial is there too, with an empty suite and its reason.
///
/// # Errors
/// What `out` gives.
pub fn write(answer: &Answer, out: &mut dyn Write) -> Result<(), ReportError> {
    let columns = columns();
    let mut csv = csv::Writer::from_writer(out);
    csv.write_record(columns.iter().map(|column| &*column.name)).map_err(failed)?;
    for (row, summary) in answer.rows() {
        for suite in some_or_one_none(&summary.suites) {
            let line = Line { answer, run: answer.run, row, summary, suite };
            let fields = columns.iter().map(|column| (column.of)(&line).unwrap_or_default());
            csv.write_record(fields.map(|field| defused(&field).into_owned())).map_err(failed)?;
        }
    }
    csv.flush()?;
    Ok(())
}

/// Records of one kind, as text: a column for each field, under its name.
///
/// # Errors
/// What the encoder gives.
pub(super) fn of_records(records: &[impl serde::Serialize]) -> Result<String, ReportError> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    records.iter().try_for_each(|record| csv.serialize(record)).map_err(failed)?;
    let bytes = csv.into_inner().map_err(|error| ReportError::Write { source: error.into_error() })?;
    let mut safe = csv::Writer::from_writer(Vec::new());
    for record in csv::ReaderBuilder::new().has_headers(false).from_reader(bytes.as_slice()).records() {
        let record = record.map_err(failed)?;
        safe.write_record(record.iter().map(|field| defused(field).into_owned())).map_err(failed)?;
    }
    let bytes = safe.into_inner().map_err(|error| ReportError::Write { source: error.into_error() })?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A field that no spreadsheet computes: one that begins as a formula does gets an apostrophe before it, which spreadsheets take for
/// the mark of a text (OWASP, "CSV Injection"). A number stays one.
fn defused(field: &str) -> Cow<'_, str> {
    let begins = field.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if begins && field.parse::<f64>().is_err() { format!("'{field}").into() } else { field.into() }
}

fn failed(error: csv::Error) -> ReportError {
    ReportError::Write { source: error.into() }
}

fn some_or_one_none<T>(items: &[T]) -> impl Iterator<Item = Option<&T>> {
    let none = if items.is_empty() { Some(None) } else { None };
    items.iter().map(Some).chain(none)
}

/// What a line of the file is about.
struct Line<'a> {
    answer: &'a Answer<'a>,
    run: &'a Run,
    row: &'a Row,
    summary: &'a RowSummary,
    suite: Option<&'a SuiteSummary>,
}

impl<'a> Line<'a> {
    fn load(&self) -> Option<&'a LoadFacts> {
        self.row.load.as_ref()
    }

    /// The suite's measured trials; none if it has no suite.
    fn trials(&self) -> impl Iterator<Item = &'a Trial> {
        let suite = self.suite.map(|suite| suite.suite.as_str());
        let measured = self.row.trials.iter().filter(|trial| trial.key.phase() == Phase::Measured);
        measured.filter(move |trial| Some(trial.key.suite.as_str()) == suite)
    }

    /// How many of them the GPU was in this state during; unknown where nobody told, as on a CPU.
    fn verdicts(&self, kind: GpuVerdict) -> Field<'a> {
        let told: Vec<GpuVerdict> = self.trials().filter_map(|trial| GpuVerdict::of(&trial.readings)).collect();
        number((!told.is_empty()).then(|| told.into_iter().filter(|verdict| *verdict == kind).count()))
    }

    /// What is to be known of a subject, as sentences.
    fn notes(&self, subject: &Subject) -> Field<'a> {
        let notes: Vec<String> = self.answer.notes_on(subject).map(|note| note.kind.to_string()).collect();
        (!notes.is_empty()).then(|| notes.join(" | ").into())
    }

    /// Of all prompts of the suite, or of those in one language.
    fn distribution(&self, language: Option<Language>, metric: &Metric) -> Option<&'a Distribution> {
        let summary = &self.suite?.summary;
        match language {
            None => summary.overall.get(metric),
            Some(language) => summary.language(language)?.get(metric),
        }
    }
}

type Field<'a> = Option<Cow<'a, str>>;

/// A column: its header, and its field of a line.
struct Column {
    name: Cow<'static, str>,
    of: Box<dyn for<'a> Fn(&Line<'a>) -> Field<'a>>,
}

fn column(name: impl Into<Cow<'static, str>>, of: impl for<'a> Fn(&Line<'a>) -> Field<'a> + 'static) -> Column {
    Column { name: name.into(), of: Box::new(of) }
}

fn columns() -> Vec<Column> {
    let mut columns = facts();
    for metric in METRICS {
        columns.extend(figures(*metric));
    }
    for metric in METRICS.iter().copied().filter(figure::differs_by_language) {
        columns.extend(Language::ALL.map(|language| {
            column(format!("{}_{}_median", language.tag(), metric.key), move |line| {
                number(line.distribution(Some(language), &metric).map(|distribution| distribution.median))
            })
        }));
    }
    columns.extend([
        column("attainment_met", |line| number(line.suite?.summary.attainment.as_ref().map(|attained| attained.met))),
        column("attainment_of", |line| number(line.suite?.summary.attainment.as_ref().map(|attained| attained.of))),
        column("loaded_memory_bytes", |line| number(line.summary.memory.loaded_bytes)),
        column("prefill_memory_bytes", |line| number(line.summary.memory.prefill_bytes)),
        column("decode_memory_bytes", |line| number(line.summary.memory.decode_bytes)),
        column("process_memory_bytes", |line| number(line.summary.memory.process_bytes)),
        column("kv_bytes_per_token", |line| number(line.summary.memory.kv_bytes_per_token)),
        column("measured_kv_bytes_per_token", |line| number(line.summary.memory.measured_kv_bytes_per_token)),
        column("context_tokens", |line| number(line.summary.capacity.map(|capacity| capacity.context_tokens))),
        column("most_chats", |line| number(line.summary.capacity.map(|capacity| capacity.most_chats))),
        column("impossible", |line| {
            let figures: Vec<String> = line.summary.impossible.iter().map(ToString::to_string).collect();
            (!figures.is_empty()).then(|| figures.join("; ").into())
        }),
        column("acquire_seconds", |line| number(line.load().map(|load| load.acquire_seconds))),
        column("first_pass_seconds", |line| number(line.load()?.first_pass_seconds)),
        column("disk_read_bytes", |line| number(line.load()?.disk_read_bytes)),
        column("first_ttft_seconds", |line| number(line.summary.cold_start.map(|cold| cold.first_ttft_seconds))),
        column("later_ttft_seconds", |line| number(line.summary.cold_start.map(|cold| cold.later_ttft_seconds))),
        column("thermal_trials", |line| line.verdicts(GpuVerdict::Thermal)),
        column("shared_trials", |line| line.verdicts(GpuVerdict::Shared)),
        column("power_capped_trials", |line| line.verdicts(GpuVerdict::PowerCapped)),
        column("repeated_trials", |line| {
            number(line.suite.map(|_| line.trials().filter(|trial| trial.repeated.is_some()).count()))
        }),
        column("cpu_megahertz", |line| number(line.summary.machine.cpu_megahertz)),
        column("gpu_watts", |line| number(line.summary.machine.gpu_watts)),
        column("gpu_sm_megahertz", |line| number(line.summary.machine.gpu_sm_megahertz)),
        column("gpu_memory_megahertz", |line| number(line.summary.machine.gpu_memory_megahertz)),
        column("gpu_utilization_percent", |line| number(line.summary.machine.gpu_utilization_percent)),
        column("gpu_celsius_max", |line| number(line.summary.machine.gpu_celsius)),
        column("energy_source", |line| Some(energy_source(line)?.into())),
        column("idle_power_watts", |line| number(line.load()?.idle_milliwatts.map(|power| f64::from(power) / 1e3))),
    ]);
    columns.extend(pool());
    columns.extend([
        column("downloaded_bytes", |line| number(line.load()?.downloaded_bytes)),
        column("load_read_seconds", |line| number(line.load()?.parts.map(|parts| parts.read_seconds))),
        column("load_quantize_seconds", |line| number(line.load()?.parts.map(|parts| parts.quantize_seconds))),
        column("load_transfer_seconds", |line| number(line.load()?.parts.map(|parts| parts.transfer_seconds))),
        column("tenth_ttft_seconds", |line| number(line.summary.cold_start?.tenth_ttft_seconds)),
    ]);
    for metric in RATES.iter().copied() {
        for language in [None, Some(Language::Ko), Some(Language::En)] {
            columns.extend(rates(Aspect { metric, language }));
        }
    }
    columns.extend([
        column("notes", |line| line.notes(&Subject::Row(line.summary.row.clone()))),
        column("run_notes", |line| line.notes(&Subject::Run)),
    ]);
    columns
}

/// How many of the suite's answers are as they should be, and where that share lies.
fn rates(aspect: Aspect) -> Vec<Column> {
    type Take = fn(Rate) -> Option<String>;
    let parts: [(&str, Take); 4] = [
        ("share", |rate| Some(rate.share()?.to_string())),
        ("low", |rate| Some(rate.interval()?.low.to_string())),
        ("high", |rate| Some(rate.interval()?.high.to_string())),
        ("n", |rate| Some(rate.of.to_string())),
    ];
    let named = |(part, take): (&str, Take)| {
        column(format!("{}_{part}", aspect.key()), move |line| {
            take(line.summary.quality.as_ref()?.rate_of_suite(&line.suite?.suite, aspect)?).map(Cow::Owned)
        })
    };
    parts.into_iter().map(named).collect()
}

/// Memory of the GPU's pool, by phase.
fn pool() -> Vec<Column> {
    type Phase = fn(&PoolPhases) -> Option<PoolMemory>;
    type Mark = fn(PoolMemory) -> u64;
    let phases: [(&str, Phase); 4] = [
        ("loaded", |pool| Some(pool.loaded)),
        ("load_peak", |pool| Some(pool.load_peak)),
        ("prefill_peak", |pool| pool.prefill_peak),
        ("decode_peak", |pool| pool.decode_peak),
    ];
    let marks: [(&str, Mark); 2] = [("used", |memory| memory.used_bytes), ("reserved", |memory| memory.reserved_bytes)];
    let both = |(phase, of): (&str, Phase)| {
        marks.map(|(mark, bytes)| {
            column(format!("pool_{phase}_{mark}_bytes"), move |line| number(of(line.load()?.pool.as_ref()?).map(bytes)))
        })
    };
    phases.into_iter().flat_map(both).collect()
}

/// What ran, where, and what came of it.
fn facts() -> Vec<Column> {
    vec![
        column("run_id", |line| text(&line.run.id)),
        column("started_at", |line| number(Some(line.run.started_at))),
        column("candidate", |line| number(Some(line.row.candidate.name()))),
        column("quantization", |line| line.row.candidate.quantization.map(Quantization::name).and_then(text)),
        column("precision", |line| number(line.load()?.precision.as_ref())),
        column("source", |line| number(Some(&line.row.candidate.source))),
        column("commit", |line| text(line.row.checkpoint.as_ref()?.commit.as_deref()?)),
        column("synthetic", |line| number(Some(line.summary.synthetic))),
        column("status", |line| text(status(&line.row.outcome))),
        column("failure_kind", |line| match line.row.outcome {
            RowOutcome::Failed { kind, .. } => text(failure_kind(kind)),
            _ => None,
        }),
        column("reason", |line| match &line.row.outcome {
            RowOutcome::Skipped { reason: why } | RowOutcome::Failed { message: why, .. } => text(why),
            RowOutcome::Pending | RowOutcome::Ran => None,
        }),
        column("engine", |line| text(&line.load()?.engine)),
        column("device", |line| text(line.load().map_or(&line.run.environment.device, |load| &load.device))),
        column("device_name", |line| text(&line.run.environment.device_name)),
        column("threads", |line| number(Some(line.run.environment.threads))),
        column("suite", |line| text(&line.suite?.suite)),
        column("prompts", |line| number(line.suite.map(|suite| suite.summary.prompts))),
        column("trials", |line| number(line.suite.map(|suite| suite.summary.measured))),
        column("failed_trials", |line| number(line.suite.map(|suite| suite.summary.failed))),
        column("weights_bytes", |line| number(line.load().and_then(|load| load.weights_bytes))),
        column("peak_memory_bytes", |line| number(line.summary.memory.measured_bytes)),
        column("estimated_memory_bytes", |line| number(line.summary.memory.estimated_bytes)),
        column(LOAD.key, |line| number(line.summary.load_seconds)),
    ]
}

/// What a column of figures takes of a distribution.
type Part = fn(&Distribution) -> Option<f64>;

fn figures(metric: Metric) -> Vec<Column> {
    let parts: [(&str, Part); 9] = [
        ("median", |of| Some(of.median)),
        ("low", |of| Some(of.interval?.low)),
        ("high", |of| Some(of.interval?.high)),
        ("p50", |of| of.p50),
        ("p90", |of| of.p90),
        ("p95", |of| of.p95),
        ("p99", |of| of.p99),
        ("p95_low", |of| Some(of.p95_interval?.low)),
        ("p95_high", |of| Some(of.p95_interval?.high)),
    ];
    let named = |(part, get): (&str, Part)| {
        column(format!("{}_{part}", metric.key), move |line| number(get(line.distribution(None, &metric)?)))
    };
    parts.into_iter().map(named).collect()
}

fn text(text: &(impl AsRef<str> + ?Sized)) -> Field<'_> {
    Some(Cow::Borrowed(text.as_ref()))
}

/// In full, so that reading it gives the same number.
fn number<'a>(value: Option<impl ToString>) -> Field<'a> {
    value.map(|value| Cow::Owned(value.to_string()))
}

/// How the energy of the suite's trials is known; both ways, if a counter failed in between.
fn energy_source(line: &Line) -> Option<String> {
    let sources: BTreeSet<EnergySource> = line.trials().filter_map(|trial| Some(Energy::of(trial)?.source)).collect();
    let names: Vec<&str> = sources.into_iter().map(EnergySource::name).collect();
    (!names.is_empty()).then(|| names.join(" and "))
}

fn status(outcome: &RowOutcome) -> &'static str {
    match outcome {
        RowOutcome::Pending => "pending",
        RowOutcome::Ran => "ran",
        RowOutcome::Skipped { .. } => "skipped",
        RowOutcome::Failed { .. } => "failed",
    }
}

fn failure_kind(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Acquire => "acquire",
        FailureKind::Load => "load",
        FailureKind::OutOfMemory => "out_of_memory",
        FailureKind::Engine => "engine",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashSet};
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use super::*;
    use crate::record::{Fault, GpuReading, Reading};
    use crate::store::sample;
    use crate::summarize::testing;

    fn written(run: &Run) -> String {
        let mut out = Vec::new();
        write(&Answer::of(run), &mut out).expect("writing to memory");
        String::from_utf8(out).expect("UTF-8")
    }

    /// Each line by column.
    fn lines(run: &Run) -> Vec<BTreeMap<String, String>> {
        let text = written(run);
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        reader.deserialize().collect::<Result<_, _>>().expect("readable")
    }

    fn field<'a>(line: &'a BTreeMap<String, String>, column: &str) -> &'a str {
        line.get(column).unwrap_or_else(|| panic!("there is no column `{column}`"))
    }

    #[test]
    fn there_is_a_line_for_each_candidate_and_suite_and_for_each_that_did_not_run() {
        let lines = lines(&sample::run());
        let of = |column| lines.iter().map(|line| field(line, column)).collect::<Vec<_>>();
        assert_eq!(of("candidate"), ["qwen2.5-7b", "qwen2.5-7b", "한국어 모델", "deepseek-v2", "gemma-2-9b"]);
        assert_eq!(of("suite"), ["review", "speed", "", "", ""]);
        assert_eq!(of("status"), ["ran", "ran", "failed", "skipped", "pending"]);
        assert_eq!(
            of("reason"),
            [
                "",
                "",
                "`config.json` is missing, the folder has | pipes and <tags>",
                "does not fit: 114 GiB are missing",
                ""
            ]
        );
    }

    #[test]
    fn column_names_are_machine_readable_and_none_comes_twice() {
        let columns = columns();
        let mut seen = HashSet::new();
        for column in &columns {
            assert!(seen.insert(&*column.name), "`{}` comes twice", column.name);
            let allowed = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
            assert!(column.name.chars().all(allowed), "`{}`", column.name);
        }
        for metric in METRICS {
            for part in ["median", "low", "high", "p50", "p90", "p95", "p99"] {
                assert!(seen.contains(&*format!("{}_{part}", metric.key)), "{} {part}", metric.key);
            }
        }
    }

    /// A header that scripts rely on: adding to it is fine, anything else breaks them.
    #[test]
    fn the_first_columns_are_these() {
        let text = written(&sample::run());
        let header = text.lines().next().expect("a header");
        assert!(
            header.starts_with(
                "run_id,started_at,candidate,quantization,precision,source,commit,synthetic,status,failure_kind,\
                 reason,engine,device,device_name,threads,suite,prompts,trials,failed_trials,weights_bytes,\
                 peak_memory_bytes,estimated_memory_bytes,load_seconds,ttft_seconds_median,ttft_seconds_low,"
            ),
            "{header}"
        );
    }

    #[test]
    fn no_field_is_a_formula() {
        for (field, safe) in [
            ("=1+1", "'=1+1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("+cmd", "'+cmd"),
            ("-a", "'-a"),
            ("-0.5", "-0.5"),
            ("qwen2.5-7b", "qwen2.5-7b"),
            ("", ""),
        ] {
            assert_eq!(defused(field), safe);
        }
    }

    #[test]
    fn figures_are_those_of_the_summary() {
        let lines = lines(&sample::run());
        let review = &lines[0];
        for (column, value) in [
            ("run_id", sample::ID),
            ("started_at", "2026-11-20T05:17:33.25Z"),
            ("quantization", "q4_k"),
            ("precision", "q4_k 93 %, q6_k 7 %"),
            ("source", "hub:Qwen/Qwen2.5-7B-Instruct@main:model-00001-of-00004.safetensors"),
            ("commit", "a09a35458c702b33eeacc393d103063234e8bc28"),
            ("synthetic", "false"),
            ("engine", "candle"),
            ("device", "cpu"),
            ("device_name", "Example CPU, \"two cores\""),
            ("threads", "2"),
            // The warm-up trial is not among them.
            ("trials", "4"),
            ("failed_trials", "1"),
            ("weights_bytes", "4683073536"),
            // 6 GiB less the baseline of 1 GiB.
            ("peak_memory_bytes", "5368709120"),
            ("loaded_memory_bytes", "4294967296"),
            // The sample's only reading of a trial is the one before the request.
            ("decode_memory_bytes", ""),
            ("load_seconds", "12.5"),
            ("ttft_seconds_median", "0.5"),
            // 8 characters in 0.2 s, but for a third of them: those of the first of 3 tokens.
            ("ko_characters_per_second_median", "26.666666666666668"),
            ("attainment_met", "3"),
            ("attainment_of", "4"),
        ] {
            assert_eq!(field(review, column), value, "{column}");
        }
    }

    #[test]
    fn the_state_of_the_gpu_is_counted_over_the_suites_measured_trials() {
        let mut run = sample::run();
        let held = |throttle_reasons| Reading {
            gpu: Some(GpuReading { throttle_reasons: Some(throttle_reasons), ..GpuReading::default() }),
            ..Reading::default()
        };
        let trials = &mut run.rows[0].trials;
        // The first is a warm-up.
        for (trial, reasons) in trials.iter_mut().zip([0x20, 0x20, 0x04, 0x04]) {
            trial.readings = vec![held(reasons)];
        }
        trials[2].repeated = Some(Fault::Shared);
        let lines = lines(&run);
        let of = |line: usize| {
            ["thermal_trials", "shared_trials", "power_capped_trials", "repeated_trials"]
                .map(|column| field(&lines[line], column).to_owned())
        };
        assert_eq!(of(0), ["1", "0", "2", "1"]);
        assert_eq!((of(1), of(2)), (["", "", "", "0"].map(Into::into), [""; 4].map(Into::into)), "nobody told");
    }

    #[test]
    fn shares_of_a_gpu_and_what_is_beyond_it_have_columns() {
        let lines = lines(&testing::beyond_an_l4());
        let share: f64 = field(&lines[0], "mbu_share_median").parse().expect("a number");
        assert!((share - 5.05).abs() < 0.01, "{share}");
        assert!(field(&lines[0], "impossible").starts_with("decode of speed pp512+tg64 needs 1,515 GB/s"));
        assert_eq!(field(&lines[0], "kv_bytes_per_token"), "262144");
        assert_eq!(field(&lines[0], "measured_kv_bytes_per_token"), "");
        assert_eq!(field(&lines[0], "context_tokens"), "4096");
        assert!(field(&lines[0], "most_chats").parse::<u64>().is_ok_and(|chats| chats > 20));
    }

    #[test]
    fn energy_says_where_it_is_from() {
        let mut run = sample::run();
        let reading = |(seconds, millijoules): (u64, u64)| Reading {
            at_ns: seconds * 1_000_000_000,
            gpu: Some(GpuReading { energy_millijoules: Some(millijoules), ..GpuReading::default() }),
            ..Reading::default()
        };
        let speed = run.rows[0].trials.last_mut().expect("a trial of token ids");
        speed.readings = [(0, 1_000), (2, 61_000)].map(reading).into();
        run.rows[0].load.as_mut().expect("loaded").idle_milliwatts = Some(17_250);
        let lines = lines(&run);
        let of = |line: usize| {
            ["energy_joules_median", "energy_joules_per_token_median", "energy_source", "idle_power_watts"]
                .map(|column| field(&lines[line], column).to_owned())
        };
        assert_eq!(of(0), ["", "", "", "17.25"]);
        assert_eq!(of(1), ["60", "15", "counter", "17.25"]);
    }

    #[test]
    fn each_phase_of_the_gpus_pool_has_both_its_marks() {
        let memory = |used_bytes| PoolMemory { used_bytes, reserved_bytes: used_bytes + 1 };
        let mut run = sample::run();
        run.rows[0].load.as_mut().expect("loaded").pool = Some(PoolPhases {
            loaded: memory(40),
            load_peak: memory(50),
            prefill_peak: Some(memory(70)),
            decode_peak: None,
        });
        let line = &lines(&run)[0];
        let of = |phase: &str| ["used", "reserved"].map(|mark| field(line, &format!("pool_{phase}_{mark}_bytes")));
        assert_eq!((of("loaded"), of("load_peak")), (["40", "41"], ["50", "51"]));
        assert_eq!((of("prefill_peak"), of("decode_peak")), (["70", "71"], ["", ""]));
    }

    #[test]
    fn what_is_unknown_is_empty() {
        let lines = lines(&sample::run());
        // Four trials carry neither an interval nor a percentile; token ids have no characters.
        assert_eq!(field(&lines[0], "ttft_seconds_low"), "");
        assert_eq!(field(&lines[0], "ttft_seconds_p95"), "");
        assert_eq!(field(&lines[1], "characters_per_second_median"), "");
        assert_eq!(field(&lines[1], "ko_characters_per_second_median"), "");
        for column in ["precision", "commit", "trials", "weights_bytes", "peak_memory_bytes", "ttft_seconds_median"] {
            assert_eq!(field(&lines[2], column), "", "{column}");
        }
        assert_eq!(field(&lines[3], "estimated_memory_bytes"), (134_u64 << 30).to_string());
    }

    #[test]
    fn statuses_and_kinds_are_named_as_in_the_json() {
        for outcome in sample::run().rows.into_iter().map(|row| row.outcome) {
            let json = serde_json::to_value(&outcome).expect("JSON");
            assert_eq!(json["status"], status(&outcome));
        }
        for kind in [FailureKind::Acquire, FailureKind::Load, FailureKind::OutOfMemory, FailureKind::Engine] {
            assert_eq!(serde_json::to_value(kind).expect("JSON"), failure_kind(kind));
        }
    }

    #[test]
    fn awkward_text_comes_back_whole() {
        let mut run = sample::run();
        let awkward = "쉼표, \"따옴표\"\n새 줄; '작은따옴표'\r\n=1+1";
        run.rows[2].outcome = RowOutcome::Skipped { reason: awkward.into() };
        assert_eq!(field(&lines(&run)[3], "reason"), awkward);
    }

    #[test]
    fn a_run_without_rows_has_a_header_alone() {
        let mut run = sample::run();
        run.rows.clear();
        assert_eq!(written(&run).lines().count(), 1);
    }

    #[test]
    #[ignore = "needs python3"]
    fn pythons_csv_reads_the_same() {
        let run = sample::run();
        let script = "import csv, io, json, sys; sys.stdin.reconfigure(encoding='utf-8', newline='');
print(json.dumps(list(csv.DictReader(sys.stdin, strict=True))))";
        let mut python = Command::new("python3")
            .args(["-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3");
        python.stdin.take().expect("its input").write_all(written(&run).as_bytes()).expect("sending");
        let output = python.wait_with_output().expect("its end");
        let read: Vec<BTreeMap<String, String>> = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(read, lines(&run));
    }
}
