//! A run with everything in it that is hard to store or print: for tests of the store and of the reports.
//!
//! `tests/fixtures/store/v1.db` holds this run; change it only by adding, or pin the old one beside the fixture.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::Timestamp;

use crate::catalog::{Budget, Candidate, PromptFormat, Quantization, Requirements, Source};
use crate::record::{
    Asked, CheckpointFacts, Environment, FailureKind, FileFacts, FinishReason, FitEstimate, LoadFacts, Outcome,
    Precision, Reading, Row, RowOutcome, Run, Settings, Stated, Timeline, Trial, TrialKey,
};
use crate::suite::{Body, Check, Expected, Language, Prompt};

pub(crate) const ID: &str = "20261120-051733-4f2a";

/// One row of each outcome: ran, failed, skipped, pending.
pub(crate) fn run() -> Run {
    Run {
        id: ID.into(),
        started_at: at("2026-11-20T05:17:33.25Z"),
        finished_at: Some(at("2026-11-20T05:21:00Z")),
        environment: Environment {
            program_version: "0.1.0".into(),
            program_commit: None,
            build_features: vec![],
            candle_version: None,
            debug_build: false,
            os: "Linux".into(),
            kernel: Some("6.8.0".into()),
            container: None,
            cpu: "Example CPU, \"two cores\"".into(),
            processors: None,
            threads: 2,
            memory_bytes: Some(24 << 30),
            memory_limit_bytes: None,
            device: "cpu".into(),
            device_name: "Example CPU, \"two cores\"".into(),
            gpu_driver: None,
            gpu_cuda: None,
            gpu_uuid_hash: None,
            gpu_power_limit_milliwatts: None,
            gpu_sm_megahertz: None,
            gpu_memory_megahertz: None,
            gpu_ecc: None,
        },
        settings: Settings {
            seed: u64::MAX,
            repeat: Some(2),
            precision: None,
            min_seconds: None,
            max_repeat: None,
            warmup: None,
            max_new_tokens: None,
            suites: BTreeMap::from([("review".into(), "ab".repeat(32)), ("speed".into(), "cd".repeat(32))]),
            languages: vec![Language::Ko, Language::En],
            today: None,
        },
        requirements: Requirements {
            memory_gib: Some(22.5),
            ttft_seconds: Some(2.0),
            licences: vec!["apache-2.0".into()],
            budget: Some(Budget { krw_per_month: 150_000.0, krw_per_gpu_hour: 1_250.0, requests_per_month: 3_000.0 }),
            ..Requirements::default()
        },
        stated: Some(Stated { file: Some("my.toml".into()), by_hand: vec![crate::metric::TTFT.key.into()] }),
        prompts: vec![Asked {
            suite: "review".into(),
            prompt: Prompt {
                id: "a".into(),
                language: Some(Language::Ko),
                body: Body::Text { system: "친절하게.".into(), text: "감성은?".into() },
                max_new_tokens: 4,
                expected: Expected {
                    language: Some(Language::Ko),
                    checks: vec![Check::Contains(vec!["긍정".into()]), Check::Complete],
                    fails: vec![None, None],
                    ..Expected::default()
                },
            },
        }],
        rows: vec![ran(), failed(), skipped(), pending()],
    }
}

/// A measured trial like any other, with `tokens` tokens.
pub(crate) fn trial(row: &str, suite: &str, language: Option<Language>, repetition: u32, tokens: u32) -> Trial {
    Trial {
        key: TrialKey {
            row: row.into(),
            suite: suite.into(),
            language,
            prompt: "short-1".into(),
            repetition,
            warmup: false,
        },
        seed: u64::MAX - u64::from(repetition),
        started_at: at("2026-11-20T05:18:00Z"),
        prompt_tokens: Some(128),
        timeline: Timeline {
            encoded_ns: Some(1_000_000),
            prefilled_ns: Some(400_000_000),
            // The first after half a second, then one each 0.1 s.
            arrivals_ns: (0..u64::from(tokens)).map(|n| 500_000_000 + n * 100_000_000).collect(),
            arrival_tokens: None,
            arrival_characters: None,
            finished_ns: None,
        },
        outcome: Outcome::Completed { finish: FinishReason::Length },
        token_ids: Some((0..tokens).collect()),
        text: Some("좋은 제품입니다".into()),
        readings: vec![Reading {
            at_ns: 250_000_000,
            resident_bytes: Some(5 << 30),
            cpu_seconds: Some(0.1),
            others_cpu_seconds: None,
            late_ns: None,
            uptime_seconds: None,
            throttled_seconds: None,
            cpu_megahertz: None,
            busiest: Vec::new(),
            gpu: None,
        }],
        repeated: None,
    }
}

fn ran() -> Row {
    let candidate = Candidate {
        id: "qwen2.5-7b".into(),
        source: Source::Hub {
            repository: "Qwen/Qwen2.5-7B-Instruct".into(),
            revision: "main".into(),
            file: Some("model-00001-of-00004.safetensors".into()),
        },
        quantization: Some(Quantization::Q4K),
        adapter: None,
        licence: Some("apache-2.0".into()),
        notes: Some("쉼표, \"따옴표\"\n그리고 새 줄".into()),
        prompt_format: None,
    };
    let row = candidate.row();
    let mut warmup = trial(&row, "review", Some(Language::Ko), 0, 3);
    warmup.key.warmup = true;
    let mut awkward = trial(&row, "review", Some(Language::En), 0, 5);
    awkward.text = Some("# Not a heading\n| pipe | `tick` ``` <b>bold</b> & </details>\n".into());
    awkward.outcome = Outcome::Completed { finish: FinishReason::Stop };
    let mut broken = trial(&row, "review", Some(Language::En), 1, 0);
    broken.prompt_tokens = None;
    broken.timeline = Timeline::default();
    broken.outcome =
        Outcome::Failed { kind: FailureKind::Engine, message: "the engine stopped, \"why\" unknown".into() };
    broken.text = None;
    broken.readings = vec![Reading::default()];
    let mut ids_only = trial(&row, "speed", None, 0, 4);
    ids_only.text = None;
    Row {
        trials: vec![
            warmup,
            trial(&row, "review", Some(Language::Ko), 0, 3),
            trial(&row, "review", Some(Language::Ko), 1, 3),
            awkward,
            broken,
            ids_only,
        ],
        candidate,
        checkpoint: Some(CheckpointFacts {
            commit: Some("a09a35458c702b33eeacc393d103063234e8bc28".into()),
            architecture: "qwen2".into(),
            parameters: 7_615_616_512,
            files: vec![
                FileFacts { path: "config.json".into(), bytes: 663, sha256: Some("01".repeat(32)) },
                FileFacts { path: "model.safetensors".into(), bytes: 15 << 30, sha256: None },
            ],
            synthetic: false,
        }),
        load: Some(LoadFacts {
            engine: "candle".into(),
            device: "cpu".into(),
            precision: Some(Precision::of([("q4_k", 4_355_258_388), ("q6_k", 327_815_148)])),
            config: None,
            weights_bytes: Some(4_683_073_536),
            kv_bytes_per_token: Some(57_344),
            acquire_seconds: 0.25,
            downloaded_bytes: None,
            load_seconds: 12.5,
            parts: None,
            first_pass_seconds: None,
            disk_read_bytes: None,
            baseline_bytes: Some(1 << 30),
            loaded_bytes: Some(5 << 30),
            peak_bytes: Some(6 << 30),
            pool: None,
            idle_milliwatts: None,
            joins_plainly: None,
            splits_by_default: false,
            files_changed: Vec::new(),
            unknown: None,
        }),
        fit: Some(FitEstimate {
            weights_bytes: 4_700_000_000,
            kv_cache_bytes: 100_000_000,
            activation_bytes: 50_000_000,
            available_bytes: 20 << 30,
        }),
        outcome: RowOutcome::Ran,
    }
}

fn failed() -> Row {
    Row {
        candidate: Candidate {
            id: "한국어 모델".into(),
            source: Source::Local { path: PathBuf::from("/models/한국어") },
            quantization: None,
            adapter: None,
            licence: None,
            notes: None,
            prompt_format: Some(PromptFormat { template: "{prompt}\n답:".into(), stop: vec!["\n\n".into()] }),
        },
        checkpoint: None,
        load: None,
        fit: None,
        outcome: RowOutcome::Failed {
            kind: FailureKind::Acquire,
            message: "`config.json` is missing, the folder has | pipes and <tags>".into(),
        },
        trials: vec![],
    }
}

fn skipped() -> Row {
    Row {
        candidate: Candidate {
            id: "deepseek-v2".into(),
            source: Source::Synthetic { shape: "deepseek-ai/DeepSeek-V2-Chat".into() },
            quantization: Some(Quantization::Q4K),
            adapter: None,
            licence: None,
            notes: None,
            prompt_format: None,
        },
        checkpoint: None,
        load: None,
        fit: Some(FitEstimate {
            weights_bytes: 132 << 30,
            kv_cache_bytes: 1 << 30,
            activation_bytes: 1 << 30,
            available_bytes: 20 << 30,
        }),
        outcome: RowOutcome::Skipped { reason: "does not fit: 114 GiB are missing".into() },
        trials: vec![],
    }
}

fn pending() -> Row {
    Row {
        candidate: Candidate {
            id: "gemma-2-9b".into(),
            source: Source::Hub { repository: "google/gemma-2-9b-it".into(), revision: "main".into(), file: None },
            quantization: Some(Quantization::Q8_0),
            adapter: None,
            licence: None,
            notes: None,
            prompt_format: None,
        },
        checkpoint: None,
        load: None,
        fit: None,
        outcome: RowOutcome::Pending,
        trials: vec![],
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("a timestamp")
}
