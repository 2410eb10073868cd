//! `bench`: which language model should we put behind our Korean and English service, on this GPU, within this budget?
//!
//! The data's way, stage by stage; each module uses only those above it.
//!
//! | stage | module | takes | gives | touches |
//! |---|---|---|---|---|
//! | kernels | [`cpu`], a package of its own | weights' bytes and their types, numbers | numbers | — |
//! | grounds | [`units`], [`quantile`], [`clock`], [`causes`], [`toml_error`], [`printable`], [`plain_file`], [`device`] | numbers, errors, names | text, quantiles, instants | clock |
//! | describe | [`suite`], [`metric`], [`catalog`], [`spec`], [`hardware`] | `prompts/`, `documents/`, `models.toml`, `config.json`, `gpus.toml` | `Suite` of `Prompt` with its `Check`s, `Question`s, the table of `Metric`s, `Candidate`, `DecoderSpec`, `GpuSpec` | disk |
//! | record | [`record`] | — | `Run` of `Row`s of `Trial`s, with what was found and read meanwhile; a person's `Review`s | — |
//! | plan | [`plan`] | suites, configs, a GPU | a `Schedule` of `PlannedTrial`s, `FitEstimate`, `Outlook` | — |
//! | audit | [`audit`] | a published table, configs, a GPU | `Finding`s, what is `Computed` of its figures | — |
//! | acquire | [`acquire`] (with [`text`]) | `Candidate` | `Checkpoint` (config, tokenizer, weights) | network, cache |
//! | observe | [`telemetry`] | — | `Reading`s, `Environment` | `/proc`, GPU driver |
//! | load | [`engine`] (on [`cpu`], [`gpu`]) | `Checkpoint` | an `Engine` | device |
//! | run | [`run`] | `PlannedTrial`s, an engine | `Trial`s | clock |
//! | keep | [`store`] | a `Run` and its trials | `results/bench.db` | disk |
//! | measure | [`measure`] | `Trial` | `Measurement` | pure |
//! | judge | [`quality`] | an answer to a `Prompt`; log-probabilities | `Judgement` of `Gate`s and `Check`s, `Manner`; `Likelihood`, `Divergence`, `Picks` | pure |
//! | summarize | [`summarize`] | measurements | `Summary`, `Interval` | pure |
//! | compare | [`compare`] | two runs, or two builds' | a `Check` with its `Verdict`s | pure |
//! | recommend | [`recommend`] | summaries, requirements | `Recommendation` with reasons | pure |
//! | answer | [`answer`] | a run | an `Answer`: summaries, recommendation, `Note`s | pure |
//! | report | [`report`] | any of the above | a `Page` in a terminal or in Markdown; CSV, JSON, JUnit | a `Write` |
//!
//! Beside the way stand [`cli`] (what can be said), [`error`] (what went wrong in any stage), [`ui`] (what a person sees
//! meanwhile) and [`commands`], which puts the stages together, one file a subcommand.

pub use cpu;
pub mod units;
pub mod quantile;
pub mod clock;
pub mod causes;
pub mod toml_error;
pub mod printable;
pub mod plain_file;
pub mod device;
pub mod suite;
pub mod metric;
pub mod catalog;
pub mod spec;
pub mod hardware;
pub mod record;
pub mod plan;
pub mod audit;
pub mod text;
pub mod gpu;
pub mod acquire;
pub mod telemetry;
pub mod engine;
pub mod run;
pub mod store;
pub mod measure;
pub mod quality;
pub mod summarize;
pub mod compare;
pub mod recommend;
pub mod answer;
pub mod report;
pub mod cli;
pub mod error;
pub mod ui;
pub mod commands;

#[cfg(test)]
mod schemas;
