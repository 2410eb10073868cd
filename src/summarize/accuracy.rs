//! How many multiple-choice questions a model gets right, beside what guessing gets.

use std::collections::BTreeSet;

use serde::{Serialize, Serializer};

use super::rate::Rate;
use crate::quality::Picks;

/// A question with what a model picked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Picked {
    /// How many choices it has.
    pub choices: usize,
    /// The right one, counted from 0.
    pub answer: usize,
    /// What the model chose, by each way of counting.
    pub picks: Picks,
}

/// How many questions are right.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Accuracy {
    /// By log-likelihood as it is.
    pub raw: Rate,
    /// By log-likelihood per character of the choice.
    pub per_character: Rate,
    /// By log-likelihood per byte of the choice.
    pub per_byte: Rate,
    /// Share that guessing gets right: the mean of 1 ÷ choices, 0 to 1. Undefined of nothing.
    pub chance: Option<f64>,
    /// Mean over the labels of F1 = 2 tp ÷ (2 tp + fp + fn), by the raw picks; 0 to 1, higher is better. A label that is neither
    /// right nor picked anywhere is left out, as scikit-learn's `f1_score(average="macro")` does. `None` where choices
    /// are no labels: the first choice of one question has nothing to do with the first of another.
    pub macro_f1: Option<f64>,
}

impl Accuracy {
    /// Of questions, whose choices are the same labels in all of them if `are_labels`.
    pub fn of(questions: &[Picked], are_labels: bool) -> Self {
        let rate = |pick: fn(&Picks) -> usize| {
            Rate::of(questions.iter().map(|question| pick(&question.picks) == question.answer))
        };
        let chances: f64 = questions.iter().map(|question| 1.0 / question.choices as f64).sum();
        Self {
            raw: rate(|picks| picks.raw),
            per_character: rate(|picks| picks.per_character),
            per_byte: rate(|picks| picks.per_byte),
            chance: (!questions.is_empty()).then(|| chances / questions.len() as f64),
            macro_f1: if are_labels { macro_f1(questions) } else { None },
        }
    }

    /// Whether the 95 % interval of a rate of these questions holds chance: then the rate shows no knowledge.
    pub fn is_at_chance(&self, rate: &Rate) -> bool {
        rate.interval()
            .zip(self.chance)
            .is_some_and(|(interval, chance)| interval.low <= chance && chance <= interval.high)
    }
}

fn macro_f1(questions: &[Picked]) -> Option<f64> {
    let labels: BTreeSet<usize> = questions.iter().flat_map(|question| [question.answer, question.picks.raw]).collect();
    let f1 = |label: usize| {
        let count = |is: fn(bool, bool) -> usize| -> usize {
            questions.iter().map(|question| is(question.answer == label, question.picks.raw == label)).sum()
        };
        // True positives count twice, false positives and false negatives once.
        let both = count(|is, picked| usize::from(is) + usize::from(picked));
        2.0 * count(|is, picked| usize::from(is && picked)) as f64 / both as f64
    };
    (!labels.is_empty()).then(|| labels.iter().map(|label| f1(*label)).sum::<f64>() / labels.len() as f64)
}

/// With whether each rate is at chance.
impl Serialize for Accuracy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Written {
            accuracy: Rate,
            accuracy_per_character: Rate,
            accuracy_per_byte: Rate,
            chance: Option<f64>,
            is_at_chance: bool,
            macro_f1: Option<f64>,
        }
        Written {
            accuracy: self.raw,
            accuracy_per_character: self.per_character,
            accuracy_per_byte: self.per_byte,
            chance: self.chance,
            is_at_chance: self.is_at_chance(&self.raw),
            macro_f1: self.macro_f1,
        }
        .serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picked(answer: usize, pick: usize, choices: usize) -> Picked {
        Picked { choices, answer, picks: Picks { raw: pick, per_character: pick, per_byte: 0 } }
    }

    #[test]
    fn chance_is_the_mean_over_the_questions() {
        let accuracy = Accuracy::of(&[picked(0, 0, 4), picked(1, 0, 2)], false);
        assert_eq!((accuracy.chance, accuracy.macro_f1), (Some(0.375), None));
        assert_eq!((accuracy.raw.passed, accuracy.per_byte.passed), (1, 1));
    }

    /// `sklearn.metrics.f1_score([0, 0, 1, 2], [0, 1, 1, 1], average="macro")` 1.9 gives 0.38888888888888884.
    #[test]
    fn macro_f1_is_scikit_learns() {
        let questions = [picked(0, 0, 3), picked(0, 1, 3), picked(1, 1, 3), picked(2, 1, 3)];
        let f1 = Accuracy::of(&questions, true).macro_f1.unwrap();
        assert!((f1 - 0.388_888_888_888_888_84).abs() < 1e-12, "{f1}");
    }

    /// 25 of 100 by four choices is what guessing gets, and 40 of 100 is more; 10 of 100 is less than guessing.
    #[test]
    fn a_score_whose_interval_holds_chance_is_at_chance() {
        let of = |right: usize| {
            let questions: Vec<Picked> = (0..100).map(|at| picked(0, usize::from(at >= right), 4)).collect();
            let accuracy = Accuracy::of(&questions, true);
            accuracy.is_at_chance(&accuracy.raw)
        };
        assert!(of(25) && of(30));
        assert!(!of(40) && !of(10));
        let nothing = Accuracy::of(&[], true);
        assert!(!nothing.is_at_chance(&nothing.raw) && nothing.chance.is_none() && nothing.macro_f1.is_none());
    }
}
