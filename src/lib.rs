//! `bench`: which language model should we put behind our Korean and English service, on this GPU, within this budget?

pub mod acquire;
pub mod catalog;
pub mod engine;
pub mod plan;
pub mod run;
pub mod spec;
pub mod suite;
pub mod telemetry;
pub mod text;
