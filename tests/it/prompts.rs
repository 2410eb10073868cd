//! Prompts through the kernels of a GPU, run on the CPU: every checkpoint predicts with them what its reference says.

use bench::catalog::Quantization;
use bench::engine::candle::{CandleEngine, Logits};
use candle_core::Tensor;

use crate::support::decoder::{
    PROMPT_TOLERANCE, Reference, checkpoint, checkpoints, following, load, log_probs, worst,
};
use crate::support::emulator::Emulator;

/// What is stored in float32 is held in float16: with float32 the kernels are not used.
fn emulated(name: &str, quantization: Option<Quantization>) -> CandleEngine {
    let mut engine = load(checkpoint(name), quantization.or(narrowed(name)));
    engine.decoder().step_on(Box::new(Emulator::new(3))).unwrap();
    engine
}

fn narrowed(name: &str) -> Option<Quantization> {
    let checkpoint = checkpoint(name);
    let dtype = checkpoint.config.get("torch_dtype").or_else(|| checkpoint.config.get("dtype"));
    (dtype.unwrap() == "float32").then_some(Quantization::F16)
}

/// How far the tokens of a text are from its reference, on average and at most.
fn differences(reference: &Reference, rows: &[Vec<f32>]) -> (f64, f64) {
    let found = following(&reference.ids, rows);
    assert_eq!(found.len(), reference.log_probs.len());
    let differences = || found.iter().zip(&reference.log_probs).map(|(a, b)| (f64::from(*a) - b).abs());
    let larger = |a: f64, b: f64| if b > a || b.is_nan() { b } else { a };
    (differences().sum::<f64>() / found.len() as f64, differences().fold(0.0, larger))
}

/// Predictions after each token of a text that comes in pieces of these lengths, and the rest.
fn in_pieces(engine: &mut CandleEngine, ids: &[u32], lengths: &[usize]) -> Vec<Vec<f32>> {
    let decoder = engine.decoder();
    decoder.reset(&[ids.len()]).unwrap();
    let (mut rest, mut rows) = (ids, Vec::new());
    for length in lengths.iter().copied().chain([usize::MAX]) {
        let (piece, after) = rest.split_at(length.min(rest.len()));
        rows.extend(log_probs(&decoder.forward(&[piece], Logits::Every).unwrap()));
        rest = after;
    }
    rows
}

/// A mean that float16 explains: 0.004 is the most of any checkpoint, and 0.0055 of one whose weights are rounded to it, too.
const MEAN_TOLERANCE: f64 = 0.007;

#[test]
fn every_checkpoint_predicts_its_reference_by_prompt() {
    for name in checkpoints() {
        let mut engine = emulated(&name, None);
        let reference = Reference::of(&name);
        for lengths in [&[][..], &[1, 30, 17]] {
            let (mean, most) = differences(&reference, &in_pieces(&mut engine, &reference.ids, lengths));
            assert!(
                most < PROMPT_TOLERANCE && mean < MEAN_TOLERANCE,
                "{name} in {} pieces differs by {mean}, up to {most}",
                lengths.len() + 1
            );
        }
    }
}

/// Of tokens across windows, and beyond which another table of angles is taken; in pieces, since the CPU's products with bf16
/// weights round activations of longer ones.
#[test]
fn a_long_prompt_predicts_its_reference() {
    for name in ["phi3-longrope", "gemma2"] {
        let reference = Reference::long(name).unwrap();
        let (mean, most) = differences(&reference, &in_pieces(&mut emulated(name, None), &reference.ids, &[120; 4]));
        assert!(most < 2.0 * PROMPT_TOLERANCE && mean < MEAN_TOLERANCE, "{name} differs by {mean}, up to {most}");
    }
}

#[test]
fn prompts_of_a_batch_are_predicted_as_if_alone() {
    for name in ["llama-gqa", "qwen3", "mistral-window"] {
        let mut engine = emulated(name, None);
        let ids = Reference::of(name).ids;
        let batch = [&ids[..60], &ids[40..77], &ids[5..6], &ids[20..40]];
        let single: Vec<Vec<f32>> = batch.iter().flat_map(|ids| in_pieces(&mut engine, ids, &[])).collect();
        let decoder = engine.decoder();
        decoder.reset(&batch.map(<[u32]>::len)).unwrap();
        let together = log_probs(&decoder.forward(&batch, Logits::Every).unwrap());
        let difference = worst(&single, &together);
        // Products of other shapes add up in another order, after which some numbers are rounded to the other side.
        assert!(difference < 0.05, "{name}: a row of the batch differs by up to {difference}");
    }
}

/// Two launches for attention and one for the MLP in each layer, of as many rows as there are.
#[test]
fn a_prompt_launches_few_kernels() {
    let emulator = Emulator::new(3);
    let counts = emulator.counts();
    let mut engine = load(checkpoint("llama-gqa"), narrowed("llama-gqa"));
    engine.decoder().step_on(Box::new(emulator)).unwrap();
    counts.lock().unwrap().launched.clear();
    in_pieces(&mut engine, &Reference::of("llama-gqa").ids, &[]);
    let layers = engine.spec().layers.len();
    assert_eq!(counts.lock().unwrap().launched, ["append", "prompt_64", "activate"].repeat(layers));
}

/// How far a prompt's logits are from those without the kernels, as a share of their spread: what decides whether the kernels
/// are trusted when a model is loaded allows a tenth, and half with blocks. Of all checkpoints these have come out farthest apart.
#[test]
fn logits_of_a_prompt_are_well_within_what_is_trusted() {
    let size = |x: Tensor| x.sqr().unwrap().mean_all().unwrap().sqrt().unwrap().to_scalar::<f32>().unwrap();
    for name in ["llama-bin-shards", "llama-rope-parameters", "qwen2-window", "gemma3"] {
        let quantizations = [(None, 0.01), (Some(Quantization::Q8_0), 0.1)];
        for (quantization, most) in quantizations {
            let ids: Vec<u32> = (0..40).collect();
            let of = |mut engine: CandleEngine| {
                engine.decoder().reset(&[40]).unwrap();
                engine.decoder().forward(&[&ids], Logits::Last).unwrap()
            };
            let (expected, found) =
                (of(load(checkpoint(name), quantization.or(narrowed(name)))), of(emulated(name, quantization)));
            let spread = size(expected.broadcast_sub(&expected.mean_keepdim(1).unwrap()).unwrap());
            let share = size((found - expected).unwrap()) / spread;
            assert!(share < most, "{name} in {quantization:?}: {share}");
        }
    }
}

#[test]
fn weights_of_float32_are_left_to_float32() {
    let emulator = Emulator::new(3);
    let counts = emulator.counts();
    let mut engine = load(checkpoint("llama-gqa"), Some(Quantization::F32));
    engine.decoder().step_on(Box::new(emulator)).unwrap();
    let ids = Reference::of("llama-gqa").ids;
    let found = in_pieces(&mut engine, &ids, &[]);
    assert!(counts.lock().unwrap().launched.is_empty());
    let expected = in_pieces(&mut load(checkpoint("llama-gqa"), Some(Quantization::F32)), &ids, &[]);
    assert_eq!(found, expected);
}
