//! Register: how the sentences of a Korean answer address the reader, by their last syllables.

use super::super::parts::{Part, Parts};
use super::super::verdict::Verdict;
use super::sentence::sentences;
use crate::suite::Register;

/// Passes if all sentences with an ending that tells are of the register. Headings, items that end in a noun, quotations and code
/// tell nothing.
pub(super) fn judge(answer: &str, asked: Register) -> Verdict {
    let parts = Parts::of(answer);
    let prose: String = parts
        .characters
        .iter()
        .zip(&parts.parts)
        .map(|(character, part)| if *part == Part::Prose || *character == '\n' { *character } else { '_' })
        .collect();
    let mut told = false;
    for sentence in sentences(&prose) {
        let Some(register) = of(&sentence) else { continue };
        told = true;
        let fits = register == asked || asked == Register::Polite && register != Register::Plain;
        if !fits {
            return Verdict::at(&sentence, format!("this is {}, asked for {}", name(register), name(asked)));
        }
    }
    if told { Verdict::Pass } else { Verdict::NotApplicable }
}

fn name(register: Register) -> &'static str {
    match register {
        Register::Formal => "합쇼체",
        Register::Informal => "해요체",
        Register::Polite => "합쇼체 or 해요체",
        Register::Plain => "plain",
    }
}

/// Nouns that end as sentences do.
const NOUNS: [&str; 14] =
    ["필요", "중요", "주요", "개요", "수요", "소요", "강요", "월요", "화요", "수요일", "목요", "금요", "토요", "일요"];

/// The register that the end of a sentence tells; `None` of one that tells none.
pub(crate) fn of(sentence: &str) -> Option<Register> {
    let has_mark = sentence.trim_end_matches(['"', '”', '’', '\'', ')', '*']).ends_with(['.', '!', '?', '…', '。']);
    // What no sentence ends in: marks, emoji, ㅎㅎ and ~.
    let end = sentence.trim_end_matches(|c: char| !('가'..='힣').contains(&c));
    if sentence[end.len()..].chars().any(char::is_alphanumeric)
        && sentence[end.len()..].chars().any(|c| c.is_ascii_alphanumeric())
    {
        return None;
    }
    let ends = |endings: &[&str]| endings.iter().any(|ending| end.ends_with(ending));
    if ends(&["니다", "니까", "시오", "시다", "십쇼"]) {
        return Some(Register::Formal);
    }
    if ends(&NOUNS) {
        return None;
    }
    if ends(&["요", "죠"]) {
        return Some(Register::Informal);
    }
    // The others end nouns as well (언어, 사용자, 이미지): only a mark makes a sentence of them.
    let is_plain =
        ends(&["다"]) || has_mark && ends(&["까", "라", "자", "네", "지", "어", "아", "해", "야", "냐", "니"]);
    is_plain.then_some(Register::Plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_syllables_tell_the_register() {
        for (sentence, register) in [
            ("감사합니다.", Some(Register::Formal)),
            ("확인해 주십시오", Some(Register::Formal)),
            ("무엇입니까?", Some(Register::Formal)),
            ("좋아요 ㅎㅎ", Some(Register::Informal)),
            ("그렇죠?", Some(Register::Informal)),
            ("맛이 좋다.", Some(Register::Plain)),
            ("먹어 봐야지.", Some(Register::Plain)),
            ("프로그래밍 언어", None),
            ("장점: 배송", None),
            ("사용이 필요", None),
            ("맛이 좋음", None),
            ("version 3.11", None),
        ] {
            assert_eq!(of(sentence), register, "{sentence}");
        }
    }

    #[test]
    fn one_sentence_of_another_register_fails_and_quotations_do_not_count() {
        assert_eq!(judge("좋아요. 또 올게요.", Register::Informal), Verdict::Pass);
        assert!(judge("좋아요. 또 오겠습니다.", Register::Informal).is_fail());
        assert_eq!(judge("좋아요. 또 오겠습니다.", Register::Polite), Verdict::Pass);
        assert_eq!(judge("“싸다”라는 말이 좋아요.", Register::Informal), Verdict::Pass);
        assert_eq!(judge("- 배송\n- 맛", Register::Formal), Verdict::NotApplicable);
    }
}
