//! Reports: what was found, in the form that its reader wants.

pub mod csv;
mod error;
pub mod json;

pub use error::ReportError;
