//! Change points: where in a long history a metric took another level.

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

/// Fewest values between two change points: one odd run is no new level.
pub const MIN_SEGMENT: usize = 3;

/// A change point is reported if chance would give one as marked in at most this share of orders.
pub const SIGNIFICANCE: f64 = 0.05;

/// Random orders that it is held against; with 199 a p-value is a multiple of 0.005.
const PERMUTATIONS: usize = 199;

/// The same history gives the same answer.
const SEED: u64 = 1;

/// From one value on, a series lies at another level than before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChangePoint {
    /// Of the first value of the new level.
    pub index: usize,
    /// Share of random orders in which chance gives a change as marked.
    pub p: f64,
}

/// The change points of a series, in its order: E-divisive (Matteson & James, "A Nonparametric Approach for Multiple Change
/// Point Analysis of Multivariate Data", 2014), as performance histories are watched with it elsewhere (Daly et al., "The
/// Use of Change Point Detection to Identify Software Performance Regressions in a Continuous Integration System", 2020).
/// The split that sets two distributions furthest apart is kept if shuffling the values within each segment seldom gives
/// one as far, and then the next is looked for.
///
/// Fewer than 8 values are too few for any split to be seldom enough. Time grows with the square of their number. A series
/// with a value that is not finite has none.
pub fn change_points(series: &[f64]) -> Vec<ChangePoint> {
    if !series.iter().all(|value| value.is_finite()) {
        return Vec::new();
    }
    let mut random = StdRng::seed_from_u64(SEED);
    let mut found: Vec<ChangePoint> = Vec::new();
    loop {
        found.sort_by_key(|point| point.index);
        let segments = segments(series.len(), &found);
        let Some(best) = best_split(series, &segments).filter(|best| best.distance > 0.0) else { return found };
        let mut shuffled = series.to_vec();
        let as_far = (0..PERMUTATIONS)
            .filter(|_| {
                for segment in &segments {
                    shuffled[segment.clone()].shuffle(&mut random);
                }
                best_split(&shuffled, &segments).is_some_and(|split| split.distance >= best.distance * NOT_LESS)
            })
            .count();
        // The order as it came is one of them (Davison & Hinkley, "Bootstrap Methods and their Application", 1997, 4.3).
        let p = (1 + as_far) as f64 / (1 + PERMUTATIONS) as f64;
        if p > SIGNIFICANCE {
            return found;
        }
        found.push(ChangePoint { index: best.index, p });
    }
}

/// The same values in another order differ by rounding.
const NOT_LESS: f64 = 1.0 - 1e-9;

fn segments(len: usize, found: &[ChangePoint]) -> Vec<std::ops::Range<usize>> {
    let ends = found.iter().map(|point| point.index).chain([len]);
    ends.scan(0, |start, end| Some(std::mem::replace(start, end)..end)).collect()
}

struct Split {
    /// Of the first value after it.
    index: usize,
    /// Energy distance of the two sides, weighted by their sizes.
    distance: f64,
}

fn best_split(series: &[f64], segments: &[std::ops::Range<usize>]) -> Option<Split> {
    segments
        .iter()
        .filter_map(|segment| {
            let Split { index, distance } = split(&series[segment.clone()])?;
            Some(Split { index: segment.start + index, distance })
        })
        .max_by(|a, b| a.distance.total_cmp(&b.distance))
}

/// The best split of one segment; `None` if it is too short for two.
fn split(values: &[f64]) -> Option<Split> {
    let distances = |value: f64, to: &[f64]| to.iter().map(|other| (value - other).abs()).sum::<f64>();
    let n = values.len();
    // Sums over pairs: on the left, on the right, across.
    let (mut left, mut across) = (0.0, 0.0);
    let mut right: f64 = (0..n).map(|index| distances(values[index], &values[..index])).sum();
    let mut best: Option<Split> = None;
    for index in 1..n {
        let moved = values[index - 1];
        let (to_left, to_right) = (distances(moved, &values[..index - 1]), distances(moved, &values[index..]));
        left += to_left;
        right -= to_right;
        across += to_right - to_left;
        if index < MIN_SEGMENT || n - index < MIN_SEGMENT {
            continue;
        }
        let (before, after) = (index as f64, (n - index) as f64);
        let pairs = |count: f64| count * (count - 1.0) / 2.0;
        let energy = 2.0 * across / (before * after) - left / pairs(before) - right / pairs(after);
        let distance = before * after / (before + after) * energy;
        if best.as_ref().is_none_or(|best| distance > best.distance) {
            best = Some(Split { index, distance });
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: [usize; 0] = [];

    fn found(series: &[f64]) -> Vec<usize> {
        change_points(series).iter().map(|point| point.index).collect()
    }

    /// From −1 to 1, without an order that is to be seen.
    fn noise(index: usize) -> f64 {
        ((index * 7 + index * index * 3) % 11) as f64 / 5.0 - 1.0
    }

    #[test]
    fn a_step_is_found_where_it_is() {
        let series: Vec<f64> = (0..20).map(|run| if run < 12 { 100.0 } else { 110.0 } + noise(run)).collect();
        assert_eq!(found(&series), [12]);
    }

    #[test]
    fn eight_runs_are_enough() {
        assert_eq!(found(&[100.0, 101.0, 99.0, 100.5, 110.0, 111.0, 109.0, 110.5]), [4]);
        assert_eq!(found(&[100.0, 101.0, 99.0, 110.0, 111.0, 109.0]), NONE);
    }

    #[test]
    fn up_and_down_again_are_two() {
        let level = |run| if (10..22).contains(&run) { 110.0 } else { 100.0 };
        let series: Vec<f64> = (0..32).map(|run| level(run) + noise(run)).collect();
        assert_eq!(found(&series), [10, 22]);
    }

    #[test]
    fn one_odd_run_is_no_new_level() {
        let mut series: Vec<f64> = (0..20).map(|run| 100.0 + noise(run)).collect();
        series[9] = 200.0;
        assert_eq!(found(&series), NONE);
    }

    #[test]
    fn a_level_course_has_none() {
        let series: Vec<f64> = (0..30).map(|run| 100.0 + noise(run)).collect();
        assert_eq!(found(&series), NONE);
        assert_eq!(found(&[5.0; 30]), NONE);
        assert_eq!(found(&[]), NONE);
        assert_eq!(found(&[1.0, f64::NAN, 1.0, 1.0, 9.0, 9.0, 9.0, 9.0, 9.0]), NONE);
    }

    #[test]
    fn the_distance_is_the_one_of_the_definition() {
        // 3 × 3 ÷ 6 × (2 × 10 − 0 − 0).
        let split = split(&[0.0, 0.0, 0.0, 10.0, 10.0, 10.0]).unwrap();
        assert_eq!((split.index, split.distance), (3, 30.0));
    }

    #[test]
    fn the_same_history_gives_the_same_answer() {
        let series: Vec<f64> = (0..24).map(|run| if run < 12 { 100.0 } else { 101.0 } + noise(run)).collect();
        assert_eq!(change_points(&series), change_points(&series));
    }
}
