//! Integration tests: one binary, a file per subject.

mod support;

mod audit;
mod batches;
mod candle_transformers;
mod check;
mod checkpoints;
mod compare;
mod damage;
mod decode_steps;
mod doctor;
mod export;
mod gate;
mod gpu;
mod help;
mod history;
mod hostile;
mod hub;
mod interrupt;
mod kernels;
mod mistakes;
mod plan;
mod precisions;
mod pull;
mod quirks;
mod readme;
mod real_models;
mod recommend;
mod run;
mod sampling;
mod score;
mod statistics;
mod text;
mod timing;
mod utilization;
