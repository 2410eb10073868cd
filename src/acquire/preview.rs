//! A preview: a candidate before its weights are downloaded.

use super::error::AcquireError;
use crate::spec::Config;

/// What is known of a candidate before its weights are downloaded.
pub struct Preview {
    pub config: Config,
    /// Bytes of the weights as they are stored; `None` where only the config tells.
    pub stored_bytes: Option<u64>,
    /// Why it cannot be asked in text, as far as that is known.
    pub no_text: Option<AcquireError>,
}

impl Preview {
    /// Of a config, where nothing tells how its weights are stored.
    pub fn of_config(config: Config) -> Self {
        Self { config, stored_bytes: None, no_text: None }
    }
}
