//! `bench`: which language model should we put behind our Korean and English service, on this GPU, within this budget?
//!
//! The data's way, stage by stage; each module uses only those above it.
//!
//! | stage | module | takes | gives | touches |
//! |---|---|---|---|---|
//! | describe | [`catalog`], [`suite`], [`spec`], [`hardware`] | `models.toml`, `prompts/`, `config.json`, `gpus.toml` | `Candidate`, `Suite` of `Prompt`, `DecoderSpec`, `GpuSpec` | disk |
//! | plan | [`plan`] | suites, configs, a GPU | a `Schedule` of `Step`s, `FitEstimate`, `Outlook` | — |
//! | audit | [`audit`] | a published table, configs, a GPU | `Finding`s | pure |
//! | acquire | [`acquire`] (with [`text`]) | `Candidate` | `Checkpoint` (config, tokenizer, weights) | network, cache |
//! | load | [`engine`] (on [`cpu`], [`gpu`]) | `Checkpoint` | an `Engine` | device |
//! | run | [`run`] (with [`telemetry`]) | `Step`s, an engine | `Trial`s in a `Run` | clock |
//! | keep | [`store`] | trials | `results/bench.db` | disk |
//! | measure | [`measure`] | `Trial` | `Measurement` | pure |
//! | summarize | [`summarize`] | measurements | `Summary`, `Interval` | pure |
//! | compare | [`compare`] | two runs, or two builds' | a `Check` with its `Verdict`s | pure |
//! | judge | [`quality`] | log-probabilities | `Likelihood`, `Divergence` | pure |
//! | recommend | [`recommend`] | summaries, requirements | `Recommendation` with reasons | pure |
//! | report | [`report`] | any of the above | table, CSV, JSON, Markdown, JUnit | a `Write` |
//!
//! [`commands`] puts the stages together, one file a subcommand; [`ui`] talks to the person, and [`error`] says what went
//! wrong in any of them.

pub mod catalog;
pub mod suite;
pub mod spec;
pub mod hardware;
pub mod plan;
pub mod audit;
pub mod text;
pub mod cpu;
pub mod gpu;
pub mod acquire;
pub mod engine;
pub mod telemetry;
pub mod run;
pub mod store;
pub mod measure;
pub mod summarize;
pub mod compare;
pub mod quality;
pub mod recommend;
pub mod report;
pub mod error;
pub mod cli;
pub mod ui;
pub mod commands;

#[cfg(test)]
mod schemas;
