//! The memory of a candidate.

use std::cmp::Reverse;

use serde::Serialize;

use crate::measure::MemoryPhases;
use crate::record::{Row, Trial};

/// Memory that a candidate takes, in bytes above what was in use before it was loaded; lower is better. Of the device on a
/// GPU, of the process on a CPU. `None` if it was not run or nothing could tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Memory {
    /// Peak while it ran.
    pub measured_bytes: Option<u64>,
    /// Once it was loaded, before the first request.
    pub loaded_bytes: Option<u64>,
    /// The most that was seen while prompts were computed; see [`MemoryPhases`].
    pub prefill_bytes: Option<u64>,
    /// The same while answers were.
    pub decode_bytes: Option<u64>,
    /// All that this process held on the GPU, its context included, where the driver tells.
    pub process_bytes: Option<u64>,
    /// Key and value cache of a token, as the engine holds it, computed from the shape.
    pub kv_bytes_per_token: Option<u64>,
    /// What each token of the longest trial took on the GPU beside what was in use once the weights were loaded, after its
    /// prompt was through. Working memory that the allocator keeps is in it; what it had free before is not. `None` on a CPU,
    /// where nobody looked then, and where nothing was taken that could be seen.
    pub measured_kv_bytes_per_token: Option<u64>,
    /// From its shape alone. `None` where that is not known beforehand.
    pub estimated_bytes: Option<u64>,
}

impl Memory {
    /// By what was read during a row's load and trials, and by its estimate.
    pub fn of(row: &Row) -> Self {
        let estimated_bytes = row.fit.as_ref().map(|fit| fit.total_bytes());
        let Some(load) = &row.load else { return Self { estimated_bytes, ..Self::default() } };
        // Without a baseline all of it is counted as the candidate's: too much rather than too little.
        let baseline = load.baseline_bytes.unwrap_or_default();
        let above = |bytes: Option<u64>| bytes?.checked_sub(baseline);
        let phases: Vec<MemoryPhases> = row.trials.iter().map(MemoryPhases::of).collect();
        let most = |of: fn(&MemoryPhases) -> Option<u64>| phases.iter().filter_map(of).max();
        Self {
            measured_bytes: above(load.peak_bytes),
            loaded_bytes: above(load.loaded_bytes),
            prefill_bytes: above(most(|phases| phases.prefill_bytes)),
            decode_bytes: above(most(|phases| phases.decode_bytes)),
            process_bytes: most(|phases| phases.process_bytes),
            kv_bytes_per_token: load.kv_bytes_per_token,
            measured_kv_bytes_per_token: load.loaded_bytes.and_then(|loaded| measured_cache(&row.trials, loaded)),
            estimated_bytes,
        }
    }
}

/// See [`Memory::measured_kv_bytes_per_token`]; of several trials that are as long, the one that took least.
fn measured_cache(trials: &[Trial], loaded_bytes: u64) -> Option<u64> {
    let on_gpu = trials.iter().filter(|trial| trial.readings.iter().any(|reading| reading.gpu.is_some()));
    let taken = on_gpu.filter_map(|trial| {
        let tokens = u64::from(trial.prompt_tokens?) + trial.timeline.tokens()?;
        Some((tokens, MemoryPhases::of(trial).decode_bytes?.saturating_sub(loaded_bytes)))
    });
    let (tokens, bytes) = taken.max_by_key(|(tokens, bytes)| (*tokens, Reverse(*bytes)))?;
    bytes.checked_div(tokens).filter(|bytes| *bytes > 0)
}
