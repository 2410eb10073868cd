//! Several questions at once: the more are asked, the more certain each answer must be.

/// What Holm's procedure says of one of several p-values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Adjustment {
    /// Smallest level for all questions together at which this one is answered yes: it is, if this is below that level.
    pub adjusted: f64,
    /// The level that its own p-value was held to.
    pub tail: f64,
}

/// Holm, "A Simple Sequentially Rejective Multiple Test Procedure", 1979: the smallest of m p-values is held to `level` ÷ m,
/// the next to `level` ÷ (m − 1), and so on up to the first that is not below; all after that are held to what that was.
/// The probability of any wrong yes is at most `level`, however the questions depend on each other.
pub(crate) fn holm(p_values: &[f64], level: f64) -> Vec<Adjustment> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|a, b| p_values[*a].total_cmp(&p_values[*b]));
    let mut adjustments = vec![Adjustment { adjusted: 1.0, tail: level }; p_values.len()];
    let mut last = Adjustment { adjusted: 0.0, tail: 0.0 };
    for (rank, index) in order.into_iter().enumerate() {
        let left = (p_values.len() - rank) as f64;
        last = Adjustment {
            adjusted: (p_values[index] * left).min(1.0).max(last.adjusted),
            tail: if last.adjusted < level { level / left } else { last.tail },
        };
        adjustments[index] = last;
    }
    adjustments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adjusted_p_values_equal_rs() {
        // R: p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm") = 0.03 0.06 0.06 0.02
        let adjusted: Vec<f64> = holm(&[0.01, 0.04, 0.03, 0.005], 0.05).iter().map(|of| of.adjusted).collect();
        for (actual, expected) in adjusted.iter().zip([0.03, 0.06, 0.06, 0.02]) {
            assert!((actual - expected).abs() < 1e-12, "{adjusted:?}");
        }
    }

    #[test]
    fn each_is_held_to_its_step_and_the_rest_to_where_it_stopped() {
        let tails: Vec<f64> = holm(&[0.01, 0.04, 0.03, 0.005], 0.06).iter().map(|of| of.tail).collect();
        assert_eq!(tails, [0.06 / 3.0, 0.06 / 2.0, 0.06 / 2.0, 0.06 / 4.0]);
    }

    #[test]
    fn a_yes_is_a_p_value_below_its_tail() {
        let p_values = [0.2, 0.001, 0.012, 0.0124, 0.9, 0.0001];
        for step in [0.01, 0.025, 0.05].map(|level| (level, holm(&p_values, level))) {
            for (p, of) in p_values.iter().zip(&step.1) {
                assert_eq!(of.adjusted < step.0, *p < of.tail, "{p} at {}", step.0);
            }
        }
    }

    #[test]
    fn one_question_is_not_adjusted() {
        assert_eq!(holm(&[0.02], 0.025), [Adjustment { adjusted: 0.02, tail: 0.025 }]);
        assert_eq!(holm(&[], 0.025), []);
    }
}
