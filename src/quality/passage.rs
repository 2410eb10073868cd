//! A text as a model reads it: which of its tokens are scored, and in which language each stands.

use std::collections::BTreeMap;
use std::ops::Range;

use super::likelihood::{Extent, Likelihood};
use crate::suite::Language;
use crate::text::PlacedTokens;

/// A text in tokens.
///
/// A token without anything before it has no probability. So where the tokenizer puts a beginning-of-sequence token in front, all
/// of the text is scored; where it does not, all but the first token is, or, if that is only a part of a character, all but
/// the tokens of the first character. What is not scored is not among the bytes, either.
#[derive(Debug, Clone)]
pub struct Passage {
    ids: Vec<u32>,
    /// Position of the first token that is scored.
    first: usize,
    /// By position; `None` of a token that the tokenizer adds.
    languages: Vec<Option<Language>>,
    /// What is scored of the text, in each language.
    extents: Option<BTreeMap<Language, Extent>>,
}

impl Passage {
    /// Of token ids whose text is not known: all but the first are scored.
    pub fn of_ids(ids: Vec<u32>) -> Self {
        Self { languages: vec![None; ids.len()], ids, first: 1, extents: None }
    }

    /// Of a text and its tokens.
    pub fn of_text(text: &str, tokens: PlacedTokens) -> Self {
        let PlacedTokens { ids, places } = tokens;
        let (first, from) = first_scored(text, &places);
        let by_line = by_line(text);
        let at = |byte: usize| {
            let line = by_line.get(by_line.partition_point(|(end, _)| *end <= byte));
            line.or(by_line.last()).map(|(_, language)| *language)
        };
        let languages = places.iter().map(|place| at(place.as_ref()?.start)).collect();
        let mut extents: BTreeMap<Language, Extent> = BTreeMap::new();
        let mut start = 0;
        for (end, language) in &by_line {
            let scored = text.get(start.max(from)..*end).unwrap_or_default();
            let extent = extents.entry(*language).or_default();
            *extent = extent.plus(Extent::of(scored));
            start = *end;
        }
        Self { ids, first, languages, extents: Some(extents) }
    }

    /// Its tokens.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// Whether a token that the tokenizer adds stands before the text.
    pub fn begins_with_added(&self) -> bool {
        self.extents.is_some() && self.languages.first() == Some(&None)
    }

    /// Whether the token at a position is scored.
    pub fn is_scored(&self, position: usize) -> bool {
        position >= self.first
    }

    /// The language of the line that the token at a position stands in.
    pub fn language(&self, position: usize) -> Option<Language> {
        self.languages.get(position).copied().flatten()
    }

    /// How likely all of it is; `log_probs` are those of all tokens but the first.
    pub fn likelihood(&self, log_probs: &[f64]) -> Likelihood {
        let extent = self.extents.as_ref().map(|extents| extents.values().fold(Extent::default(), |a, b| a.plus(*b)));
        Likelihood::of(self.ids.len(), self.scored(log_probs).map(|(_, log_prob)| log_prob), extent)
    }

    /// How likely its lines of each language are.
    pub fn by_language(&self, log_probs: &[f64]) -> BTreeMap<Language, Likelihood> {
        let of = |language: Language, extent: Extent| {
            let tokens = self.languages.iter().filter(|other| **other == Some(language)).count();
            let own = self.scored(log_probs).filter(|(position, _)| self.language(*position) == Some(language));
            Likelihood::of(tokens, own.map(|(_, log_prob)| log_prob), Some(extent))
        };
        self.extents.iter().flatten().map(|(language, extent)| (*language, of(*language, *extent))).collect()
    }

    /// The positions that are scored, with their log-probabilities.
    fn scored(&self, log_probs: &[f64]) -> impl Iterator<Item = (usize, f64)> {
        (1..).zip(log_probs.iter().copied()).filter(|(position, _)| self.is_scored(*position))
    }
}

/// The position of the first token that is scored, and the byte at which what is scored begins.
fn first_scored(text: &str, places: &[Option<Range<usize>>]) -> (usize, usize) {
    let Some(Some(place)) = places.first() else { return (1, 0) };
    let mut from = text.ceil_char_boundary(place.end);
    // The other tokens of a character that the first one is only a part of.
    let rest = places.iter().skip(1).map_while(Option::as_ref).take_while(|place| {
        let is_part = place.start < from;
        from = if is_part { from.max(text.ceil_char_boundary(place.end)) } else { from };
        is_part
    });
    (1 + rest.count(), from)
}

/// The language of each line, and where it ends: Korean where the line has a Hangul syllable, English where it has other
/// letters, else that of the line before (of the first, Korean if the text has Hangul at all).
fn by_line(text: &str) -> Vec<(usize, Language)> {
    let hangul = |text: &str| text.chars().any(|character| ('가'..='힣').contains(&character));
    let mut language = if hangul(text) { Language::Ko } else { Language::En };
    let mut end = 0;
    let line = |line: &str| {
        end += line.len();
        if hangul(line) {
            language = Language::Ko;
        } else if line.chars().any(char::is_alphabetic) {
            language = Language::En;
        }
        (end, language)
    };
    text.split_inclusive('\n').map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passage(text: &str, places: &[Option<Range<usize>>]) -> Passage {
        let ids = (0..places.len() as u32).collect();
        Passage::of_text(text, PlacedTokens { ids, places: places.to_vec() })
    }

    fn bytes(likelihood: &Likelihood) -> usize {
        likelihood.extent.unwrap().bytes
    }

    #[test]
    fn behind_a_token_that_the_tokenizer_adds_all_of_the_text_is_scored() {
        let passage = passage("ab cd", &[None, Some(0..2), Some(2..5)]);
        assert!(passage.begins_with_added());
        let likelihood = passage.likelihood(&[-1.0, -2.0]);
        assert_eq!((likelihood.tokens, likelihood.scored, likelihood.nll_nats), (3, 2, 3.0));
        assert_eq!(bytes(&likelihood), 5);
    }

    #[test]
    fn without_one_neither_the_first_token_nor_its_bytes_count() {
        let passage = passage("ab cd", &[Some(0..2), Some(2..5)]);
        assert!(!passage.begins_with_added());
        let likelihood = passage.likelihood(&[-2.0]);
        assert_eq!((likelihood.scored, likelihood.nll_nats, bytes(&likelihood)), (1, 2.0, 3));
    }

    /// The first token may be a third of a syllable: what is left of the syllable has no bytes of its own.
    #[test]
    fn of_a_character_in_several_tokens_all_or_nothing_is_scored() {
        let passage = passage("서울", &[Some(0..3), Some(0..3), Some(3..6)]);
        let likelihood = passage.likelihood(&[-9.0, -1.0]);
        assert_eq!((likelihood.scored, likelihood.nll_nats, bytes(&likelihood)), (1, 1.0, 3));
        assert!(!passage.is_scored(1) && passage.is_scored(2));
    }

    #[test]
    fn a_token_is_of_the_language_of_its_line() {
        let text = "가 b\n\nc\n12\n";
        let starts = [0, 3, 5, 6, 7, 9];
        let places: Vec<_> = starts.iter().map(|start| Some(*start..start + 1)).collect();
        let passage = passage(text, &[vec![None], places].concat());
        let languages: Vec<_> = (0..7).map(|position| passage.language(position)).collect();
        let (ko, en) = (Some(Language::Ko), Some(Language::En));
        assert_eq!(languages, [None, ko, ko, ko, ko, en, en], "what has no letters is of the line before");
        let by_language = passage.by_language(&[-1.0; 6]);
        assert_eq!((by_language[&Language::Ko].scored, bytes(&by_language[&Language::Ko])), (4, 7));
        assert_eq!((by_language[&Language::En].scored, bytes(&by_language[&Language::En])), (2, 5));
        assert_eq!(bytes(&passage.likelihood(&[-1.0; 6])), text.len());
    }

    #[test]
    fn ids_have_no_bytes_and_an_empty_text_nothing() {
        let ids = Passage::of_ids(vec![1, 2, 3]);
        assert_eq!(ids.likelihood(&[-1.0, -1.0]).extent, None);
        assert!(ids.by_language(&[-1.0, -1.0]).is_empty() && !ids.begins_with_added());
        let empty = passage("", &[]);
        assert_eq!(empty.likelihood(&[]).bits_per_byte(), None);
    }
}
