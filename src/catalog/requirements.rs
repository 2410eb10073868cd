//! Requirements: the user's hard limits.

use serde::{Deserialize, Serialize};

/// What a candidate must satisfy to be recommended. What is not stated is not required.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Requirements {
    /// Part of the name of the device that the service will run on, as `L4`. Where a run was made on another device,
    /// its speeds say nothing about the service's, and the limits on speed and cost are reported without being enforced.
    pub device: Option<String>,
    /// Weights, cache and working memory together, in GiB (2^30 bytes).
    pub memory_gib: Option<f64>,
    /// Time to first token, in seconds: every request must meet it to be attained.
    pub ttft_seconds: Option<f64>,
    /// Decode rate of every request, tokens per second.
    pub decode_tokens_per_second: Option<f64>,
    /// End-to-end latency of every request, in seconds.
    pub latency_seconds: Option<f64>,
    /// Share of requests that must meet all of the limits above, 0 to 1. Default 0.95.
    pub attainment: Option<f64>,
    /// Korean characters per second as a reader sees them.
    pub korean_characters_per_second: Option<f64>,
    /// Licences that are acceptable, as the candidates state them; empty accepts all.
    pub licences: Vec<String>,
    pub budget: Option<Budget>,
}

/// What a month may cost, for a service that answers one request at a time on a GPU rented by the hour.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    pub krw_per_month: f64,
    pub krw_per_gpu_hour: f64,
    pub requests_per_month: f64,
}
