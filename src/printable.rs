//! Text that a terminal only shows: names and answers come from others, and a terminal obeys what it is sent.

use std::borrow::Cow;

/// Text with visible escapes in place of control characters (C0 and C1 but line feed and tab) and of what turns the direction of
/// writing: `\u{1b}[31m` colours nothing.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(is_obeyed) {
        return text.into();
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        if is_obeyed(letter) {
            safe.extend(letter.escape_unicode());
        } else {
            safe.push(letter);
        }
    }
    safe.into()
}

fn is_obeyed(letter: char) -> bool {
    let turns =
        matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || (letter.is_control() && !matches!(letter, '\n' | '\t'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_shown() {
        for (text, shown) in [
            ("\u{1b}[31mred\u{7}", "\\u{1b}[31mred\\u{7}"),
            ("\u{9b}2J\r", "\\u{9b}2J\\u{d}"),
            ("a\u{202e}b", "a\\u{202e}b"),
            ("한국어\ttab\nline — ✓", "한국어\ttab\nline — ✓"),
        ] {
            assert_eq!(printable(text), shown);
        }
    }
}
