//! Reports of a check.

pub mod github;
pub mod json;
pub mod junit;
pub mod markdown;
pub mod noise;
pub mod table;
mod words;
