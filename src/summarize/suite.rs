//! A suite, summarized.

use serde::Serialize;

use super::summary::{Figures, Summary};

/// What one candidate's trials of one suite amount to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SuiteSummary {
    /// The suite's name.
    pub suite: String,
    /// Its trials together.
    pub summary: Summary,
}

impl SuiteSummary {
    /// What can be pooled of it, named: each prompt of token ids, whose lengths differ on purpose, or all texts together.
    pub fn works(&self) -> Vec<(String, &Figures)> {
        let Self { suite, summary } = self;
        if summary.cells.is_empty() {
            return vec![(suite.clone(), &summary.overall)];
        }
        summary.cells.iter().map(|cell| (format!("{suite} {}", cell.prompt), &cell.figures)).collect()
    }
}
