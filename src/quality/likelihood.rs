//! The likelihood of a text under a model.

use std::iter::Sum;

use serde::{Serialize, Serializer};

/// How likely a model finds a text, or several: sums, of which each figure is made, so that texts are pooled by adding.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Likelihood {
    /// All tokens, also those that are not scored.
    pub tokens: usize,
    /// Tokens that have a probability which counts.
    pub scored: usize,
    /// Negative log-likelihood of the scored tokens, in nats.
    pub nll_nats: f64,
    /// The text that the scored tokens make; `None` of token ids that no text is known of.
    pub extent: Option<Extent>,
}

/// How long a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Extent {
    /// In UTF-8.
    pub bytes: usize,
    /// Unicode scalar values.
    pub characters: usize,
}

impl Extent {
    /// Of a text.
    pub fn of(text: &str) -> Self {
        Self { bytes: text.len(), characters: text.chars().count() }
    }

    /// Of two texts together.
    pub fn plus(self, other: Self) -> Self {
        Self { bytes: self.bytes + other.bytes, characters: self.characters + other.characters }
    }
}

impl Likelihood {
    /// Of the log-probabilities (natural logarithms) of the scored ones of so many tokens, and the text that those make.
    pub fn of(tokens: usize, log_probs: impl IntoIterator<Item = f64>, extent: Option<Extent>) -> Self {
        let (mut scored, mut nll_nats) = (0, 0.0);
        for log_prob in log_probs {
            scored += 1;
            nll_nats -= log_prob;
        }
        Self { tokens, scored, nll_nats, extent }
    }

    /// `exp(NLL ÷ scored tokens)`; compares only models with the same tokenizer. `None` where none is scored.
    pub fn perplexity(&self) -> Option<f64> {
        (self.scored > 0).then(|| (self.nll_nats / self.scored as f64).exp())
    }

    /// `NLL ÷ ln 2`: what the scored text takes if the model compresses it.
    pub fn bits(&self) -> f64 {
        self.nll_nats / std::f64::consts::LN_2
    }

    /// `NLL ÷ ln 2 ÷ bytes`: compares across tokenizers; lower is better. `None` without bytes.
    pub fn bits_per_byte(&self) -> Option<f64> {
        let bytes = self.extent?.bytes;
        (bytes > 0 && self.scored > 0).then(|| self.bits() / bytes as f64)
    }

    /// `NLL ÷ ln 2 ÷ characters`: compares across tokenizers; lower is better. `None` without characters.
    pub fn bits_per_character(&self) -> Option<f64> {
        let characters = self.extent?.characters;
        (characters > 0 && self.scored > 0).then(|| self.bits() / characters as f64)
    }
}

/// Texts together; known of all or unknown.
impl Sum for Likelihood {
    fn sum<I: Iterator<Item = Self>>(parts: I) -> Self {
        let none = Self { tokens: 0, scored: 0, nll_nats: 0.0, extent: Some(Extent::default()) };
        parts.fold(none, |a, b| Self {
            tokens: a.tokens + b.tokens,
            scored: a.scored + b.scored,
            nll_nats: a.nll_nats + b.nll_nats,
            extent: a.extent.zip(b.extent).map(|(a, b)| a.plus(b)),
        })
    }
}

/// With the figures that are made of it.
impl Serialize for Likelihood {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Written {
            tokens: usize,
            scored_tokens: usize,
            bytes: Option<usize>,
            characters: Option<usize>,
            nll_nats: f64,
            perplexity: Option<f64>,
            bits_per_byte: Option<f64>,
            bits_per_character: Option<f64>,
        }
        Written {
            tokens: self.tokens,
            scored_tokens: self.scored,
            bytes: self.extent.map(|extent| extent.bytes),
            characters: self.extent.map(|extent| extent.characters),
            nll_nats: self.nll_nats,
            perplexity: self.perplexity(),
            bits_per_byte: self.bits_per_byte(),
            bits_per_character: self.bits_per_character(),
        }
        .serialize(serializer)
    }
}

/// What Korean costs a model, as a multiple of what English does: 1 is alike.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Parity {
    /// Korean ÷ English bits per byte. A Hangul syllable has three bytes and a Latin letter one, so Korean has more of them
    /// to share its bits.
    pub bits_per_byte: Option<f64>,
    /// Korean ÷ English bits per character. A syllable says more than a letter.
    pub bits_per_character: Option<f64>,
    /// Korean ÷ English bits, of texts that say the same in both languages: neither bytes nor characters matter to it.
    pub bits: Option<f64>,
    /// Korean ÷ English tokens, likewise: what the same content costs in time and money.
    pub tokens: Option<f64>,
}

impl Parity {
    /// Of texts in the two languages, which say the same if they are `parallel`.
    pub fn of(korean: &Likelihood, english: &Likelihood, parallel: bool) -> Self {
        let ratio = |korean: Option<f64>, english: Option<f64>| {
            let (korean, english) = korean.zip(english)?;
            (english > 0.0).then(|| korean / english)
        };
        let same =
            |of: fn(&Likelihood) -> f64| if parallel { ratio(Some(of(korean)), Some(of(english))) } else { None };
        Self {
            bits_per_byte: ratio(korean.bits_per_byte(), english.bits_per_byte()),
            bits_per_character: ratio(korean.bits_per_character(), english.bits_per_character()),
            bits: same(Likelihood::bits),
            tokens: same(|likelihood| likelihood.tokens as f64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fair_coin_a_token_has_perplexity_two() {
        let likelihood = Likelihood::of(5, [0.5f64.ln(); 4], Some(Extent::of("가나")));
        assert_eq!((likelihood.tokens, likelihood.scored), (5, 4));
        assert!((likelihood.perplexity().unwrap() - 2.0).abs() < 1e-12);
        // 4 bits over 6 bytes, and over 2 characters.
        assert!((likelihood.bits_per_byte().unwrap() - 4.0 / 6.0).abs() < 1e-12);
        assert!((likelihood.bits_per_character().unwrap() - 2.0).abs() < 1e-12);
    }

    #[test]
    fn where_nothing_is_scored_or_no_text_is_known_there_is_no_figure() {
        let single = Likelihood::of(1, [], Some(Extent::default()));
        assert_eq!((single.perplexity(), single.bits_per_byte(), single.bits_per_character()), (None, None, None));
        let ids = Likelihood::of(3, [-1.0, -1.0], None);
        assert!(ids.perplexity().is_some());
        assert_eq!((ids.bits_per_byte(), ids.bits_per_character()), (None, None));
    }

    /// A mean of the texts' figures would weigh a short text as much as a long one.
    #[test]
    fn texts_are_pooled_by_their_sums() {
        let short = Likelihood::of(2, [-3.0], Some(Extent { bytes: 1, characters: 1 }));
        let long = Likelihood::of(10, [-1.0; 9], Some(Extent { bytes: 99, characters: 33 }));
        let pooled: Likelihood = [short, long].into_iter().sum();
        assert_eq!((pooled.tokens, pooled.scored, pooled.nll_nats), (12, 10, 12.0));
        assert!((pooled.bits_per_byte().unwrap() - 12.0 / std::f64::consts::LN_2 / 100.0).abs() < 1e-12);
        let with_ids: Likelihood = [short, Likelihood::of(2, [-1.0], None)].into_iter().sum();
        assert_eq!(with_ids.bits_per_byte(), None);
    }

    #[test]
    fn parity_is_korean_over_english_and_of_the_content_only_where_that_is_the_same() {
        let of = |nats: f64, bytes, characters| Likelihood::of(5, [-nats], Some(Extent { bytes, characters }));
        let (korean, english) = (of(30.0, 30, 10), of(20.0, 20, 20));
        let parity = Parity::of(&korean, &english, true);
        let near = |found: Option<f64>, expected: f64| (found.unwrap() - expected).abs() < 1e-12;
        assert!(near(parity.bits_per_byte, 1.0) && near(parity.bits_per_character, 3.0), "{parity:?}");
        assert!(near(parity.bits, 1.5) && near(parity.tokens, 1.0), "{parity:?}");
        let other = Parity::of(&korean, &english, false);
        assert_eq!((other.bits_per_byte, other.bits, other.tokens), (parity.bits_per_byte, None, None));
        assert_eq!(Parity::of(&korean, &Likelihood::of(1, [], None), true).bits, None);
    }
}
