//! The items of a list.

use super::super::parts::Fence;
use super::super::verdict::Verdict;
use super::number::numbering;
use crate::suite::Bounds;

/// Passes if the answer has so many items: of its marked lines those at the margin, or every line where none is marked. A line
/// that ends in a colon introduces a list.
pub(super) fn judge(answer: &str, bounds: Bounds) -> Verdict {
    super::counted::count(items(answer), "items", bounds)
}

fn items(answer: &str) -> usize {
    let mut marked: Vec<usize> = Vec::new();
    let mut unmarked = 0;
    for line in answer.lines() {
        let text = line.trim_start();
        let indent = line.chars().count() - text.chars().count();
        if text.trim().is_empty() || Fence::open(text).is_some() {
            continue;
        }
        if is_marked(text) {
            marked.push(indent);
        } else if !text.trim_end().ends_with([':', '：']) {
            unmarked += 1;
        }
    }
    // What is further in belongs to the item above it.
    let margin = marked.iter().min().copied();
    margin.map_or(unmarked, |margin| marked.iter().filter(|indent| **indent <= margin + 1).count())
}

/// Whether a line begins as an item does: `-`, `*`, `•`, `1.`, `2)`, `①`, `가.`, also in bold.
pub(super) fn is_marked(line: &str) -> bool {
    mark(line) > 0
}

/// How many characters mark a line as an item.
pub(super) fn mark(line: &str) -> usize {
    let characters: Vec<char> = line.chars().collect();
    let bold = characters.iter().take_while(|c| **c == '*').count();
    let bold = if bold >= 2 { bold } else { 0 };
    let rest = &characters[bold..];
    let space = |at: usize| rest.get(at).is_some_and(|c| c.is_whitespace());
    let length = match rest.first() {
        Some('-' | '*' | '•' | '·' | '+' | '–' | '▪' | '◦' | '‣' | '■' | '●' | '○' | '✓' | '✔') if space(1) => {
            1
        }
        Some('•' | '‣' | '▪') => 1,
        Some('①'..='⑳' | '❶'..='❿' | '➀'..='➓') => 1,
        Some('가' | '나' | '다' | '라' | '마' | '바' | '사' | '아')
            if matches!(rest.get(1), Some('.' | ')')) && space(2) =>
        {
            2
        }
        Some('a'..='z' | 'A'..='Z') if matches!(rest.get(1), Some('.' | ')')) && space(2) => 2,
        Some(c) if c.is_ascii_digit() || *c == '(' => match numbering(rest) {
            // `1.제목`, without a space.
            0 => {
                let digits = rest.iter().take_while(|c| c.is_ascii_digit()).count();
                let closes = matches!(rest.get(digits), Some('.' | ')'));
                let is_text = rest.get(digits + 1).is_some_and(|c| c.is_alphabetic() || "\"“'‘*".contains(*c));
                if (1..=2).contains(&digits) && closes && is_text { digits + 1 } else { 0 }
            }
            length => length,
        },
        _ => 0,
    };
    if length == 0 { 0 } else { bold + length }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marked_lines_are_items_and_what_is_further_in_is_not() {
        assert_eq!(items("다음과 같습니다:\n1. 맛\n2. 값\n   - 싸다\n3. 배송\n\n감사합니다."), 3);
        assert_eq!(items("- a\n- b"), 2);
        assert_eq!(items("**1. 제목**\n내용\n**2. 제목**\n내용"), 2);
        assert_eq!(items("① 하나\n② 둘"), 2);
        assert_eq!(items("가. 하나\n나. 둘\n다. 셋"), 3);
        assert_eq!(items("1.제목\n2.제목"), 2);
    }

    #[test]
    fn without_marks_every_line_is_an_item() {
        assert_eq!(items("맛\n값\n\n배송"), 3);
        assert_eq!(items("세 가지는 다음과 같습니다:\n맛\n값\n배송"), 3);
        assert_eq!(items(""), 0);
        assert_eq!(items("3.5점입니다"), 1);
    }
}
