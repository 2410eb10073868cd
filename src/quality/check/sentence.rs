//! Sentences of an answer.

use super::super::parts::Fence;
use super::super::verdict::Verdict;
use super::list::mark;
use crate::suite::Bounds;

/// Passes if the answer has so many sentences.
pub(super) fn judge(answer: &str, bounds: Bounds) -> Verdict {
    super::counted::count(sentences(answer).len(), "sentences", bounds)
}

/// Abbreviations whose full stop ends no sentence.
const ABBREVIATIONS: [&str; 32] = [
    "mr", "mrs", "ms", "dr", "prof", "st", "vs", "etc", "e.g", "i.e", "cf", "no", "nos", "fig", "inc", "ltd", "co",
    "corp", "dept", "est", "approx", "a.m", "p.m", "u.s", "u.k", "ph.d", "jr", "sr", "vol", "pp", "al", "min",
];

/// Last syllables that end a Korean sentence.
const FINAL: &str = "다요죠까라자네지어아해야니군걸게음함임";

/// The sentences of an answer, without code in fences and the marks of lists.
///
/// A sentence ends with `.`, `!`, `?`, `。` and what closes it, or with its line; `…` and `...` end one only at a line's end or
/// after a final ending. Decimals, abbreviations and numbering end none.
pub(crate) fn sentences(answer: &str) -> Vec<String> {
    let mut sentences = Vec::new();
    let mut fence: Option<Fence> = None;
    for line in answer.lines() {
        match &fence {
            Some(open) => {
                if open.is_closed_by(line) {
                    fence = None;
                }
                continue;
            }
            None => fence = Fence::open(line),
        }
        if fence.is_some() {
            continue;
        }
        let line = line.trim();
        let marked = mark(line);
        let characters: Vec<char> = line.chars().skip(marked).collect();
        of_line(&characters, &mut sentences);
    }
    sentences
}

/// How many characters of an answer there are up to the end of its first sentence. `None` if there is none; an answer that did not
/// end by itself has not ended its last sentence, but for a mark.
pub fn first_sentence(answer: &str, ended: bool) -> Option<usize> {
    let first = sentences(answer).into_iter().next()?;
    let end = answer.find(&first)? + first.len();
    let is_whole = ended || !answer[end..].trim().is_empty() || first.ends_with(is_end);
    is_whole.then(|| answer[..end].chars().count())
}

fn of_line(line: &[char], sentences: &mut Vec<String>) {
    let mut start = 0;
    let mut at = 0;
    let keep = |range: &[char], sentences: &mut Vec<String>| {
        let text: String = range.iter().collect();
        // Only marks, or an emoji: the end of the sentence before.
        if text.chars().any(char::is_alphanumeric) {
            sentences.push(text.trim().to_owned());
        }
    };
    while at < line.len() {
        if !is_end(line[at]) {
            at += 1;
            continue;
        }
        let mark_start = at;
        while at < line.len() && is_end(line[at]) {
            at += 1;
        }
        let marks = &line[mark_start..at];
        while at < line.len() && "\"'”’」』)）]*".contains(line[at]) {
            at += 1;
        }
        if ends(line, start, mark_start, marks, at) {
            keep(&line[start..at], sentences);
            start = at;
        }
    }
    keep(&line[start..], sentences);
}

fn is_end(character: char) -> bool {
    matches!(character, '.' | '!' | '?' | '。' | '…' | '！' | '？')
}

/// Whether marks end a sentence: `line[start..mark_start]` is what they follow, and `next` is where the text goes on.
fn ends(line: &[char], start: usize, mark_start: usize, marks: &[char], next: usize) -> bool {
    let before = &line[start..mark_start];
    if next >= line.len() {
        return true;
    }
    // The text goes on without a space: a decimal, an address, a file's name, an ending after a quotation.
    let apart = line[next].is_whitespace() || matches!(marks.last(), Some('。' | '！' | '？'));
    if !apart || !before.iter().any(|c| c.is_alphanumeric()) {
        return false;
    }
    let is_ellipsis = marks.contains(&'…') || marks.iter().filter(|c| **c == '.').count() >= 2;
    let strong = marks.iter().any(|c| matches!(c, '!' | '?' | '！' | '？'));
    if is_ellipsis && !strong {
        return before.last().is_some_and(|c| FINAL.contains(*c));
    }
    let following = line[next..].iter().find(|c| !c.is_whitespace());
    let closed = next > mark_start + marks.len();
    if closed && following.is_some_and(|c| c.is_lowercase()) {
        // "Good." he said
        return false;
    }
    if strong || marks != ['.'] {
        return true;
    }
    let word: Vec<char> = before.iter().rev().take_while(|c| !c.is_whitespace()).copied().collect();
    let word: String = word.iter().rev().collect::<String>().trim_start_matches(['(', '"', '“', '\'']).to_lowercase();
    let is_initial = word.chars().count() == 1 && word.chars().all(|c| c.is_ascii_alphabetic()) && word != "i";
    // `No. 3` and `min. 3`, but `Yes or no.`
    let takes_number = ["no", "min", "nos", "st", "co", "al", "est"].contains(&word.as_str());
    let is_abbreviation = ABBREVIATIONS.contains(&word.as_str())
        && (!takes_number || following.is_some_and(|c| c.is_ascii_digit()))
        && !(matches!(word.as_str(), "a.m" | "p.m" | "etc" | "u.s" | "u.k" | "inc" | "ltd" | "corp" | "jr" | "sr")
            && following.is_some_and(|c| c.is_uppercase()));
    // `1. 첫째 2. 둘째` in one line.
    let is_numbering = !word.is_empty()
        && word.len() <= 2
        && word.chars().all(|c| c.is_ascii_digit())
        && before.iter().collect::<String>().trim().len() == word.len();
    !(is_initial || is_abbreviation || is_numbering)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_end_with_a_mark_or_their_line() {
        for (text, count) in [
            ("맛있어요. 또 살게요!", 2),
            ("맛있어요", 1),
            ("제목\n내용입니다.", 2),
            ("3.5점입니다. 가격은 1.2만 원이에요.", 2),
            ("e.g. this one. And Dr. Kim's, i.e. that.", 2),
            ("그건… 좀 아쉬워요.", 1),
            ("아쉬워요… 다음에 올게요.", 2),
            ("흠... 글쎄요", 1),
            ("\"좋다.\"라고 했다.", 1),
            ("\"Good.\" he said. Fine.", 2),
            ("정말요?! 네.", 2),
            ("좋아요! 😊", 1),
            ("1. 왜 그런가요?\n2. 무엇인가요?", 2),
            ("python main.py를 실행하세요.", 1),
            ("아르바이트를 하다 목숨을 잃을 뻔했다", 1),
            ("It opens at 9 a.m. Bring water.", 2),
            ("He works at 9 a.m. daily.", 1),
            ("```python\nx = 1. \n```\n끝.", 1),
            ("", 0),
            ("...", 0),
            ("안녕하세요？네！", 2),
        ] {
            assert_eq!(sentences(text).len(), count, "{text}: {:?}", sentences(text));
        }
    }
}
