//! Student's t: how far a mean of few values may lie from the true one.

/// At 97.5 %, for 1 and more degrees of freedom (any table of it); the last one for all further.
const STUDENT: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
    2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
];

/// The 97.5 % quantile of Student's t; `None` without a degree of freedom.
pub fn student(freedom: usize) -> Option<f64> {
    STUDENT.get(freedom.checked_sub(1)?.min(STUDENT.len() - 1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_falls_towards_the_normal_quantile() {
        assert_eq!(
            (student(0), student(1), student(30), student(9_999)),
            (None, Some(12.706), Some(2.042), Some(2.042))
        );
        assert!(STUDENT.is_sorted_by(|a, b| a >= b));
    }
}
