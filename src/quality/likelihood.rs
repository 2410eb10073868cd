//! The likelihood of a text under a model.

use serde::Serialize;

/// How likely a model finds a text.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Likelihood {
    /// Tokens of the text, the first included, which has no context and no probability.
    pub tokens: usize,
    /// UTF-8 bytes of the text; `None` of token ids without a tokenizer.
    pub bytes: Option<usize>,
    /// Unicode scalar values of the text; likewise.
    pub characters: Option<usize>,
    /// Negative log-likelihood of all tokens but the first, in nats.
    pub nll_nats: f64,
    /// `exp(NLL ÷ scored tokens)`; compares only models with the same tokenizer. `None` of fewer than two tokens.
    pub perplexity: Option<f64>,
    /// `NLL ÷ ln 2 ÷ bytes`: compares across tokenizers. `None` without bytes.
    pub bits_per_byte: Option<f64>,
}

impl Likelihood {
    /// Of the log-probabilities (natural logarithms) of all tokens but the first, and the text that they make.
    pub fn of(log_probs: &[f64], text: Option<&str>) -> Self {
        let nll_nats = -log_probs.iter().sum::<f64>();
        let bytes = text.map(str::len);
        let per_byte = |bytes: usize| nll_nats / std::f64::consts::LN_2 / bytes as f64;
        Self {
            tokens: log_probs.len() + 1,
            bytes,
            characters: text.map(|text| text.chars().count()),
            nll_nats,
            perplexity: (!log_probs.is_empty()).then(|| (nll_nats / log_probs.len() as f64).exp()),
            bits_per_byte: bytes.filter(|bytes| *bytes > 0).map(per_byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fair_coin_a_token_has_perplexity_two() {
        let likelihood = Likelihood::of(&[0.5f64.ln(); 4], Some("가나"));
        assert_eq!((likelihood.tokens, likelihood.bytes, likelihood.characters), (5, Some(6), Some(2)));
        assert!((likelihood.perplexity.unwrap() - 2.0).abs() < 1e-12);
        // 4 bits over 6 bytes.
        assert!((likelihood.bits_per_byte.unwrap() - 4.0 / 6.0).abs() < 1e-12);
    }

    #[test]
    fn a_single_token_has_no_perplexity_and_no_text_no_bytes() {
        let likelihood = Likelihood::of(&[], None);
        assert_eq!((likelihood.tokens, likelihood.perplexity, likelihood.bits_per_byte), (1, None, None));
    }
}
