//! `bench`: which language model should we put behind our Korean and English service, on this GPU, within this budget?

pub mod catalog;
pub mod measure;
pub mod plan;
pub mod recommend;
pub mod report;
pub mod run;
pub mod suite;
pub mod summarize;
pub mod telemetry;
