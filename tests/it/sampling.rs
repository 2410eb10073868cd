//! Sampling: how many trials are made, with an engine whose times are known and a clock that is moved by hand.

use std::convert::Infallible;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use bench::acquire::hub::FetchProgress;
use bench::answer::Answer;
use bench::clock::ManualClock;
use bench::engine::scripted::{Event, ScriptedEngine};
use bench::engine::{Completion, Engine, EngineError, Input, Observer, PrepareListener, Request};
use bench::plan::{Choices, MOST_WARMUP, Schedule};
use bench::record::{Row, RowOutcome, Settings, Trial};
use bench::report::{Form, Renderer, Terminal, comparison};
use bench::run::{Ended, Instruments, RunListener, execute};
use bench::suite::{self, Body, Prompt, Suite};
use bench::summarize::{precision, suffices};
use bench::units::Rate;

use crate::support::{row, run_of};

/// What an engine takes to the first token and between two, in milliseconds: of so many prompt tokens, for a prompt drawn with
/// this seed, so that a trial takes the same whenever it is run.
type Times = fn(tokens: usize, seed: u64) -> (u64, u64);

struct Timed {
    clock: ManualClock,
    times: Times,
    /// Trials so far.
    trials: usize,
    /// So many first trials are slow: each half as much as the one before.
    cold: u32,
}

impl Engine for Timed {
    fn generate(&mut self, request: &Request, observer: &mut dyn Observer) -> Result<Completion, EngineError> {
        let Input::RandomTokens { count, seed } = request.input else { panic!("prompts of token ids") };
        let (ttft, gap) = (self.times)(count, seed);
        let slow = self.cold.saturating_sub(self.trials as u32);
        self.trials += 1;
        let wait = |milliseconds: u64| Event::Wait(Duration::from_millis(milliseconds));
        let mut script = vec![Event::Encoded(count), wait(ttft << slow), Event::Prefilled, Event::Token(1, "".into())];
        for _ in 1..request.max_new_tokens {
            script.extend([wait(gap << slow), Event::Token(1, "".into())]);
        }
        ScriptedEngine::new(self.clock.clone(), vec![script]).generate(request, observer)
    }
}

struct Deaf;

impl FetchProgress for Deaf {}

impl PrepareListener for Deaf {}

impl RunListener for Deaf {}

/// The shipped prompts of token ids: 128 with 64 to be answered, and 512 with one.
fn speed() -> Vec<Suite> {
    suite::shipped().unwrap().into_iter().filter(|suite| !suite.is_text()).collect()
}

fn settings() -> Settings {
    Settings {
        seed: 0,
        repeat: Some(2),
        precision: None,
        min_seconds: None,
        max_repeat: None,
        warmup: Some(0),
        max_new_tokens: None,
        suites: Default::default(),
        languages: Vec::new(),
        today: None,
    }
}

fn until_precise(precision: f64) -> Settings {
    Settings { precision: Some(precision), max_repeat: Some(100), ..settings() }
}

/// Goes on with a row until nothing is left, or so many trials have been made.
fn go_on(row: &mut Row, settings: &Settings, times: Times, cold: u32, stop_after: usize) {
    let choices = Choices {
        repeat: settings.repeat,
        max_repeat: settings.max_repeat,
        warmup: settings.warmup,
        ..Choices::default()
    };
    let schedule = Schedule::of(&speed(), &choices);
    let next = |trials: &[Trial]| {
        if trials.len() >= stop_after {
            return None;
        }
        schedule.next(trials, &|phase, trials| suffices(phase, trials, settings))
    };
    let clock = ManualClock::default();
    let mut engine = Timed { clock: clock.clone(), times, trials: row.trials.len(), cold };
    let mut keep = |_: &Trial| -> Result<(), Infallible> { Ok(()) };
    let ended =
        execute(&mut engine, row, &next, &Instruments::on_cpu(clock), &AtomicBool::new(false), &mut Deaf, &mut keep);
    assert_eq!(ended, Ok(Ended::Finished));
}

fn run_whole(settings: &Settings, times: Times, cold: u32) -> Row {
    let mut row = row("모델");
    go_on(&mut row, settings, times, cold, usize::MAX);
    Row { outcome: RowOutcome::Ran, ..row }
}

fn report(row: Row, settings: Settings) -> String {
    let run = run_of(row, settings);
    Terminal::FILE.render(&comparison::page(&Answer::of(&run), Form::Screen, &[]))
}

/// Rounds of the measured trials, and warm-up trials.
fn counts(row: &Row) -> (usize, usize) {
    let warmup = row.trials.iter().filter(|trial| trial.key.warmup).count();
    let measured = row.trials.len() - warmup;
    assert_eq!(measured % 2, 0, "rounds are whole");
    (measured / 2, warmup)
}

/// Times to the first token of a prompt, in the first so many rounds.
fn ttfts(row: &Row, prompt: &str, rounds: usize) -> Vec<f64> {
    let of_prompt = row.trials.iter().filter(|trial| trial.key.prompt == prompt && !trial.key.warmup);
    of_prompt.take(rounds).map(|trial| trial.timeline.arrivals_ns[0] as f64 / 1e9).collect()
}

fn even(_: usize, _: u64) -> (u64, u64) {
    (400, 20)
}

/// The long prompt varies by an eighth, the short one does not.
fn uneven(tokens: usize, seed: u64) -> (u64, u64) {
    if tokens == 512 { (1000 + seed % 151, 20) } else { (400, 20) }
}

#[test]
fn what_does_not_vary_is_precise_as_soon_as_there_is_an_interval() {
    assert_eq!(counts(&run_whole(&settings(), even, 0)), (2, 0));
    assert_eq!(counts(&run_whole(&until_precise(0.02), even, 0)), (6, 0));
}

#[test]
fn rounds_go_on_until_the_least_precise_figure_is_precise() {
    let row = run_whole(&until_precise(0.02), uneven, 0);
    let (rounds, _) = counts(&row);
    assert!((7..100).contains(&rounds), "{rounds}");
    let reached = |rounds| precision(&ttfts(&row, "pp512", rounds)).unwrap();
    assert!(reached(rounds) <= 0.02 && reached(rounds - 1) > 0.02, "not one round more than it takes");
    assert!(!report(row, until_precise(0.02)).contains("not reached"));
}

#[test]
fn where_the_most_rounds_do_not_suffice_the_report_says_what_was_reached() {
    let asked = Settings { max_repeat: Some(8), ..until_precise(0.0001) };
    let row = run_whole(&asked, uneven, 0);
    assert_eq!(counts(&row), (8, 0));
    let reached = 100.0 * precision(&ttfts(&row, "pp512", 8)).unwrap();
    let reached = Rate(reached);
    let said = format!("모델: ±0.0100 % was not reached in 8 rounds (`--max-repeat 8`): TTFT of pp512 ±{reached} %\n");
    let report = report(row, asked);
    assert!(report.contains(&said), "{said}{report}");
}

#[test]
fn the_time_that_is_asked_for_is_that_of_the_trials() {
    // A round takes 400 + 63 × 20 and 400 ms: 2.06 s.
    let asked = |seconds| Settings { min_seconds: Some(seconds), max_repeat: Some(100), ..settings() };
    assert_eq!(counts(&run_whole(&asked(4.0), even, 0)), (2, 0));
    assert_eq!(counts(&run_whole(&asked(10.0), even, 0)), (5, 0));
    assert_eq!(counts(&run_whole(&asked(10.4), even, 0)), (6, 0));
    let report = report(run_whole(&asked(1e4), even, 0), asked(1e4));
    assert!(
        report.contains("166 min 40 s were not reached in 100 rounds (`--max-repeat 100`): speed 3 min 26 s"),
        "{report}"
    );
}

#[test]
fn interrupted_anywhere_it_goes_on_to_the_same_trials() {
    let settings = Settings { warmup: None, ..until_precise(0.02) };
    let whole = run_whole(&settings, uneven, 4);
    let same = |a: &Trial, b: &Trial| (&a.key, a.seed, &a.timeline) == (&b.key, b.seed, &b.timeline);
    for stop_after in 0..whole.trials.len() {
        let mut row = row("모델");
        go_on(&mut row, &settings, uneven, 4, stop_after);
        assert_eq!(row.trials.len(), stop_after);
        go_on(&mut row, &settings, uneven, 4, usize::MAX);
        let equal = row.trials.len() == whole.trials.len()
            && row.trials.iter().zip(&whole.trials).all(|(one, other)| same(one, other));
        assert!(equal, "interrupted after {stop_after}");
    }
}

#[test]
fn warm_up_ends_when_three_trials_agree() {
    let until_steady = Settings { warmup: None, ..settings() };
    // None, four and six slow ones, and then three that agree.
    assert_eq!(counts(&run_whole(&until_steady, even, 0)), (2, 3));
    assert_eq!(counts(&run_whole(&until_steady, even, 4)), (2, 7));
    assert_eq!(counts(&run_whole(&until_steady, even, 6)), (2, 9));
    assert_eq!(counts(&run_whole(&Settings { warmup: Some(1), ..settings() }, even, 6)), (2, 1));
}

#[test]
fn what_does_not_become_steady_is_measured_all_the_same_and_the_report_says_so() {
    let until_steady = Settings { warmup: None, ..settings() };
    let row = run_whole(&until_steady, even, 20);
    assert_eq!(counts(&row), (2, MOST_WARMUP as usize));
    let report = report(row, until_steady);
    assert!(report.contains("모델: did not become steady (speed in 10 warm-up trials)"), "{report}");
}

#[test]
fn a_suite_that_wants_more_warm_up_gets_it() {
    let mut suites = speed();
    suites[0].warmup = 12;
    let schedule = Schedule::of(&suites, &Choices::default());
    assert_eq!(schedule.least().iter().filter(|step| step.warmup).count(), 12);
}

#[test]
fn a_suite_with_a_text_in_it_keeps_its_numbers() {
    let mut suites = speed();
    let text = Body::Text { system: String::new(), text: "안녕하세요?".into() };
    suites[0].prompts.push(Prompt {
        id: "hello".into(),
        language: None,
        body: text,
        max_new_tokens: 8,
        expected: Default::default(),
    });
    let choices = Choices { max_repeat: Some(100), ..Choices::default() };
    assert!(!Schedule::of(&suites, &choices).is_open());
}
