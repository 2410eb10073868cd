//! Synthetic checkpoints: random weights at a real shape.
//!
//! Speed and memory depend on a model's shape, not on what it has learned, so candidates can be screened before anything
//! is downloaded. Quantized weights are made as random blocks of their final type: never through a full-precision copy.

use std::io;
use std::path::Path;

use candle_core::quantized::GgmlDType;
use half::{bf16, f16};
use rand::rngs::SmallRng;
use rand::{Rng, RngCore, SeedableRng};
use rayon::prelude::*;

use super::{AcquireError, Checkpoint, Weights, local};
use crate::cpu::bytes::{Buffer, Bytes};
use crate::run::CheckpointFacts;
use crate::spec::{Config, DecoderSpec, Inventory, shipped_shape};

/// A checkpoint of random weights at the shape of a shipped repository, or of a directory with a `config.json`.
///
/// # Errors
/// A shape that is not known, or a config that cannot be used.
pub fn open(shape: &str, seed: u64) -> Result<Checkpoint, AcquireError> {
    let config = config(shape)?;
    let spec_failed = |source| AcquireError::Spec { path: shape.into(), source };
    let spec = DecoderSpec::from_config(&config).map_err(spec_failed)?;
    let facts = CheckpointFacts {
        commit: None,
        architecture: config.model_type().map_err(spec_failed)?.to_owned(),
        parameters: Inventory::of(&spec).parameters(),
        files: Vec::new(),
        synthetic: true,
    };
    Ok(Checkpoint { config, text: None, weights: Weights::Synthetic { seed }, adapter: None, facts })
}

/// The config of a shape.
///
/// # Errors
/// As [`open`].
pub fn config(shape: &str) -> Result<Config, AcquireError> {
    match shipped_shape(shape) {
        Some(config) => Ok(config),
        None if Path::new(shape).join("config.json").is_file() => local::config(Path::new(shape)),
        None => Err(AcquireError::NoShape(shape.into())),
    }
}

/// Standard deviation of the weights: that of the usual initialisation, so that activations stay finite.
const SIGMA: f32 = 0.02;

/// Bytes that one task fills: large enough to share out, small enough to stay in the cache.
const CHUNK: usize = 1 << 20;

/// Random weights of `elements` numbers as blocks of `kind`, the same for the same seed.
///
/// The scales of the blocks are chosen so that the numbers have mean 0 and deviation 0.02; all other bits are random.
///
/// # Errors
/// If the system has no memory for them.
pub fn blocks(kind: GgmlDType, elements: usize, seed: u64) -> io::Result<Bytes> {
    let block = kind.type_size();
    let mut bytes = Buffer::zeroed(elements / kind.block_size() * block)?;
    let chunk = CHUNK / block * block;
    bytes.par_chunks_mut(chunk).enumerate().for_each(|(index, chunk)| {
        let mut random = SmallRng::seed_from_u64(seed ^ (index as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        fill(kind, chunk, &mut random);
    });
    Ok(bytes.into())
}

fn fill(kind: GgmlDType, bytes: &mut [u8], random: &mut SmallRng) {
    // A uniform distribution of this half-width has the deviation SIGMA.
    let width = SIGMA * 3f32.sqrt();
    match kind {
        GgmlDType::F32 => {
            for number in bytes.chunks_exact_mut(4) {
                number.copy_from_slice(&random.random_range(-width..width).to_le_bytes());
            }
        }
        GgmlDType::F16 => {
            for number in bytes.chunks_exact_mut(2) {
                number.copy_from_slice(&f16::from_f32(random.random_range(-width..width)).to_le_bytes());
            }
        }
        GgmlDType::BF16 => {
            for number in bytes.chunks_exact_mut(2) {
                number.copy_from_slice(&bf16::from_f32(random.random_range(-width..width)).to_le_bytes());
            }
        }
        _ => {
            random.fill_bytes(bytes);
            for block in bytes.chunks_exact_mut(kind.type_size()) {
                set_scales(kind, block);
            }
        }
    }
}

/// Overwrites the scales of a random block; layouts are those of ggml-common.h.
fn set_scales(kind: GgmlDType, block: &mut [u8]) {
    let mut set = |at: usize, scale: f32| block[at..at + 2].copy_from_slice(&f16::from_f32(scale).to_le_bytes());
    match kind {
        // x = d q, q uniform over -128..127, whose deviation is 73.9.
        GgmlDType::Q8_0 => set(0, SIGMA / 73.9),
        // x = d s q - m t with 6-bit s, t and 4-bit q; E[s] = E[t] = 31.5 and E[q] = 7.5, so m = 7.5 d gives mean 0.
        GgmlDType::Q4K => {
            set(0, 9.0e-5);
            set(2, 7.5 * 9.0e-5);
        }
        // x = d (q - 8), q uniform over 0..15, whose deviation is 4.61.
        GgmlDType::Q4_0 => set(0, SIGMA / 4.61),
        // As q4_k with 5-bit q: E[q] = 15.5.
        GgmlDType::Q5K => {
            set(0, 4.5e-5);
            set(2, 15.5 * 4.5e-5);
        }
        // x = d s q with 8-bit signed s (deviation 73.9) and q over -32..31 (18.5).
        GgmlDType::Q6K => set(208, SIGMA / (73.9 * 18.5)),
        other => unreachable!("no weight is held as {other:?} by the inventory"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;
    use candle_core::quantized::{QStorage, QTensor};

    #[test]
    fn random_blocks_have_mean_zero_and_the_usual_deviation() {
        let float = [GgmlDType::F32, GgmlDType::BF16, GgmlDType::F16];
        let blocks_of = [GgmlDType::Q8_0, GgmlDType::Q6K, GgmlDType::Q5K, GgmlDType::Q4K, GgmlDType::Q4_0];
        for kind in float.into_iter().chain(blocks_of) {
            let bytes = blocks(kind, 1 << 20, 7).unwrap();
            let storage = QStorage::from_data(bytes.to_vec().into(), &Device::Cpu, kind).unwrap();
            let tensor = QTensor::new(storage, (1 << 10, 1 << 10)).unwrap().dequantize(&Device::Cpu).unwrap();
            let numbers: Vec<f32> = tensor.flatten_all().unwrap().to_vec1().unwrap();
            let mean = numbers.iter().map(|x| f64::from(*x)).sum::<f64>() / numbers.len() as f64;
            let square = numbers.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / numbers.len() as f64;
            // Four bits without an offset of their own lie half a step below zero.
            assert!(mean.abs() < 3e-3, "{kind:?}: mean {mean}");
            assert!((0.015..0.03).contains(&square.sqrt()), "{kind:?}: deviation {}", square.sqrt());
        }
    }

    #[test]
    fn the_same_seed_makes_the_same_weights() {
        let of = |seed| blocks(GgmlDType::Q4K, 1 << 16, seed).unwrap().to_vec();
        assert_eq!(of(3), of(3));
        assert_ne!(of(3), of(4));
    }
}
