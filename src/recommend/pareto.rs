//! The Pareto set: rows that no other row beats in everything.

use crate::metric::Direction;

/// For each row, the index of one that dominates it: at least as good in every criterion and better in one. `None` for
/// the rows of the Pareto set. Rows hold one value for each of `directions`.
pub(super) fn dominators(directions: &[Direction], rows: &[Vec<f64>]) -> Vec<Option<usize>> {
    // A row that is dominated is also dominated by one of the set, which is the more useful to name.
    let any = |row: &Vec<f64>| rows.iter().any(|other| dominates(directions, other, row));
    let in_set: Vec<bool> = rows.iter().map(|row| !any(row)).collect();
    rows.iter()
        .map(|row| (0..rows.len()).find(|&other| in_set[other] && dominates(directions, &rows[other], row)))
        .collect()
}

fn dominates(directions: &[Direction], a: &[f64], b: &[f64]) -> bool {
    let mut compared = directions.iter().zip(a).zip(b);
    let no_worse = compared.clone().all(|((direction, a), b)| direction.meets(*a, *b));
    no_worse && compared.any(|((_, a), b)| a != b)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEED_AND_MEMORY: [Direction; 2] = [Direction::Higher, Direction::Lower];

    #[test]
    fn a_trade_off_dominates_in_neither_direction() {
        let rows = [vec![50.0, 8.0], vec![20.0, 4.0]];
        assert_eq!(dominators(&SPEED_AND_MEMORY, &rows), [None, None]);
    }

    #[test]
    fn slower_and_larger_is_dominated() {
        let rows = [vec![20.0, 8.0], vec![50.0, 8.0], vec![10.0, 9.0]];
        assert_eq!(dominators(&SPEED_AND_MEMORY, &rows), [Some(1), None, Some(1)]);
    }

    #[test]
    fn equals_do_not_dominate_each_other() {
        let rows = [vec![20.0, 8.0], vec![20.0, 8.0]];
        assert_eq!(dominators(&SPEED_AND_MEMORY, &rows), [None, None]);
    }
}
