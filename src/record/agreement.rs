//! How far a variant's predictions are from those of the first.

use serde::{Deserialize, Serialize};

use crate::suite::Language;

/// The predictions of a variant beside those of the run's first one, in each place of an answer that the first one gave, up to
/// some length. Both read the same: the prompt, and the answer as far as it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AnswerAgreement {
    /// The suite's name.
    pub suite: String,
    /// The language that the prompt is asked in.
    pub language: Option<Language>,
    /// The prompt's id.
    pub prompt: String,
    /// Kullback–Leibler divergence of the variant's prediction from the first one's, in nats, of each place.
    pub kl_nats: Vec<f32>,
    /// Whether both find the same token most likely there.
    pub same_top: Vec<bool>,
}
