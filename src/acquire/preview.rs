//! A preview: a candidate before its weights are downloaded.

use super::error::AcquireError;
use crate::spec::{Config, ScaledWeights};

/// What is known of a candidate before its weights are downloaded.
pub struct Preview {
    pub config: Config,
    /// Bytes that the weights take as they are stored; `None` where only the config tells.
    pub stored_bytes: Option<u64>,
    /// Why it cannot be asked in text, as far as that is known.
    pub no_text: Option<AcquireError>,
}

impl Preview {
    /// Of a config, and the bytes of the weights as they are stored where that is known.
    pub fn new(config: Config, stored_bytes: Option<u64>) -> Self {
        // With their scales multiplied in, weights of 8 bits take 16: what they take as stored is no guide.
        let scaled = matches!(ScaledWeights::of(&config), Ok(Some(_)));
        Self { config, stored_bytes: stored_bytes.filter(|_| !scaled), no_text: None }
    }
}
