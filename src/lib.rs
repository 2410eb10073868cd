//! `bench`: which language model should we put behind our Korean and English service, on this GPU, within this budget?

pub mod acquire;
pub mod catalog;
pub mod plan;
pub mod run;
pub mod suite;
pub mod telemetry;
