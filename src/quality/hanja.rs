//! Hanja: Han that stand beside the Hangul that they write, as Korean texts have them.

use super::script::Letter;

/// Brackets in which a word's Han stand beside its Hangul.
const BRACKETS: [(char, char); 5] = [('(', ')'), ('（', '）'), ('[', ']'), ('〔', '〕'), ('【', '】')];

/// Characters of a bracket that are looked at.
const LONGEST: usize = 200;

/// Whether the Han in `characters[start..end]` stand in a closed bracket right after Hangul, 한국은행(韓國銀行), or right before a
/// closed bracket with as many syllables, 韓國銀行(한국은행).
pub(super) fn beside_hangul(characters: &[char], start: usize, end: usize) -> bool {
    let is_hangul = |c: &char| Letter::of(*c) == Some(Letter::Hangul);
    let opened = BRACKETS.iter().find_map(|(open, close)| {
        // The bracket around the run, with nothing but what belongs to a reading in between.
        let inside = characters[..start].iter().rev().take(LONGEST).take_while(|c| !is_bracket(**c)).count();
        let at = start.checked_sub(inside + 1)?;
        let closed = characters[end..].iter().take(LONGEST).find(|c| is_bracket(**c)) == Some(close);
        (characters[at] == *open && closed).then_some(at)
    });
    let after_hangul = opened.is_some_and(|at| {
        // A closing quotation mark may stand in between: ‘한국은행’(韓國銀行).
        let before = characters[..at]
            .iter()
            .rev()
            .take(LONGEST)
            .find(|c| !matches!(c, ' ' | '’' | '”' | '\'' | '"' | '*' | '」'));
        before.is_some_and(is_hangul)
    });
    let before_hangul = BRACKETS.iter().any(|(open, close)| {
        let rest = &characters[end..];
        rest.first() == Some(open)
            && rest
                .iter()
                .take(LONGEST)
                .position(|c| c == close)
                .is_some_and(|close| rest[1..close].iter().take_while(|c| is_hangul(c)).count() == end - start)
    });
    after_hangul || before_hangul
}

fn is_bracket(character: char) -> bool {
    BRACKETS.iter().any(|(open, close)| character == *open || character == *close)
}
