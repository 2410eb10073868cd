//! Escaping for GitHub's Markdown and for XML, so that no text of others ends a cell, opens a tag or leaves its block.

use std::borrow::Cow;

/// Text as it is, within a line or a cell.
pub(super) fn escaped(text: &str) -> Cow<'_, str> {
    const MARKUP: &str = "\\`*_~|[]<>&#!\r\n";
    if !text.contains(|letter| MARKUP.contains(letter)) {
        return text.into();
    }
    let mut safe = String::with_capacity(text.len() + 8);
    let mut before = None;
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            '\r' | '\n' => safe.push(' '),
            // Within a word it is no emphasis, and names are full of it: `q4_k`.
            '_' if before.is_some_and(char::is_alphanumeric)
                && letters.peek().copied().is_some_and(char::is_alphanumeric) =>
            {
                safe.push('_');
            }
            letter if MARKUP.contains(letter) => safe.extend(['\\', letter]),
            letter => safe.push(letter),
        }
        before = Some(letter);
    }
    safe.into()
}

/// The same where HTML is in force, as between a tag's ends.
pub(super) fn in_html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace(['\r', '\n'], " ")
}

/// Text of XML 1.0, between tags or in an attribute.
///
/// What is no character of it (section 2.2: most control characters) cannot be written, not even as a reference. Line ends
/// are references: a reader takes others in attributes for spaces.
pub(super) fn in_xml(text: &str) -> String {
    let mut safe = String::with_capacity(text.len() + 8);
    for letter in text.chars() {
        match letter {
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            '"' => safe.push_str("&quot;"),
            '\t' => safe.push_str("&#9;"),
            '\n' => safe.push_str("&#10;"),
            '\r' => safe.push_str("&#13;"),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => safe.push(char::REPLACEMENT_CHARACTER),
            letter => safe.push(letter),
        }
    }
    safe
}

/// A code block whose fence is longer than any run of backticks in the text, so that none can end it.
pub(super) fn fenced(text: &str) -> String {
    let mut longest = 0;
    let mut current = 0;
    for letter in text.chars() {
        current = if letter == '`' { current + 1 } else { 0 };
        longest = longest.max(current);
    }
    let fence = "`".repeat(3.max(longest + 1));
    format!("{fence}text\n{}\n{fence}", text.trim_end_matches('\n'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_cannot_end_a_cell_or_open_a_tag() {
        for (text, safe) in [
            ("a | b", "a \\| b"),
            ("`code`", "\\`code\\`"),
            ("<script>&", "&lt;script&gt;&amp;"),
            ("two\nlines", "two lines"),
            ("q4_k _soft_", "q4_k \\_soft\\_"),
            ("back\\slash", "back\\\\slash"),
            ("[link](x) ![image](y)", "\\[link\\](x) \\!\\[image\\](y)"),
            ("한국어 1.5-7b", "한국어 1.5-7b"),
        ] {
            assert_eq!(escaped(text), safe);
        }
    }

    #[test]
    fn no_answer_ends_its_own_block() {
        assert_eq!(fenced("plain"), "```text\nplain\n```");
        assert_eq!(fenced("a ```` b\n"), "`````text\na ```` b\n`````");
        assert_eq!(fenced(""), "```text\n\n```");
    }
}
