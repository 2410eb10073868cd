//! JSON: a whole run in one self-contained, versioned document, and back.
//!
//! `schemas/run.schema.json` describes it. Raw trials are included, so every figure can be computed from it again; those that
//! the tables show are beside them, and are not read back.

use std::collections::BTreeMap;
use std::io::Write;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ReportError;
use crate::answer::{Answer, Note};
use crate::compare::VariantComparison;
use crate::metric::METRICS;
use crate::recommend::Recommendation;
use crate::record::{Precision, Run};
use crate::suite::Language;
use crate::summarize::{Capacity, Figures, Impossible, OtherLanguage, Quality, ReaderView, RowSummary, SuiteSummary};

/// Raised when a reader of the version before could misread the document.
pub const SCHEMA_VERSION: u64 = 2;

#[derive(Serialize)]
struct Export<'a> {
    schema_version: u64,
    run: &'a Run,
    derived: Vec<Derived<'a>>,
    recommendation: &'a Recommendation,
    #[serde(skip_serializing_if = "Option::is_none")]
    variants: Option<&'a VariantComparison>,
    notes: &'a [Note],
}

/// What was made of a row's measurements.
#[derive(Serialize)]
struct Derived<'a> {
    row: &'a str,
    /// By [`SuiteSummary::works`], by the metric's key.
    medians: BTreeMap<String, BTreeMap<&'static str, f64>>,
    kv_bytes_per_token: Option<u64>,
    measured_kv_bytes_per_token: Option<u64>,
    capacity: Option<Capacity>,
    impossible: &'a [Impossible],
    other_language: BTreeMap<Language, OtherLanguage>,
    quality: Option<&'a Quality>,
    reader: &'a BTreeMap<Language, ReaderView>,
}

impl<'a> Derived<'a> {
    fn of(summary: &'a RowSummary) -> Self {
        let medians = |figures: &Figures| {
            METRICS.iter().filter_map(|metric| Some((metric.key, figures.median(metric)?))).collect()
        };
        let works = summary.suites.iter().flat_map(SuiteSummary::works);
        Self {
            row: &summary.row,
            medians: works.map(|(work, figures)| (work, medians(figures))).collect(),
            kv_bytes_per_token: summary.memory.kv_bytes_per_token,
            measured_kv_bytes_per_token: summary.memory.measured_kv_bytes_per_token,
            capacity: summary.capacity,
            impossible: &summary.impossible,
            other_language: summary.text.iter().flat_map(|text| text.other_language.clone()).collect(),
            quality: summary.quality.as_ref(),
            reader: &summary.reader,
        }
    }
}

/// Writes an answer on one line: `jq` folds it out.
///
/// # Errors
/// What `out` gives.
pub fn write(answer: &Answer, out: &mut dyn Write) -> Result<(), ReportError> {
    let export = Export {
        schema_version: SCHEMA_VERSION,
        run: answer.run,
        derived: answer.summaries.iter().map(Derived::of).collect(),
        recommendation: &answer.recommendation,
        variants: answer.variants.as_ref(),
        notes: &answer.notes,
    };
    // Encoded before anything is written: half a document helps nobody.
    let text = line(&format!("run `{}`", answer.run.id), &export)?;
    out.write_all(text.as_bytes())?;
    Ok(())
}

/// A document on one line, with its line feed.
///
/// # Errors
/// A value that JSON cannot hold; `what` names the document.
pub(super) fn line(what: &str, document: &impl Serialize) -> Result<String, ReportError> {
    let text = serde_json::to_string(document);
    text.map(|text| text + "\n").map_err(|source| ReportError::Encode { what: what.to_owned(), source })
}

/// Reads what [`write()`] wrote.
///
/// # Errors
/// Text that is no export, or one of a newer layout.
pub fn read(text: &str) -> Result<Run, ReportError> {
    #[derive(Deserialize)]
    struct Version {
        schema_version: u64,
    }
    #[derive(Deserialize)]
    struct Import {
        run: Run,
    }
    let not_an_export = |source| ReportError::NotAnExport { source };
    // The version first: what another layout holds, only its own program knows.
    let Version { schema_version } = serde_json::from_str(text).map_err(not_an_export)?;
    if schema_version > SCHEMA_VERSION {
        return Err(ReportError::Newer { found: schema_version, known: SCHEMA_VERSION });
    }
    let mut document: Value = serde_json::from_str(text).map_err(not_an_export)?;
    if schema_version < 2 {
        let rows = document.pointer_mut("/run/rows").and_then(Value::as_array_mut);
        rows.into_iter().flatten().filter_map(|row| row.get_mut("load")).for_each(Precision::upgrade);
    }
    let Import { run } = serde_json::from_value(document).map_err(not_an_export)?;
    Ok(run)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::answer::{self, Kind};
    use crate::record::{BusyProgram, Fault, GpuReading, LoadParts, PoolMemory, PoolPhases};
    use crate::schemas::RUN;
    use crate::store::sample;
    use crate::summarize::testing;

    fn exported(run: &Run) -> String {
        let mut out = Vec::new();
        write(&Answer::of(run), &mut out).expect("writing to memory");
        String::from_utf8(out).expect("JSON is UTF-8")
    }

    #[test]
    fn an_export_comes_back_as_the_same_run() {
        assert_eq!(read(&exported(&sample::run())).expect("reading"), sample::run());
    }

    fn document() -> Value {
        serde_json::from_str(&exported(&sample::run())).expect("JSON")
    }

    #[test]
    fn an_export_satisfies_its_schema() {
        assert_eq!(RUN.complaints(&document()), Vec::<String>::new());
    }

    /// What is absent from most runs.
    #[test]
    fn an_export_of_a_run_on_a_busy_machines_gpu_satisfies_it_too() {
        let memory = PoolMemory { used_bytes: 1, reserved_bytes: 2 };
        let mut run = sample::run();
        let row = &mut run.rows[0];
        let load = row.load.as_mut().expect("loaded");
        load.pool =
            Some(PoolPhases { loaded: memory, load_peak: memory, prefill_peak: Some(memory), decode_peak: None });
        load.parts = Some(LoadParts::default());
        row.trials[0].readings[0].gpu = Some(GpuReading::default());
        row.trials[0].readings[0].busiest = vec![BusyProgram { name: "컴파일러".into(), cpu_seconds: 0.5 }];
        row.trials[0].readings[0].late_ns = Some(120_000_000);
        row.trials[0].readings[0].uptime_seconds = Some(86_400.25);
        row.trials[0].readings[0].throttled_seconds = Some(0.25);
        row.trials[0].repeated = Some(Fault::Shared);
        let mut out = Vec::new();
        write(&Answer::of(&run), &mut out).expect("writing to memory");
        assert_eq!(RUN.complaints(&serde_json::from_slice(&out).expect("JSON")), Vec::<String>::new());
        assert_eq!(read(&String::from_utf8(out).expect("JSON is UTF-8")).expect("reading"), run);
    }

    #[test]
    fn an_export_of_variants_satisfies_it_and_comes_back() {
        let mut run = crate::compare::testing::two_variants(&[(100, true); 14], &[(50, false); 14]);
        for text in ["context=5,6", "adapter=none,x", "quantization=stored,q8_0"] {
            let variants = crate::catalog::Variants::parse(text).expect("variants");
            let rows = run.rows.iter_mut().zip(variants.iter());
            rows.for_each(|(row, variant)| row.candidate = row.candidate.varied(variant));
            let text = exported(&run);
            let document: Value = serde_json::from_str(&text).expect("JSON");
            assert_eq!(RUN.complaints(&document), Vec::<String>::new());
            assert_eq!(document["variants"]["changes"][0]["flips"].as_array().map(Vec::len), Some(14));
            assert_eq!(read(&text).expect("reading"), run);
        }
    }

    #[test]
    fn the_schema_refuses_what_is_wrong() {
        RUN.refuses(
            &document(),
            [
                ("/schema_version", json!(1)),
                ("/run/started_at", json!("yesterday")),
                ("/run/environment/threads", json!(-1)),
                ("/run/rows/0/checkpoint/files/0/sha256", json!("0X")),
                ("/run/rows/0/trials/0/language", json!("xx")),
                ("/run/rows/0/trials/0/timeline/arrivals_ns/0", json!(0.5)),
                ("/run/rows/0/outcome/status", json!("skipped")),
                ("/run/rows/0/candidate/source/kind", json!("local")),
                ("/recommendation/basis", json!("everything")),
                ("/recommendation/rejected/0/reason", json!("unloved")),
                ("/recommendation/flags/0", json!("unheard_of")),
                ("/notes/0/severity", json!("fatal")),
                ("/notes/0/kind", json!("unheard_of")),
                // Another kind's members are not this one's.
                ("/notes/0/kind", json!("drift")),
            ],
        );
    }

    #[test]
    fn the_schema_knows_every_member_and_misses_none() {
        // Any key names a suite or a language, or is what some model's config says; medians are by work.
        let by_name = [
            "/quality/languages",
            "/other_language",
            "/quality/suites",
            "/quality/suites/interview",
            "/quality/line_pass",
            "/reader",
        ];
        let of_run = [["/run/settings/suites", "/load/config", "/medians"].as_slice(), &by_name].concat();
        let works = |document: &Value| -> Vec<String> {
            let rows = document["derived"].as_array().expect("rows").iter();
            let works = rows.filter_map(|row| row["medians"].as_object()).flat_map(|medians| medians.keys());
            works.map(|work| format!("/medians/{work}")).collect()
        };
        let made_of = answer::testing::runs().into_iter().map(|run| {
            let mut document: Value = serde_json::from_str(&exported(&run)).expect("JSON");
            // What was observed is in the other two; here it is what was made of it.
            document["run"]["rows"] = json!([]);
            document
        });
        let whole = [sample::run(), testing::beyond_an_l4()];
        let whole = whole.map(|run| serde_json::from_str::<Value>(&exported(&run)).expect("JSON"));
        for document in whole.into_iter().chain(made_of) {
            let works = works(&document);
            let open: Vec<&str> = of_run.iter().copied().chain(works.iter().map(String::as_str)).collect();
            RUN.knows_every_member(&document, &open);
        }
    }

    #[test]
    fn the_schema_knows_every_kind_of_note() {
        let document = serde_json::from_str::<Value>(include_str!("../../schemas/run.schema.json")).expect("JSON");
        let kinds = document["$defs"]["note"]["oneOf"].as_array().expect("kinds").iter();
        let named = kinds.flat_map(|kind| {
            let kind = &kind["properties"]["kind"];
            kind["enum"].as_array().cloned().unwrap_or_else(|| vec![kind["const"].clone()])
        });
        let mut named: Vec<String> = named.map(|name| name.as_str().expect("a name").to_owned()).collect();
        named.sort();
        let mut all = Kind::NAMES.to_vec();
        all.sort_unstable();
        assert_eq!(named, all);
    }

    #[test]
    fn what_was_made_of_the_trials_stands_beside_them() {
        let document = document();
        assert_eq!(document["derived"][0]["medians"]["review"]["ttft_seconds"], json!(0.5));
        assert_eq!(document["derived"][0]["kv_bytes_per_token"], json!(57_344));
        assert_eq!(document["derived"][0]["capacity"], Value::Null, "on a CPU");
    }

    #[test]
    fn the_recommendation_and_the_notes_are_in_it() {
        let document: Value = serde_json::from_str(&exported(&testing::beyond_an_l4())).expect("JSON");
        assert_eq!(document["recommendation"]["rejected"][0]["row"], "a bf16");
        let notes = document["notes"].as_array().expect("notes");
        let impossible = notes.iter().find(|note| note["kind"] == "impossible").expect("it is");
        assert_eq!((&impossible["severity"], &impossible["subject"]), (&json!("warning"), &json!("a bf16")));
        assert_eq!(impossible["figures"], document["derived"][0]["impossible"]);
        assert_eq!(impossible["figures"].as_array().map(Vec::len), Some(2));
    }

    #[test]
    fn an_export_of_a_newer_program_is_refused_with_a_way_out() {
        let error = read(r#"{"schema_version": 3, "campaign": {}}"#).expect_err("newer");
        assert_eq!(error.to_string(), "the export has layout version 3, this program knows up to 2");
        assert_eq!(error.hint().expect("a hint"), "update `bench`");
    }

    #[test]
    fn an_export_of_the_version_before_is_read_with_its_sentence_as_data() {
        let mut old = document();
        old["schema_version"] = json!(1);
        old["run"]["rows"][0]["load"]["precision"] = json!("q4_k 93 %, q6_k 7 %");
        assert_eq!(read(&old.to_string()).expect("reading"), sample::run());
    }

    #[test]
    fn what_is_no_export_is_refused() {
        for text in ["", "[]", "{}", r#"{"schema_version": 1}"#, r#"{"schema_version": 1, "run": {"id": "x"}}"#] {
            let error = read(text).expect_err(text);
            assert!(matches!(error, ReportError::NotAnExport { .. }), "{text}: {error:?}");
        }
    }
}
