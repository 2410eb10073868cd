//! Which choice of a question a model picks: the likeliest.

use serde::Serialize;

/// The picked choice, counted from 0, in each of the three ways to compare choices of unlike length. Of equals the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Picks {
    /// By log-likelihood as it is, which favours short choices: `acc` of lm-evaluation-harness.
    pub raw: usize,
    /// By log-likelihood ÷ characters (Unicode scalar values) of the choice: `acc_norm`.
    pub per_character: usize,
    /// By log-likelihood ÷ UTF-8 bytes of the choice: `acc_bytes`.
    pub per_byte: usize,
}

impl Picks {
    /// Of the log-likelihoods of the choices, of which none is empty.
    pub fn of(log_probs: &[f64], choices: &[String]) -> Self {
        let by = |length: fn(&String) -> usize| {
            let each = log_probs.iter().zip(choices).map(|(log_prob, choice)| log_prob / length(choice) as f64);
            let better = |best: (usize, f64), next: (usize, f64)| if next.1 > best.1 { next } else { best };
            each.enumerate().reduce(better).map_or(0, |(index, _)| index)
        };
        Self { raw: by(|_| 1), per_character: by(|choice| choice.chars().count()), per_byte: by(String::len) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_picks_by_its_own_length() {
        // −4, −5, −6 nats over 1, 4, 2 characters and 1, 4, 6 bytes.
        let choices = ["a", "abcd", "가나"].map(str::to_owned);
        assert_eq!(Picks::of(&[-4.0, -5.0, -6.0], &choices), Picks { raw: 0, per_character: 1, per_byte: 2 });
    }

    #[test]
    fn of_equals_the_first_is_picked_as_numpys_argmax_does() {
        let choices = ["A", "B"].map(str::to_owned);
        assert_eq!(Picks::of(&[-1.0, -1.0], &choices), Picks { raw: 0, per_character: 0, per_byte: 0 });
    }
}
