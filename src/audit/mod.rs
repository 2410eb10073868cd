//! The audit: whether a GPU can have done what somebody's table says it did.
//!
//! A decoder reads its weights once for each token, so tokens/s × bytes of the weights is bandwidth that the card must have had;
//! and the memory that a row states tells which precision it can have been. Pure: it is given the table's bytes.

mod columns;
mod encoding;
mod error;
mod finding;
mod numbers;
mod precision;
mod table;

pub use columns::Taken;
pub use error::TableError;
pub use finding::{Finding, MEMORY_TOLERANCE, Verdict, judge};
pub use table::{Claim, Table};
