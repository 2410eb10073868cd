//! Whether a candidate fits, as it was estimated before anything was downloaded.

use serde::{Deserialize, Serialize};

/// What a candidate needs against what is there, from its shape alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FitEstimate {
    /// The weights as they are held.
    pub weights_bytes: u64,
    /// Key and value cache at the longest context that the plan needs.
    pub kv_cache_bytes: u64,
    /// Working memory of the largest forward pass.
    pub activation_bytes: u64,
    /// What the device has for them.
    pub available_bytes: u64,
}

impl FitEstimate {
    /// Weights, cache and working memory together.
    pub fn total_bytes(&self) -> u64 {
        self.weights_bytes.saturating_add(self.kv_cache_bytes).saturating_add(self.activation_bytes)
    }

    /// How much is missing; `None` if it fits.
    pub fn missing_bytes(&self) -> Option<u64> {
        self.total_bytes().checked_sub(self.available_bytes).filter(|missing| *missing > 0)
    }
}
