//! What the harness costs a decode: `cargo bench --bench decode_overhead -- [--quick] [--rounds N]`.
//!
//! Target: under 1 % over the bare forward pass at 135M parameters. The same weights are decoded
//!
//! - bare: the decoder's forward pass and an argmax, in a loop;
//! - bare again: the same, so that its difference, which should be none, shows how fine this measures;
//! - under the harness: a trial as `bench compare` runs it, with recorder, streamed text and watcher thread;
//! - with everything: and a listener that draws the progress bar, and the store on disk.
//!
//! Machines drift and have other things to do, so each round runs all four, in another order each time, and the median
//! over the rounds of the difference within a round is what counts. divan compares no pairs: hence a plain `main`.
//!
//! Where the stack and the heap happen to lie makes two equal loops differ by several percent, the same way for as long
//! as the process lives (Mytkowicz et al., "Producing Wrong Data Without Doing Anything Obviously Wrong!", 2009). Here it
//! was up to 5 %, with the harness as often ahead as behind, until every trial ran at another depth of the stack and on a
//! heap that was shaken up: luck for luck, but noise above what is sought. The harness costs a token the same at any
//! shape, though: so it is measured at one that has a fraction of the work and all of the vocabulary, too, and set
//! against a token of the full one.

#![allow(
    unreachable_pub,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "no part of the program: what goes wrong here ends it"
)]

mod support;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use bench::acquire::hub::FetchProgress;
use bench::acquire::{Checkpoint, Weights};
use bench::catalog::{Quantization, Requirements};
use bench::clock::{Clock, SystemClock, wall_time};
use bench::engine::candle::{CandleEngine, Logits};
use bench::engine::{Engine, Input, Observer, PrepareListener, Request, Sampling};
use bench::plan::PlannedTrial;
use bench::quantile::quantile;
use bench::record::{CheckpointFacts, Row, Run, Settings, Trial};
use bench::run::{Instruments, RunListener, execute};
use bench::spec::Config;
use bench::store::{Store, new_run_id};
use bench::suite::{Body, Expected, Prompt};
use bench::summarize::Interval;
use bench::telemetry::{Host, environment};
use bench::text::TextModel;
use bench::ui::RunProgress;
use candle_core::{D, Device, Tensor};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use serde_json::{Map, Value, json};
use tokenizers::Tokenizer;

const VOCABULARY: u32 = 49_152;
const PROMPT_TOKENS: u32 = 16;
const SEED: u64 = 1;

/// How much is measured.
struct Effort {
    rounds: usize,
    tokens: u32,
}

impl Effort {
    /// As many tokens as the shipped `speed` suite decodes. Quick, to see that it works, unless `cargo bench` asks:
    /// `cargo test --all-targets` runs benches too, without `--bench`.
    fn from_args() -> Self {
        let args: Vec<String> = std::env::args().collect();
        if args.iter().any(|arg| arg == "--quick") || !args.iter().any(|arg| arg == "--bench") {
            return Self { rounds: 2, tokens: 4 };
        }
        let rounds = args.iter().skip_while(|arg| *arg != "--rounds").nth(1);
        Self { rounds: rounds.map_or(40, |rounds| rounds.parse().expect("--rounds takes a number")), tokens: 64 }
    }
}

/// Time that one trial took, in seconds.
struct Cost {
    /// From one token to the next, the median over the answer.
    token: f64,
    /// From before the prompt until the trial is kept.
    trial: f64,
}

impl Cost {
    fn new(arrivals_ns: &[u64], trial: Duration) -> Self {
        let tokens = arrivals_ns.windows(2).map(|pair| (pair[1] - pair[0]) as f64 / 1e9).collect();
        Self { token: median(tokens), trial: trial.as_secs_f64() }
    }
}

const ARMS: [&str; 4] = ["bare", "bare again", "harness", "with everything"];

fn main() {
    let effort = Effort::from_args();
    let threads = candle_core::utils::get_num_threads();
    println!("q8_0, threads {threads}, prompt of {PROMPT_TOKENS} tokens, answer of {}", effort.tokens);

    let full = measure(full_shape(), effort.rounds, effort.tokens);
    println!("\nSmolLM2-135M's shape, {} rounds", effort.rounds);
    head("over bare, %");
    let share = |arm: f64, bare: f64| 100.0 * (arm / bare - 1.0);
    report("ms a token", &full, 1e3, |cost| cost.token, share);
    report("ms a trial", &full, 1e3, |cost| cost.trial, share);

    let small = measure(small_shape(), effort.rounds * SMALL_ROUNDS, effort.tokens);
    println!("\none narrow layer, {} rounds", effort.rounds * SMALL_ROUNDS);
    head("over bare, µs");
    let added = report("µs a token", &small, 1e6, |cost| cost.token, |arm, bare| 1e6 * (arm - bare));

    let token = 1e6 * median(full[0].iter().map(|cost| cost.token).collect());
    let look = look();
    // A look stops no token as long as there is a core to spare; counted as if there were none.
    let looks = look * token / LOOKS_EVERY;
    let share = 100.0 * (added + looks) / token;
    println!("\nharness with everything: {added:.2} µs a token; watcher: {look:.1} µs a look, {looks:.2} µs a token");
    println!("overhead at {:.2} ms a token: {share:.3} %", token / 1e3);
}

/// Rounds at the small shape for each at the full one, in about the same time.
const SMALL_ROUNDS: usize = 20;

/// Time between two looks of the watcher, in µs.
const LOOKS_EVERY: f64 = 100e3;

/// Runs all arms in each round.
fn measure(shape: Value, rounds: usize, tokens: u32) -> [Vec<Cost>; ARMS.len()] {
    let mut bench = Bench::new(shape, rounds, tokens);
    for arm in 0..ARMS.len() {
        // The first of each warms up.
        bench.run(arm, u32::MAX);
    }
    let mut random = SmallRng::seed_from_u64(SEED);
    let mut costs: [Vec<Cost>; ARMS.len()] = Default::default();
    for round in 0..rounds {
        for turn in 0..ARMS.len() {
            // There and back, so that none always follows the same one.
            let turn = if round.is_multiple_of(2) { turn } else { ARMS.len() - 1 - turn };
            let arm = (round / 2 + turn) % ARMS.len();
            let _blocks = shake(&mut random);
            costs[arm].push(deeper(random.random_range(0..256), &mut || bench.run(arm, round as u32)));
        }
    }
    bench.progress.finish();
    costs
}

/// Blocks of random sizes with holes between them: whatever is allocated while they live lies elsewhere than before.
fn shake(random: &mut SmallRng) -> Vec<Vec<u8>> {
    let mut blocks: Vec<Vec<u8>> = (0..256).map(|_| Vec::with_capacity(random.random_range(16..16_384))).collect();
    blocks.retain(|_| random.random());
    blocks
}

/// Calls so many frames further down the stack.
#[inline(never)]
fn deeper(frames: u32, call: &mut dyn FnMut() -> Cost) -> Cost {
    let frame = [frames; 4];
    if std::hint::black_box(&frame)[0] == 0 { call() } else { deeper(frames - 1, call) }
}

fn head(difference: &str) {
    println!("{:<28} {:>9} {:>13} {:>20} {:>20}", "", "median", difference, "95 % interval", "min to max");
}

/// Prints each arm's median and how it differs from the bare one of the same round; gives the last arm's difference.
fn report(
    what: &str,
    costs: &[Vec<Cost>; ARMS.len()],
    scale: f64,
    of: fn(&Cost) -> f64,
    difference: fn(f64, f64) -> f64,
) -> f64 {
    let mut last = 0.0;
    for (name, arm) in ARMS.iter().zip(costs) {
        let time = scale * median(arm.iter().map(of).collect());
        let mut differences: Vec<f64> =
            arm.iter().zip(&costs[0]).map(|(arm, bare)| difference(of(arm), of(bare))).collect();
        differences.sort_by(f64::total_cmp);
        let range = |low: f64, high: f64| format!("{low:+.2} to {high:+.2}");
        let interval =
            Interval::of_median(&differences).map_or_else(|| "—".into(), |interval| range(interval.low, interval.high));
        let extremes = range(differences[0], differences[differences.len() - 1]);
        last = median(differences);
        let label = format!("{what}, {name}");
        if name == &ARMS[0] {
            println!("{label:<28} {time:>9.3}");
        } else {
            println!("{label:<28} {time:>9.3} {last:>+13.2} {interval:>20} {extremes:>20}");
        }
    }
    last
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    quantile(&values, 0.5).expect("there are rounds")
}

/// Time that one look of the watcher takes, in µs.
fn look() -> f64 {
    let clock = SystemClock::new();
    let times = (0..1000).map(|_| {
        let start = clock.now();
        std::hint::black_box(Host::this().resident_bytes());
        1e6 * (clock.now() - start).as_secs_f64()
    });
    median(times.collect())
}

/// One engine and all that the arms need.
struct Bench {
    engine: CandleEngine,
    clock: SystemClock,
    step: PlannedTrial,
    prompt: Vec<u32>,
    progress: RunProgress<'static>,
    store: Store,
    run: Run,
    /// What every arm must answer.
    answer: Vec<u32>,
    _folder: tempfile::TempDir,
}

impl Bench {
    fn new(shape: Value, rounds: usize, tokens: u32) -> Self {
        let mut engine = CandleEngine::load(checkpoint(shape), Some(Quantization::Q8_0), &Device::Cpu, &mut |_| {})
            .expect("an engine");
        let step = PlannedTrial {
            suite: "overhead".into(),
            prompt: Arc::new(Prompt {
                id: "decode".into(),
                language: None,
                body: Body::Tokens { count: PROMPT_TOKENS },
                max_new_tokens: tokens,
                expected: Expected::default(),
            }),
            repetition: 0,
            warmup: false,
            seed: SEED,
            max_new_tokens: tokens,
        };
        let request = Request {
            input: Input::RandomTokens { count: PROMPT_TOKENS as usize, seed: SEED },
            max_new_tokens: tokens as usize,
            ignore_eos: true,
            sampling: Sampling::Greedy,
        };
        let completion = engine.generate(&request, &mut Silent).expect("an answer");
        assert!(completion.text.is_some_and(|text| !text.is_empty()), "the text is part of what is measured");

        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
        let mut store = Store::open(folder.path().join("bench.db")).expect("a store");
        let run = run();
        store.create_run(&run).expect("a stored run");
        Self {
            engine,
            clock: SystemClock::new(),
            progress: support::progress(std::slice::from_ref(&step), rounds),
            step,
            prompt: completion.prompt_ids.unwrap_or_default(),
            store,
            run,
            answer: completion.token_ids.unwrap_or_default(),
            _folder: folder,
        }
    }

    fn run(&mut self, arm: usize, round: u32) -> Cost {
        let (answer, cost) = match ARMS[arm] {
            "harness" => self.harness(),
            "with everything" => self.with_everything(round),
            _ => self.bare(),
        };
        assert_eq!(answer, self.answer, "{} did other work", ARMS[arm]);
        cost
    }

    fn bare(&mut self) -> (Vec<u32>, Cost) {
        let tokens = self.answer.len();
        let (mut answer, mut arrivals) = (Vec::with_capacity(tokens), Vec::with_capacity(tokens));
        let start = self.clock.now();
        let decoder = self.engine.decoder();
        decoder.reset(&[self.prompt.len() + tokens]).expect("room");
        let mut logits = decoder.forward(&[&self.prompt], Logits::Last).expect("logits");
        loop {
            let id = argmax(&logits);
            arrivals.push((self.clock.now() - start).as_nanos() as u64);
            answer.push(id);
            if answer.len() == tokens {
                break;
            }
            logits = decoder.forward(&[&[id]], Logits::Last).expect("logits");
        }
        (answer, Cost::new(&arrivals, self.clock.now() - start))
    }

    fn harness(&mut self) -> (Vec<u32>, Cost) {
        let mut kept = None;
        let mut keep = |trial: &Trial| -> Result<(), Infallible> {
            kept = Some(trial.clone());
            Ok(())
        };
        let (mut row, cancel) = (self.run.rows[0].clone(), AtomicBool::new(false));
        let once = |trials: &[Trial]| trials.is_empty().then(|| self.step.clone());
        let start = self.clock.now();
        let Ok(_) = execute(
            &mut self.engine,
            &mut row,
            &once,
            &Instruments::on_cpu(self.clock),
            &cancel,
            &mut Silent,
            &mut keep,
        );
        let time = self.clock.now() - start;
        let kept = kept.expect("a trial");
        (kept.token_ids.unwrap_or_default(), Cost::new(&kept.timeline.arrivals_ns, time))
    }

    fn with_everything(&mut self, round: u32) -> (Vec<u32>, Cost) {
        let mut row = self.run.rows[0].clone();
        let once =
            |trials: &[Trial]| trials.is_empty().then(|| PlannedTrial { repetition: round, ..self.step.clone() });
        let (store, run) = (&self.store, &self.run);
        let mut kept = None;
        let mut keep = |trial: &Trial| {
            kept = Some(trial.clone());
            store.add_trial(&run.id, trial)
        };
        let cancel = AtomicBool::new(false);
        let start = self.clock.now();
        let instruments = Instruments::on_cpu(self.clock);
        execute(&mut self.engine, &mut row, &once, &instruments, &cancel, &mut self.progress, &mut keep).expect("kept");
        let time = self.clock.now() - start;
        let kept = kept.expect("a trial");
        (kept.token_ids.unwrap_or_default(), Cost::new(&kept.timeline.arrivals_ns, time))
    }
}

fn argmax(logits: &Tensor) -> u32 {
    let id = logits.squeeze(0).and_then(|logits| logits.argmax(D::Minus1)?.to_scalar::<u32>());
    id.expect("a token")
}

struct Silent;

impl FetchProgress for Silent {}

impl PrepareListener for Silent {}

impl RunListener for Silent {}

impl Observer for Silent {}

/// SmolLM2-135M (<https://huggingface.co/HuggingFaceTB/SmolLM2-135M/blob/main/config.json>): small, so that the harness
/// has little to hide behind.
fn full_shape() -> Value {
    shape(30, 576, 9, 3, 1536)
}

/// One narrow layer under the same vocabulary: all the work beside the forward pass, and little of that.
fn small_shape() -> Value {
    shape(1, 64, 1, 1, 64)
}

fn shape(layers: usize, hidden: usize, heads: usize, kv_heads: usize, intermediate: usize) -> Value {
    json!({
        "model_type": "llama", "num_hidden_layers": layers, "hidden_size": hidden, "num_attention_heads": heads,
        "num_key_value_heads": kv_heads, "intermediate_size": intermediate, "vocab_size": VOCABULARY,
        "tie_word_embeddings": true, "max_position_embeddings": 8192, "rms_norm_eps": 1e-5, "rope_theta": 100_000.0,
    })
}

/// Random weights.
fn checkpoint(shape: Value) -> Checkpoint {
    let facts = CheckpointFacts {
        commit: None,
        architecture: "llama".into(),
        parameters: 0,
        files: Vec::new(),
        synthetic: true,
    };
    Checkpoint {
        config: Config::new(shape).expect("a config"),
        text: Some(text()),
        adapter: None,
        weights: Weights::Synthetic { seed: SEED },
        facts,
        warnings: Vec::new(),
    }
}

/// A byte-level tokenizer of the same size, so that streaming text is measured too: a word for every id, ` aaa` and on.
fn text() -> TextModel {
    let letter = |number: u32| char::from(b'a' + (number % 26) as u8);
    let word = |id: u32| format!("Ġ{}", (0..4).map(|place| letter(id / 26u32.pow(place))).collect::<String>());
    let vocabulary: Map<String, Value> = (0..VOCABULARY).map(|id| (word(id), id.into())).collect();
    let tokenizer = json!({
        "version": "1.0",
        "model": {"type": "BPE", "vocab": vocabulary, "merges": []},
        "decoder": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
    });
    let tokenizer = Tokenizer::from_bytes(tokenizer.to_string()).expect("a tokenizer");
    TextModel::new(tokenizer, &json!({}), None, []).expect("a text model")
}

fn run() -> Run {
    Run {
        id: new_run_id(wall_time(), 0),
        started_at: wall_time(),
        finished_at: None,
        environment: environment::detect("cpu", bench::telemetry::host::threads()),
        settings: Settings {
            seed: SEED,
            suites: [("overhead".to_owned(), "00".repeat(32))].into(),
            ..Settings::default()
        },
        requirements: Requirements::default(),
        stated: None,
        prompts: Vec::new(),
        rows: vec![Row::pending(support::candidate())],
    }
}
