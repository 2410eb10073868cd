//! Checks: whether an answer is what its prompt asked for. Each is a pure function of the answer; nothing is executed.

mod code;
mod counted;
mod folded;
mod json;
mod label;
mod list;
mod number;
mod register;
mod sentence;
mod words;

use unicode_segmentation::UnicodeSegmentation as _;

use super::exchange::Exchange;
use super::gate::Gate;
use super::verdict::Verdict;
use crate::suite::{Bounds, Check};

use counted::count;
pub(super) use register::of as register_of;
pub use sentence::first_sentence;
pub(super) use sentence::sentences;

/// What a check says of an answer.
pub(super) fn judge(check: &Check, exchange: &Exchange) -> Verdict {
    let answer = exchange.answer.trim();
    match check {
        Check::Contains(texts) => words::contains(answer, texts),
        Check::Excludes(texts) => words::excludes(answer, texts),
        Check::Starts(texts) => words::starts(answer, texts),
        Check::Ends(texts) => words::ends(answer, texts),
        Check::Matches(pattern) => {
            if pattern.regex().is_match(answer) {
                Verdict::Pass
            } else {
                Verdict::missing(format!("nothing matches `{}`", pattern.regex()))
            }
        }
        Check::Label { labels, is } => label::judge(answer, labels, is),
        Check::Number { is, tolerance } => number::judge(answer, *is, *tolerance),
        Check::Json(schema) => json::judge(answer, schema),
        Check::List(bounds) => list::judge(answer, *bounds),
        Check::Sentences(bounds) => sentence::judge(answer, *bounds),
        Check::Characters { bounds, spaces } => characters(answer, *bounds, *spaces),
        Check::Python(names) => code::judge(answer, names),
        Check::Register(register) => register::judge(answer, *register),
        Check::Language(language) => Gate::Language.judge(&exchange.clone().due_in(*language)),
        Check::NotEcho => Gate::Echo.judge(&exchange.clone().copies_prompt(false)),
        Check::Complete => {
            if exchange.cut {
                Verdict::missing("the answer was cut by a limit")
            } else {
                Verdict::Pass
            }
        }
    }
}

fn characters(answer: &str, bounds: Bounds, spaces: bool) -> Verdict {
    let number = clusters(answer, spaces);
    count(number, if spaces { "characters with spaces" } else { "characters without spaces" }, bounds)
}

/// Counts what a reader counts: grapheme clusters of NFC.
pub(super) fn clusters(answer: &str, spaces: bool) -> usize {
    let counted = |cluster: &&str| spaces || !cluster.chars().all(char::is_whitespace);
    answer.graphemes(true).filter(counted).count()
}
