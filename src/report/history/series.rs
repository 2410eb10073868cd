//! A series: one figure over runs, where it does not continue, and where it took another level.

use crate::compare::{change_points, difference};
use crate::quantile::median;
use crate::record::Run;

/// One figure over runs, in their order.
pub(super) struct Series {
    pub values: Vec<Option<f64>>,
    /// Indices of runs whose environment is another than that of the run before: figures across one do not compare.
    pub breaks: Vec<usize>,
    /// In the order of the runs.
    pub levels: Vec<NewLevel>,
}

/// From a run on, another level than before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct NewLevel {
    /// Of the first run of it.
    pub index: usize,
    /// Medians of the level before and of this one.
    pub before: f64,
    pub after: f64,
    /// See [`crate::compare::ChangePoint::p`].
    pub p: f64,
}

impl NewLevel {
    /// After ÷ before − 1: 0.08 is a rise by 8 %. `None` unless both are positive.
    pub(super) fn change(&self) -> Option<f64> {
        (self.before > 0.0 && self.after > 0.0).then(|| self.after / self.before - 1.0)
    }
}

impl Series {
    /// Of a figure's medians; `None` where a run has none.
    pub(super) fn of(runs: &[&Run], values: Vec<Option<f64>>) -> Self {
        let breaks: Vec<usize> = (1..runs.len())
            .filter(|index| {
                !difference::environments(&runs[index - 1].environment, &runs[*index].environment).is_empty()
            })
            .collect();
        let starts = std::iter::once(0).chain(breaks.iter().copied());
        let ends = breaks.iter().copied().chain([values.len()]);
        let levels = starts.zip(ends).flat_map(|(start, end)| new_levels(&values, start, end)).collect();
        Self { values, breaks, levels }
    }

    pub(super) fn new_level_at(&self, index: usize) -> Option<&NewLevel> {
        self.levels.iter().find(|level| level.index == index)
    }
}

/// Of the runs of one environment, from `start` to before `end`.
fn new_levels(values: &[Option<f64>], start: usize, end: usize) -> Vec<NewLevel> {
    let known: Vec<(usize, f64)> = (start..end).filter_map(|index| Some((index, values[index]?))).collect();
    let series: Vec<f64> = known.iter().map(|(_, value)| *value).collect();
    let points = change_points(&series);
    let level = |number: usize| {
        let from = number.checked_sub(1).map_or(0, |before| points[before].index);
        let to = points.get(number).map_or(series.len(), |after| after.index);
        median(&series[from..to])
    };
    let new = |(number, point): (usize, &crate::compare::ChangePoint)| {
        Some(NewLevel { index: known[point.index].0, before: level(number)?, after: level(number + 1)?, p: point.p })
    };
    points.iter().enumerate().filter_map(new).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summarize::testing;

    fn runs(count: usize) -> Vec<Run> {
        vec![testing::run(Vec::new()); count]
    }

    fn series(runs: &[Run], values: Vec<Option<f64>>) -> Series {
        Series::of(&runs.iter().collect::<Vec<_>>(), values)
    }

    /// Around 100, and from run `step` on around 110, without an order that is to be seen.
    fn stepped(count: usize, step: usize) -> Vec<Option<f64>> {
        let noise = |run: usize| ((run * 7 + run * run * 3) % 11) as f64 / 10.0 - 0.5;
        (0..count).map(|run| Some(if run < step { 100.0 } else { 110.0 } + noise(run))).collect()
    }

    #[test]
    fn a_new_level_is_found_with_its_change() {
        let series = series(&runs(16), stepped(16, 9));
        assert_eq!(series.breaks, [0; 0]);
        let [level] = series.levels[..] else { panic!("{:?}", series.levels) };
        assert_eq!(level.index, 9);
        assert!((level.change().unwrap() - 0.1).abs() < 0.005 && level.p <= 0.05, "{level:?}");
        assert_eq!(series.new_level_at(9), Some(&level));
    }

    #[test]
    fn what_was_zero_has_no_share_to_rise_by() {
        let values = (0..16).map(|run| Some(if run < 8 { 0.0 } else { 3.0 })).collect();
        let series = series(&runs(16), values);
        assert_eq!(series.levels.iter().map(NewLevel::change).collect::<Vec<_>>(), [None]);
    }

    #[test]
    fn runs_without_a_value_are_stepped_over() {
        let mut values = stepped(18, 9);
        (values[2], values[9]) = (None, None);
        assert_eq!(series(&runs(18), values).levels.iter().map(|level| level.index).collect::<Vec<_>>(), [10]);
    }

    #[test]
    fn another_environment_is_no_new_level() {
        let mut runs = runs(16);
        runs[9..].iter_mut().for_each(|run| run.environment.threads = 1);
        let series = series(&runs, stepped(16, 9));
        assert_eq!((series.breaks, series.levels), (vec![9], vec![]));
    }

    #[test]
    fn another_commit_is_the_same_environment() {
        let mut runs = runs(16);
        runs[9..].iter_mut().for_each(|run| run.environment.program_commit = Some("1f2e3d4c5b6a".into()));
        assert_eq!(series(&runs, stepped(16, 9)).levels.len(), 1);
    }
}
