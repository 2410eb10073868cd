//! The language that a text is written in, by its script alone.

use super::parts::{Part, Parts};
use super::script::Letter;
use crate::suite::Language;

/// Whether at least half of a text's letters are of a language's script; code, keys and addresses have no letters, and Greek is that of
/// formulas. `None` of a text without letters: nothing shows its language.
///
/// Milder than the gate of the language ([`super::Gate::Language`]), which also judges quotations, names and switches: this says whose
/// reading speed a rate of characters is.
pub fn is_written_in(text: &str, language: Language) -> Option<bool> {
    let Parts { characters, parts } = Parts::of(text);
    let is_text = |part: Part| matches!(part, Part::Prose | Part::Quotation);
    let letters = characters.into_iter().zip(parts).filter(|(_, part)| is_text(*part));
    let letters = letters.filter_map(|(character, _)| Letter::of(character)).filter(|letter| *letter != Letter::Greek);
    let (ours, all) =
        letters.fold((0, 0), |(ours, all), letter| (ours + usize::from(letter.writes(language)), all + 1));
    (all > 0).then_some(2 * ours >= all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_letters_decide() {
        let korean = |text| is_written_in(text, Language::Ko);
        assert_eq!(korean("서울은 대한민국의 수도입니다."), Some(true));
        assert_eq!(korean("Seoul is the capital of Korea."), Some(false));
        assert_eq!((korean("가나 ab"), korean("가 ab")), (Some(true), Some(false)));
        assert_eq!((korean(""), korean("42 %, 3.14"), korean("αβγ")), (None, None, None));
        assert_eq!(is_written_in("Seoul is the capital.", Language::En), Some(true));
    }

    #[test]
    fn code_is_no_english() {
        let answer = "함수는 다음과 같습니다.\n\n```python\ndef is_leap_year(year):\n    return year % 4 == 0\n```";
        assert_eq!(is_written_in(answer, Language::Ko), Some(true));
        assert_eq!(is_written_in("```\nprint(1)\n```", Language::Ko), None);
    }
}
