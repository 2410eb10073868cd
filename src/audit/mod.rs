//! The audit: whether a GPU can have done what somebody's table says it did.
//!
//! A decoder reads its weights once for each token, so tokens/s × bytes of the weights is bandwidth that the card must have had;
//! and the memory that a row states tells which precision it can have been. Figures of one table must agree with each other as
//! well, whatever the GPU: what a change did, and how long so many tokens take. Pure: it is given the table's bytes.

mod arithmetic;
mod columns;
mod effects;
mod encoding;
mod error;
mod figures;
mod finding;
mod numbers;
mod precision;
mod table;

pub use arithmetic::{Arithmetic, Computed, compute};
pub use columns::Taken;
pub use effects::Effects;
pub use error::TableError;
pub use finding::{Finding, MEMORY_TOLERANCE, Verdict, judge};
pub use table::{Claim, Table};
