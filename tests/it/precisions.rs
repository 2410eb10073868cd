//! What a precision costs: every checkpoint against itself in float32.
//!
//! Random models amplify rounding: a trained one of their size loses less. What is bounded here is the loss of these.

use bench::acquire::Checkpoint;
use bench::catalog::Quantization;
use bench::cpu::dense::ROUNDED_TOKENS;
use bench::cpu::isa::Isa;
use bench::engine::candle::Logits;
use bench::quality::{Agreement, Divergence};

use crate::support::decoder::{Reference, checkpoint, checkpoints, following, load, log_probs, worst};

/// What a checkpoint predicts of its reference text, and the precision that it states.
struct Prediction {
    ids: Vec<u32>,
    log_probs: Vec<Vec<f32>>,
    precision: String,
    mixture: bool,
}

impl Prediction {
    /// `None` is the precision in which the checkpoint is stored.
    fn of(name: &str, quantization: Option<Quantization>) -> Self {
        Self::of_text(name, Reference::of(name).ids, quantization)
    }

    fn of_text(name: &str, ids: Vec<u32>, quantization: Option<Quantization>) -> Self {
        let mut engine = load(checkpoint(name), quantization);
        let precision = engine.precision().to_string();
        let decoder = engine.decoder();
        decoder.reset(&[ids.len()]).unwrap();
        let log_probs = log_probs(&decoder.forward(&[&ids], Logits::Every).unwrap());
        Self { ids, log_probs, precision, mixture: engine.spec().mlp.experts.is_some() }
    }

    /// Kullback–Leibler divergence from this one, in nats, on average over the text.
    fn divergence(&self, other: &Self) -> f64 {
        let agreements = self.log_probs.iter().zip(&other.log_probs).map(|(a, b)| Agreement::of(a, b));
        Divergence::of(&agreements.collect::<Vec<_>>()).unwrap().mean_kl_nats
    }

    /// The largest difference of the log-probability of a token of the text.
    fn difference(&self, other: &Self) -> f32 {
        worst(&[following(&self.ids, &self.log_probs)], &[following(&self.ids, &other.log_probs)])
    }
}

/// The type of most weights of a checkpoint as it is stored.
fn stored(checkpoint: &Checkpoint) -> String {
    let dtype = checkpoint.config.get("torch_dtype").or_else(|| checkpoint.config.get("dtype"));
    dtype.unwrap().as_str().unwrap().to_owned()
}

/// Products are taken in float32 of weights that were rounded once, and a weight that a type can hold is not rounded at all.
///
/// - bfloat16 keeps 8 bits of a weight: an error of up to 1 in 512, which is 2 ‰. Over the 9 checkpoints that are stored with
///   more, the log-probability of a token moves by 0.171 at most, and the divergence is 8.7e-4 nats at most, 1.0e-4 at least.
/// - float16 keeps 11, which makes the error 8 times smaller, and the divergence, which grows with its square, 64 times: over
///   the 6 checkpoints that are stored in float32, 0.039, and 1.9e-5 to 4.0e-6 nats. What bfloat16 holds it holds too, but
///   for numbers under 2^-14, of which it drops bits: 8.6e-6.
#[test]
fn sixteen_bits_cost_no_more_than_their_rounding() {
    let mut rounded = [0; 2];
    for name in checkpoints() {
        let stored = stored(&checkpoint(&name));
        let exact = Prediction::of(&name, Some(Quantization::F32));
        assert!(exact.difference(&Prediction::of(&name, None)) < 1e-4, "{name} as it is stored");
        let bounds = [
            (Quantization::Bf16, stored == "bfloat16", 0.3, 2e-5..2e-3),
            (Quantization::F16, stored != "float32", 0.08, 1e-6..5e-5),
        ];
        for (index, (quantization, held, most, divergences)) in bounds.into_iter().enumerate() {
            let other = Prediction::of(&name, Some(quantization));
            assert!(other.precision.starts_with(quantization.name()), "{name}: {}", other.precision);
            let (difference, divergence) = (exact.difference(&other), exact.divergence(&other));
            if held {
                assert!(difference < 1e-4, "{name} in {quantization}: {difference}");
            } else {
                rounded[index] += 1;
                assert!(difference < most, "{name} in {quantization}: {difference}");
                assert!(divergences.contains(&divergence), "{name} in {quantization}: {divergence} nats");
            }
        }
    }
    assert_eq!(rounded, [9, 6]);
}

/// From so many tokens on activations are rounded to bfloat16 where the processor multiplies such numbers. Over the 20
/// checkpoints without experts that are stored so, the log-probability of a token then moves by 0.23 at most, and the
/// divergence is 7.5e-4 nats at most, 5.9e-5 at least: as much as the rounding of weights costs the others above. Of mixtures,
/// where it can choose another expert, it is up to 0.038.
#[test]
fn long_texts_in_bfloat16_cost_no_more_than_the_rounding_of_activations() {
    let mut rounded = 0;
    for name in checkpoints().into_iter().filter(|name| stored(&checkpoint(name)) == "bfloat16") {
        let ids = Reference::of(&name).tokens(200);
        assert!(ids.len() > ROUNDED_TOKENS && Reference::of(&name).ids.len() < ROUNDED_TOKENS);
        let exact = Prediction::of_text(&name, ids.clone(), Some(Quantization::F32));
        let other = Prediction::of_text(&name, ids, None);
        let (difference, divergence) = (exact.difference(&other), exact.divergence(&other));
        if Isa::best() < Isa::Avx512Bf16 {
            assert!(difference < 1e-4, "{name}: {difference}, though nothing is rounded");
            continue;
        }
        rounded += 1;
        let divergences = if exact.mixture { 3e-5..0.08 } else { 3e-5..1.5e-3 };
        assert!(divergences.contains(&divergence), "{name}: {divergence} nats");
        assert!(exact.mixture || difference < 0.4, "{name}: {difference}");
    }
    assert_eq!(rounded, if Isa::best() < Isa::Avx512Bf16 { 0 } else { 23 });
}

/// The one checkpoint that is wide enough for blocks of 256. Measured are 0.0086, 0.058, 0.14, 0.52 and 0.68 nats; bounds are
/// half and double of it, which leaves room for another processor's order of additions but for no bit more or less: each
/// costs about a factor of 4. (`q8_0` has them from rounding activations to 8 bits, too.)
#[test]
fn fewer_bits_a_weight_cost_more() {
    let exact = Prediction::of("llama-wide", Some(Quantization::F32));
    let mut before = 0.0;
    for (quantization, precision, measured) in [
        (Quantization::Q8_0, "q8_0", 0.0086),
        (Quantization::Q6K, "q6_k", 0.0581),
        (Quantization::Q5K, "q5_k 92 %, q6_k 8 %", 0.145),
        (Quantization::Q4K, "q4_k 90 %, q6_k 10 %", 0.522),
        (Quantization::Q4_0, "q4_0 90 %, q6_k 10 %", 0.683),
    ] {
        let other = Prediction::of("llama-wide", Some(quantization));
        assert_eq!(other.precision, precision);
        let divergence = exact.divergence(&other);
        assert!((measured / 2.0..measured * 2.0).contains(&divergence), "{quantization}: {divergence} nats");
        // Both types of four bits lose about the same.
        let least = if quantization == Quantization::Q4_0 { 0.5 * before } else { 1.5 * before };
        assert!(divergence > least, "{quantization}: {divergence} nats, and {before} with more bits");
        before = divergence;
    }
}

/// The other checkpoints are 24 to 64 wide: rows of 32 and 64 are held in blocks of 32, narrower ones in float32, and what
/// needs blocks of 256 falls back to `q8_0`. Measured are up to 0.020 nats in `q8_0` and 1.3 in `q4_0`; of mixtures, where
/// rounding can choose another expert, 0.060 and 2.1.
#[test]
fn narrow_checkpoints_are_quantized_where_blocks_divide_them() {
    for name in checkpoints().into_iter().filter(|name| name != "llama-wide") {
        let exact = Prediction::of(&name, Some(Quantization::F32));
        let [eight, six, four] = [Quantization::Q8_0, Quantization::Q6K, Quantization::Q4_0]
            .map(|quantization| Prediction::of(&name, Some(quantization)));
        assert!(eight.precision.contains("q8_0") && four.precision.contains("q4_0"), "{name}: {}", four.precision);
        assert_eq!(six.precision, eight.precision, "{name}");
        assert_eq!(eight.divergence(&six), 0.0, "{name}");
        let (eight, four) = (exact.divergence(&eight), exact.divergence(&four));
        let most = if exact.mixture { [0.12, 3.0] } else { [0.04, 1.8] };
        assert!(1e-4 < eight && eight < most[0], "{name} in q8_0: {eight} nats");
        assert!(10.0 * eight < four && four < most[1], "{name} in q4_0: {four} nats, and {eight} in q8_0");
    }
}
