//! Direction: which way of a metric is better.

/// Which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// More is better: a rate.
    Higher,
    /// Less is better: a time, a size.
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

#[cfg(test)]
mod tests {
    use super::*;

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
