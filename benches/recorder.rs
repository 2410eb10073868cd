//! What recording costs for each token: `cargo bench --bench recorder`.
//!
//! Target: under 1 µs, a thousandth of the time between two tokens at 1,000 tokens/s.

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

use std::hint::black_box;
use std::sync::atomic::AtomicBool;

use bench::clock::{Clock, SystemClock};
use bench::engine::Observer;
use bench::run::RunListener;
use bench::run::recorder::Recorder;
use bench::telemetry::{Host, look};
use divan::Bencher;

/// Tokens of a trial: as many as were announced, so that the recorder never allocates for an arrival.
const TOKENS: usize = 4096;

fn main() {
    divan::main();
}

/// The floor: one look at the clock.
#[divan::bench]
fn clock(bencher: Bencher) {
    let clock = SystemClock::new();
    bencher.bench_local(|| black_box(&clock).now());
}

/// An arrival, stamped and kept.
#[divan::bench]
fn token(bencher: Bencher) {
    record(bencher, &mut |_| {}, |observer| observer.token(black_box(7)));
}

/// All that an engine tells between two tokens.
#[divan::bench]
fn token_and_text(bencher: Bencher) {
    record(bencher, &mut |_| {}, tell_all);
}

/// The same with the progress bar of `bench compare` behind it.
#[divan::bench]
fn token_and_text_under_a_progress_bar(bencher: Bencher) {
    let mut progress = support::progress(&[], 1);
    record(bencher, &mut |done| progress.token(done, TOKENS), tell_all);
    progress.finish();
}

/// One look of the watcher, which is due each 100 ms, or each 40 ms where it looks at a GPU too. Target: under 0.5 % of that.
#[divan::bench]
fn look_at_the_machine(bencher: Bencher) {
    let host = Host::this();
    bencher.bench_local(|| look::within(black_box(0), &host, None));
}

fn tell_all(observer: &mut dyn Observer) {
    if !observer.cancelled() {
        observer.token(black_box(7));
        observer.text(black_box(" 서울"));
    }
}

fn record(bencher: Bencher, on_token: &mut dyn FnMut(usize), tell: fn(&mut dyn Observer)) {
    let (clock, cancel) = (SystemClock::new(), AtomicBool::new(false));
    let mut on_text = |_: &str| {};
    let mut recorder = Recorder::start(&clock, TOKENS, &cancel, on_token, &mut on_text);
    bencher.bench_local(|| {
        if recorder.timeline.arrivals_ns.len() == TOKENS {
            recorder.token_ids.iter_mut().for_each(Vec::clear);
            recorder.timeline.arrivals_ns.clear();
            recorder.text.clear();
        }
        // As the engine sees it: through the trait object.
        tell(black_box(&mut recorder));
    });
}
