//! Integration tests: one binary, a file per subject.

mod support;

mod checkpoints;
mod compare;
mod damage;
mod doctor;
mod export;
mod help;
mod history;
mod hub;
mod interrupt;
mod mistakes;
mod pull;
mod recommend;
mod run;
mod readme;
mod text;
mod timing;
