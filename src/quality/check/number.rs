//! Numbers of an answer: 12,000 · 1만 2천 · 1.2만 · ₩12,000 · 12k.

use unicode_normalization::UnicodeNormalization as _;

use super::super::verdict::Verdict;

/// Passes if a number of the answer is the one that is asked for, give or take the tolerance.
pub(super) fn judge(answer: &str, is: f64, tolerance: f64) -> Verdict {
    let numbers = numbers(answer);
    // Rounding of decimals must not decide.
    let slack = tolerance + 1e-9 * is.abs().max(1.0);
    if numbers.iter().any(|(value, _)| (value - is).abs() <= slack) {
        return Verdict::Pass;
    }
    match numbers.first() {
        Some((_, place)) => Verdict::at(place, format!("no number is {is}")),
        None => Verdict::missing(format!("there is no number, asked for {is}")),
    }
}

/// Large units, which multiply all that stands before them since the last one, and small ones, which multiply a digit group.
const LARGE: [(char, f64); 3] = [('조', 1e12), ('억', 1e8), ('만', 1e4)];
const SMALL: [(char, f64); 3] = [('천', 1e3), ('백', 1e2), ('십', 1e1)];
/// English units after a number, as words or letters.
const ENGLISH: [(&str, f64); 7] =
    [("thousand", 1e3), ("million", 1e6), ("billion", 1e9), ("hundred", 1e2), ("k", 1e3), ("m", 1e6), ("bn", 1e9)];

/// The numbers of a text with their places. Numbering at the start of a line is none.
fn numbers(text: &str) -> Vec<(f64, String)> {
    let mut found = Vec::new();
    for line in text.nfkc().collect::<String>().lines() {
        let line: Vec<char> = line.trim_start().chars().collect();
        let mut at = numbering(&line);
        while at < line.len() {
            if !line[at].is_ascii_digit() {
                at += 1;
                continue;
            }
            let start = at;
            let (value, end) = number(&line, at);
            let before = start.checked_sub(1).map(|at| line[at]);
            let further = start.checked_sub(2).map(|at| line[at]);
            // A minus, not the dash of a date or of a range.
            let is_negative = matches!(before, Some('-' | '−')) && further.is_none_or(|c| !c.is_alphanumeric());
            let place: String = line[start..end].iter().collect();
            found.push((if is_negative { -value } else { value }, place));
            at = end;
        }
    }
    found
}

/// How many characters number the line: `1. `, `2) `, `(3) `.
pub(super) fn numbering(line: &[char]) -> usize {
    let open = usize::from(line.first() == Some(&'('));
    let digits = line[open..].iter().take_while(|c| c.is_ascii_digit()).count();
    let after = open + digits;
    let closes = matches!(line.get(after), Some('.' | ')')) && (open == 0 || line.get(after) == Some(&')'));
    let apart = line.get(after + 1).is_none_or(|c| c.is_whitespace());
    // `3.` alone is an answer.
    let says_more = line[after..].iter().any(|c| c.is_alphanumeric());
    if (1..=2).contains(&digits) && closes && apart && says_more { after + 1 } else { 0 }
}

/// A number that begins with a digit, with the units after it, and where it ends.
fn number(line: &[char], start: usize) -> (f64, usize) {
    let (mut total, mut section) = (0.0, 0.0);
    let mut at = start;
    let mut last_unit = f64::INFINITY;
    loop {
        let (digits, end) = digits(line, at);
        at = end;
        let unit_at = at + usize::from(line.get(at) == Some(&' ') && line.get(at + 1).is_some_and(|c| is_unit(*c)));
        let mut unit_at = unit_at;
        let mut group = digits;
        let mut has_unit = false;
        while let Some((factor, is_large)) = line.get(unit_at).and_then(|c| unit(*c)) {
            has_unit = true;
            unit_at += 1;
            if is_large {
                total += (section + group) * factor;
                (section, group) = (0.0, 0.0);
                last_unit = factor;
            } else {
                section += group * factor;
                group = 0.0;
                last_unit = last_unit.min(factor);
            }
        }
        section += group;
        if !has_unit {
            let (factor, end) = english(line, at);
            return (total + section * factor, end);
        }
        at = unit_at;
        // 1만 2천: another group of a smaller unit goes on.
        let next = at + usize::from(line.get(at) == Some(&' '));
        if !(line.get(next).is_some_and(char::is_ascii_digit) && follows(line, next, last_unit)) {
            return (total + section, at);
        }
        at = next;
    }
}

/// Digits with thousands separators and a decimal point.
fn digits(line: &[char], start: usize) -> (f64, usize) {
    let mut text = String::new();
    let mut at = start;
    let mut has_point = false;
    while let Some(character) = line.get(at) {
        let digit_next = line.get(at + 1).is_some_and(char::is_ascii_digit);
        match character {
            '0'..='9' => text.push(*character),
            ',' if digit_next && !has_point && thousands(line, at) => {}
            '.' if digit_next && !has_point => {
                has_point = true;
                text.push('.');
            }
            _ => break,
        }
        at += 1;
    }
    (text.parse().unwrap_or(f64::NAN), at)
}

/// Whether a comma separates thousands: three digits follow, and no fourth.
fn thousands(line: &[char], comma: usize) -> bool {
    line[comma + 1..].iter().take(4).take_while(|c| c.is_ascii_digit()).count() == 3
}

fn is_unit(character: char) -> bool {
    unit(character).is_some()
}

/// The factor of a Korean unit, and whether it is a large one.
fn unit(character: char) -> Option<(f64, bool)> {
    let of = |table: &[(char, f64)]| table.iter().find(|(unit, _)| *unit == character).map(|(_, factor)| *factor);
    of(&LARGE).map(|factor| (factor, true)).or_else(|| of(&SMALL).map(|factor| (factor, false)))
}

/// Whether the group that begins here belongs to the number before: smaller than the unit that ended it.
fn follows(line: &[char], start: usize, last_unit: f64) -> bool {
    let (value, end) = digits(line, start);
    let unit_at = end + usize::from(line.get(end) == Some(&' ') && line.get(end + 1).is_some_and(|c| is_unit(*c)));
    match line.get(unit_at).and_then(|c| unit(*c)) {
        Some((factor, _)) => factor < last_unit && value * factor < last_unit,
        None => value < last_unit,
    }
}

/// The factor of an English unit after a number, and where it ends.
fn english(line: &[char], at: usize) -> (f64, usize) {
    let word_at = at + usize::from(line.get(at) == Some(&' '));
    let word: String = line[word_at..].iter().take_while(|c| c.is_ascii_alphabetic()).collect();
    let close = word_at == at;
    let found = ENGLISH.iter().find(|(unit, _)| word.eq_ignore_ascii_case(unit) && (unit.len() > 2 || close));
    // `5 m` and `5m` are metres and minutes as well; a capital is a million.
    let found = found.filter(|(unit, _)| *unit != "m" || word == "M");
    found.map_or((1.0, at), |(unit, factor)| (*factor, word_at + unit.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<f64> {
        numbers(text).into_iter().map(|(value, _)| value).collect()
    }

    #[test]
    fn numbers_are_read_as_people_write_them() {
        for (text, value) in [
            ("12,000원", 12_000.0),
            ("1만 2천 원", 12_000.0),
            ("1만2천원", 12_000.0),
            ("1.2만", 12_000.0),
            ("1만 2,000원", 12_000.0),
            ("3억 5,000만 원", 350_000_000.0),
            ("5천만", 50_000_000.0),
            ("2백 5십", 250.0),
            ("₩12000", 12_000.0),
            ("１２，０００", 12_000.0),
            ("$17.50", 17.5),
            ("12k", 12_000.0),
            ("1.5 million", 1_500_000.0),
            ("-5도", -5.0),
            ("50 %", 50.0),
            ("3.", 3.0),
        ] {
            assert_eq!(of(text), [value], "{text}");
        }
    }

    #[test]
    fn numbering_dates_and_lists_are_told_apart() {
        assert_eq!(of("1. 12개\n2) 3개\n(3) 넷"), [12.0, 3.0]);
        assert_eq!(of("2024-03-15"), [2024.0, 3.0, 15.0]);
        assert_eq!(of("1,2,3"), [1.0, 2.0, 3.0]);
        assert_eq!(of("3만 5만"), [30_000.0, 50_000.0]);
        assert_eq!(of("10만 명 3곳"), [100_000.0, 3.0]);
        assert_eq!(of("없음"), Vec::<f64>::new());
    }

    #[test]
    fn the_tolerance_is_included() {
        assert_eq!(judge("3.3점", 3.2, 0.1), Verdict::Pass);
        assert!(judge("3.4점", 3.2, 0.1).is_fail());
        assert!(judge("셋", 3.0, 0.0).is_fail());
    }
}
