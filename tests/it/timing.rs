//! Timing, exactly: the scripted engine and the manual clock, through execution and measurement, by numbers that can be
//! checked by hand.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bench::acquire::hub::FetchProgress;
use bench::clock::ManualClock;
use bench::engine::scripted::{Event, ScriptedEngine};
use bench::engine::{Completion, Engine, EngineError, Observer, PrepareListener, Request};
use bench::measure::Measurement;
use bench::metric::{CHARACTERS, DECODE, LATENCY, TTFT};
use bench::plan::PlannedTrial;
use bench::record::{FailureKind, FinishReason, Outcome, Phase, Row, Settings, Trial};
use bench::run::{Ended, Instruments, RunListener, execute};
use bench::suite::{Body, Language, Prompt};
use bench::summarize::{Summary, summarize};

use crate::support::{one_after_another, row, run_of};

/// One script for each trial.
struct InTurn {
    clock: ManualClock,
    scripts: VecDeque<Vec<Event>>,
}

impl Engine for InTurn {
    fn generate(&mut self, request: &Request, observer: &mut dyn Observer) -> Result<Completion, EngineError> {
        let script = self.scripts.pop_front().expect("a script for each trial");
        ScriptedEngine::new(self.clock.clone(), vec![script]).generate(request, observer)
    }
}

struct Deaf;

impl FetchProgress for Deaf {}

impl PrepareListener for Deaf {}

impl RunListener for Deaf {}

fn wait(milliseconds: u64) -> Event {
    Event::Wait(Duration::from_millis(milliseconds))
}

fn ms(milliseconds: u64) -> u64 {
    milliseconds * 1_000_000
}

/// Templating 30 ms, prefill of 7 tokens 70 ms, then tokens after 20, 50, 50 and 200 ms: at 120, 170, 220 and 420 ms.
fn four_tokens() -> Vec<Event> {
    vec![
        wait(30),
        Event::Encoded(7),
        wait(70),
        Event::Prefilled,
        wait(20),
        Event::Token(11, "안녕".into()),
        wait(50),
        Event::Token(12, "하".into()),
        wait(50),
        Event::Token(13, "세요".into()),
        wait(200),
        Event::Token(14, "!".into()),
        // What the engine does after its last token is nobody's latency.
        wait(1_000),
    ]
}

fn step(repetition: u32, warmup: bool) -> PlannedTrial {
    let prompt = Prompt {
        id: "hello".into(),
        language: Some(Language::Ko),
        body: Body::Text { system: "친절하게.".into(), text: "안녕하세요?".into() },
        max_new_tokens: 4,
        expected: Default::default(),
    };
    PlannedTrial { suite: "greeting".into(), prompt: Arc::new(prompt), repetition, warmup, seed: 0, max_new_tokens: 4 }
}

fn steps(count: usize) -> Vec<PlannedTrial> {
    (0..count as u32).map(|repetition| step(repetition, false)).collect()
}

/// Runs a script a step, and gives what was kept.
fn run(steps: &[PlannedTrial], scripts: Vec<Vec<Event>>) -> Vec<Trial> {
    let clock = ManualClock::default();
    let mut engine = InTurn { clock: clock.clone(), scripts: scripts.into() };
    let mut kept = Vec::new();
    let mut keep = |trial: &Trial| -> Result<(), Infallible> {
        kept.push(trial.clone());
        Ok(())
    };
    let next = one_after_another(steps);
    let ended = execute(
        &mut engine,
        &mut row("row"),
        &next,
        &Instruments::on_cpu(clock),
        &AtomicBool::new(false),
        &mut Deaf,
        &mut keep,
    );
    assert_eq!(ended, Ok(Ended::Finished));
    kept
}

fn run_one(script: Vec<Event>) -> Trial {
    run(&steps(1), vec![script]).remove(0)
}

/// What trials amount to, by the program's own way from a row to its summary.
fn summary(trials: Vec<Trial>) -> Summary {
    let run = run_of(Row { trials, ..row("row") }, Settings::default());
    summarize(&run).remove(0).suites.remove(0).summary
}

#[track_caller]
fn is(actual: Option<f64>, expected: f64) {
    let actual = actual.unwrap_or_else(|| panic!("undefined, expected {expected}"));
    assert!((actual - expected).abs() < 1e-12, "{actual}, expected {expected}");
}

#[test]
fn every_metric_of_four_tokens() {
    let trial = run_one(four_tokens());
    assert_eq!(trial.timeline.encoded_ns, Some(ms(30)));
    assert_eq!(trial.timeline.prefilled_ns, Some(ms(100)));
    assert_eq!(trial.timeline.arrivals_ns, [ms(120), ms(170), ms(220), ms(420)]);
    assert_eq!((trial.prompt_tokens, trial.token_ids.as_deref()), (Some(7), Some(&[11, 12, 13, 14][..])));
    assert_eq!(trial.text.as_deref(), Some("안녕하세요!"));
    assert_eq!(trial.outcome, Outcome::Completed { finish: FinishReason::Stop });

    let measured = Measurement::of(&trial);
    is(measured.ttft_seconds, 0.12);
    is(measured.prefill_seconds, 0.07);
    is(measured.prefill_tokens_per_second, 100.0);
    is(measured.tpot_seconds, 0.1);
    is(measured.decode_tokens_per_second, 10.0);
    is(measured.itl_max_seconds, 0.2);
    // A gap of exactly 200 ms is none over 200 ms.
    is(measured.stalls, 0.0);
    // Six characters but for the two of the first token, in 300 ms.
    is(measured.characters_per_second, 4.0 / 0.3);
    is(measured.visible_ttft_seconds, 0.12);
    is(measured.tokenizing_seconds, 0.03);
    is(measured.text_after_seconds, 1.0);
    is(measured.characters_per_token, 1.5);
    is(measured.latency_seconds, 0.42);
}

#[test]
fn time_to_first_token_includes_templating() {
    let mut slow_template = four_tokens();
    slow_template[0] = wait(1_030);
    let measured = Measurement::of(&run_one(slow_template));
    is(measured.ttft_seconds, 1.12);
    is(measured.prefill_seconds, 0.07);
}

#[test]
fn time_per_token_excludes_the_first() {
    let mut slow_prefill = four_tokens();
    slow_prefill[2] = wait(5_070);
    let measured = Measurement::of(&run_one(slow_prefill));
    is(measured.ttft_seconds, 5.12);
    is(measured.tpot_seconds, 0.1);
    is(measured.characters_per_second, 4.0 / 0.3);
}

#[test]
fn each_trial_has_its_own_start() {
    let trials = run(&steps(3), vec![four_tokens(); 3]);
    for trial in &trials {
        assert_eq!(trial.timeline, trials[0].timeline);
    }
    is(summary(trials).overall.median(&LATENCY), 0.42);
}

#[test]
fn a_failure_at_the_third_token_keeps_what_came_and_is_counted() {
    let mut failing = four_tokens();
    failing[9] = Event::Fail("the third token never came".into());
    let trials = run(&steps(3), vec![four_tokens(), failing, four_tokens()]);
    let failed = &trials[1];
    let message = "the third token never came".to_owned();
    assert_eq!(failed.outcome, Outcome::Failed { kind: FailureKind::Engine, message });
    assert_eq!(failed.timeline.arrivals_ns, [ms(120), ms(170)]);
    assert_eq!((failed.token_ids.as_deref(), failed.text.as_deref()), (Some(&[11, 12][..]), Some("안녕하")));
    let measured = Measurement::of(failed);
    is(measured.ttft_seconds, 0.12);
    is(measured.tpot_seconds, 0.05);
    assert_eq!(measured.latency_seconds, None);

    let summary = summary(trials);
    assert_eq!((summary.measured, summary.failed), (3, 1));
    // One prompt, however often it was answered.
    assert_eq!(summary.overall.get(&TTFT).unwrap().n, 1);
    is(summary.overall.median(&DECODE), 10.0);
}

#[test]
fn no_token_at_all_is_no_zero() {
    let trial = run_one(vec![wait(30), Event::Encoded(7), wait(70), Event::Prefilled, wait(20)]);
    assert_eq!(trial.outcome, Outcome::Completed { finish: FinishReason::Stop });
    let measured = Measurement::of(&trial);
    is(measured.prefill_seconds, 0.07);
    let undefined = [
        measured.ttft_seconds,
        measured.tpot_seconds,
        measured.itl_max_seconds,
        measured.decode_tokens_per_second,
        measured.characters_per_second,
        measured.characters_per_token,
        measured.latency_seconds,
        measured.stalls,
    ];
    assert_eq!(undefined, [None; 8]);
    let summary = summary(vec![trial]);
    assert_eq!((summary.measured, summary.failed), (1, 0));
    assert!(summary.overall.get(&TTFT).is_none() && summary.overall.get(&CHARACTERS).is_none());
}

#[test]
fn a_failure_before_anything_came_has_no_prompt_length_and_no_text() {
    let trial = run_one(vec![wait(30), Event::Fail("at once".into())]);
    assert_eq!((trial.prompt_tokens, trial.text, trial.token_ids), (None, None, Some(Vec::new())));
    assert_eq!(trial.timeline.encoded_ns, None);
}

#[test]
fn after_running_out_of_memory_the_next_trial_runs() {
    let out_of_memory = vec![wait(30), Event::Encoded(7), wait(500), Event::OutOfMemory];
    let trials = run(&steps(2), vec![out_of_memory, four_tokens()]);
    assert!(matches!(trials[0].outcome, Outcome::Failed { kind: FailureKind::OutOfMemory, .. }));
    assert_eq!(trials[0].prompt_tokens, Some(7));
    assert_eq!(trials[1].timeline.arrivals_ns, [ms(120), ms(170), ms(220), ms(420)]);
    assert_eq!(summary(trials).failed, 1);
}

#[test]
fn warm_up_is_kept_and_enters_no_figure() {
    let mut cold = four_tokens();
    cold[0] = wait(9_000);
    let trials = run(&[step(0, true), step(0, false)], vec![cold, four_tokens()]);
    assert_eq!([trials[0].key.phase(), trials[1].key.phase()], [Phase::Warmup, Phase::Measured]);
    let summary = summary(trials);
    assert_eq!((summary.warmup, summary.measured), (1, 1));
    is(summary.overall.median(&TTFT), 0.12);
}

/// Gives the run up at a token, counted over all trials.
struct GivesUp<'a> {
    at: usize,
    seen: usize,
    cancel: &'a AtomicBool,
    ended: usize,
}

impl FetchProgress for GivesUp<'_> {}

impl PrepareListener for GivesUp<'_> {}

impl RunListener for GivesUp<'_> {
    fn token(&mut self, _: usize, _: usize) {
        self.seen += 1;
        self.cancel.store(self.seen >= self.at, Ordering::Relaxed);
    }

    fn trial_ended(&mut self, _: &Trial) {
        self.ended += 1;
    }
}

#[test]
fn cancelling_keeps_the_finished_trials_and_nothing_of_the_one_in_flight() {
    let (clock, cancel) = (ManualClock::default(), AtomicBool::new(false));
    let mut engine = InTurn { clock: clock.clone(), scripts: vec![four_tokens(); 3].into() };
    let mut listener = GivesUp { at: 6, seen: 0, cancel: &cancel, ended: 0 };
    let mut kept = Vec::new();
    let mut keep = |trial: &Trial| -> Result<(), Infallible> {
        kept.push(trial.key.repetition);
        Ok(())
    };
    let ended = execute(
        &mut engine,
        &mut row("row"),
        &one_after_another(&steps(3)),
        &Instruments::on_cpu(clock),
        &cancel,
        &mut listener,
        &mut keep,
    );
    assert_eq!(ended, Ok(Ended::Cancelled));
    assert_eq!((kept, listener.ended, engine.scripts.len()), (vec![0], 1, 1));
}

#[test]
fn a_trial_that_cannot_be_kept_ends_the_run() {
    let clock = ManualClock::default();
    let mut engine = InTurn { clock: clock.clone(), scripts: vec![four_tokens(); 3].into() };
    let mut listener = GivesUp { at: usize::MAX, seen: 0, cancel: &AtomicBool::new(false), ended: 0 };
    let mut keep = |_: &Trial| Err("the disk is full");
    let ended = execute(
        &mut engine,
        &mut row("row"),
        &one_after_another(&steps(3)),
        &Instruments::on_cpu(clock),
        &AtomicBool::new(false),
        &mut listener,
        &mut keep,
    );
    assert_eq!(ended, Err("the disk is full"));
    assert_eq!((listener.ended, engine.scripts.len()), (0, 2));
}

/// Takes its time whenever it hears of a token.
struct Slow {
    clock: ManualClock,
}

impl FetchProgress for Slow {}

impl PrepareListener for Slow {}

impl RunListener for Slow {
    fn token(&mut self, _: usize, _: usize) {
        self.clock.advance(Duration::from_millis(5));
    }
}

#[test]
fn a_token_is_stamped_before_anyone_hears_of_it() {
    let clock = ManualClock::default();
    let mut engine = ScriptedEngine::new(clock.clone(), vec![four_tokens()]);
    let mut kept = Vec::new();
    let mut keep = |trial: &Trial| -> Result<(), Infallible> {
        kept.push(trial.timeline.arrivals_ns.clone());
        Ok(())
    };
    let mut listener = Slow { clock: clock.clone() };
    execute(
        &mut engine,
        &mut row("row"),
        &one_after_another(&steps(1)),
        &Instruments::on_cpu(clock),
        &AtomicBool::new(false),
        &mut listener,
        &mut keep,
    )
    .unwrap();
    assert_eq!(kept, [[ms(120), ms(175), ms(230), ms(435)]]);
}

#[test]
fn the_machine_is_looked_at_on_the_clock_of_the_trial() {
    let trial = run(&steps(2), vec![four_tokens(); 2]).remove(1);
    assert!(trial.readings.is_sorted_by_key(|reading| reading.at_ns));
    assert_eq!(trial.readings.first().unwrap().at_ns, 0, "the first look is before the start");
    assert_eq!(trial.readings.last().unwrap().at_ns, ms(1_420), "the last look is at the end");
}
