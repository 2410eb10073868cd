//! A machine in a sentence.

use crate::record::Environment;

/// `NVIDIA L4 (cuda:0, 8 threads)`
pub(super) fn named(environment: &Environment) -> String {
    format!("{} ({}, {} threads)", environment.device_name, environment.device, environment.threads)
}
