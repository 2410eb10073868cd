//! Texts that an answer contains, begins with or ends with. Case does not count.

use super::super::verdict::Verdict;
use super::folded::folded;

pub(super) fn contains(answer: &str, texts: &[String]) -> Verdict {
    let answer = folded(answer);
    if texts.iter().any(|text| answer.contains(&folded(text))) {
        Verdict::Pass
    } else {
        Verdict::missing(format!("nothing of {} occurs", list(texts)))
    }
}

pub(super) fn excludes(answer: &str, texts: &[String]) -> Verdict {
    let folded_answer = folded(answer);
    let found = texts.iter().find_map(|text| folded_answer.find(&folded(text)).map(|at| (text, at)));
    match found {
        Some((text, at)) => {
            let before: Vec<char> = folded_answer[..at].chars().rev().take(10).collect();
            let place: String = before.into_iter().rev().chain(folded_answer[at..].chars().take(30)).collect();
            Verdict::at(&place, format!("`{text}` occurs"))
        }
        None => Verdict::Pass,
    }
}

pub(super) fn starts(answer: &str, texts: &[String]) -> Verdict {
    let answer_folded = folded(answer);
    if texts.iter().any(|text| answer_folded.starts_with(&folded(text.trim_start()))) {
        return Verdict::Pass;
    }
    Verdict::at(answer, format!("the answer does not begin with {}", list(texts)))
}

pub(super) fn ends(answer: &str, texts: &[String]) -> Verdict {
    let answer_folded = folded(answer);
    if texts.iter().any(|text| answer_folded.ends_with(&folded(text.trim_end()))) {
        return Verdict::Pass;
    }
    let end: Vec<char> = answer.chars().rev().take(30).collect();
    let end: String = end.into_iter().rev().collect();
    Verdict::at(&end, format!("the answer does not end with {}", list(texts)))
}

fn list(texts: &[String]) -> String {
    texts.iter().map(|text| format!("`{text}`")).collect::<Vec<_>>().join(" or ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn case_and_composition_do_not_count() {
        assert_eq!(contains("환불 REFUND", &of(&["교환", "refund"])), Verdict::Pass);
        assert_eq!(contains("환불", &of(&["\u{1112}\u{116a}\u{11ab}불"])), Verdict::Pass);
        assert!(contains("", &of(&["a"])).is_fail());
        assert_eq!((starts("Yes, it is", &of(&["yes"])), ends("맞나요?", &of(&["?"]))), (Verdict::Pass, Verdict::Pass));
        assert!(starts("So yes", &of(&["yes"])).is_fail() && ends("맞나요?!", &of(&["?"])).is_fail());
    }

    #[test]
    fn what_must_not_occur_is_quoted_with_what_is_around() {
        let verdict = excludes("급여는 월 300만 원입니다", &of(&["만 원"]));
        assert_eq!(verdict, Verdict::at("급여는 월 300만 원입니다", "`만 원` occurs"));
        assert_eq!(excludes("급여는 협의", &of(&["만 원"])), Verdict::Pass);
    }
}
