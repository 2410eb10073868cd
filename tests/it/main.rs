//! Integration tests: one binary, a file per subject.

mod support;

mod candle_transformers;
mod checkpoints;
mod hub;
mod real_models;
mod text;
