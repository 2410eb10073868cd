//! Quality: what a model makes of text, apart from how fast.

mod divergence;
mod likelihood;

pub use divergence::{Agreement, Divergence};
pub use likelihood::Likelihood;
