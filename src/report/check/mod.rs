//! Reports of a check.

pub mod json;
pub mod noise;
pub mod table;
mod words;
