//! Sharing out what goes number by number.

use super::disjoint::Disjoint;
use super::pool::Pool;

/// Numbers of a part: several microseconds of work, against the one or two that it takes to hand it to another thread.
const PART: usize = 1 << 14;

/// Does a task with each part of `numbers`, cut between units of so many, and the index of its first number; what is small
/// remains one part, and with the caller.
pub fn by_parts<T: Send>(pool: &Pool, numbers: &mut [T], unit: usize, task: &(dyn Fn(usize, &mut [T]) + Sync)) {
    let count = numbers.len();
    let part = unit.max(1) * (PART / unit.max(1)).max(1);
    let numbers = Disjoint::new(numbers);
    pool.run(count.div_ceil(part), &|index| {
        let first = index * part;
        // SAFETY: parts do not overlap.
        task(first, unsafe { numbers.part(first..count.min(first + part)) });
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_in_one_part_of_whole_units() {
        let pool = Pool::new(3);
        for (count, unit) in [(0, 1), (5, 1), (100_000, 1), (7 * 9000, 7), (3 * 50_000, 50_000)] {
            let mut numbers = vec![0; count];
            by_parts(&pool, &mut numbers, unit, &|first, part| {
                assert!(first % unit == 0 && part.len() % unit == 0);
                part.iter_mut().enumerate().for_each(|(i, number)| *number += first + i);
            });
            assert!(numbers.into_iter().eq(0..count), "{count} by {unit}");
        }
    }
}
