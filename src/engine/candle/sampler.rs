//! Drawing the next token from logits.

use candle_core::{DType, Device, Result};
use candle_nn::ops::softmax_last_dim;
use rand::SeedableRng;
use rand::distr::{Distribution, weighted::WeightedIndex};
use rand::rngs::StdRng;

use super::decoder::Next;
use super::host;
use crate::engine::Sampling;

/// Draws token ids; seeded, so that a run can be repeated.
pub(super) enum Sampler {
    /// The most likely token is always the next one.
    Greedy,
    /// Tokens by their probability, out of the nucleus of `top_p`.
    Random { temperature: f64, top_p: f32, random: Box<StdRng> },
}

/// Below this temperature the most likely token is drawn anyway, and logits divided by it would leave float32's range.
const COLDEST: f64 = 1e-7;

impl Sampler {
    pub(super) fn new(sampling: Sampling) -> Self {
        match sampling {
            Sampling::Greedy => Self::Greedy,
            Sampling::Random { temperature, .. } if temperature < COLDEST => Self::Greedy,
            Sampling::Random { temperature, top_p, seed } => {
                Self::Random { temperature, top_p: top_p as f32, random: Box::new(StdRng::seed_from_u64(seed)) }
            }
        }
    }

    /// The next token; `None` if no token can be drawn, since the logits are not numbers.
    pub(super) fn next(&mut self, next: &Next) -> Result<Option<u32>> {
        match self {
            Self::Greedy => {
                let likeliest = match next.likeliest {
                    Some(known) => Some(known),
                    None => {
                        let logits = next.logits.to_dtype(DType::F32)?.to_device(&Device::Cpu)?;
                        likeliest(&host::numbers(&logits)?)
                    }
                };
                Ok(likeliest.filter(|(_, logit)| logit.is_finite()).map(|(id, _)| id))
            }
            Self::Random { temperature, top_p, random } => {
                let logits = next.logits.squeeze(0)?.to_dtype(DType::F32)?;
                let probabilities = softmax_last_dim(&(logits / *temperature)?)?.to_vec1()?;
                Ok(draw(probabilities, *top_p, random))
            }
        }
    }
}

/// The first of the largest logits, with its id. What is not a number is more than any, as it is on a GPU.
fn likeliest(logits: &[f32]) -> Option<(u32, f32)> {
    let mut most = (0, *logits.first()?);
    for (id, &logit) in (0..).zip(logits) {
        if logit > most.1 || logit.is_nan() {
            most = (id, logit);
        }
    }
    Some(most)
}

/// A token by its probability; `None` if there is no token, or a probability is not a number.
///
/// Only the nucleus takes part: the most likely tokens, as few as have `top_p` of the probability together; all of them if
/// `top_p` is not between 0 and 1. Holtzman et al., "The Curious Case of Neural Text Degeneration",
/// <https://arxiv.org/abs/1904.09751>.
fn draw(mut probabilities: Vec<f32>, top_p: f32, random: &mut StdRng) -> Option<u32> {
    if top_p > 0.0 && top_p < 1.0 {
        let mut ids: Vec<usize> = (0..probabilities.len()).collect();
        ids.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]));
        let mut sum = 0.0;
        for id in ids {
            if sum >= top_p {
                probabilities[id] = 0.0;
            } else {
                sum += probabilities[id];
            }
        }
    }
    Some(WeightedIndex::new(probabilities).ok()?.sample(random) as u32)
}

#[cfg(test)]
mod tests {
    use candle_core::Tensor;
    use candle_transformers::generation::{LogitsProcessor, Sampling as Theirs};
    use rand::Rng;

    use super::*;

    fn next(logits: &[f32]) -> Next {
        Next { logits: Tensor::new(logits, &Device::Cpu).unwrap().unsqueeze(0).unwrap(), likeliest: None }
    }

    fn drawn(sampling: Sampling, logits: &[f32]) -> Option<u32> {
        Sampler::new(sampling).next(&next(logits)).unwrap()
    }

    const HOT: Sampling = Sampling::Random { temperature: 1.0, top_p: 1.0, seed: 1 };

    #[test]
    fn greedy_takes_the_first_of_the_largest() {
        assert_eq!(drawn(Sampling::Greedy, &[0.5, -1.0, 2.0, 2.0]), Some(2));
        assert_eq!(drawn(Sampling::Greedy, &[f32::NEG_INFINITY, -3.0]), Some(1));
    }

    #[test]
    fn a_token_that_is_known_to_be_the_likeliest_is_taken() {
        let known = Next { likeliest: Some((7, 0.5)), ..next(&[0.0, 1.0]) };
        assert_eq!(Sampler::new(Sampling::Greedy).next(&known).unwrap(), Some(7));
        let unknown = Next { likeliest: Some((7, f32::NAN)), ..next(&[0.0, 1.0]) };
        assert_eq!(Sampler::new(Sampling::Greedy).next(&unknown).unwrap(), None);
    }

    #[test]
    fn nothing_is_drawn_from_what_is_not_a_number() {
        let nucleus = Sampling::Random { temperature: 1.0, top_p: 0.5, seed: 1 };
        for sampling in [Sampling::Greedy, HOT, nucleus] {
            for bad in [f32::NAN, f32::INFINITY] {
                for place in 0..3 {
                    let mut logits = [0.0, 1.0, 2.0];
                    logits[place] = bad;
                    assert_eq!(drawn(sampling, &logits), None, "{sampling:?} {logits:?}");
                }
            }
            assert_eq!(drawn(sampling, &[f32::NEG_INFINITY; 2]), None, "{sampling:?}");
        }
        let unsure = Sampling::Random { temperature: f64::NAN, top_p: 1.0, seed: 1 };
        assert_eq!(drawn(unsure, &[0.0, 1.0]), None);
    }

    #[test]
    fn without_tokens_nothing_is_drawn() {
        assert_eq!(likeliest(&[]), None);
        for top_p in [0.5, 1.0] {
            assert_eq!(draw(Vec::new(), top_p, &mut StdRng::seed_from_u64(1)), None);
        }
    }

    #[test]
    fn no_token_outside_of_the_nucleus_is_drawn() {
        // Half, a quarter, an eighth and an eighth: the first two have 0.7 together, and the first alone 0.5.
        let logits = [8.0_f32, 4.0, 2.0, 2.0].map(f32::ln);
        for (top_p, last) in [(0.5, 0), (0.7, 1), (0.875, 2), (0.9, 3)] {
            let mut sampler = Sampler::new(Sampling::Random { temperature: 1.0, top_p, seed: 3 });
            let ids: Vec<u32> = (0..500).map(|_| sampler.next(&next(&logits)).unwrap().unwrap()).collect();
            assert_eq!(ids.into_iter().max(), Some(last), "{top_p}");
        }
    }

    #[test]
    fn tokens_are_drawn_as_often_as_they_are_likely() {
        // Tempered by one half, probabilities are squared: 16, 4 and 1 parts of 21.
        let logits = [4.0_f32, 2.0, 1.0].map(f32::ln);
        let mut sampler = Sampler::new(Sampling::Random { temperature: 0.5, top_p: 1.0, seed: 5 });
        let mut counts = [0.0_f64; 3];
        for _ in 0..21_000 {
            counts[sampler.next(&next(&logits)).unwrap().unwrap() as usize] += 1.0;
        }
        let expected = [16_000.0, 4_000.0, 1_000.0];
        let chi_square: f64 = counts.iter().zip(expected).map(|(count, mean)| (count - mean).powi(2) / mean).sum();
        // With two degrees of freedom it is more in one of ten thousand.
        assert!(chi_square < 18.42, "{counts:?}: {chi_square}");
    }

    #[test]
    fn candle_transformers_draws_the_same_tokens_of_the_same_seed() {
        let mut random = StdRng::seed_from_u64(11);
        for seed in 0..20 {
            let logits: Vec<f32> = (0..3_000).map(|_| random.random_range(-8.0..8.0)).collect();
            let next = next(&logits);
            let row = next.logits.squeeze(0).unwrap();
            for temperature in [0.3, 1.0, 2.5] {
                for top_p in [0.0, 0.2, 0.95, 1.0] {
                    let mut ours = Sampler::new(Sampling::Random { temperature, top_p, seed });
                    let mut theirs = LogitsProcessor::from_sampling(seed, Theirs::TopP { p: top_p, temperature });
                    for _ in 0..10 {
                        assert_eq!(ours.next(&next).unwrap(), Some(theirs.sample(&row).unwrap()));
                    }
                }
            }
            let greedy = LogitsProcessor::from_sampling(seed, Theirs::ArgMax).sample(&row).unwrap();
            assert_eq!(Sampler::new(Sampling::Greedy).next(&next).unwrap(), Some(greedy));
        }
    }
}
