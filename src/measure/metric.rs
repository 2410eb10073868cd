//! The one table of metrics: terminal columns, CSV headers, keys of limits and directions of verdicts come from here.

use super::Measurement;
use crate::units::{Rate, Seconds, Share};

/// Something that is measured of every trial. The formula is documented at the field that [`Metric::of`] reads.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// For machines, unit included; never renamed.
    pub key: &'static str,
    /// For the head of a column.
    pub label: &'static str,
    pub unit: Unit,
    pub direction: Direction,
    /// This metric's number of one trial; `None` where undefined.
    pub of: fn(&Measurement) -> Option<f64>,
}

/// Which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Higher,
    Lower,
}

impl Direction {
    /// Whether `value` keeps to `limit`; on the limit is within it.
    pub fn meets(self, value: f64, limit: f64) -> bool {
        match self {
            Direction::Higher => value >= limit,
            Direction::Lower => value <= limit,
        }
    }

    /// How good `value` is against the best there is, from just over 0 to 1: this ÷ best where higher is better, else
    /// best ÷ this. Undefined unless both are positive.
    pub fn score(self, value: f64, best: f64) -> Option<f64> {
        if !(value > 0.0 && best > 0.0) {
            return None;
        }
        Some(match self {
            Direction::Higher => value / best,
            Direction::Lower => best / value,
        })
    }

    /// By what share `value` lies beyond `limit` on the bad side: 0.5 is half as slow again as allowed. Zero or less
    /// where the limit is met; undefined unless both are positive.
    pub fn excess(self, value: f64, limit: f64) -> Option<f64> {
        self.score(value, limit).map(|score| 1.0 / score - 1.0)
    }

    /// How a limit in this direction is said: `at most 2 s`.
    pub fn bound(self) -> &'static str {
        match self {
            Direction::Higher => "at least",
            Direction::Lower => "at most",
        }
    }

    /// The better of two values.
    pub fn better(self, a: f64, b: f64) -> f64 {
        match self {
            Direction::Higher => a.max(b),
            Direction::Lower => a.min(b),
        }
    }
}

/// What a metric's numbers are counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Seconds,
    TokensPerSecond,
    CharactersPerSecond,
    CharactersPerToken,
    Count,
    Joules,
    JoulesPerToken,
    /// Of what the device can do at most: 1 is all of it.
    Share,
}

impl Unit {
    /// For the head of a column of bare numbers.
    pub fn symbol(self) -> &'static str {
        match self {
            Unit::Seconds => "s",
            Unit::TokensPerSecond => "tok/s",
            Unit::CharactersPerSecond => "chars/s",
            Unit::CharactersPerToken => "chars/tok",
            Unit::Count => "count",
            Unit::Joules => "J",
            Unit::JoulesPerToken => "J/tok",
            Unit::Share => "of peak",
        }
    }

    /// A value with as many digits as mean something. Seconds carry their unit, because it changes with the size, and shares
    /// their sign; the others leave it to the column's head.
    pub fn show(self, value: f64) -> String {
        match self {
            Unit::Seconds => Seconds(value).to_string(),
            Unit::Share => Share(value).to_string(),
            // A median of counts may lie between two.
            Unit::Count if value.fract() == 0.0 => format!("{value:.0}"),
            _ => Rate(value).to_string(),
        }
    }

    /// A value with its unit, for a sentence.
    pub fn show_in_text(self, value: f64) -> String {
        match self {
            Unit::Seconds | Unit::Count | Unit::Share => self.show(value),
            _ => format!("{} {}", self.show(value), self.symbol()),
        }
    }
}

/// See [`Measurement::ttft_seconds`].
pub const TTFT: Metric = Metric {
    key: "ttft_seconds",
    label: "TTFT",
    unit: Unit::Seconds,
    direction: Direction::Lower,
    of: |measurement| measurement.ttft_seconds,
};

/// See [`Measurement::prefill_seconds`].
pub const PREFILL_TIME: Metric = Metric {
    key: "prefill_seconds",
    label: "prefill time",
    unit: Unit::Seconds,
    direction: Direction::Lower,
    of: |measurement| measurement.prefill_seconds,
};

/// See [`Measurement::prefill_tokens_per_second`].
pub const PREFILL: Metric = Metric {
    key: "prefill_tokens_per_second",
    label: "prefill",
    unit: Unit::TokensPerSecond,
    direction: Direction::Higher,
    of: |measurement| measurement.prefill_tokens_per_second,
};

/// See [`Measurement::tpot_seconds`].
pub const TPOT: Metric = Metric {
    key: "tpot_seconds",
    label: "TPOT",
    unit: Unit::Seconds,
    direction: Direction::Lower,
    of: |measurement| measurement.tpot_seconds,
};

/// See [`Measurement::itl_max_seconds`].
pub const ITL_MAX: Metric = Metric {
    key: "itl_max_seconds",
    label: "longest gap",
    unit: Unit::Seconds,
    direction: Direction::Lower,
    of: |measurement| measurement.itl_max_seconds,
};

/// See [`Measurement::decode_tokens_per_second`].
pub const DECODE: Metric = Metric {
    key: "decode_tokens_per_second",
    label: "decode",
    unit: Unit::TokensPerSecond,
    direction: Direction::Higher,
    of: |measurement| measurement.decode_tokens_per_second,
};

/// See [`Measurement::characters_per_second`].
pub const CHARACTERS: Metric = Metric {
    key: "characters_per_second",
    label: "chars/s",
    unit: Unit::CharactersPerSecond,
    direction: Direction::Higher,
    of: |measurement| measurement.characters_per_second,
};

/// See [`Measurement::characters_per_token`].
pub const CHARACTERS_PER_TOKEN: Metric = Metric {
    key: "characters_per_token",
    label: "chars/tok",
    unit: Unit::CharactersPerToken,
    direction: Direction::Higher,
    of: |measurement| measurement.characters_per_token,
};

/// See [`Measurement::latency_seconds`].
pub const LATENCY: Metric = Metric {
    key: "latency_seconds",
    label: "latency",
    unit: Unit::Seconds,
    direction: Direction::Lower,
    of: |measurement| measurement.latency_seconds,
};

/// See [`Measurement::stalls`].
pub const STALLS: Metric = Metric {
    key: "stalls",
    label: "stalls",
    unit: Unit::Count,
    direction: Direction::Lower,
    of: |measurement| measurement.stalls,
};

/// See [`Measurement::energy_joules`].
pub const ENERGY: Metric = Metric {
    key: "energy_joules",
    label: "energy",
    unit: Unit::Joules,
    direction: Direction::Lower,
    of: |measurement| measurement.energy_joules,
};

/// See [`Measurement::energy_joules_per_token`].
pub const ENERGY_PER_TOKEN: Metric = Metric {
    key: "energy_joules_per_token",
    label: "energy/tok",
    unit: Unit::JoulesPerToken,
    direction: Direction::Lower,
    of: |measurement| measurement.energy_joules_per_token,
};

/// See [`Measurement::mfu_share`].
pub const MFU: Metric = Metric {
    key: "mfu_share",
    label: "MFU",
    unit: Unit::Share,
    direction: Direction::Higher,
    of: |measurement| measurement.mfu_share,
};

/// See [`Measurement::mbu_share`].
pub const MBU: Metric = Metric {
    key: "mbu_share",
    label: "MBU",
    unit: Unit::Share,
    direction: Direction::Higher,
    of: |measurement| measurement.mbu_share,
};

/// Every metric, in the order in which a reader wants them.
pub const METRICS: &[Metric] = &[
    TTFT,
    PREFILL_TIME,
    PREFILL,
    TPOT,
    ITL_MAX,
    DECODE,
    CHARACTERS,
    CHARACTERS_PER_TOKEN,
    LATENCY,
    STALLS,
    ENERGY,
    ENERGY_PER_TOKEN,
    MFU,
    MBU,
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn keys_and_labels_are_unique() {
        let keys: HashSet<_> = METRICS.iter().map(|metric| metric.key).collect();
        let labels: HashSet<_> = METRICS.iter().map(|metric| metric.label).collect();
        assert_eq!((keys.len(), labels.len()), (METRICS.len(), METRICS.len()));
    }

    #[test]
    fn keys_end_in_their_unit() {
        for metric in METRICS {
            let suffix = match metric.unit {
                Unit::Seconds => "_seconds",
                Unit::TokensPerSecond => "_tokens_per_second",
                Unit::CharactersPerSecond => "characters_per_second",
                Unit::CharactersPerToken => "characters_per_token",
                Unit::Count => "stalls",
                Unit::Joules => "_joules",
                Unit::JoulesPerToken => "_joules_per_token",
                Unit::Share => "_share",
            };
            assert!(metric.key.ends_with(suffix), "{} should end in {suffix}", metric.key);
        }
    }

    #[test]
    fn each_metric_reads_the_field_of_its_key() {
        let all = Measurement {
            ttft_seconds: Some(0.0),
            prefill_seconds: Some(1.0),
            prefill_tokens_per_second: Some(2.0),
            tpot_seconds: Some(3.0),
            itl_max_seconds: Some(4.0),
            decode_tokens_per_second: Some(5.0),
            characters_per_second: Some(6.0),
            characters_per_token: Some(7.0),
            latency_seconds: Some(8.0),
            stalls: Some(9.0),
            energy_joules: Some(10.0),
            energy_joules_per_token: Some(11.0),
            mfu_share: Some(12.0),
            mbu_share: Some(13.0),
        };
        for (index, metric) in METRICS.iter().enumerate() {
            assert_eq!((metric.of)(&all), Some(index as f64), "{}", metric.key);
            assert_eq!((metric.of)(&Measurement::default()), None, "{}", metric.key);
        }
    }

    #[test]
    fn the_excess_of_a_slow_rate_is_how_much_longer_it_takes() {
        assert_eq!(Direction::Lower.excess(3.0, 2.0), Some(0.5));
        assert_eq!(Direction::Higher.excess(10.0, 20.0), Some(1.0));
        assert_eq!(Direction::Higher.excess(0.0, 20.0), None);
    }

    #[test]
    fn a_value_on_the_limit_meets_it() {
        assert!(Direction::Lower.meets(2.0, 2.0) && Direction::Higher.meets(2.0, 2.0));
        assert!(!Direction::Lower.meets(2.1, 2.0) && !Direction::Higher.meets(1.9, 2.0));
    }
}
