//! Reports of a check.

pub mod github;
pub mod json;
pub mod junit;
pub mod markdown;
pub mod noise;
mod page;
mod words;

pub use page::page;
pub use words::disturbance;
