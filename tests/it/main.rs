//! Integration tests: one binary, a file per subject.

mod support;

mod checkpoints;
mod hub;
mod readme;
mod text;
