//! Memory of a GPU by phase.

use serde::{Deserialize, Serialize};

/// Memory of a GPU's pool, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PoolMemory {
    /// What tensors take of it.
    pub used_bytes: u64,
    /// What it holds of the GPU, also where no tensor lies: as much as NVML counts for it.
    pub reserved_bytes: u64,
}

/// The pool's memory by phase; lower is better. Exact marks of the driver's, where readings are only what was seen. What lies
/// outside of the pool (the context, kernels, workspaces of libraries) is not in it. What candle's quantized products work in is,
/// and outlives the model that it was made for (candle-core's `quantized/fast_mmq.rs`): the most that any model needed so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolPhases {
    /// Once the model was loaded: its weights.
    pub loaded: PoolMemory,
    /// The most while it was loaded and made its first short pass.
    pub load_peak: PoolMemory,
    /// The most while prompts were computed: weights, cache, and what the layers work in. `None` before there was one.
    pub prefill_peak: Option<PoolMemory>,
    /// The most from then to the end of the answers.
    pub decode_peak: Option<PoolMemory>,
}

impl PoolPhases {
    /// The most in any phase.
    pub fn peak(&self) -> PoolMemory {
        [self.prefill_peak, self.decode_peak].into_iter().flatten().fold(self.load_peak, PoolMemory::most)
    }
}

impl PoolMemory {
    /// The most of each.
    pub fn most(self, other: Self) -> Self {
        Self {
            used_bytes: self.used_bytes.max(other.used_bytes),
            reserved_bytes: self.reserved_bytes.max(other.reserved_bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(used_bytes: u64, reserved_bytes: u64) -> PoolMemory {
        PoolMemory { used_bytes, reserved_bytes }
    }

    #[test]
    fn the_peak_is_the_most_of_any_phase_each_mark_by_itself() {
        let mut phases =
            PoolPhases { loaded: memory(40, 50), load_peak: memory(45, 50), prefill_peak: None, decode_peak: None };
        assert_eq!(phases.peak(), memory(45, 50));
        phases.prefill_peak = Some(memory(70, 80));
        phases.decode_peak = Some(memory(60, 90));
        assert_eq!(phases.peak(), memory(70, 90));
    }
}
