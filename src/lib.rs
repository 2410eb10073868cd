//! `bench`: which language model should we put behind our Korean and English service, on this GPU, within this budget?

pub mod catalog;
pub mod suite;
pub mod plan;
pub mod telemetry;
pub mod run;
pub mod store;
pub mod measure;
pub mod summarize;
pub mod recommend;
pub mod report;
