//! The kernels that a GPU repeats for each token of an answer, run on the CPU: every checkpoint predicts with them what its
//! reference says.

use std::sync::{Arc, Mutex};

use bench::catalog::Quantization;
use bench::engine::candle::{CandleEngine, Logits};
use bench::engine::{Engine, Input, Request, Sampling};
use bench::gpu::{Launch, Machine, Prepared};
use bench::quality::{Agreement, Divergence};

use crate::support::Silent;
use crate::support::decoder::{
    PROMPT_TOLERANCE, Reference, TOLERANCE, checkpoint, checkpoints, following, load, log_probs,
};
use crate::support::emulator::{Counts, Emulator};

/// A checkpoint on an emulated GPU.
fn emulated(name: &str, quantization: Option<Quantization>) -> (CandleEngine, Arc<Mutex<Counts>>) {
    let mut engine = load(checkpoint(name), quantization);
    let emulator = Emulator::new(3);
    let counts = emulator.counts();
    engine.decoder().step_on(Box::new(emulator)).unwrap();
    (engine, counts)
}

/// Log-probabilities after each token, which all go in step by step; the most likely one is checked on the way.
fn stepwise(engine: &mut CandleEngine, ids: &[u32]) -> Vec<Vec<f32>> {
    let decoder = engine.decoder();
    decoder.reset(&[ids.len()]).unwrap();
    let row = |id: &u32| {
        let next = decoder.next(*id).unwrap();
        let row: Vec<f32> = next.logits.to_vec2().unwrap().swap_remove(0);
        let first = |best: usize, id: usize| if row[id] > row[best] { id } else { best };
        let best = (0..row.len()).reduce(first).unwrap();
        assert_eq!(next.likeliest, Some((best as u32, row[best])));
        log_probs(&next.logits).swap_remove(0)
    };
    ids.iter().map(row).collect()
}

/// Those whose layers the kernels do not compute: mixtures of experts with latent attention.
fn is_left_to_candle(name: &str) -> bool {
    name.starts_with("deepseek")
}

/// Steps of each checkpoint: more than the windows hold, and few enough to be emulated.
const STEPS: usize = 64;

/// How far following tokens are from the beginning of a reference.
fn worst_of(reference: &Reference, found: &[f32]) -> f64 {
    assert!(!found.is_empty() && found.len() <= reference.log_probs.len());
    let differences = found.iter().zip(&reference.log_probs).map(|(a, b)| (f64::from(*a) - b).abs());
    differences.fold(0.0, |a, b| if b > a || b.is_nan() { b } else { a })
}

#[test]
fn every_checkpoint_predicts_its_reference_step_by_step() {
    for name in checkpoints() {
        let (mut engine, counts) = emulated(&name, None);
        let reference = Reference::of(&name);
        if is_left_to_candle(&name) {
            engine.decoder().reset(&[1]).unwrap();
            assert_eq!(engine.decoder().launches(), None, "{name}");
            continue;
        }
        let ids = &reference.ids[..STEPS];
        let found = following(ids, &stepwise(&mut engine, ids));
        let worst = worst_of(&reference, &found);
        assert!(worst < TOLERANCE, "{name} differs by up to {worst}");
        let counts = counts.lock().unwrap();
        // One more, which was held against the other way through the model.
        assert_eq!((counts.prepared, counts.runs), (1, STEPS + 1), "{name}");
    }
}

/// Of a context beyond which another table of angles is taken.
#[test]
fn a_long_text_has_its_own_angles() {
    let name = "phi3-longrope";
    let (mut engine, _) = emulated(name, None);
    // A short one first: the step was made with the other table.
    engine.decoder().reset(&[4]).unwrap();
    let reference = Reference::long(name).unwrap();
    let worst = worst_of(&reference, &following(&reference.ids, &stepwise(&mut engine, &reference.ids)));
    assert!(worst < TOLERANCE, "{worst}");
}

/// Answers go on from the caches that a prompt's kernels have filled.
#[test]
fn steps_go_on_where_a_prompt_ended() {
    for name in ["llama-gqa", "gemma2", "mistral-window", "gpt-neox-parallel"] {
        let (mut engine, _) = emulated(name, None);
        let reference = Reference::of(name);
        let ids = &reference.ids;
        let decoder = engine.decoder();
        decoder.reset(&[ids.len()]).unwrap();
        let mut rows = log_probs(&decoder.forward(&[&ids[..50]], Logits::Every).unwrap());
        for id in &ids[50..] {
            rows.extend(log_probs(&decoder.next(*id).unwrap().logits));
        }
        let worst = worst_of(&reference, &following(ids, &rows));
        assert!(worst < PROMPT_TOLERANCE, "{name} differs by up to {worst}");
    }
}

/// The CPU's kernels round activations in the same way, but add up in another order, so that some fall to the other side.
#[test]
fn quantized_weights_predict_what_they_do_on_the_cpu() {
    for (name, quantization, most) in [
        // Random weights of 256 columns amplify what falls to the other side: these types lose 100 to 1000 times as much.
        ("llama-wide", Quantization::Q4K, 2e-3),
        ("llama-wide", Quantization::Q5K, 2e-3),
        ("llama-wide", Quantization::Q6K, 2e-3),
        ("qwen2-tied", Quantization::Q8_0, 1e-5),
        ("gemma2", Quantization::Q4_0, 1e-5),
        ("phi3-partial-window", Quantization::Q8_0, 1e-5),
    ] {
        let (mut engine, _) = emulated(name, Some(quantization));
        let ids = Reference::of(name).ids;
        let found = stepwise(&mut engine, &ids);
        let mut other = load(checkpoint(name), Some(quantization));
        let decoder = other.decoder();
        decoder.reset(&[ids.len()]).unwrap();
        let expected = log_probs(&decoder.forward(&[&ids], Logits::Every).unwrap());
        let agreements: Vec<Agreement> = expected.iter().zip(&found).map(|(a, b)| Agreement::of(a, b)).collect();
        let divergence = Divergence::of(&agreements).unwrap().mean_kl_nats;
        assert!(divergence < most, "{name} in {quantization}: {divergence} nats");
    }
}

#[test]
fn a_greedy_answer_is_the_same_and_nothing_is_made_ready_twice() {
    for name in ["llama-gqa", "gemma3", "qwen2-tied"] {
        let request = Request {
            input: Input::Tokens(Reference::of(name).ids[..20].to_vec()),
            max_new_tokens: 40,
            ignore_eos: true,
            sampling: Sampling::Greedy,
        };
        let expected = load(checkpoint(name), None).generate(&request, &mut Silent).unwrap();
        let (mut engine, counts) = emulated(name, None);
        for answers in 1..=2 {
            let found = engine.generate(&request, &mut Silent).unwrap();
            assert_eq!(found.token_ids, expected.token_ids, "{name}");
            let counts = counts.lock().unwrap();
            // The first token comes from the prompt's logits.
            assert_eq!((counts.prepared, counts.runs), (1, answers * 39 + 1), "{name}");
            // The machine goes on by itself: it was told only where an answer begins.
            assert_eq!(counts.writes, answers + 1, "{name}");
        }
    }
}

/// Random draws go by the step's logits, and tell the machine which token it was. The prompt's kernels round to float16, so that
/// some later draw falls to the other side.
#[test]
fn a_drawn_answer_is_the_same() {
    let sampling = Sampling::Random { temperature: 1.5, top_p: 0.95, seed: 7 };
    let request = Request {
        input: Input::Tokens(Reference::of("llama-gqa").ids[..20].to_vec()),
        max_new_tokens: 16,
        ignore_eos: true,
        sampling,
    };
    let expected = load(checkpoint("llama-gqa"), None).generate(&request, &mut Silent).unwrap();
    let (mut engine, _) = emulated("llama-gqa", None);
    assert_eq!(engine.generate(&request, &mut Silent).unwrap().token_ids, expected.token_ids);
}

/// A machine that forgets one of the kernels.
struct Forgetful(&'static str);

impl Machine for Forgetful {
    fn processors(&self) -> usize {
        3
    }

    unsafe fn prepare(&self, mut launches: Vec<Launch>) -> candle_core::Result<Box<dyn Prepared>> {
        if let Some(forgotten) = launches.iter().rposition(|launch| launch.kernel == self.0) {
            launches.remove(forgotten);
        }
        // SAFETY: the promise of who called this.
        unsafe { Emulator::new(3).prepare(launches) }
    }

    unsafe fn launch(&self, launches: &[Launch]) -> candle_core::Result<()> {
        let others: Vec<Launch> = launches.iter().filter(|launch| launch.kernel != self.0).cloned().collect();
        // SAFETY: the promise of who called this.
        unsafe { Emulator::new(3).launch(&others) }
    }
}

#[test]
fn a_machine_that_computes_something_else_is_not_trusted() {
    for forgotten in ["embed", "residual", "product_bf16", "attend", "gather", "append", "prompt_64", "activate"] {
        let mut engine = load(checkpoint("llama-wide"), None);
        let error = engine.decoder().step_on(Box::new(Forgetful(forgotten))).unwrap_err().to_string();
        assert!(error.contains("from candle's"), "{forgotten}: {error}");
        // And the decoder goes on by itself.
        engine.decoder().reset(&[4]).unwrap();
        assert_eq!(engine.decoder().launches(), None);
        let next = engine.decoder().next(1).unwrap();
        assert_eq!((next.logits.dims2().unwrap().0, next.likeliest), (1, None));
    }
}

/// Eight kernels a layer, and four for what stands around them.
#[test]
fn a_step_launches_few_kernels() {
    let (mut engine, counts) = emulated("llama-gqa", None);
    let layers = engine.spec().layers.len();
    engine.decoder().reset(&[8]).unwrap();
    assert_eq!(engine.decoder().launches(), Some(8 * layers + 4));
    let product = "product_f32";
    let layer = ["residual", product, "attend", "gather", product, "residual", product, product];
    let around = (["embed"], ["residual", product, "pick"]);
    let expected = around.0.into_iter().chain(layer.repeat(layers)).chain(around.1);
    assert_eq!(counts.lock().unwrap().kernels, expected.collect::<Vec<_>>());
}
