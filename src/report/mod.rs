//! Reports: what was found, in the form that its reader wants.
//!
//! What people read is a [`Page`] of blocks, made once and written by a [`Renderer`]; what programs read is written of the data
//! itself. Pure: a report is text, or goes to a `Write` that is given, and who calls it decides where that goes.

pub mod audit;
pub mod baseline;
pub mod check;
pub mod choices;
pub mod comparison;
pub mod csv;
pub mod effects;
mod error;
mod escape;
mod figure;
mod grid;
pub mod history;
pub mod json;
pub mod judge;
mod machine;
mod markdown;
mod page;
pub mod plan;
mod prose;
pub mod review;
pub mod score;
mod terminal;
#[cfg(test)]
mod tests;

pub use error::ReportError;
pub use markdown::Markdown;
pub use page::{Align, Block, Cell, Column, Form, Item, Note, Page, Renderer, Role, Table};
pub use terminal::Terminal;
