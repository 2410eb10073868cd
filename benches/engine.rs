//! The engine without the program around it, doing what it is told on standard input, line by line: one of the two
//! processes that `engine_vs_llama_cpp.py` puts beside each other. The other, `peers/llama_cpp_process.py`, takes the
//! same commands. Each is answered in one line:
//!
//! | command | does | answers |
//! |---|---|---|
//! | `load TOKENS FILE` | opens a GGUF file and makes room for so many tokens | seconds |
//! | `settings` | | what the speed depends on, in words |
//! | `clear` | forgets all tokens | `done` |
//! | `prefill N` | appends N random tokens at once | seconds |
//! | `decode N` | appends N random tokens one by one | seconds |
//! | `logits ID...` | appends these tokens | logits of the last |
//! | `bandwidth MIB` | reads so much memory with all threads, ten times; here only | bytes a second, of the fastest |
//!
//! Sampling is not part of it, nor is the drawing of tokens. `RAYON_NUM_THREADS` and `CANDLE_NUM_THREADS` say how many
//! threads compute. Without `--serve`, as `cargo bench` and `cargo test --all-targets` start it, it tries every command
//! on a tiny file, measures nothing, and ends.

#![allow(
    unreachable_pub,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "no part of the program: what goes wrong here ends it"
)]

use std::error::Error;
use std::hint::black_box;
use std::io::{self, BufRead, Write};
use std::path::Path;
use std::thread;
use std::time::Duration;

use bench::acquire::local;
use bench::clock::{Clock, SystemClock};
use bench::engine::candle::{CandleEngine, Logits};
use candle_core::{DType, Device, Tensor};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    if std::env::args().any(|arg| arg == "--serve") {
        return serve(io::stdin().lock(), io::stdout());
    }
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/gguf/llama.mixed.gguf");
    let commands = format!("load 8 {file}\nsettings\nprefill 4\ndecode 2\nclear\nlogits 1 2\nbandwidth 1\n");
    serve(commands.as_bytes(), io::sink())?;
    println!("every command works; to measure, run benches/engine_vs_llama_cpp.py");
    Ok(())
}

fn serve(commands: impl BufRead, mut answers: impl Write) -> Result<()> {
    let clock = SystemClock::new();
    let (mut model, mut memory) = (None, Vec::new());
    for line in commands.lines() {
        let line = line?;
        let (command, arguments) = line.split_once(' ').unwrap_or((&line, ""));
        let answer = match command {
            "load" => {
                let (tokens, file) = arguments.split_once(' ').ok_or("`load` takes a number of tokens and a file")?;
                let tokens = tokens.parse()?;
                let start = clock.now();
                model = Some(Model::load(file.as_ref(), tokens)?);
                seconds(&clock, start)
            }
            "bandwidth" => format!("{:.4e}", bandwidth(&clock, &mut memory, arguments.parse()?)),
            _ => model.as_mut().ok_or("nothing is loaded")?.obey(&clock, command, arguments)?,
        };
        writeln!(answers, "{answer}")?;
        answers.flush()?;
    }
    Ok(())
}

fn seconds(clock: &SystemClock, start: Duration) -> String {
    (clock.now() - start).as_secs_f64().to_string()
}

/// A loaded file, and room for one sequence.
struct Model {
    engine: CandleEngine,
    room: usize,
    random: SmallRng,
}

impl Model {
    fn load(file: &Path, room: usize) -> Result<Self> {
        let mut engine = CandleEngine::load(local::open(file)?, None, &Device::Cpu, &mut |_| {})?;
        engine.decoder().reset(&[room])?;
        Ok(Self { engine, room, random: SmallRng::seed_from_u64(1) })
    }

    fn obey(&mut self, clock: &SystemClock, command: &str, arguments: &str) -> Result<String> {
        match command {
            "settings" => {
                let (weights, cache) = (self.engine.precision(), self.engine.kv_bytes_per_token());
                Ok(format!(
                    "{} threads; weights {weights}; cache of {cache} bytes a token",
                    rayon::current_num_threads()
                ))
            }
            "clear" => {
                self.engine.decoder().reset(&[self.room])?;
                Ok("done".into())
            }
            "prefill" => {
                let ids = self.draw(arguments.parse()?);
                let start = clock.now();
                black_box(self.append(&ids)?);
                Ok(seconds(clock, start))
            }
            "decode" => {
                let ids = self.draw(arguments.parse()?);
                let start = clock.now();
                for id in ids {
                    black_box(self.append(&[id])?);
                }
                Ok(seconds(clock, start))
            }
            "logits" => {
                let ids: Vec<u32> = arguments.split(' ').map(str::parse).collect::<std::result::Result<_, _>>()?;
                let logits = self.append(&ids)?.flatten_all()?.to_dtype(DType::F32)?.to_vec1::<f32>()?;
                Ok(logits.iter().map(f32::to_string).collect::<Vec<_>>().join(" "))
            }
            _ => Err(format!("no command `{command}`").into()),
        }
    }

    fn append(&mut self, ids: &[u32]) -> Result<Tensor> {
        Ok(self.engine.decoder().forward(&[ids], Logits::Last)?)
    }

    fn draw(&mut self, tokens: usize) -> Vec<u32> {
        let vocabulary = self.engine.spec().vocabulary as u32;
        (0..tokens).map(|_| self.random.random_range(0..vocabulary)).collect()
    }
}

/// Bytes a second at which all threads together read memory, each a part of its own: the fastest of ten times, as
/// STREAM counts (<https://www.cs.virginia.edu/stream/ref.html>). It must be much more memory than the caches hold.
fn bandwidth(clock: &SystemClock, memory: &mut Vec<u64>, mebibytes: usize) -> f64 {
    // Not zeros, which the system maps to one page.
    memory.resize(mebibytes << 17, 1);
    let part = memory.len().div_ceil(rayon::current_num_threads());
    let pass = |_| {
        let start = clock.now();
        thread::scope(|threads| {
            for part in memory.chunks(part) {
                threads.spawn(move || black_box(sum(part)));
            }
        });
        size_of_val(memory.as_slice()) as f64 / (clock.now() - start).as_secs_f64()
    };
    (0..10).map(pass).fold(0.0, f64::max)
}

/// Eight sums side by side, so that no addition waits for the one before.
fn sum(numbers: &[u64]) -> u64 {
    let mut sums = [0u64; 8];
    for eight in numbers.chunks_exact(8) {
        for (sum, number) in sums.iter_mut().zip(eight) {
            *sum = sum.wrapping_add(*number);
        }
    }
    sums.iter().fold(0, |sum, part| sum.wrapping_add(*part))
}
