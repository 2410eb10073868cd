//! Stray letters: of a script that the language is not written in.

use super::super::exchange::Exchange;
use super::super::hanja::beside_hangul;
use super::super::script::Letter;
use super::super::verdict::Verdict;
use crate::suite::Language;

/// Fails at the first run of letters of a foreign script that the prompt does not contain: Han, kana, Cyrillic, Arabic, Thai
/// in a Korean answer, Hangul in an English one.
///
/// Latin and Greek letters are never stray, nor are Han in brackets beside the Hangul that they write:
/// 한국은행(韓國銀行), 韓國銀行(한국은행). Code and quotations are judged like the rest.
pub(super) fn judge(exchange: &Exchange) -> Verdict {
    let Some(due) = exchange.language else { return Verdict::NotApplicable };
    let characters: Vec<char> = exchange.answer.chars().collect();
    let asked = [&exchange.system, &exchange.prompt];
    let mut at = 0;
    while at < characters.len() {
        let kind = Letter::of(characters[at]);
        let end = characters[at..].iter().position(|c| Letter::of(*c) != kind).map_or(characters.len(), |n| at + n);
        if let Some(kind) = kind.filter(|kind| is_stray(*kind, due)) {
            let run: String = characters[at..end].iter().collect();
            let written = kind == Letter::Han && due == Language::Ko && beside_hangul(&characters, at, end);
            if !written && !is_face(&characters, at, end) && !asked.iter().any(|text| text.contains(&run)) {
                let around: String = characters[at.saturating_sub(6)..(end + 6).min(characters.len())].iter().collect();
                return Verdict::at(&around, format!("`{run}` is not {}", due.name()));
            }
        }
        at = end;
    }
    if characters.iter().any(|c| Letter::of(*c).is_some()) { Verdict::Pass } else { Verdict::NotApplicable }
}

fn is_stray(kind: Letter, due: Language) -> bool {
    match kind {
        Letter::Latin | Letter::Greek => false,
        Letter::Hangul => due != Language::Ko,
        Letter::Han | Letter::Kana | Letter::Other => due == Language::Ko,
    }
}

/// A single letter between symbols is drawn, not written: (´д`), ¯\_(ツ)_/¯, ಠ_ಠ.
fn is_face(characters: &[char], start: usize, end: usize) -> bool {
    let before = start.checked_sub(1).map(|at| &characters[at]);
    let after = characters.get(end);
    Letter::of(characters[start]) != Some(Letter::Han)
        && end - start == 1
        && before.is_some_and(|c| "_(´`ˋ°=^;".contains(*c))
        && after.is_some_and(|c| "_)´`ˋ°=^;ﾉノ".contains(*c) && !c.is_alphanumeric())
}
