use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use jiff::Timestamp;
use rusqlite::Connection;

use super::sample::{self, ID};
use super::{RunHead, Store, StoreError, new_run_id};
use crate::record::{Fault, GpuReading, Row, RowOutcome, Run};
use crate::suite::Language;

const ROW: &str = "qwen2.5-7b q4_k";

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn stored(runs: &[Run]) -> (tempfile::TempDir, Store) {
    let folder = folder();
    let mut store = Store::open(folder.path().join("results/bench.db")).expect("a new store");
    for run in runs {
        store.create_run(run).expect("storing");
    }
    (folder, store)
}

/// A run of the sample's kind with nothing run yet.
fn bare(id: &str, started_at: &str) -> Run {
    let mut run = sample::run();
    run.id = id.into();
    run.started_at = started_at.parse().expect("a timestamp");
    run.finished_at = None;
    run.rows.iter_mut().for_each(|row| row.trials.clear());
    run
}

#[test]
fn a_run_comes_back_as_it_was_stored() {
    let (_folder, store) = stored(&[sample::run()]);
    assert_eq!(store.load_run(ID).expect("loading"), sample::run());
}

#[test]
fn a_run_stored_step_by_step_is_the_same_run() {
    let whole = sample::run();
    let mut start = bare(ID, "2026-11-20T05:17:33.25Z");
    for row in &mut start.rows {
        *row = Row { checkpoint: None, load: None, fit: None, outcome: RowOutcome::Pending, ..row.clone() };
    }
    let (_folder, store) = stored(&[start]);
    for row in &whole.rows {
        for trial in &row.trials {
            store.add_trial(ID, trial).expect("adding a trial");
        }
        store.update_row(ID, row).expect("updating a row");
    }
    store.finish_run(ID, whole.finished_at.expect("the sample is finished")).expect("finishing");
    assert_eq!(store.load_run("latest").expect("loading"), whole);
}

#[test]
fn results_survive_reopening() {
    let (folder, store) = stored(&[sample::run()]);
    drop(store);
    let store = Store::open_existing(folder.path().join("results/bench.db")).expect("reopening");
    assert_eq!(store.load_run(ID).expect("loading"), sample::run());
}

#[test]
fn a_trial_is_not_stored_twice_even_without_a_language() {
    let (_folder, store) = stored(&[bare(ID, "2026-11-20T05:00:00Z")]);
    for language in [Some(Language::Ko), Some(Language::En), None] {
        let trial = sample::trial(ROW, "speed", language, 0, 2);
        store.add_trial(ID, &trial).expect("the first time");
        let again = store.add_trial(ID, &trial).expect_err("the second time");
        assert!(matches!(again, StoreError::Duplicate { .. }), "{again:?}");
    }
    let mut warmup = sample::trial(ROW, "speed", None, 0, 2);
    warmup.key.warmup = true;
    store.add_trial(ID, &warmup).expect("a warm-up of the same number is another trial");
    let again = store.add_trial(ID, &warmup).expect_err("the second time").to_string();
    assert_eq!(
        again,
        "warm-up 0 of prompt `speed/short-1` for row `qwen2.5-7b q4_k` of run `20261120-051733-4f2a` is stored already"
    );
}

#[test]
fn a_trial_that_was_run_again_keeps_why_and_what_the_gpu_did() {
    let (folder, store) = stored(&[bare(ID, "2026-11-20T05:00:00Z")]);
    let mut trial = sample::trial(ROW, "speed", None, 0, 2);
    trial.repeated = Some(Fault::Thermal);
    trial.readings[0].gpu = Some(GpuReading { energy_millijoules: Some(7), ..GpuReading::default() });
    store.add_trial(ID, &trial).expect("adding a trial");
    assert_eq!(store.load_run(ID).expect("loading").rows[0].trials, [trial]);
    let other = Connection::open(folder.path().join("results/bench.db")).expect("opening");
    let why: String = other.query_one("SELECT repeated FROM trials", [], |row| row.get(0)).expect("a word");
    assert_eq!(why, "thermal");
}

#[test]
fn a_run_is_not_stored_twice() {
    let (_folder, mut store) = stored(&[sample::run()]);
    let again = store.create_run(&sample::run()).expect_err("the second time");
    assert!(matches!(again, StoreError::Duplicate { .. }), "{again:?}");
}

#[test]
fn a_run_that_cannot_be_stored_whole_is_not_stored_at_all() {
    let (_folder, mut store) = stored(&[]);
    let mut run = sample::run();
    run.rows.push(run.rows[0].clone());
    let error = store.create_run(&run).expect_err("two rows of one name");
    assert_eq!(error.to_string(), format!("row `{ROW}` of run `{ID}` is stored already"));
    assert_eq!(store.list_runs().expect("listing"), []);
}

#[test]
fn what_belongs_to_no_stored_row_is_refused() {
    let (_folder, store) = stored(&[bare(ID, "2026-11-20T05:00:00Z")]);
    let trial = sample::trial("nobody", "speed", None, 0, 2);
    let error = store.add_trial(ID, &trial).expect_err("a trial of no row");
    assert_eq!(error.to_string(), format!("run `{ID}` has no row `nobody`"));
    let error = store.update_row("nothing", &sample::run().rows[0]).expect_err("a row of no run");
    assert_eq!(error.to_string(), format!("run `nothing` has no row `{ROW}`"));
    let error = store.finish_run("nothing", Timestamp::UNIX_EPOCH).expect_err("no such run");
    assert!(matches!(error, StoreError::NoSuchRun { .. }), "{error:?}");
}

#[test]
fn latest_is_the_run_that_was_made_last_whatever_the_clock_said() {
    // The clock was set back by an hour before the last of them.
    let (_folder, store) = stored(&[
        bare("a", "2026-11-20T05:00:00Z"),
        bare("b", "2026-11-20T05:00:01.5Z"),
        bare("c", "2026-11-20T04:00:02Z"),
    ]);
    assert_eq!(store.select_run("latest").expect("selecting"), "c");
    let ids: Vec<String> = store.list_runs().expect("listing").into_iter().map(|head| head.id).collect();
    assert_eq!(ids, ["a", "b", "c"]);
}

#[test]
fn runs_stored_before_their_order_was_kept_are_in_that_of_the_clock() {
    let folder = folder();
    let path = folder.path().join("bench.db");
    fs::copy(fixture(3), &path).expect("copying the fixture");
    let old = Connection::open(&path).expect("opening");
    old.execute_batch(
        "INSERT INTO runs (id, started_at, finished_at, environment, settings, requirements)
         SELECT 'before', '2026-11-19T00:00:00.000000000Z', NULL, environment, settings, requirements FROM runs",
    )
    .expect("an older run");
    drop(old);
    let store = Store::open_existing(path).expect("opening an old store");
    assert_eq!(store.select_run("latest").expect("selecting"), ID);
}

#[test]
fn a_clock_that_was_set_back_within_a_run_is_known() {
    let set_back = |run: &Run| stored(std::slice::from_ref(run)).1.list_runs().expect("listing")[0].clock_set_back;
    let run = sample::run();
    assert!(!set_back(&run));
    let mut at_the_end = run.clone();
    at_the_end.finished_at = Some("2026-11-20T04:17:40Z".parse().expect("a timestamp"));
    assert!(set_back(&at_the_end));
    let mut meanwhile = run;
    meanwhile.rows[0].trials[3].started_at = "2026-11-20T05:17:50Z".parse().expect("a timestamp");
    assert!(set_back(&meanwhile));
}

#[test]
fn a_run_is_found_by_as_much_of_its_id_as_is_unambiguous() {
    let (_folder, store) = stored(&[
        bare("20261120-051733-4f2a", "2026-11-20T05:17:33Z"),
        bare("20261120-061733-00aa", "2026-11-20T06:17:33Z"),
        bare("20261121-051733-00aa", "2026-11-21T05:17:33Z"),
        bare("20261121", "2026-11-21T00:00:00Z"),
    ]);
    let select = |selector: &str| store.select_run(selector);
    assert_eq!(select("20261120-06").expect("one run"), "20261120-061733-00aa");
    assert_eq!(select("20261121").expect("the whole id, although it begins another"), "20261121");
    assert_eq!(
        select("20261120").expect_err("two runs").to_string(),
        "`20261120` could be any of 2 runs: `20261120-051733-4f2a`, `20261120-061733-00aa`"
    );
    for none in ["2025", "%", "_", "20261120-051733-4f2a0", "LATEST"] {
        let error = select(none).expect_err("no run");
        assert!(matches!(error, StoreError::NoSuchRun { .. }), "{none}: {error:?}");
        assert_eq!(
            error.hint().expect("a hint"),
            "`bench history` lists the runs; `latest` is the one that was made last"
        );
    }
}

#[test]
fn an_empty_store_has_no_latest_run() {
    let (_folder, store) = stored(&[]);
    let error = store.load_run("latest").expect_err("no runs");
    assert!(matches!(error, StoreError::NoRuns { .. }), "{error:?}");
    assert_eq!(store.list_runs().expect("listing"), []);
}

#[test]
fn the_list_of_runs_counts_rows_and_trials() {
    let (_folder, store) = stored(&[bare("earlier", "2026-11-19T00:00:00Z"), sample::run()]);
    let head = |id: &str, started_at: &str, finished_at: Option<&str>, trials| RunHead {
        id: id.into(),
        started_at: started_at.parse().expect("a timestamp"),
        finished_at: finished_at.map(|at| at.parse().expect("a timestamp")),
        candidates: 4,
        rows: sample::run().rows.iter().map(|row| row.candidate.row()).collect(),
        suites: if trials > 0 { vec!["review".into(), "speed".into()] } else { Vec::new() },
        languages: if trials > 0 { vec!["en".into(), "ko".into()] } else { Vec::new() },
        trials,
        device_name: "Example CPU, \"two cores\"".into(),
        clock_set_back: false,
    };
    assert_eq!(
        store.list_runs().expect("listing"),
        [
            head("earlier", "2026-11-19T00:00:00Z", None, 0),
            head(ID, "2026-11-20T05:17:33.25Z", Some("2026-11-20T05:21:00Z"), 6),
        ]
    );
}

#[test]
fn run_ids_sort_by_time_and_tell_runs_of_one_second_apart() {
    let at = |text: &str| text.parse::<Timestamp>().expect("a timestamp");
    assert_eq!(new_run_id(at("2026-11-20T05:17:33.9Z"), 0x4f2a), "20261120-051733-4f2a");
    assert!(new_run_id(at("2026-11-20T05:17:33Z"), u16::MAX) < new_run_id(at("2026-11-20T05:17:34Z"), 0));
    assert_ne!(new_run_id(at("2026-11-20T05:17:33Z"), 0), new_run_id(at("2026-11-20T05:17:33Z"), 1));
}

#[test]
fn a_reader_sees_what_a_writer_stores_meanwhile() {
    let (folder, store) = stored(&[bare(ID, "2026-11-20T05:00:00Z")]);
    let reader = Store::open_existing(folder.path().join("results/bench.db")).expect("a second opening");
    store.add_trial(ID, &sample::trial(ROW, "speed", None, 0, 2)).expect("adding a trial");
    assert_eq!(reader.load_run(ID).expect("loading").rows[0].trials.len(), 1);
}

#[test]
fn the_layout_can_be_queried_by_other_programs() {
    let (folder, store) = stored(&[sample::run()]);
    drop(store);
    let other = Connection::open(folder.path().join("results/bench.db")).expect("opening");
    let value = |sql: &str| -> String { other.query_one(sql, [], |row| row.get(0)).expect(sql) };
    assert_eq!(value("SELECT program_version FROM runs"), "0.1.0");
    assert_eq!(value("SELECT group_concat(status) FROM rows ORDER BY position"), "ran,failed,skipped,pending");
    assert_eq!(value("SELECT status FROM trials WHERE language = 'en' AND repetition = 1"), "failed");
    assert_eq!(value("SELECT seed FROM trials WHERE suite = 'speed'"), "18446744073709551615");
    let last = "SELECT max(value) FROM trials, json_each(arrivals_ns) WHERE suite = 'speed'";
    assert_eq!(other.query_one(last, [], |row| row.get::<_, i64>(0)).expect(last), 800_000_000);
}

#[test]
fn where_nothing_is_stored_reading_says_so_and_makes_no_file() {
    let path = folder().path().join("bench.db");
    let error = Store::open_existing(&path).expect_err("no file");
    assert_eq!(error.to_string(), format!("there are no stored results at `{}`", path.display()));
    assert!(error.hint().is_some_and(|hint| hint.contains("bench compare")));
    assert!(!path.exists());
}

#[test]
fn a_file_that_is_not_a_database_is_refused_and_left_alone() {
    let folder = folder();
    let path = folder.path().join("notes.txt");
    let notes = "These are notes, and more than a hundred bytes of them. ".repeat(9);
    fs::write(&path, &notes).expect("writing");
    let error = Store::open(&path).expect_err("not a database");
    assert_eq!(error.to_string(), format!("`{}` is not a database", path.display()));
    assert!(error.source().is_some() && error.hint().is_some());
    assert_eq!(fs::read_to_string(&path).expect("reading"), notes);
}

#[test]
fn a_database_of_another_program_is_refused_and_left_alone() {
    let folder = folder();
    let path = folder.path().join("other.db");
    let other = Connection::open(&path).expect("opening");
    other.execute_batch("CREATE TABLE runs (distance REAL)").expect("another program's table");
    drop(other);
    let before = fs::read(&path).expect("reading");
    let error = Store::open(&path).expect_err("another program's");
    assert_eq!(error.to_string(), format!("`{}` is a database of another program", path.display()));
    assert_eq!(fs::read(&path).expect("reading"), before);
}

#[test]
fn a_database_of_a_newer_program_is_refused_with_a_way_out() {
    let (folder, store) = stored(&[]);
    drop(store);
    let path = folder.path().join("results/bench.db");
    Connection::open(&path).expect("opening").pragma_update(None, "user_version", 99).expect("a later layout");
    let error = Store::open(&path).expect_err("newer");
    assert!(error.to_string().contains("made by a newer `bench`: its layout is version 99"), "{error}");
    assert!(error.hint().is_some_and(|hint| hint.contains("update `bench`")));
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = folder();
    let file = folder.path().join("file");
    fs::write(&file, "").expect("writing");
    let error = Store::open(file.join("bench.db")).expect_err("a file is in the way");
    assert_eq!(error.to_string(), format!("could not create the folder `{}`", file.display()));
    assert!(error.source().is_some() && error.hint().is_some());
}

#[test]
fn what_is_damaged_is_named_and_not_guessed() {
    let (folder, store) = stored(&[sample::run()]);
    let other = Connection::open(folder.path().join("results/bench.db")).expect("opening");
    other.execute_batch("UPDATE trials SET language = 'xx' WHERE status = 'failed'").expect("damage");
    let error = store.load_run(ID).expect_err("damaged");
    assert_eq!(
        error.to_string(),
        format!("the stored `language` of a trial of row `{ROW}` of run `{ID}` cannot be understood")
    );
    assert_eq!(error.source().expect("a cause").to_string(), "no language has the tag `xx`");
}

/// The sample as a version stored it: the prompts, and where requirements come from, are kept since version 4.
fn as_of(version: u32) -> Run {
    match version {
        1..=3 => Run { stated: None, prompts: Vec::new(), ..sample::run() },
        _ => sample::run(),
    }
}

/// Versions of which a store is kept.
const KEPT: [u32; 6] = [1, 2, 3, 4, 5, 7];

fn fixture(version: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/store/v{version}.db"))
}

#[test]
fn results_stored_by_each_version_still_load() {
    for version in KEPT {
        let folder = folder();
        let copy = folder.path().join("bench.db");
        fs::copy(fixture(version), &copy).expect("copying the fixture");
        let store = Store::open_existing(copy).expect("opening an old store");
        assert_eq!(store.load_run("latest").expect("loading an old run"), as_of(version), "version {version}");
    }
}

#[test]
#[ignore = "makes the fixture of the layout's newest version; see tests/fixtures/store/README.md"]
fn make_the_fixture() {
    let path = fixture(7);
    assert!(!path.exists(), "`{}` is there: a released layout's fixture is not made again", path.display());
    Store::open(path).expect("a new store").create_run(&sample::run()).expect("storing");
}

/// Names the file that [`stores_trials_until_it_is_killed`] stores into.
const VICTIM: &str = "BENCH_TEST_STORE_OF_VICTIM";

#[test]
fn a_killed_process_leaves_every_trial_that_it_had_stored() {
    // Killed after another number of trials each time: at 40 tokens most of its time goes into committing.
    for stored_at_least in [1, 7, 40] {
        let (folder, store) = stored(&[bare(ID, "2026-11-20T05:00:00Z")]);
        drop(store);
        let path = folder.path().join("results/bench.db");
        let mut victim = Command::new(std::env::current_exe().expect("this test's program"))
            .args(["--exact", "store::tests::stores_trials_until_it_is_killed", "--ignored", "--nocapture"])
            .env(VICTIM, &path)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("starting a child");
        let mut said = BufReader::new(victim.stdout.take().expect("its output")).lines();
        let mut told =
            said.by_ref().map_while(Result::ok).filter_map(|line| line.strip_prefix("stored ")?.parse().ok());
        let mut last: usize = told.by_ref().find(|count| *count >= stored_at_least).expect("the child stores trials");
        victim.kill().expect("killing the child");
        // What it still said before it died.
        last = told.last().unwrap_or(last);
        assert!(!victim.wait().expect("the child's end").success(), "the child was killed");

        let store = Store::open_existing(&path).expect("opening what the killed process left");
        let run = store.load_run(ID).expect("loading it");
        let repetitions: Vec<u32> = run.rows[0].trials.iter().map(|trial| trial.key.repetition).collect();
        assert!(repetitions.len() >= last, "{last} were stored, {} are there", repetitions.len());
        assert_eq!(repetitions, (0..repetitions.len() as u32).collect::<Vec<_>>());
        assert_eq!(run.rows[0].trials[last - 1], sample::trial(ROW, "speed", None, last as u32 - 1, 40));

        // The one in flight is stored or it is not; going on from there works.
        let next = repetitions.len() as u32;
        store.add_trial(ID, &sample::trial(ROW, "speed", None, next, 40)).expect("going on");
    }
}

#[test]
#[ignore = "is the process that is killed: started by the test above"]
fn stores_trials_until_it_is_killed() {
    let Some(path) = std::env::var_os(VICTIM) else { return };
    let store = Store::open_existing(PathBuf::from(path)).expect("opening");
    // libtest begins this test's line without ending it.
    println!();
    // An end, in case that nobody kills it.
    for repetition in 0..100_000 {
        store.add_trial(ID, &sample::trial(ROW, "speed", None, repetition, 40)).expect("adding a trial");
        println!("stored {}", repetition + 1);
    }
}

#[test]
fn two_programs_may_make_the_file_at_once() {
    for _ in 0..20 {
        let folder = folder();
        let path = folder.path().join("bench.db");
        std::thread::scope(|scope| {
            let opening: Vec<_> = (0..4).map(|_| scope.spawn(|| Store::open(&path).map(drop))).collect();
            for opened in opening {
                opened.join().expect("no panic").expect("opening");
            }
        });
    }
}

#[test]
fn what_cannot_be_written_to_is_read_into_memory() {
    for version in KEPT {
        let before = fs::read(fixture(version)).expect("the fixture");
        let store = Store::in_memory(&fixture(version)).expect("reading");
        assert_eq!(store.load_run("latest").expect("loading"), as_of(version), "version {version}");
        assert_eq!(fs::read(fixture(version)).expect("the fixture"), before);
    }
    // What was stored last is in the log.
    let (folder, _store) = stored(&[sample::run()]);
    let path = folder.path().join("results/bench.db");
    assert!(fs::metadata(path.with_extension("db-wal")).expect("a log").len() > 0);
    assert!(matches!(Store::in_memory(&path), Err(StoreError::Open { .. })));
}
