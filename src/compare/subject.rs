//! A subject: what two runs are compared in.

use crate::metric::{DECODE, Direction, FIDELITY, LOAD, MEMORY, METRICS, Metric, PASS_RATE, RATES, TTFT, Unit};

/// What two runs are compared in: a metric of their trials, something that each process has once, or a rate of their answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// A metric of trials.
    Metric(Metric),
    /// Reading the weights and making them ready.
    Load,
    /// Peak memory above what was in use before.
    Memory,
    /// How many answers are as they should be: one of [`RATES`].
    Rate(Metric),
}

impl Subject {
    /// Judged unless the user names others: what a user of a service feels and reads, and what a machine must have.
    pub const DEFAULT: [Subject; 6] = [
        Subject::Metric(TTFT),
        Subject::Metric(DECODE),
        Subject::Memory,
        Subject::Load,
        Subject::Rate(FIDELITY),
        Subject::Rate(PASS_RATE),
    ];

    /// All of them, in the order in which a reader wants them.
    pub fn all() -> impl Iterator<Item = Subject> {
        let metrics = METRICS.iter().copied().map(Subject::Metric);
        metrics.chain([Subject::Load, Subject::Memory]).chain(RATES.iter().copied().map(Subject::Rate))
    }

    /// The one that a user means by its key or its label, or by the first words of its key if no other begins with them.
    pub fn named(word: &str) -> Option<Self> {
        let word = word.to_lowercase();
        let exact = Self::all().find(|subject| subject.key() == word || subject.label().to_lowercase() == word);
        exact.or_else(|| {
            let begins = |key: &str| key.strip_prefix(&word).is_some_and(|rest| rest.starts_with('_'));
            let mut begin = Self::all().filter(|subject| begins(subject.key()));
            begin.next().filter(|_| begin.next().is_none())
        })
    }

    fn metric(self) -> Metric {
        match self {
            Subject::Metric(metric) | Subject::Rate(metric) => metric,
            Subject::Load => LOAD,
            Subject::Memory => MEMORY,
        }
    }

    /// See [`Metric::key`].
    pub fn key(self) -> &'static str {
        self.metric().key
    }

    /// See [`Metric::label`].
    pub fn label(self) -> &'static str {
        self.metric().label
    }

    /// See [`Metric::direction`].
    pub fn direction(self) -> Direction {
        self.metric().direction
    }

    /// A value with its unit.
    pub fn show(self, value: f64) -> String {
        self.metric().unit.show_in_text(value)
    }

    /// Half of the least difference that means anything, in its unit, for what may be zero: of a count half a one, of a share half
    /// a per cent. `None` of times, rates and sizes, which have a ratio.
    pub fn least_difference(self) -> Option<f64> {
        match self.metric().unit {
            Unit::Count => Some(0.5),
            Unit::Share => Some(0.005),
            _ => None,
        }
    }

    /// Whether it is a size, which is the same however busy the machine was.
    pub fn is_size(self) -> bool {
        self.metric().unit == Unit::Bytes
    }

    /// By what share it may become worse where the user does not say. Loading depends on what the system has cached.
    pub fn default_tolerance(self) -> f64 {
        match self {
            Subject::Metric(_) | Subject::Memory | Subject::Rate(_) => 0.05,
            Subject::Load => 0.25,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::ONCE;

    #[test]
    fn the_subjects_are_the_metrics() {
        let metrics: Vec<Metric> = METRICS.iter().chain(ONCE).chain(RATES).copied().collect();
        assert_eq!(Subject::all().map(Subject::metric).collect::<Vec<_>>(), metrics);
    }

    #[test]
    fn a_subject_is_found_by_key_label_or_first_words() {
        let key = |word: &str| Subject::named(word).map(Subject::key);
        assert_eq!(key("ttft"), Some("ttft_seconds"));
        assert_eq!(key("decode"), Some("decode_tokens_per_second"));
        assert_eq!(key("prefill"), Some("prefill_tokens_per_second"));
        assert_eq!(key("prefill_seconds"), Some("prefill_seconds"));
        assert_eq!(key("memory"), Some("memory_bytes"));
        assert_eq!(key("latency"), Some("latency_seconds"));
        assert_eq!(key("itl_p99"), Some("itl_p99_seconds"));
        assert_eq!(key("visible"), Some("visible_ttft_seconds"));
        assert_eq!(key("pass"), Some("pass_rate"));
        assert_eq!(key("characters"), None, "two begin with it");
        assert_eq!(key("ttf"), None, "no word of it");
        assert_eq!(key("speed"), None);
    }
}
