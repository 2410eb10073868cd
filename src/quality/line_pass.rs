//! Line pass: whether every line of an answer is in the language that is due, so that a published figure has something to stand
//! next to.

use super::script::Letter;
use crate::suite::Language;

/// Words from which on a line is looked at.
const WORDS: usize = 5;

/// Whether all lines of five words or more are in a language; `None` of an answer without such a line, which does not count.
///
/// As the Language Confusion Benchmark defines it (Marchisio et al. 2024, <https://arxiv.org/abs/2406.20052>, `compute_metrics.py`):
/// ASCII punctuation is taken out, a dash becomes a space, and what follows a line that begins with `Q:` is left out. In place of
/// its detector stands the script of at least half of a line's letters. The benchmark's word pass rate looks for English words only,
/// and misses Han; it is left out.
pub fn lines_pass(answer: &str, language: Language) -> Option<bool> {
    let answer = answer.split("\nQ:").next().unwrap_or_default().trim();
    let mut long = answer.split('\n').map(plain).filter(|line| line.split_whitespace().count() >= WORDS).peekable();
    long.peek()?;
    Some(long.all(|line| is_in(&line, language)))
}

fn plain(line: &str) -> String {
    let kept = line.chars().filter(|letter| !letter.is_ascii_punctuation());
    kept.map(|letter| if letter == '—' { ' ' } else { letter }).collect()
}

/// Whether at least half of a line's letters are of a language's script. A line without letters is in no language.
fn is_in(line: &str, language: Language) -> bool {
    let letters = || line.chars().filter_map(Letter::of).filter(|letter| *letter != Letter::Greek);
    let (ours, all) = (letters().filter(|letter| letter.writes(language)).count(), letters().count());
    all > 0 && 2 * ours >= all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_long_line_in_another_language_fails() {
        let passes = |answer: &str| lines_pass(answer, Language::Ko);
        assert_eq!(passes("오늘 저녁에는 비가 조금 옵니다.\nOK"), Some(true));
        assert_eq!(passes("오늘 저녁에는 비가 조금 옵니다.\nIt will rain a little tonight."), Some(false));
        assert_eq!(passes("네, 맞아요."), None, "four words or fewer are not looked at");
        assert_eq!(passes("- - - - -"), None, "punctuation is no word");
        assert_eq!(passes("오늘 저녁에는 비가 조금 옵니다.\nQ: what will the weather be like"), Some(true));
        assert_eq!(lines_pass("It will rain a little tonight.", Language::En), Some(true));
        // The benchmark misses this as well.
        assert_eq!(passes("오늘 저녁에는 大量의 비가 조금 옵니다."), Some(true));
    }
}
