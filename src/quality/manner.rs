//! Manner: what is worth a look in a Korean answer and too rare, or too much a matter of taste, to fail it.

use serde::Serialize;
use unicode_normalization::UnicodeNormalization as _;

use super::check::{clusters, register_of, sentences};
use super::parts::{Part, Parts};
use crate::suite::{Bounds, Check, Expected, Register};

/// What was counted in answers; sums of several answers are sums of their counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Manner {
    /// Jamo between two syllables of a word: `대ㅏ한`. ㅋㅋ, ㅠㅠ and lists of jamo stand by themselves.
    pub lone_jamo: usize,
    /// Full-width punctuation, which Korean does not use: `，`, `。`.
    pub fullwidth: usize,
    /// Sentences whose ending tells a register, of prompts that ask for one.
    pub sentences: usize,
    /// Of them, those in another register than was asked for.
    pub other_register: usize,
    /// 을, 를 and the particles after digits whose form the sound before them decides.
    pub particles: usize,
    /// Of them, those of the wrong form.
    pub wrong_particles: usize,
    /// Answers to prompts that state a length in characters.
    pub lengths: usize,
    /// Of them, the shorter ones.
    pub too_short: usize,
    /// Of them, the longer ones.
    pub too_long: usize,
}

impl Manner {
    /// Of an answer that is due in Korean.
    pub fn of(expected: &Expected, answer: &str) -> Self {
        let answer: String = answer.nfc().collect();
        let parts = Parts::of(&answer);
        let prose: Vec<char> = parts
            .characters
            .iter()
            .zip(&parts.parts)
            .map(|(letter, part)| if *part == Part::Prose || *letter == '\n' { *letter } else { '_' })
            .collect();
        let asked = expected.checks.iter().find_map(|check| match check {
            Check::Register(register) => Some(*register),
            _ => None,
        });
        let (sentences, other_register) = asked.map_or((0, 0), |asked| registers(&prose, asked));
        let (particles, wrong_particles) = particles(&prose);
        let length = expected.checks.iter().find_map(|check| match check {
            Check::Characters { bounds, spaces } => Some((*bounds, *spaces)),
            _ => None,
        });
        let side = length.map(|(bounds, spaces)| beyond(&answer, bounds, spaces));
        Self {
            lone_jamo: prose.windows(3).filter(|of| is_syllable(of[0]) && is_jamo(of[1]) && is_syllable(of[2])).count(),
            fullwidth: prose.iter().filter(|letter| is_fullwidth(**letter)).count(),
            sentences,
            other_register,
            particles,
            wrong_particles,
            lengths: usize::from(side.is_some()),
            too_short: usize::from(side == Some(Some(Side::Short))),
            too_long: usize::from(side == Some(Some(Side::Long))),
        }
    }

    /// Of both together.
    pub fn plus(self, other: Self) -> Self {
        Self {
            lone_jamo: self.lone_jamo + other.lone_jamo,
            fullwidth: self.fullwidth + other.fullwidth,
            sentences: self.sentences + other.sentences,
            other_register: self.other_register + other.other_register,
            particles: self.particles + other.particles,
            wrong_particles: self.wrong_particles + other.wrong_particles,
            lengths: self.lengths + other.lengths,
            too_short: self.too_short + other.too_short,
            too_long: self.too_long + other.too_long,
        }
    }
}

fn is_syllable(letter: char) -> bool {
    ('가'..='힣').contains(&letter)
}

fn is_jamo(letter: char) -> bool {
    ('ㄱ'..='ㆎ').contains(&letter)
}

fn is_fullwidth(letter: char) -> bool {
    let is_form = ('！'..='～').contains(&letter) && !letter.is_alphanumeric();
    is_form || matches!(letter, '。' | '、')
}

fn registers(prose: &[char], asked: Register) -> (usize, usize) {
    let prose: String = prose.iter().collect();
    let told: Vec<Register> = sentences(&prose).iter().filter_map(|sentence| register_of(sentence)).collect();
    let fits = |told: &Register| *told == asked || asked == Register::Polite && *told != Register::Plain;
    (told.len(), told.iter().filter(|register| !fits(register)).count())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Short,
    Long,
}

/// On which side of the stated length an answer lies; `None` within it.
fn beyond(answer: &str, bounds: Bounds, spaces: bool) -> Option<Side> {
    let count = clusters(answer.trim(), spaces);
    let is_long = bounds.max.is_some_and(|max| count > max);
    if count < bounds.min { Some(Side::Short) } else { is_long.then_some(Side::Long) }
}

/// Words and verbs that end in 을 by themselves after an open syllable: nouns, and stems whose ㅅ falls out (짓다: 지을).
const ENDS_IN_EUL: [&str; 11] =
    ["가을", "마을", "노을", "고을", "지을", "나을", "부을", "이을", "그을", "저을", "개을"];

/// How many particles there are whose form the sound before them decides, and how many do not fit it.
///
/// After Hangul only 을 and 를: 은/는, 이/가 and 와/과 end too many other words (적은, 하는, 효과). After digits those that tell: 0, 1, 3,
/// 6, 7 and 8 are read with a final consonant (영, 일, 삼, 육, 칠, 팔). After Latin letters only after an acronym in l, m, n or r, whose
/// names have one (엘, 엠, 엔, 알).
fn particles(prose: &[char]) -> (usize, usize) {
    let (mut all, mut wrong) = (0, 0);
    for (at, particle) in prose.iter().enumerate().skip(1) {
        let ends = prose.get(at + 1).is_none_or(|next| !next.is_alphanumeric());
        let before = prose[at - 1];
        let is_object = matches!(particle, '을' | '를');
        let is_other = matches!(particle, '은' | '는' | '이' | '가');
        if !ends || !(is_object || is_other) {
            continue;
        }
        let closed = match before {
            '0'..='9' => matches!(before, '0' | '1' | '3' | '6' | '7' | '8'),
            'L' | 'M' | 'N' | 'R' if at >= 2 && prose[at - 2].is_ascii_uppercase() => true,
            _ if is_object && is_syllable(before) => {
                let word: String = prose[..=at].iter().rev().take_while(|letter| is_syllable(**letter)).collect();
                let word: String = word.chars().rev().collect();
                // Some words only look like a noun with a particle.
                if ENDS_IN_EUL.iter().any(|ending| word.ends_with(ending)) {
                    continue;
                }
                has_final(before)
            }
            _ => continue,
        };
        all += 1;
        wrong += usize::from(closed != matches!(particle, '을' | '은' | '이'));
    }
    (all, wrong)
}

/// Whether a syllable ends in a consonant: each vowel has 28 finals in Unicode's order, none first.
fn has_final(syllable: char) -> bool {
    !(u32::from(syllable) - u32::from('가')).is_multiple_of(28)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(answer: &str) -> Manner {
        Manner::of(&Expected::default(), answer)
    }

    #[test]
    fn a_jamo_within_a_word_is_counted_and_one_by_itself_is_not() {
        assert_eq!(of("대ㅏ한민국").lone_jamo, 1);
        for normal in ["좋아요 ㅋㅋㅋ", "슬퍼요ㅠㅠ", "ㄱ, ㄴ, ㄷ 순서로", "`가ㅏ나`"] {
            assert_eq!(of(normal).lone_jamo, 0, "{normal}");
        }
    }

    #[test]
    fn a_particle_must_fit_the_sound_before_it() {
        let of = |answer: &str| {
            let manner = of(answer);
            (manner.particles, manner.wrong_particles)
        };
        assert_eq!(of("자동차을 산다. 책를 산다."), (2, 2));
        assert_eq!(of("자동차를 산다. 책을 산다."), (2, 0));
        assert_eq!(of("가을 마을에서 집을 지을 때"), (1, 0));
        assert_eq!(of("3은 크고 2는 작다. 10이 크다. 5이 크다."), (4, 1));
        assert_eq!(of("URL을 연다. PDM를 연다. API를 연다."), (2, 1));
        assert_eq!(of("3가지 방법"), (0, 0), "the word goes on");
        assert_eq!(of("`차을`을 고친다"), (0, 0), "code tells no sound");
    }

    #[test]
    fn full_width_marks_are_counted_but_not_letters() {
        assert_eq!(of("안녕하세요，반갑습니다。ＡＢＣ").fullwidth, 2);
    }

    #[test]
    fn sentences_and_lengths_are_counted_where_they_are_asked_for() {
        let expected = Expected { checks: vec![Check::Register(Register::Formal)], ..Expected::default() };
        let manner = Manner::of(&expected, "감사합니다. 또 만나요. 메뉴: 김밥");
        assert_eq!((manner.sentences, manner.other_register), (2, 1));
        assert_eq!((of("감사합니다.").sentences, of("감사합니다.").lengths), (0, 0));
        let bounds = Bounds { min: 3, max: Some(5) };
        let expected = Expected { checks: vec![Check::Characters { bounds, spaces: true }], ..Expected::default() };
        let side = |answer: &str| {
            let manner = Manner::of(&expected, answer);
            (manner.lengths, manner.too_short, manner.too_long)
        };
        assert_eq!((side("네"), side("안녕하세요"), side("안녕히 계세요")), ((1, 1, 0), (1, 0, 0), (1, 0, 1)));
    }
}
