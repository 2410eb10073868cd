//! Ties: which of several candidates' figures are not shown to differ from the best of them.

use super::distribution::Distribution;
use crate::metric::Direction;

/// Of one figure of several candidates, which are tied: those whose interval overlaps that of the best median, and the best
/// itself. None are where its interval overlaps no other, or is unknown: too few trials show neither a difference nor a tie.
pub fn ties(figures: &[Option<&Distribution>], direction: Direction) -> Vec<bool> {
    let better = |a, b| if direction.better(a, b) == a { a } else { b };
    let medians = figures.iter().flatten().map(|distribution| distribution.median);
    let best = medians.reduce(better).and_then(|best| {
        let mut of_best = figures.iter().flatten().filter(|distribution| distribution.median == best);
        of_best.find_map(|distribution| distribution.interval)
    });
    let overlaps = |figure: &Option<&Distribution>| {
        let interval = figure.and_then(|distribution| distribution.interval);
        best.zip(interval).is_some_and(|(best, interval)| best.overlaps(&interval))
    };
    let tied: Vec<bool> = figures.iter().map(overlaps).collect();
    let several = tied.iter().filter(|tied| **tied).count() > 1;
    if several { tied } else { vec![false; figures.len()] }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten values in steps of a hundredth, from `low` on: their median's interval lies within.
    fn figure(low: f64) -> Distribution {
        Distribution::of((0..10).map(|step| low + f64::from(step) / 100.0).collect()).unwrap()
    }

    #[test]
    fn what_overlaps_the_best_is_tied_with_it_whichever_way_is_better() {
        let [slow, close, fast] = [figure(1.0), figure(2.0), figure(2.02)];
        let all = [Some(&slow), Some(&close), None, Some(&fast)];
        assert_eq!(ties(&all, Direction::Higher), [false, true, false, true]);
        assert_eq!(ties(&all, Direction::Lower), [false; 4], "the best is alone");
    }

    #[test]
    fn what_only_overlaps_another_is_not() {
        // Each interval is about 0.057 wide.
        let [a, b, c] = [figure(2.0), figure(2.04), figure(2.08)];
        assert_eq!(ties(&[Some(&a), Some(&b), Some(&c)], Direction::Higher), [false, true, true]);
    }

    #[test]
    fn without_intervals_nothing_is_said() {
        let few = Distribution::of(vec![1.0; 3]).unwrap();
        assert_eq!(ties(&[Some(&few), Some(&few)], Direction::Lower), [false; 2]);
        assert_eq!(ties(&[Some(&few), Some(&figure(1.0))], Direction::Higher), [false; 2]);
        assert_eq!(ties(&[], Direction::Lower), [false; 0]);
    }
}
