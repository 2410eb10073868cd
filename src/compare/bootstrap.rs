//! How certain the difference of two medians is: the ideal bootstrap, which needs no resampling.

use crate::summarize::Interval;

/// The bootstrap of the median of samples of one size, with infinitely many resamples: Efron's "ideal" bootstrap (Efron &
/// Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 6).
///
/// The median of a resample is decided by the ranks that it happened to draw, not by the values at them, and how often it
/// lies at each rank is a binomial probability (Efron, "Bootstrap Methods: Another Look at the Jackknife", 1979, section 3;
/// Hutson & Ernst, "The exact bootstrap mean and variance of an L-estimator", 2000). So nothing is drawn: there is no
/// seed, no error from too few resamples, and the tails are as exact as the middle. The probabilities serve every sample
/// of that size.
#[derive(Debug, Clone)]
pub(super) struct MedianBootstrap {
    n: usize,
    middles: Vec<Middle>,
}

/// Where the median of a resample may lie.
#[derive(Debug, Clone, Copy)]
struct Middle {
    /// The ranks whose values have the median between them; both the same if n is odd.
    below: usize,
    above: usize,
    probability: f64,
}

impl MedianBootstrap {
    pub(super) fn new(n: usize) -> Self {
        let binomial = Binomial::new(n);
        let half = n.div_ceil(2);
        // The h-th smallest of a resample is at most at rank k (from 0) if h or more draws are.
        let at = |rank: usize| {
            let share = |ranks: usize| ranks as f64 / n as f64;
            binomial.at_least(half, share(rank + 1)) - binomial.at_least(half, share(rank))
        };
        let ranks = near_the_middle(n);
        let middles = if n.is_multiple_of(2) {
            ranks.clone().flat_map(|below| pairs(&binomial, below, ranks.end, at(below))).collect()
        } else {
            ranks.map(|rank| Middle { below: rank, above: rank, probability: at(rank) }).collect()
        };
        Self { n, middles }
    }

    /// How the median of a resample of `sorted` is distributed; `None` if that is not the number of values that this was
    /// made for.
    pub(super) fn distribution(&self, sorted: &[f64]) -> Option<MedianDistribution> {
        if sorted.len() != self.n {
            return None;
        }
        let mut medians: Vec<(f64, f64)> = self
            .middles
            .iter()
            .map(|middle| (sorted[middle.below].midpoint(sorted[middle.above]), middle.probability))
            .collect();
        medians.sort_by(|a, b| a.0.total_cmp(&b.0));
        Some(MedianDistribution { n: self.n, medians })
    }
}

/// The medians that resamples of one sample may have.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct MedianDistribution {
    /// Of the sample.
    n: usize,
    /// In rising order, each with its probability.
    medians: Vec<(f64, f64)>,
}

impl MedianDistribution {
    /// One-sided p-value against a true median of `other` at most `difference` above this one's: the share of resamples
    /// of both in which it is not more. Never less than [`least_p`].
    pub(super) fn p_above(&self, other: &Self, difference: f64) -> f64 {
        self.share_within(other, difference).max(least_p(self.n, other.n))
    }

    /// Where `other`'s median − this one's lies, beyond either end in a share `tail` of cases; `None` if the samples are
    /// too small for so small a tail.
    pub(super) fn interval_to(&self, other: &Self, tail: f64) -> Option<Interval> {
        if tail <= least_p(self.n, other.n) {
            return None;
        }
        Some(Interval { low: self.lower(other, tail)?, high: -other.lower(self, tail)? })
    }

    /// Share of resamples of both with `other`'s median at most `difference` above this one's.
    fn share_within(&self, other: &Self, difference: f64) -> f64 {
        let (mut share, mut reached, mut next) = (0.0, 0.0, 0);
        for (median, probability) in &self.medians {
            while next < other.medians.len() && other.medians[next].0 <= median + difference {
                reached += other.medians[next].1;
                next += 1;
            }
            share += probability * reached;
        }
        share
    }

    /// The largest difference that less than a share `tail` of resamples is within, found by halving.
    fn lower(&self, other: &Self, tail: f64) -> Option<f64> {
        let mut low = other.medians.first()?.0 - self.medians.last()?.0;
        let mut high = other.medians.last()?.0 - self.medians.first()?.0;
        for _ in 0..HALVINGS {
            let middle = low.midpoint(high);
            if self.share_within(other, middle) < tail { low = middle } else { high = middle }
        }
        Some(high)
    }
}

/// Leave a bound certain to a millionth of the samples' range.
const HALVINGS: usize = 20;

/// The probability that one of two samples of the same kind lies wholly above the other by chance, n! m! ÷ (n + m)!: less
/// than that no p-value of them can be.
pub(super) fn least_p(n: usize, m: usize) -> f64 {
    (1..=n).map(|k| k as f64 / (m + k) as f64).product()
}

/// Ranks at which the median of a resample may well lie. Its rank has a standard deviation of about √n ÷ 2, so that what
/// is left out, eight of those away, is less than rounding.
fn near_the_middle(n: usize) -> std::ops::Range<usize> {
    let reach = 4 * (n as f64).sqrt().ceil() as usize;
    (n / 2).saturating_sub(reach)..(n / 2 + reach).min(n)
}

/// Of an even n = 2h, the middles whose lower rank is `below`, which has probability `at_below` in all.
///
/// The h-th and the next smallest of a resample lie at different ranks i and j if h draws are at or below i, one of them
/// at i, and the others at or above j, one of them at j.
fn pairs(binomial: &Binomial, below: usize, end: usize, at_below: f64) -> Vec<Middle> {
    let n = binomial.n;
    let half = n / 2;
    // Both factors carry the root of the binomial coefficient, so that neither overflows nor vanishes.
    let root = |ranks: usize| match ranks {
        0 => 0.0,
        _ => (binomial.ln_choose(half) / 2.0 + half as f64 * (ranks as f64 / n as f64).ln()).exp(),
    };
    let at_or_below = root(below + 1) - root(below);
    let apart = (below + 1..end).map(|above| Middle {
        below,
        above,
        probability: at_or_below * (root(n - above) - root(n - above - 1)),
    });
    let both = at_below - at_or_below * root(n - below - 1);
    std::iter::once(Middle { below, above: below, probability: both.max(0.0) }).chain(apart).collect()
}

/// Draws, of n, that fall on one of two sides.
struct Binomial {
    n: usize,
    /// ln k! of k from 0 to n.
    ln_factorials: Vec<f64>,
}

impl Binomial {
    fn new(n: usize) -> Self {
        let ln_factorials = std::iter::once(0.0)
            .chain((1..=n).scan(0.0, |sum, k| {
                *sum += (k as f64).ln();
                Some(*sum)
            }))
            .collect();
        Self { n, ln_factorials }
    }

    fn ln_choose(&self, k: usize) -> f64 {
        self.ln_factorials[self.n] - self.ln_factorials[k] - self.ln_factorials[self.n - k]
    }

    /// Probability of `k` or more, each with probability `share`.
    fn at_least(&self, k: usize, share: f64) -> f64 {
        if share <= 0.0 {
            return 0.0;
        }
        if share >= 1.0 {
            return 1.0;
        }
        let (within, beyond) = (share.ln(), (1.0 - share).ln());
        (k..=self.n)
            .map(|count| (self.ln_choose(count) + count as f64 * within + (self.n - count) as f64 * beyond).exp())
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quantile::quantile;

    /// The medians of all n^n resamples, each with its share.
    fn of_every_resample(values: &[f64]) -> Vec<(f64, f64)> {
        let n = values.len();
        let all = n.pow(n as u32);
        let mut medians: Vec<f64> = (0..all)
            .map(|resample| {
                let mut drawn: Vec<f64> = (0..n).map(|draw| values[resample / n.pow(draw as u32) % n]).collect();
                drawn.sort_by(f64::total_cmp);
                quantile(&drawn, 0.5).unwrap()
            })
            .collect();
        medians.sort_by(f64::total_cmp);
        medians.chunk_by(|a, b| a == b).map(|same| (same[0], same.len() as f64 / all as f64)).collect()
    }

    #[test]
    fn it_is_what_every_possible_resample_gives() {
        // No two pairs of them have the same middle.
        let values = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0];
        for n in 2..=values.len() {
            let expected = of_every_resample(&values[..n]);
            let ideal = MedianBootstrap::new(n).distribution(&values[..n]).unwrap();
            assert_eq!(ideal.medians.len(), expected.len(), "{n}");
            for ((median, probability), (value, share)) in ideal.medians.iter().zip(&expected) {
                assert_eq!(median, value, "{n}");
                assert!((probability - share).abs() < 1e-12, "{n}: {probability} of {value}, expected {share}");
            }
        }
    }

    #[test]
    fn probabilities_add_up_to_one() {
        for n in [6, 7, 64, 65, 999, 1000, 3000] {
            let sum: f64 = MedianBootstrap::new(n).middles.iter().map(|middle| middle.probability).sum();
            assert!((sum - 1.0).abs() < 1e-9, "{n}: {sum}");
        }
    }

    #[test]
    fn it_is_of_samples_of_its_own_size() {
        assert_eq!(MedianBootstrap::new(6).distribution(&[1.0; 7]), None);
    }

    fn ramp(n: u32) -> MedianDistribution {
        let values: Vec<f64> = (1..=n).map(f64::from).collect();
        MedianBootstrap::new(values.len()).distribution(&values).unwrap()
    }

    #[test]
    fn the_p_value_at_an_end_is_its_tail() {
        let (a, b) = (ramp(30), ramp(20));
        for tail in [0.1, 0.025, 0.001] {
            let Interval { low, high } = a.interval_to(&b, tail).unwrap();
            assert!(a.p_above(&b, low - 1e-4) < tail && a.p_above(&b, low + 1e-4) >= tail, "{tail}");
            assert!(b.p_above(&a, -high - 1e-4) < tail && b.p_above(&a, -high + 1e-4) >= tail, "{tail}");
        }
    }

    #[test]
    fn small_samples_promise_no_small_tail() {
        // 6! 6! ÷ 12! = 1 ÷ 924.
        assert!((least_p(6, 6) - 1.0 / 924.0).abs() < 1e-15);
        assert_eq!(ramp(6).interval_to(&ramp(6), 0.001), None);
        assert!(ramp(6).interval_to(&ramp(6), 0.0011).is_some());
    }
}
