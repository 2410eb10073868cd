//! Reporting: whatever the stages before found, for someone to read.
//!
//! Pure: a reporter returns text, and who calls it decides where that goes.

mod columns;
mod grid;
mod prose;
pub mod table;
