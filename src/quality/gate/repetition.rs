//! Loops: an answer that repeats itself, and does not get out of it.

use super::super::exchange::Exchange;
use super::super::parts::{Fence, Part, Parts};
use super::super::verdict::Verdict;
use super::encoding::OF_ONE_CUT;

/// Characters of a unit that is repeated.
const UNIT: std::ops::RangeInclusive<usize> = 4..=120;
/// What its repetitions fill at least, in characters; or else half of the answer.
const FILLED: usize = 40;
/// Characters beyond a unit that are looked at: with these it fills enough whatever the answer's length.
const LOOKED_AT: usize = 1_000;
/// Marks that may close an answer after what is repeated.
const CLOSING: usize = 4;
/// What ruled lines are drawn with.
const RULES: &str = " -=_*~.#+·•─━═—–…│┃";
/// Times that a line, or a group of up to three, stands in a row.
const LINES: usize = 4;
const GROUP: std::ops::RangeInclusive<usize> = 1..=3;

/// Fails if the answer ends in a unit of 4 to 120 characters three times on end, the last one perhaps partial, which fills 40
/// characters or half of the answer; or if the same line, or group of two or three, stands four times in a row with all
/// numbers taken as equal: small models count while they repeat.
///
/// Outside are rows of tables, ruled lines, code, and what the prompt asked to be repeated.
pub(super) fn judge(exchange: &Exchange) -> Verdict {
    if exchange.answer.trim().is_empty() {
        return Verdict::NotApplicable;
    }
    if asks_to_repeat(&exchange.prompt) {
        return Verdict::NotApplicable;
    }
    let parts = exchange.parts();
    let lines = counted_lines(parts);
    if let Some(line) = repeated_lines(&lines) {
        return Verdict::at(&line, "the same line stands four times in a row");
    }
    match repeated_unit(parts) {
        Some(unit) => Verdict::at(&unit, "the answer repeats this to its end"),
        None => Verdict::Pass,
    }
}

/// Whether a prompt asks for a refrain, or for something several times: in one sentence, because a long prompt says `반복` of
/// something else.
pub(super) fn asks_to_repeat(prompt: &str) -> bool {
    let prompt = prompt.to_lowercase();
    prompt.split(['.', '!', '?', '\n']).any(|sentence| {
        let has = |words: &[&str]| words.iter().any(|word| sentence.contains(word));
        has(&["후렴", "refrain", "chorus"])
            || has(&["번 ", "번씩", "번이나"]) && has(&["반복", "되풀이", "써", "적어", "적으", "말해", "외쳐", "쓰"])
            || has(&["반복해", "되풀이해"]) && has(&["줘", "주세요", "라", "시오"])
            || has(&["repeat", "write", "say"]) && has(&["times", "over and over", "in a row"])
    })
}

/// The lines that may repeat: with letters, and neither code nor rows of a table.
fn counted_lines(parts: &Parts) -> Vec<Vec<char>> {
    let mut lines = Vec::new();
    for range in parts.lines() {
        let line: Vec<char> = parts.characters[range.clone()].iter().collect::<String>().trim().chars().collect();
        let is_code = parts.parts[range].contains(&Part::Code);
        if line.is_empty() {
            continue;
        }
        let is_row = line[0] == '|' || line.contains(&'\t') || line.iter().filter(|c| **c == '|').count() >= 2;
        let is_marks =
            || line.iter().any(|c| ",;:!?".contains(*c)) && !line.iter().any(|c| "{}[]()<>\"'`\\/|".contains(*c));
        let says = line.iter().any(|c| c.is_alphabetic()) || is_marks();
        let text: String = line.iter().collect();
        // What may not repeat stands between lines that may: they are no longer in a row.
        lines.push(if is_code || is_row || !says || Fence::open(&text).is_some() { Vec::new() } else { line });
    }
    lines
}

/// The first line of a group that stands four times in a row.
fn repeated_lines(lines: &[Vec<char>]) -> Option<String> {
    let shapes: Vec<Shape> = lines.iter().map(|line| Shape::of(line)).collect();
    for group in GROUP {
        let mut same = 0;
        for at in group..shapes.len() {
            let is_same = !lines[at].is_empty() && shapes[at].text == shapes[at - group].text;
            same = if is_same { same + 1 } else { 0 };
            if same >= group * (LINES - 1) {
                let first = at + 1 - group * LINES;
                if counts(&shapes[first..=at], group) {
                    return Some(lines[first].iter().collect());
                }
            }
        }
    }
    None
}

/// A line with its numbers apart.
struct Shape {
    /// The line with `#` for each number.
    text: String,
    numbers: Vec<String>,
    letters: usize,
}

impl Shape {
    fn of(line: &[char]) -> Self {
        let mut shape = Self { text: String::new(), numbers: Vec::new(), letters: 0 };
        let mut number = String::new();
        for (at, character) in line.iter().enumerate() {
            let inner = matches!(character, ',' | '.')
                && !number.is_empty()
                && line.get(at + 1).is_some_and(char::is_ascii_digit);
            if character.is_numeric() || inner {
                if number.is_empty() {
                    shape.text.push('#');
                }
                number.push(*character);
                continue;
            }
            if !number.is_empty() {
                shape.numbers.push(std::mem::take(&mut number));
            }
            shape.letters += usize::from(character.is_alphabetic());
            shape.text.push(*character);
        }
        if !number.is_empty() {
            shape.numbers.push(number);
        }
        shape
    }
}

/// Letters of a line from which only its numbers make no table of it.
const SENTENCE: usize = 20;

/// Whether lines that differ in their numbers count, rather than list figures: each number stays or goes up by one, or the
/// lines are sentences.
fn counts(shapes: &[Shape], group: usize) -> bool {
    (group..shapes.len()).all(|at| {
        let (before, now) = (&shapes[at - group], &shapes[at]);
        now.letters >= SENTENCE
            || before.numbers.iter().zip(&now.numbers).all(|(before, now)| {
                let value = |text: &str| text.parse::<f64>().ok();
                before == now || matches!((value(before), value(now)), (Some(before), Some(now)) if now - before == 1.0)
                    || matches!((before.chars().next(), now.chars().next()), (Some(a), Some(b)) if u32::from(b) == u32::from(a) + 1 && !a.is_ascii())
            })
    })
}

/// The unit that the answer repeats to its end.
fn repeated_unit(parts: &Parts) -> Option<String> {
    let text = closed_up(parts);
    let periods = periods_of_the_end(&text);
    for (period, filled) in periods {
        let unit = &text[text.len() - period..];
        let says = unit.iter().any(|c| c.is_alphabetic());
        let draws = unit.iter().all(|c| RULES.contains(*c));
        let threefold = 2 * filled >= 5 * period;
        let enough = filled >= FILLED || says && 2 * filled >= text.len() && smallest_period(unit) >= *UNIT.start();
        if threefold && enough && !draws {
            return Some(text[text.len() - filled..].iter().take(period).collect());
        }
    }
    None
}

/// The text that may repeat, white space closed up, without what is code and without the marks at its end.
fn closed_up(parts: &Parts) -> Vec<char> {
    let mut text: Vec<char> = Vec::new();
    for range in parts.lines() {
        let line = &parts.characters[range.clone()];
        let is_row =
            line.iter().find(|c| !c.is_whitespace()) == Some(&'|') || line.iter().filter(|c| **c == '|').count() >= 3;
        if is_row {
            text.push('\n');
            continue;
        }
        for (character, part) in line.iter().zip(&parts.parts[range]) {
            let character = if *part == Part::Code { '\n' } else { *character };
            let is_space = character.is_whitespace();
            if !(is_space && text.last().is_some_and(|last| last.is_whitespace())) {
                text.push(if character == '\n' {
                    '\n'
                } else if is_space {
                    ' '
                } else {
                    character
                });
            }
        }
        if !text.last().is_some_and(|last| last.is_whitespace()) {
            text.push(' ');
        }
    }
    // A character that the limit cut, and then what closes the answer, is not repeated: a full stop, a quotation mark, a fence.
    let mut cut = 0;
    while text.last().is_some_and(|c| c.is_whitespace() || *c == '\u{fffd}' && cut < OF_ONE_CUT) {
        cut += usize::from(text.pop() == Some('\u{fffd}'));
    }
    for _ in 0..CLOSING {
        if text.last().is_some_and(|c| !c.is_alphanumeric() && (c.is_ascii() || "…”’」』".contains(*c))) {
            text.pop();
        }
    }
    text
}

/// Each period of 4 to 120 characters that the end of a text has, with the length of the end that has it.
fn periods_of_the_end(text: &[char]) -> impl Iterator<Item = (usize, usize)> + '_ {
    UNIT.filter(|period| *period < text.len()).map(|period| {
        let same = text.iter().rev().zip(text[..text.len() - period].iter().rev());
        (period, period + same.take(LOOKED_AT).take_while(|(a, b)| a == b && **a != '\n').count())
    })
}

/// The smallest period of a unit.
fn smallest_period(unit: &[char]) -> usize {
    (1..unit.len()).find(|period| unit.iter().zip(&unit[*period..]).all(|(a, b)| a == b)).unwrap_or(unit.len())
}
