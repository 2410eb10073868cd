//! Quality: what an answer is worth, and what a model makes of text, apart from how fast.
//!
//! Everything here is a pure function of a text, so that an answer can be judged again without a new run.

#![warn(missing_docs)]

mod check;
mod divergence;
mod exchange;
mod gate;
mod hanja;
mod judgement;
mod likelihood;
mod line_pass;
mod manner;
mod parts;
mod passage;
mod picks;
mod python;
mod script;
mod verdict;
mod written;

pub use check::first_sentence;
pub use divergence::{Agreement, Divergence};
pub use exchange::Exchange;
pub use gate::Gate;
pub use judgement::{Judgement, RULES};
pub use likelihood::{Extent, Likelihood, Parity};
pub use line_pass::lines_pass;
pub use manner::Manner;
pub use passage::Passage;
pub use picks::Picks;
pub use verdict::Verdict;
pub use written::is_written_in;
