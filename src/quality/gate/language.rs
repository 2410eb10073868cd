//! The language of an answer: the script of at least half of its letters, and no switch to another in the middle.

use std::collections::HashSet;
use std::ops::Range;

use super::super::exchange::Exchange;
use super::super::hanja::beside_hangul;
use super::super::parts::{Part, Parts};
use super::super::script::Letter;
use super::super::verdict::Verdict;
use crate::suite::Language;

/// Foreign words on end that are a switch, where several of them begin in lower case.
const SWITCH_WORDS: usize = 7;
/// Words of them that are no name and no title: in lower case, and more than what titles write small.
const SEVERAL: usize = 3;
/// Words of a stretch that are looked at together.
const LOOKED_AT: usize = 40;
/// Han or kana letters on end that are a switch.
const SWITCH_IDEOGRAPHS: usize = 7;

/// Words that titles write small.
const SMALL_IN_TITLES: [&str; 20] = [
    "a", "an", "and", "as", "at", "but", "by", "for", "from", "in", "into", "nor", "of", "on", "or", "the", "to", "vs",
    "via", "with",
];

/// Fails if fewer than half of the letters are of the script that is due, or if the answer switches to another one.
///
/// Outside are code, keys, addresses, quotations, names, and foreign words that the prompt contains. Where nothing but a quotation
/// is there, it is the answer. An answer without letters has no language.
pub(super) fn judge(exchange: &Exchange) -> Verdict {
    let Some(due) = exchange.language else { return Verdict::NotApplicable };
    if exchange.answer.trim().is_empty() {
        return Verdict::missing("the answer is empty");
    }
    let parts = exchange.parts();
    let known = Known::of(exchange);
    let words = |quoted: bool| -> Vec<Word> {
        let counts = |part: Part| part == Part::Prose || quoted && part == Part::Quotation;
        let is_foreign = |word: &Word| !known.contains(word) && !is_gloss(parts, word);
        words(parts, due, counts).into_iter().filter(|word| word.is_due || is_foreign(word)).collect()
    };
    let mut counted = words(false);
    if counted.is_empty() {
        counted = words(true);
    }
    let names = names(parts, &counted);
    let (mut ours, mut foreign) = (0, 0);
    for (word, is_name) in counted.iter().zip(names) {
        *(if word.is_due { &mut ours } else { &mut foreign }) += if is_name { 0 } else { word.letters };
    }
    if ours + foreign == 0 {
        return Verdict::NotApplicable;
    }
    let name = due.name();
    if ours < foreign {
        let place = counted.iter().find(|word| !word.is_due).map(|word| rest_of_line(parts, word.range.start));
        let percent = 100 * ours / (ours + foreign);
        return Verdict::at(&place.unwrap_or_default(), format!("{percent} % of the letters are {name}"));
    }
    match switch(parts, &counted) {
        Some(range) => {
            let place: String = parts.characters[range].iter().collect();
            Verdict::at(&place, format!("the answer leaves {name} here"))
        }
        None => Verdict::Pass,
    }
}

/// A stretch of letters of one kind: those of the language that is due, or others.
struct Word {
    text: String,
    /// In characters of the answer.
    range: Range<usize>,
    letters: usize,
    is_due: bool,
    kind: Letter,
}

/// The words of the parts that count. What is written like an identifier is none.
fn words(parts: &Parts, due: Language, counts: impl Fn(Part) -> bool) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    for (at, (character, part)) in parts.characters.iter().zip(&parts.parts).enumerate() {
        let Some(kind) = Letter::of(*character).filter(|kind| *kind != Letter::Greek && counts(*part)) else {
            continue;
        };
        match words.last_mut().filter(|word| word.range.end == at && word.kind == kind) {
            Some(word) => {
                word.text.push(*character);
                word.range.end += 1;
                word.letters += 1;
            }
            None => words.push(Word {
                text: character.to_string(),
                range: at..at + 1,
                letters: 1,
                is_due: kind.writes(due),
                kind,
            }),
        }
    }
    words.retain(|word| word.is_due || !is_identifier(parts, word));
    words
}

/// Words of a gloss, and characters before and after one of them.
const GLOSS: usize = 8;
const GLOSS_LENGTH: usize = 120;

/// Whether a word stands in brackets beside the Korean that it translates or writes: 샤딩(database sharding), 은행(銀行).
fn is_gloss(parts: &Parts, word: &Word) -> bool {
    let characters = &parts.characters;
    if word.kind == Letter::Han {
        return beside_hangul(characters, word.range.start, word.range.end);
    }
    let is_bracket = |c: &char| matches!(c, '(' | ')' | '\n');
    let from = word.range.start.saturating_sub(GLOSS_LENGTH);
    let to = (word.range.end + GLOSS_LENGTH).min(characters.len());
    let open = characters[from..word.range.start].iter().rposition(is_bracket).map(|at| from + at);
    let close = characters[word.range.end..to].iter().position(is_bracket).map(|at| word.range.end + at);
    let (Some(open), Some(close)) = (open, close) else { return false };
    let before = characters[..open]
        .iter()
        .rev()
        .take(GLOSS_LENGTH)
        .find(|c| !matches!(c, ' ' | '"' | '”' | '’' | '\'' | '*' | '`'));
    characters[open] == '('
        && characters[close] == ')'
        && before.is_some_and(|c| Letter::of(*c) == Some(Letter::Hangul))
        && super::super::parts::words(&characters[open + 1..close]).len() <= GLOSS
}

/// Which words are names: foreign words that begin with a capital, and small ones of titles after them, in a line that has
/// words of the language that is due. In a line of their own they are what is said.
fn names(parts: &Parts, words: &[Word]) -> Vec<bool> {
    let mut names = vec![false; words.len()];
    let mut first = 0;
    while first < words.len() {
        let in_line = |at: usize| !breaks(parts, words[at - 1].range.end..words[at].range.start);
        let end = (first + 1..words.len()).find(|at| !in_line(*at)).unwrap_or(words.len());
        if words[first..end].iter().any(|word| word.is_due) {
            for at in first..end {
                let word = &words[at];
                let is_small = at > first && names[at - 1] && SMALL_IN_TITLES.contains(&word.text.as_str());
                names[at] = word.kind == Letter::Latin
                    && !word.is_due
                    && (is_small || word.text.chars().next().is_some_and(char::is_uppercase));
            }
        }
        first = end;
    }
    names
}

/// Written as only code and names are: `max_size`, `get()`, `utf8`, `README.md`, `API`.
fn is_identifier(parts: &Parts, word: &Word) -> bool {
    if word.kind != Letter::Latin {
        return false;
    }
    let neighbour = |at: Option<usize>| at.and_then(|at| parts.characters.get(at)).copied();
    let before = neighbour(word.range.start.checked_sub(1));
    let after = neighbour(Some(word.range.end));
    let next = neighbour(Some(word.range.end + 1));
    let joined = |c: Option<char>| c.is_some_and(|c| c == '_' || c.is_ascii_digit());
    let dotted = after == Some('.') && next.is_some_and(|c| c.is_ascii_lowercase());
    let called = after == Some('(')
        && (next == Some(')')
            || next.is_some_and(|c| c.is_ascii_alphanumeric()) && word.text.chars().any(|c| c.is_ascii_uppercase()));
    let is_acronym = word.letters <= 6 && word.letters > 1 && word.text.chars().all(char::is_uppercase);
    let humps = word.text.chars().skip(1).any(char::is_uppercase) && word.text.chars().any(char::is_lowercase);
    joined(before)
        || joined(after)
        || matches!(before, Some('.' | '/' | '@' | '#' | '$')) && !after_sentence(parts, word)
        || dotted
        || called
        || is_acronym
        || humps
}

/// Whether the full stop before a word ends a sentence, where a space was forgotten: `좋다.The`.
fn after_sentence(parts: &Parts, word: &Word) -> bool {
    let before = |back: usize| word.range.start.checked_sub(back).map(|at| parts.characters[at]);
    before(1) == Some('.') && before(2).and_then(Letter::of) != Some(Letter::Latin)
}

/// The words that the prompt contains.
struct Known {
    words: HashSet<String>,
    text: String,
}

impl Known {
    fn of(exchange: &Exchange) -> Self {
        let text = format!("{}\n{}", exchange.system, exchange.prompt).to_lowercase();
        let words = text.split(|c: char| Letter::of(c) != Some(Letter::Latin)).map(str::to_owned).collect();
        Self { words, text }
    }

    /// Whole words of Latin letters; of other scripts, which hang particles on them, any stretch.
    fn contains(&self, word: &Word) -> bool {
        let text = word.text.to_lowercase();
        if word.kind == Letter::Latin { self.words.contains(&text) } else { self.text.contains(&text) }
    }
}

/// The first stretch of foreign words in a line that is a switch: prose, and no row of names.
fn switch(parts: &Parts, words: &[Word]) -> Option<Range<usize>> {
    let mut stretch: Vec<&Word> = Vec::new();
    for word in words {
        let joined = stretch.last().is_some_and(|last| !breaks(parts, last.range.end..word.range.start));
        if word.is_due || !joined {
            stretch.clear();
        }
        if !word.is_due {
            stretch.push(word);
        }
        // Of a row of names without end the last are looked at.
        if stretch.len() > LOOKED_AT {
            stretch.remove(0);
        }
        if let Some(first) = stretch.first().filter(|_| is_switch(parts, &stretch)) {
            return Some(first.range.start..word.range.end);
        }
    }
    None
}

/// What ends a stretch: another line.
fn breaks(parts: &Parts, between: Range<usize>) -> bool {
    parts.characters[between].contains(&'\n')
}

fn is_switch(parts: &Parts, stretch: &[&Word]) -> bool {
    let ideographs: usize =
        stretch.iter().filter(|word| matches!(word.kind, Letter::Han | Letter::Kana)).map(|word| word.letters).sum();
    if ideographs >= SWITCH_IDEOGRAPHS {
        return true;
    }
    let small = |word: &&&Word| {
        let begins_small = word.text.chars().next().is_some_and(|c| !c.is_uppercase());
        begins_small && !SMALL_IN_TITLES.contains(&word.text.as_str())
    };
    let separators = stretch
        .windows(2)
        .filter(|pair| parts.characters[pair[0].range.end..pair[1].range.start].iter().any(|c| ",/·|;、".contains(*c)))
        .count();
    // A row of names has a comma after each.
    stretch.len() >= SWITCH_WORDS && stretch.iter().filter(small).count() >= SEVERAL && separators * 2 < stretch.len()
}

fn rest_of_line(parts: &Parts, from: usize) -> String {
    parts.characters[from..].iter().take_while(|c| **c != '\n').collect()
}
