//! Reviews: which pairs of answers a person is shown, and what came of it.

use std::collections::BTreeMap;

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use serde::Serialize;

use super::quality::{JudgedAnswer, PromptKey, judged};
use super::rate::Rate;
use crate::record::{Choice, Review, Run};
use crate::suite::Language;

/// Two rows' answers to one prompt.
#[derive(Debug, Clone)]
pub struct Pair<'a> {
    /// The answer that is shown on the left.
    pub left: JudgedAnswer<'a>,
    /// The answer that is shown on the right.
    pub right: JudgedAnswer<'a>,
}

/// A review with the answers that it is of.
#[derive(Debug, Clone, Copy)]
pub struct Reviewed<'a, 'p> {
    /// What a person said.
    pub review: &'a Review,
    /// What it was said of.
    pub pair: &'a Pair<'p>,
}

/// How often one row's answers were preferred to another's, in one language.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Preference {
    /// The row that the count is of, by [`crate::catalog::Candidate::row`].
    pub row: String,
    /// The row that it was held against.
    pub against: String,
    /// That the prompts are asked in.
    pub language: Option<Language>,
    /// Of the pairs in which one was preferred.
    pub preferred: Rate,
    /// Pairs that were called equal.
    pub ties: usize,
    /// Pairs of which nothing was said.
    pub skipped: usize,
}

/// Every pair of different answers of the rows that `takes` names, in an order and with sides that are drawn by the run's id: a
/// person cannot guess them, and a later session has the same. What is the same in both says nothing, and is left out.
pub fn pairs<'a>(run: &'a Run, takes: impl Fn(&str) -> bool) -> Vec<Pair<'a>> {
    let rows = run.rows.iter().filter(|row| takes(&row.candidate.row()));
    let answers: Vec<Vec<JudgedAnswer>> = rows.map(|row| judged(run, row)).collect();
    let mut pairs = Vec::new();
    for (index, ours) in answers.iter().enumerate() {
        for theirs in &answers[index + 1..] {
            let theirs: BTreeMap<PromptKey, &JudgedAnswer> =
                theirs.iter().map(|answer| (answer.prompt(), answer)).collect();
            let both = ours.iter().filter_map(|answer| Some((answer, *theirs.get(&answer.prompt())?)));
            let differ = both.filter(|(one, other)| text(one) != text(other));
            pairs.extend(differ.map(|(one, other)| Pair { left: one.clone(), right: other.clone() }));
        }
    }
    let mut random = StdRng::seed_from_u64(seed(&run.id));
    pairs.shuffle(&mut random);
    for pair in &mut pairs {
        if rand::Rng::random_bool(&mut random, 0.5) {
            std::mem::swap(&mut pair.left, &mut pair.right);
        }
    }
    pairs
}

/// FNV-1a, of which nothing but evenness is asked.
fn seed(id: &str) -> u64 {
    id.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

fn text<'a>(answer: &'a JudgedAnswer) -> &'a str {
    answer.trial.text.as_deref().unwrap_or_default()
}

impl Pair<'_> {
    /// Whether a review is of these answers, whichever side was whose.
    pub fn is_of(&self, review: &Review) -> bool {
        let (suite, prompt, language) = self.left.prompt();
        let rows = [&self.left.trial.key.row, &self.right.trial.key.row];
        (&review.suite, &review.prompt, review.language) == (&suite, &prompt, language)
            && (rows == [&review.left, &review.right] || rows == [&review.right, &review.left])
    }

    /// What a person said of them.
    pub fn review(&self, choice: Choice, at: jiff::Timestamp) -> Review {
        let (suite, prompt, language) = self.left.prompt();
        let [left, right] = [&self.left, &self.right].map(|answer| answer.trial.key.row.clone());
        Review { suite, language, prompt, left, right, choice, at }
    }

    /// The row whose answer passes all that can be checked while the other's does not.
    fn passes_alone(&self) -> Option<&str> {
        let row = |answer: &'_ JudgedAnswer| answer.judgement.passes();
        match (row(&self.left), row(&self.right)) {
            (true, false) => Some(&self.left.trial.key.row),
            (false, true) => Some(&self.right.trial.key.row),
            _ => None,
        }
    }
}

/// What was preferred, for each two rows and each language, in the order of their names.
pub fn preferences(reviews: &[Review]) -> Vec<Preference> {
    let mut found: BTreeMap<(&str, &str, Option<Language>), Preference> = BTreeMap::new();
    for review in reviews {
        let (row, against) = if review.left <= review.right {
            (review.left.as_str(), review.right.as_str())
        } else {
            (review.right.as_str(), review.left.as_str())
        };
        let of = found.entry((row, against, review.language)).or_insert_with(|| Preference {
            row: row.to_owned(),
            against: against.to_owned(),
            language: review.language,
            preferred: Rate::default(),
            ties: 0,
            skipped: 0,
        });
        match (review.decided(), review.choice) {
            (Some((better, _)), _) => of.preferred = of.preferred.plus(Rate::of([better == row])),
            (None, Choice::Skip) => of.skipped += 1,
            (None, _) => of.ties += 1,
        }
    }
    found.into_values().collect()
}

/// How often the person preferred the answer that passes, of pairs of which just one does.
pub fn agreement<'a, 'p: 'a>(reviewed: impl IntoIterator<Item = Reviewed<'a, 'p>>) -> Rate {
    let told = reviewed.into_iter().filter_map(|Reviewed { review, pair }| {
        let (better, _) = review.decided()?;
        Some(better == pair.passes_alone()?)
    });
    Rate::of(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn review(left: &str, right: &str, language: Language, choice: Choice) -> Review {
        let at = "2026-11-20T05:17:33Z".parse().expect("a timestamp");
        let [left, right] = [left, right].map(str::to_owned);
        Review { suite: "s".into(), language: Some(language), prompt: "p".into(), left, right, choice, at }
    }

    #[test]
    fn preferences_are_by_row_and_not_by_side_and_each_language_apart() {
        use Choice::{Left, Right, Skip, Tie};
        use Language::{En, Ko};
        let reviews = [
            review("a", "b", Ko, Left),
            review("b", "a", Ko, Right),
            review("b", "a", Ko, Left),
            review("a", "b", Ko, Tie),
            review("a", "b", Ko, Skip),
            review("b", "a", En, Left),
        ];
        let told: Vec<(Option<Language>, Rate, usize, usize)> = preferences(&reviews)
            .into_iter()
            .map(|one| {
                assert_eq!((one.row.as_str(), one.against.as_str()), ("a", "b"));
                (one.language, one.preferred, one.ties, one.skipped)
            })
            .collect();
        let rate = |passed, of| Rate { passed, of };
        let mut expected = vec![(Some(Ko), rate(2, 3), 1, 1), (Some(En), rate(0, 1), 0, 0)];
        expected.sort_by_key(|one| one.0);
        assert_eq!(told, expected);
    }
}
