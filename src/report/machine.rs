//! A machine in a sentence.

use crate::record::Environment;
use crate::units::counted;

/// `NVIDIA L4 (cuda:0, 8 threads)`
pub(super) fn named(environment: &Environment) -> String {
    let threads = counted(environment.threads, "thread");
    format!("{} ({}, {threads})", environment.device_name, environment.device)
}
