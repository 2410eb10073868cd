//! What loading a candidate took, and what it holds since.

use serde::{Deserialize, Serialize};

use super::{PoolPhases, Precision};
use crate::spec::Config;

/// What loading a candidate took and held.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LoadFacts {
    /// Engine's name: `candle`.
    pub engine: String,
    /// Where it ran: `cpu`, `cuda:0`.
    pub device: String,
    /// The weights as run, by type. `None` of an engine that does not know: a server's.
    pub precision: Option<Precision>,
    /// The `config.json` that it was loaded by, or what a GGUF file says in its place: what a pass reads and computes is
    /// counted from it. `None` for runs stored before it was kept.
    #[serde(default)]
    pub config: Option<Config>,
    /// Bytes of all weights as held by the engine; `None` as above.
    pub weights_bytes: Option<u64>,
    /// Key and value cache per token of context, computed from the shape; `None` as above.
    pub kv_bytes_per_token: Option<u64>,
    /// Download, or finding it in the cache.
    pub acquire_seconds: f64,
    /// Bytes that were received for it; 0 if all was there. `None` for runs stored before this was kept.
    #[serde(default)]
    pub downloaded_bytes: Option<u64>,
    /// Reading, quantizing and moving the weights to the device, and one short forward pass.
    pub load_seconds: f64,
    /// What threads did meanwhile. `None` for runs stored before this was kept.
    #[serde(default)]
    pub parts: Option<LoadParts>,
    /// That pass alone. `None` for runs stored before this and what follows were kept.
    #[serde(default)]
    pub first_pass_seconds: Option<f64>,
    /// Bytes that the process had from storage meanwhile, and not from the page cache. `None` also where the system does not
    /// tell.
    #[serde(default)]
    pub disk_read_bytes: Option<u64>,
    /// Memory in use before the load, after it, and at the most until the last trial ended: of the process, or of the device
    /// on a GPU. Its peak is what was in use before and the most that tensors took of its pool since; of a GPU without one, the
    /// most that was seen in use.
    pub baseline_bytes: Option<u64>,
    /// Likewise, once it was loaded.
    pub loaded_bytes: Option<u64>,
    /// The most that was in use, to the end of its last trial.
    pub peak_bytes: Option<u64>,
    /// What it took of the GPU's pool, by the driver's own marks. `None` on a CPU, on a GPU without a pool, and for runs stored
    /// before this was kept.
    #[serde(default)]
    pub pool: Option<PoolPhases>,
    /// Power that the GPU drew before the load. `None` on a CPU, and for runs stored before this was kept.
    #[serde(default)]
    pub idle_milliwatts: Option<u32>,
    /// Why conversations were put together without a chat template and without a stated format, one text after another. Absent
    /// where they were not, where there was no text to ask, and for runs stored before this was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub joins_plainly: Option<String>,
    /// Texts were split as most vocabularies have it, since the file does not say how. Absent where they were not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub splits_by_default: bool,
    /// Weight files that were other ones when the row ended than when it was loaded: what came meanwhile is of neither.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files_changed: Vec<String>,
    /// The other variants of its run were in memory beside it and their trials alternated with its own: the most that memory
    /// held is then not its own, and not told. Absent of any other load.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub together: bool,
    /// Why what is absent of an engine's weights, cache and memory is not known; absent of one that tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown: Option<String>,
}

/// Time that threads spent in the parts of a load, in seconds, added up over all of them: on a CPU, where several load side
/// by side, it may be more than the load took. What is in none of them (copies within memory, waiting for the last thread) is
/// not told.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct LoadParts {
    /// Copying weights out of their file, from storage or the page cache.
    pub read_seconds: f64,
    /// Putting them into the type in which they are held.
    pub quantize_seconds: f64,
    /// Moving them to the GPU.
    pub transfer_seconds: f64,
}
