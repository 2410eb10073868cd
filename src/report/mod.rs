//! Reports: what was found, in the form that its reader wants.

pub mod csv;
mod error;
mod escape;
mod figure;
pub mod history;
pub mod json;
pub mod markdown;

pub use error::ReportError;
