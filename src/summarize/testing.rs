//! Made-up runs for the tests of the pure stages: every figure can be worked out from the arguments.

use crate::catalog::{Candidate, Quantization, Requirements, Source};
use crate::measure::Measurement;
use crate::record::{
    Asked, Environment, FailureKind, FinishReason, GpuReading, LoadFacts, Outcome, Precision, Reading, Row, RowOutcome,
    Run, Settings, Timeline, Trial, TrialKey,
};
use crate::suite::{Body, Expected, Language, Prompt};

const MS: u64 = 1_000_000;

/// A Korean request: `tokens` tokens, the first after `ttft_ms`, the others `gap_ms` apart.
pub(crate) fn text_trial(ttft_ms: u64, gap_ms: u64, tokens: u64, text: &str) -> Trial {
    Trial {
        key: TrialKey {
            row: String::new(),
            suite: "interview".into(),
            language: Some(Language::Ko),
            prompt: "p1".into(),
            repetition: 0,
            warmup: false,
        },
        seed: 0,
        started_at: jiff::Timestamp::UNIX_EPOCH,
        prompt_tokens: Some(100),
        timeline: Timeline {
            encoded_ns: Some(0),
            prefilled_ns: Some(ttft_ms * MS),
            arrivals_ns: (0..tokens).map(|index| (ttft_ms + index * gap_ms) * MS).collect(),
            arrival_tokens: None,
            arrival_characters: None,
            finished_ns: None,
        },
        outcome: Outcome::Completed { finish: FinishReason::Stop },
        token_ids: Some((0..tokens as u32).collect()),
        text: Some(text.into()),
        readings: Vec::new(),
        repeated: None,
    }
}

/// Each of another prompt, `p1`, `p2` and so on: texts are as large a sample as they have prompts.
pub(crate) fn of_prompts(trials: impl IntoIterator<Item = Trial>) -> Vec<Trial> {
    let named = |(mut trial, number): (Trial, usize)| {
        trial.key.prompt = format!("p{number}");
        trial
    };
    trials.into_iter().zip(1..).map(named).collect()
}

/// What [`text_trial`] answers: any Korean text passes.
pub(crate) fn asked() -> Asked {
    Asked {
        suite: "interview".into(),
        prompt: Prompt {
            id: "p1".into(),
            language: Some(Language::Ko),
            body: Body::Text { system: String::new(), text: "질문".into() },
            max_new_tokens: 64,
            expected: Expected { language: Some(Language::Ko), ..Expected::default() },
        },
    }
}

/// 64 tokens after a prompt of token ids, without text.
pub(crate) fn speed_trial(prompt: &str, prompt_tokens: u32, ttft_ms: u64, gap_ms: u64) -> Trial {
    let mut trial = in_suite("speed", text_trial(ttft_ms, gap_ms, 64, ""));
    trial.key.language = None;
    trial.key.prompt = prompt.into();
    trial.prompt_tokens = Some(prompt_tokens);
    trial.text = None;
    trial
}

pub(crate) fn in_suite(suite: &str, mut trial: Trial) -> Trial {
    trial.key.suite = suite.into();
    trial
}

pub(crate) fn warmup(mut trial: Trial) -> Trial {
    trial.key.warmup = true;
    trial
}

pub(crate) fn failed(mut trial: Trial) -> Trial {
    trial.outcome = Outcome::Failed { kind: FailureKind::Engine, message: "the engine stopped".into() };
    trial
}

/// With so many processors kept busy by others throughout two seconds.
pub(crate) fn beside(others: f64, mut trial: Trial) -> Trial {
    let reading = |seconds: u64| Reading {
        at_ns: seconds * 1_000_000_000,
        others_cpu_seconds: Some(70.0 + others * seconds as f64),
        ..Reading::default()
    };
    trial.readings = vec![reading(0), reading(2)];
    trial
}

/// During which this process did not run for so many seconds.
pub(crate) fn stopped(seconds: u64, mut trial: Trial) -> Trial {
    let reading = |seconds: u64, late: Option<u64>| Reading {
        at_ns: seconds * 1_000_000_000,
        cpu_seconds: Some(7.0),
        late_ns: late.map(|seconds| seconds * 1_000_000_000),
        ..Reading::default()
    };
    trial.readings = vec![reading(0, None), reading(seconds, Some(seconds))];
    trial
}

/// On a GPU whose driver told these throttle reasons and so many other processes, a second apart.
pub(crate) fn on_gpu(throttle: u64, others: usize, mut trial: Trial) -> Trial {
    let gpu = GpuReading { throttle_reasons: Some(throttle), other_processes: Some(others), ..GpuReading::default() };
    let reading =
        |seconds: u64| Reading { at_ns: seconds * 1_000_000_000, gpu: Some(gpu.clone()), ..Reading::default() };
    trial.readings = vec![reading(0), reading(1)];
    trial
}

pub(crate) fn measured(trials: &[Trial]) -> Vec<(&Trial, Measurement)> {
    trials.iter().map(|trial| (trial, Measurement::of(trial))).collect()
}

/// A candidate that was not come to.
pub(crate) fn row(id: &str) -> Row {
    Row::pending(Candidate {
        id: id.into(),
        source: Source::Local { path: "models".into() },
        quantization: None,
        adapter: None,
        licence: None,
        notes: None,
        prompt_format: None,
    })
}

/// A candidate that ran `trials` in 4 GiB.
pub(crate) fn ran(id: &str, trials: Vec<Trial>) -> Row {
    Row { load: Some(load(4 << 30)), outcome: RowOutcome::Ran, trials, ..row(id) }
}

/// A load of 4.2 seconds that peaked at `peak` bytes above its baseline.
pub(crate) fn load(peak: u64) -> LoadFacts {
    const BASELINE: u64 = 100 << 20;
    LoadFacts {
        engine: "candle".into(),
        device: "cpu".into(),
        precision: Some(Precision::of([("q4_k", 93), ("q6_k", 7)])),
        config: None,
        weights_bytes: Some(peak / 2),
        kv_bytes_per_token: Some(1024),
        acquire_seconds: 0.0,
        downloaded_bytes: None,
        load_seconds: 4.2,
        parts: None,
        first_pass_seconds: None,
        disk_read_bytes: None,
        baseline_bytes: Some(BASELINE),
        loaded_bytes: Some(BASELINE + peak / 2),
        peak_bytes: Some(BASELINE + peak),
        pool: None,
        idle_milliwatts: None,
        joins_plainly: None,
        splits_by_default: false,
        files_changed: Vec::new(),
        unknown: None,
    }
}

/// A candidate of Llama's 8B shape in bf16 that ran `trials` on a GPU.
pub(crate) fn llama_8b(id: &str, trials: Vec<Trial>) -> Row {
    let config = crate::spec::shipped_shape("meta-llama/Meta-Llama-3-8B-Instruct");
    let load = LoadFacts {
        device: "cuda:0".into(),
        precision: Some(Precision::of([("bf16", 16_060_000_000)])),
        config,
        weights_bytes: Some(16_060_000_000),
        // 32 layers × (key + value) × 8 heads × 128 in float32.
        kv_bytes_per_token: Some(32 * 2 * 8 * 128 * 4),
        ..load(17 << 30)
    };
    let candidate = Candidate { quantization: Some(Quantization::Bf16), ..row(id).candidate };
    Row { load: Some(load), outcome: RowOutcome::Ran, trials, ..Row::pending(candidate) }
}

/// A run on an L4, by the name that its driver has for it.
pub(crate) fn run_on_l4(rows: Vec<Row>) -> Run {
    let mut run = run(rows);
    run.environment.device = "cuda:0".into();
    run.environment.device_name = "NVIDIA L4".into();
    run
}

/// 512 tokens in 10 ms, and 100 tokens a second in bf16: more than an L4 can compute, or read.
pub(crate) fn beyond_an_l4() -> Run {
    run_on_l4(vec![llama_8b("a", vec![speed_trial("pp512+tg64", 512, 10, 10)])])
}

pub(crate) fn run(rows: Vec<Row>) -> Run {
    Run {
        id: "20261120-051733-4f2a".into(),
        started_at: jiff::Timestamp::UNIX_EPOCH,
        finished_at: None,
        environment: Environment {
            program_version: "0.1.0".into(),
            program_commit: None,
            build_features: Vec::new(),
            candle_version: None,
            debug_build: false,
            os: "Linux".into(),
            kernel: None,
            container: None,
            cpu: "AMD EPYC 9B45".into(),
            processors: Some(2),
            threads: 2,
            memory_bytes: Some(24 << 30),
            memory_limit_bytes: None,
            device: "cpu".into(),
            device_name: "AMD EPYC 9B45".into(),
            gpu_driver: None,
            gpu_cuda: None,
            gpu_uuid_hash: None,
            gpu_power_limit_milliwatts: None,
            gpu_sm_megahertz: None,
            gpu_memory_megahertz: None,
            gpu_ecc: None,
        },
        settings: Settings { seed: 7, ..Settings::default() },
        requirements: Requirements::default(),
        stated: None,
        prompts: vec![asked()],
        rows,
    }
}
