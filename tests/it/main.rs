//! Integration tests: one binary, a file per subject.

mod support;

mod candle_transformers;
mod checkpoints;
mod compare;
mod damage;
mod doctor;
mod export;
mod gate;
mod gpu;
mod help;
mod history;
mod hub;
mod interrupt;
mod mistakes;
mod pull;
mod readme;
mod real_models;
mod recommend;
mod run;
mod score;
mod text;
mod timing;
