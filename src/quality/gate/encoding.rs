//! Characters that no answer should have: the replacement character, and syllables taken apart.

use super::super::exchange::Exchange;
use super::super::verdict::Verdict;

const REPLACEMENT: char = '\u{fffd}';

/// How many of them a character that was cut in the middle leaves: byte-level tokenizers give one for each byte.
pub(super) const OF_ONE_CUT: usize = 3;

/// Fails if U+FFFD stands in the answer: some of its text was lost.
///
/// One to three at the very end of an answer that a limit cut are the cut's, and one that the prompt contains is the prompt's.
pub(super) fn replacement(exchange: &Exchange) -> Verdict {
    let text = exchange.raw.trim_end_matches(char::is_whitespace);
    let kept = text.trim_end_matches(REPLACEMENT);
    let at_end = text[kept.len()..].chars().count();
    let judged = if exchange.cut && at_end <= OF_ONE_CUT { kept } else { text };
    match judged.find(REPLACEMENT) {
        Some(at) if !exchange.prompt.contains(REPLACEMENT) => {
            let before: Vec<char> = judged[..at].chars().rev().take(12).collect();
            let place: String = before.into_iter().rev().chain(judged[at..].chars().take(12)).collect();
            Verdict::at(&place, "U+FFFD stands for text that was lost")
        }
        _ => Verdict::Pass,
    }
}

/// Fails if a Hangul syllable is written as jamo that compose into it (NFD): it looks right and is found by no search.
///
/// Archaic jamo, which compose into nothing, letters like ㅋ, and decomposed Latin letters pass.
pub(super) fn decomposed(exchange: &Exchange) -> Verdict {
    let characters: Vec<char> = exchange.raw.chars().collect();
    match characters.windows(2).position(|pair| composes(pair[0], pair[1])) {
        Some(at) => {
            let place: String = characters[at.saturating_sub(12)..(at + 24).min(characters.len())].iter().collect();
            Verdict::at(&place, "a syllable is written as separate jamo")
        }
        None => Verdict::Pass,
    }
}

/// A leading consonant and a vowel, or a syllable without a final consonant and one: Unicode 3.12.
fn composes(first: char, second: char) -> bool {
    let is_leading = ('\u{1100}'..='\u{1112}').contains(&first);
    let is_vowel = ('\u{1161}'..='\u{1175}').contains(&second);
    let is_open = ('가'..='힣').contains(&first) && (u32::from(first) - 0xac00).is_multiple_of(28);
    let is_final = ('\u{11a8}'..='\u{11c2}').contains(&second);
    is_leading && is_vowel || is_open && is_final
}
