//! Integration tests: one binary, a file per subject.

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

mod architecture;
mod audit;
mod batches;
mod candle_transformers;
mod check;
mod checkpoints;
mod compare;
mod damage;
mod decode_steps;
mod doctor;
mod documents;
mod export;
mod faults;
mod gate;
mod gpu;
mod help;
mod history;
mod host;
mod hostile;
mod hub;
mod interrupt;
mod kernels;
mod layouts;
mod mistakes;
mod plan;
mod precisions;
mod prompt_kernels;
mod prompts;
mod pull;
mod quality;
mod quirks;
mod real_models;
mod recommend;
mod review;
mod run;
mod sampling;
mod score;
mod scripted;
mod statistics;
mod templates;
mod text;
mod timing;
mod tls;
mod tokenizers;
mod utilization;
