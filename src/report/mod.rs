//! Reports: what was found, in the form that its reader wants.
//!
//! Pure: a reporter writes to what it is given, and who calls it decides where that goes.

pub mod audit;
pub mod baseline;
pub mod check;
mod cold_start;
mod columns;
pub mod csv;
mod error;
mod escape;
mod figure;
mod gpu;
mod grid;
mod hardware;
pub mod history;
pub mod json;
pub mod markdown;
pub mod plan;
mod prose;
mod sampling;
pub mod table;

pub use error::ReportError;
