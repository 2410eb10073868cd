//! The one table of metrics. Columns, CSV headers, criteria, limits and verdicts refer to it, and take key, label, unit and
//! direction from it.
//!
//! How a number is computed stands in [`crate::measure`], which reads trials; this table stands below the catalog, whose
//! limits refer to it too.

#![warn(missing_docs)]

mod aspect;
mod direction;
mod unit;

use serde::{Serialize, Serializer};

pub use aspect::Aspect;
pub use direction::Direction;
pub use unit::Unit;

/// Something that is measured of every trial, or once of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// For machines, unit included; never renamed.
    pub key: &'static str,
    /// For the head of a column.
    pub label: &'static str,
    /// What its values are in.
    pub unit: Unit,
    /// Which way it becomes better.
    pub direction: Direction,
}

/// As its key.
impl Serialize for Metric {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.key)
    }
}

/// See [`crate::measure::Measurement::ttft_seconds`].
pub const TTFT: Metric =
    Metric { key: "ttft_seconds", label: "TTFT", unit: Unit::Seconds, direction: Direction::Lower };

/// See [`crate::measure::Measurement::visible_ttft_seconds`].
pub const VISIBLE_TTFT: Metric =
    Metric { key: "visible_ttft_seconds", label: "visible TTFT", unit: Unit::Seconds, direction: Direction::Lower };

/// See [`crate::measure::Measurement::tokenizing_seconds`].
pub const TOKENIZING: Metric =
    Metric { key: "tokenizing_seconds", label: "tokenizing", unit: Unit::Seconds, direction: Direction::Lower };

/// See [`crate::measure::Measurement::prefill_seconds`].
pub const PREFILL_TIME: Metric =
    Metric { key: "prefill_seconds", label: "prefill time", unit: Unit::Seconds, direction: Direction::Lower };

/// See [`crate::measure::Measurement::prefill_tokens_per_second`].
pub const PREFILL: Metric = Metric {
    key: "prefill_tokens_per_second",
    label: "prefill",
    unit: Unit::TokensPerSecond,
    direction: Direction::Higher,
};

/// See [`crate::measure::Measurement::tpot_seconds`].
pub const TPOT: Metric =
    Metric { key: "tpot_seconds", label: "TPOT", unit: Unit::Seconds, direction: Direction::Lower };

/// See [`crate::measure::Measurement::itl_p50_seconds`].
pub const ITL_P50: Metric =
    Metric { key: "itl_p50_seconds", label: "ITL p50", unit: Unit::Seconds, direction: Direction::Lower };

/// See [`crate::measure::Measurement::itl_p99_seconds`].
pub const ITL_P99: Metric =
    Metric { key: "itl_p99_seconds", label: "ITL p99", unit: Unit::Seconds, direction: Direction::Lower };

/// See [`crate::measure::Measurement::itl_max_seconds`].
pub const ITL_MAX: Metric =
    Metric { key: "itl_max_seconds", label: "longest gap", unit: Unit::Seconds, direction: Direction::Lower };

/// See [`crate::measure::Measurement::decode_tokens_per_second`].
pub const DECODE: Metric = Metric {
    key: "decode_tokens_per_second",
    label: "decode",
    unit: Unit::TokensPerSecond,
    direction: Direction::Higher,
};

/// See [`crate::measure::Measurement::characters_per_second`].
pub const CHARACTERS: Metric = Metric {
    key: "characters_per_second",
    label: "chars/s",
    unit: Unit::CharactersPerSecond,
    direction: Direction::Higher,
};

/// See [`crate::measure::Measurement::characters_per_token`].
pub const CHARACTERS_PER_TOKEN: Metric = Metric {
    key: "characters_per_token",
    label: "chars/tok",
    unit: Unit::CharactersPerToken,
    direction: Direction::Higher,
};

/// See [`crate::measure::Measurement::latency_seconds`].
pub const LATENCY: Metric =
    Metric { key: "latency_seconds", label: "latency", unit: Unit::Seconds, direction: Direction::Lower };

/// See [`crate::measure::Measurement::text_after_seconds`].
pub const TEXT_AFTER: Metric =
    Metric { key: "text_after_seconds", label: "text after", unit: Unit::Seconds, direction: Direction::Lower };

/// See [`crate::measure::Measurement::stalls`].
pub const STALLS: Metric = Metric { key: "stalls", label: "stalls", unit: Unit::Count, direction: Direction::Lower };

/// See [`crate::measure::Measurement::energy_joules`].
pub const ENERGY: Metric =
    Metric { key: "energy_joules", label: "energy", unit: Unit::Joules, direction: Direction::Lower };

/// See [`crate::measure::Measurement::energy_joules_per_token`].
pub const ENERGY_PER_TOKEN: Metric = Metric {
    key: "energy_joules_per_token",
    label: "energy/tok",
    unit: Unit::JoulesPerToken,
    direction: Direction::Lower,
};

/// See [`crate::measure::Measurement::mfu_share`].
pub const MFU: Metric = Metric { key: "mfu_share", label: "MFU", unit: Unit::Share, direction: Direction::Higher };

/// See [`crate::measure::Measurement::mbu_share`].
pub const MBU: Metric = Metric { key: "mbu_share", label: "MBU", unit: Unit::Share, direction: Direction::Higher };

/// Reading the weights and making them ready.
pub const LOAD: Metric =
    Metric { key: "load_seconds", label: "load", unit: Unit::Seconds, direction: Direction::Lower };

/// Peak memory above what was in use before.
pub const MEMORY: Metric =
    Metric { key: "memory_bytes", label: "memory", unit: Unit::Bytes, direction: Direction::Lower };

/// Share of answers that broke no gate of their language; see [`crate::quality::Gate`].
pub const FIDELITY: Metric =
    Metric { key: "fidelity", label: "fidelity", unit: Unit::Share, direction: Direction::Higher };

/// Share of answers that broke neither a gate nor a check; see [`crate::suite::Check`].
pub const PASS_RATE: Metric =
    Metric { key: "pass_rate", label: "pass rate", unit: Unit::Share, direction: Direction::Higher };

/// Every metric of a trial, in the order in which a reader wants them.
pub const METRICS: &[Metric] = &[
    TTFT,
    VISIBLE_TTFT,
    TOKENIZING,
    PREFILL_TIME,
    PREFILL,
    TPOT,
    ITL_P50,
    ITL_P99,
    ITL_MAX,
    DECODE,
    CHARACTERS,
    CHARACTERS_PER_TOKEN,
    LATENCY,
    TEXT_AFTER,
    STALLS,
    ENERGY,
    ENERGY_PER_TOKEN,
    MFU,
    MBU,
];

/// Quantiles of what the trials of a suite have together, which no single trial has for them.
pub const POOLED: &[Metric] = &[ITL_P50, ITL_P99];

/// What a process has once: it loads a candidate a single time.
pub const ONCE: &[Metric] = &[LOAD, MEMORY];

/// What is counted over answers: each is as it should be, or not.
pub const RATES: &[Metric] = &[FIDELITY, PASS_RATE];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::path::Path;

    use super::*;

    fn all() -> impl Iterator<Item = &'static Metric> {
        METRICS.iter().chain(ONCE).chain(RATES)
    }

    #[test]
    fn keys_and_labels_are_unique() {
        let keys: HashSet<_> = all().map(|metric| metric.key).collect();
        let labels: HashSet<_> = all().map(|metric| metric.label).collect();
        assert_eq!((keys.len(), labels.len()), (all().count(), all().count()));
    }

    #[test]
    fn keys_end_in_their_unit() {
        for metric in all() {
            let suffix = match metric.unit {
                Unit::Seconds => "_seconds",
                Unit::TokensPerSecond => "_tokens_per_second",
                Unit::CharactersPerSecond => "characters_per_second",
                Unit::CharactersPerToken => "characters_per_token",
                Unit::Count => "stalls",
                Unit::Joules => "_joules",
                Unit::JoulesPerToken => "_joules_per_token",
                Unit::Bytes => "_bytes",
                Unit::Share if RATES.contains(metric) => metric.key,
                Unit::Share => "_share",
            };
            assert!(metric.key.ends_with(suffix), "{} should end in {suffix}", metric.key);
        }
    }

    /// Each file below a folder with its text.
    fn sources(folder: &Path) -> Vec<(String, String)> {
        let entries =
            std::fs::read_dir(folder).expect("a folder of sources").map(|entry| entry.expect("an entry").path());
        let texts = entries.flat_map(|path| match path.is_dir() {
            true => sources(&path),
            false => vec![(path.display().to_string(), std::fs::read_to_string(&path).expect("text"))],
        });
        texts.collect()
    }

    /// A field of the environment of the same name: the memory that the machine has.
    const NAMESAKE: (&str, &str) = (MEMORY.key, "compare/difference.rs");

    #[test]
    fn no_key_is_spelt_outside_the_table() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let table = root.join("metric").display().to_string();
        let is_code = |file: &str| file.ends_with(".rs") && !file.ends_with("tests.rs") && !file.starts_with(&table);
        let mut spelt = Vec::new();
        for (file, text) in sources(&root).into_iter().filter(|(file, _)| is_code(file)) {
            // Tests spell keys out on purpose: they are never renamed.
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            for key in all().map(|metric| metric.key).filter(|key| code.contains(&format!("\"{key}\""))) {
                if !(key == NAMESAKE.0 && file.ends_with(NAMESAKE.1)) {
                    spelt.push(format!("{key} in {file}"));
                }
            }
        }
        assert!(spelt.is_empty(), "{spelt:#?}");
    }
}
