//! Scripts: which writing system a letter belongs to, by the Unicode property Script and never by a detector's guess.
//!
//! Detectors call Chinese "Korean" with certainty and differ between two calls (Mimino666/langdetect#51,
//! pemistahl/lingua-rs#17); a property of the character does neither.

use unicode_script::{Script, UnicodeScript as _};

use crate::suite::Language;

/// What a character is to a Korean and English service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Letter {
    /// Syllables and jamo, also compatibility jamo: ㅋ.
    Hangul,
    /// Also full-width: Ａ.
    Latin,
    /// Ideographs.
    Han,
    /// Hiragana and katakana; the mark ー is common to both and no letter here.
    Kana,
    /// Greek, which is used in units and formulas.
    Greek,
    /// A letter of any other script: Cyrillic, Arabic, Thai.
    Other,
}

impl Letter {
    /// `None` of what is no letter: digits, punctuation, symbols (①, ㎏, ℃), and what belongs to no script (μ as the micro
    /// sign).
    pub(crate) fn of(character: char) -> Option<Self> {
        if character.is_ascii() {
            return character.is_ascii_alphabetic().then_some(Self::Latin);
        }
        // Ideographic zero is a number, and fills blanks in Korean forms: 〇〇시.
        if character == '〇' || !character.is_alphabetic() {
            return None;
        }
        match character.script() {
            Script::Hangul => Some(Self::Hangul),
            Script::Latin => Some(Self::Latin),
            Script::Han => Some(Self::Han),
            Script::Hiragana | Script::Katakana => Some(Self::Kana),
            Script::Greek => Some(Self::Greek),
            Script::Common | Script::Inherited | Script::Unknown => None,
            _ => Some(Self::Other),
        }
    }

    /// Whether a language is written in it.
    pub(crate) fn writes(self, language: Language) -> bool {
        match language {
            Language::Ko => self == Self::Hangul,
            Language::En => self == Self::Latin,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_have_the_script_that_unicode_gives_them() {
        let of = |text: &str| text.chars().map(Letter::of).collect::<Vec<_>>();
        assert_eq!(of("가ㅋᄀ"), [Some(Letter::Hangul); 3]);
        assert_eq!(of("aÉＡ"), [Some(Letter::Latin); 3]);
        assert_eq!(of("量金々"), [Some(Letter::Han); 3]);
        assert_eq!(of("のカ"), [Some(Letter::Kana); 2]);
        assert_eq!(of("μΩ"), [Some(Letter::Greek); 2]);
        assert_eq!(of("фعก"), [Some(Letter::Other); 3]);
    }

    #[test]
    fn symbols_digits_and_marks_are_no_letters() {
        for character in "1½①㎏℃№µー・〇…“😀\u{fffd}\u{301}".chars() {
            assert_eq!(Letter::of(character), None, "{character}");
        }
    }
}
