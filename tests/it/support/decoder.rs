//! The tiny checkpoints, and what the decoder makes of them.

use std::path::Path;

use bench::acquire::{Checkpoint, local};
use bench::catalog::Quantization;
use bench::engine::candle::CandleEngine;
use candle_core::{D, Device, Tensor};
use serde::Deserialize;

use super::fixture;

/// The names of all checkpoints among the fixtures, sorted.
pub fn checkpoints() -> Vec<String> {
    let folders = std::fs::read_dir(fixture("checkpoints")).unwrap();
    let mut names: Vec<String> = folders.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

pub fn checkpoint(name: &str) -> Checkpoint {
    local::open(&fixture("checkpoints").join(name)).unwrap()
}

/// Loads a checkpoint onto the CPU, `None` at the precision in which it is stored.
pub fn load(checkpoint: Checkpoint, quantization: Option<Quantization>) -> CandleEngine {
    CandleEngine::load(checkpoint, quantization, &Device::Cpu, &mut |_| {}).unwrap()
}

/// Largest difference of a log-probability from a reference that float32 arithmetic in another order explains.
pub const TOLERANCE: f64 = 1e-3;

/// The same where attention multiplies in float16, as the kernels of a prompt do: rounding the weights of these checkpoints to
/// bfloat16 moves them by up to 0.17.
pub const PROMPT_TOLERANCE: f64 = 0.05;

/// What transformers computed of a text.
#[derive(Deserialize)]
pub struct Reference {
    pub ids: Vec<u32>,
    /// Of every token but the first.
    pub log_probs: Vec<f64>,
}

impl Reference {
    pub fn read(path: &Path) -> Self {
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    }

    pub fn of(name: &str) -> Self {
        Self::read(&fixture("checkpoints").join(name).join("reference.json"))
    }

    /// The one of a long text, where the checkpoint's context holds it.
    pub fn long(name: &str) -> Option<Self> {
        let path = fixture("checkpoints").join(name).join("reference_long.json");
        path.exists().then(|| Self::read(&path))
    }

    /// How far an engine's log-probabilities are from these.
    pub fn differences(&self, engine: &mut CandleEngine) -> Vec<f64> {
        let found = following(&self.ids, &log_probs(&engine.logits(&self.ids).unwrap()));
        assert_eq!(found.len(), self.log_probs.len());
        found.iter().zip(&self.log_probs).map(|(a, b)| (f64::from(*a) - b).abs()).collect()
    }

    /// The largest of the differences; not a number if any is none.
    pub fn worst(&self, engine: &mut CandleEngine) -> f64 {
        self.differences(engine).into_iter().fold(0.0, |a, b| if b > a || b.is_nan() { b } else { a })
    }

    /// So many tokens, the text over and over.
    pub fn tokens(&self, count: usize) -> Vec<u32> {
        self.ids.iter().copied().cycle().take(count).collect()
    }
}

/// Log-probabilities of all tokens in each row of logits.
pub fn log_probs(logits: &Tensor) -> Vec<Vec<f32>> {
    candle_nn::ops::log_softmax(logits, D::Minus1).unwrap().to_vec2().unwrap()
}

/// Log-probability of each token but the first, of the predictions after each token.
pub fn following(ids: &[u32], log_probs: &[Vec<f32>]) -> Vec<f32> {
    ids[1..].iter().zip(log_probs).map(|(id, row)| row[*id as usize]).collect()
}

/// The largest difference of a log-probability between rows and rows; not a number if any is none.
pub fn worst(a: &[Vec<f32>], b: &[Vec<f32>]) -> f32 {
    assert_eq!(a.len(), b.len());
    let larger =
        |worst: f32, difference: f32| if difference > worst || difference.is_nan() { difference } else { worst };
    a.iter().flatten().zip(b.iter().flatten()).map(|(a, b)| (a - b).abs()).fold(0.0, larger)
}
