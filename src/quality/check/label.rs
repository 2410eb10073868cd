//! Labels: which one of a set an answer names.

use super::super::script::Letter;
use super::super::verdict::Verdict;
use super::folded::folded;

/// What may follow a label of Hangul: particles, and the endings that make a sentence of it. Anything else makes another word
/// of it: 부정확 is not 부정.
const FOLLOWING: [&str; 41] = [
    "",
    "적",
    "적이",
    "적인",
    "적으로",
    "적입니다",
    "적이에요",
    "적이다",
    "적임",
    "입니다",
    "이에요",
    "예요",
    "이다",
    "다",
    "임",
    "이며",
    "이고",
    "이",
    "가",
    "을",
    "를",
    "은",
    "는",
    "의",
    "과",
    "와",
    "도",
    "로",
    "으로",
    "에",
    "에서",
    "에게",
    "보다",
    "이나",
    "이라",
    "이라고",
    "라고",
    "인",
    "합니다",
    "해요",
    "후기",
];

/// Passes if the answer names exactly one of the labels, by itself or by a synonym, and it is the one that is asked for.
///
/// Latin labels are whole words, those of Hangul may have a particle or an ending. Of labels that contain each other the longest
/// counts.
pub(super) fn judge(answer: &str, labels: &[Vec<String>], is: &str) -> Verdict {
    let text: Vec<char> = folded(answer).chars().collect();
    let mut words: Vec<(Vec<char>, &str)> = Vec::new();
    for label in labels {
        let Some(name) = label.first() else { continue };
        words.extend(label.iter().map(|word| (folded(word.trim()).chars().collect(), name.as_str())));
    }
    words.retain(|(word, _)| !word.is_empty());
    words.sort_by_key(|(word, _)| std::cmp::Reverse(word.len()));
    let mut named: Vec<&str> = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let found = words.iter().find(|(word, _)| stands(&text, at, word));
        match found {
            Some((word, name)) => {
                if !named.contains(name) {
                    named.push(name);
                }
                at += word.len();
            }
            None => at += 1,
        }
    }
    match named.as_slice() {
        [] => Verdict::missing(format!("none of the labels is named, asked for `{is}`")),
        [only] if *only == is => Verdict::Pass,
        [other] => Verdict::at(answer, format!("`{other}` is named, `{is}` is right")),
        several => Verdict::at(answer, format!("several labels are named: {}", several.join(", "))),
    }
}

/// Whether a word stands at a place of the text, as a word.
fn stands(text: &[char], at: usize, word: &[char]) -> bool {
    let Some(rest) = text[at..].strip_prefix(word) else { return false };
    let kind = |c: Option<&char>| c.and_then(|c| Letter::of(*c));
    let begins = kind(word.first());
    let before = at.checked_sub(1).and_then(|at| text.get(at));
    if begins.is_some() && kind(before) == begins || before.is_some_and(|c| c.is_numeric()) && word[0].is_numeric() {
        return false;
    }
    match kind(word.last()) {
        Some(Letter::Hangul) => {
            let tail: String = rest.iter().take_while(|c| Letter::of(**c) == Some(Letter::Hangul)).collect();
            FOLLOWING.contains(&tail.as_str())
        }
        Some(last) => kind(rest.first()) != Some(last),
        None => !(word.last().is_some_and(|c| c.is_numeric()) && rest.first().is_some_and(|c| c.is_numeric())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(answer: &str) -> Verdict {
        let labels = [vec!["긍정", "positive"], vec!["부정", "negative"], vec!["혼합", "mixed"], vec!["매우 긍정"]];
        let labels: Vec<Vec<String>> =
            labels.iter().map(|words| words.iter().map(|word| (*word).to_owned()).collect()).collect();
        judge(answer, &labels, "긍정")
    }

    #[test]
    fn a_label_is_named_with_particles_and_in_any_case() {
        for answer in ["긍정", "감성: 긍정적입니다.", "긍정으로 봅니다", "Positive", "**긍정**", "긍정(positive)"]
        {
            assert_eq!(named(answer), Verdict::Pass, "{answer}");
        }
    }

    #[test]
    fn another_label_several_or_none_fail() {
        for answer in
            ["부정", "긍정, 부정", "", "좋음", "positively", "긍정확", "비긍정", "매우 긍정", "긍정도 부정도 아님"]
        {
            assert!(named(answer).is_fail(), "{answer}");
        }
    }
}
