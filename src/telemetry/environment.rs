//! The environment: what must match for two runs to be comparable.

use serde::{Deserialize, Serialize};

/// Where and with what a run was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    pub program_version: String,
    /// Features compiled in, `cuda` for one.
    pub build_features: Vec<String>,
    pub debug_build: bool,
    pub os: String,
    pub kernel: Option<String>,
    pub cpu: String,
    /// Threads that the engine computes with.
    pub threads: usize,
    pub memory_bytes: u64,
    /// The device that the engine ran on: `cpu`, `cuda:0`.
    pub device: String,
    /// Its name for people: the GPU's, or the CPU's.
    pub device_name: String,
    pub gpu_driver: Option<String>,
}
