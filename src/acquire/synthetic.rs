//! Synthetic checkpoints: random weights at a real shape.
//!
//! Speed and memory depend on a model's shape, not on what it has learned, so candidates can be screened before anything
//! is downloaded. Quantized weights are made as random blocks of their final type: never through a full-precision copy.

use std::path::Path;

use candle_core::quantized::GgmlDType;
use half::f16;
use rand::rngs::SmallRng;
use rand::{RngCore, SeedableRng};
use rayon::prelude::*;

use super::checkpoint::{Checkpoint, Weights};
use super::error::AcquireError;
use super::local;
use super::stamp::Stamps;
use crate::record::CheckpointFacts;
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
    Ok(Checkpoint {
        config,
        text: Ok(None),
        stamps: Stamps::default(),
        weights: Weights::Synthetic { seed },
        adapter: None,
        facts,
        warnings: Vec::new(),
    })
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

/// Fills a buffer with random numbers of `kind`, or with blocks of them, the same for the same seed.
///
/// Their mean is 0 and their deviation 0.02. Of a block the scales are chosen so, and all other bits are random; a number
/// that has none lies between 2⁻⁷ and 2⁻⁵ on either side of zero: sign, mantissa and the lowest bit of the exponent are
/// random. So nothing is computed for a weight, and a checkpoint is there about as soon as its memory.
pub fn fill(kind: GgmlDType, bytes: &mut [u8], seed: u64) {
    let chunk = CHUNK / kind.type_size() * kind.type_size();
    bytes.par_chunks_mut(chunk).enumerate().for_each(|(index, chunk)| {
        let mut random = SmallRng::seed_from_u64(seed ^ (index as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        random.fill_bytes(chunk);
        match kind {
            GgmlDType::F32 => {
                for number in chunk.as_chunks_mut().0 {
                    *number = (u32::from_le_bytes(*number) & 0x80FF_FFFF | 0x3C00_0000).to_le_bytes();
                }
            }
            GgmlDType::BF16 => set_exponents(chunk, 0x80FF, 0x3C00),
            GgmlDType::F16 => set_exponents(chunk, 0x87FF, 0x2000),
            _ => set_scales(kind, chunk),
        }
    });
}

/// Keeps some of the bits of 16, and sets others.
fn set_exponents(numbers: &mut [u8], kept: u16, set: u16) {
    for number in numbers.as_chunks_mut().0 {
        *number = (u16::from_le_bytes(*number) & kept | set).to_le_bytes();
    }
}

/// Overwrites the scales of random blocks.
fn set_scales(kind: GgmlDType, blocks: &mut [u8]) {
    for (at, scale) in scales(kind) {
        let scale = f16::from_f32(*scale).to_le_bytes();
        for block in blocks.chunks_exact_mut(kind.type_size()) {
            block[*at..*at + 2].copy_from_slice(&scale);
        }
    }
}

/// Where in a block there are scales, by ggml-common.h, and what they are to be.
fn scales(kind: GgmlDType) -> &'static [(usize, f32)] {
    match kind {
        // x = d q, q uniform over -128..127, whose deviation is 73.9.
        GgmlDType::Q8_0 => &[(0, SIGMA / 73.9)],
        // x = d s q - m t with 6-bit s, t and 4-bit q; E[s] = E[t] = 31.5 and E[q] = 7.5, so m = 7.5 d gives mean 0.
        GgmlDType::Q4K => &[(0, 9.0e-5), (2, 7.5 * 9.0e-5)],
        // x = d (q - 8), q uniform over 0..15, whose deviation is 4.61.
        GgmlDType::Q4_0 => &[(0, SIGMA / 4.61)],
        // As q4_k with 5-bit q: E[q] = 15.5.
        GgmlDType::Q5K => &[(0, 4.5e-5), (2, 15.5 * 4.5e-5)],
        // x = d s q with 8-bit signed s (deviation 73.9) and q over -32..31 (18.5).
        GgmlDType::Q6K => &[(208, SIGMA / (73.9 * 18.5))],
        other => unreachable!("no weight is held as {other:?} by the inventory"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;
    use candle_core::quantized::{QStorage, QTensor};

    fn filled(kind: GgmlDType, elements: usize, seed: u64) -> Vec<u8> {
        let mut bytes = vec![0; elements / kind.block_size() * kind.type_size()];
        fill(kind, &mut bytes, seed);
        bytes
    }

    #[test]
    fn random_blocks_have_mean_zero_and_the_usual_deviation() {
        let float = [GgmlDType::F32, GgmlDType::BF16, GgmlDType::F16];
        let blocks_of = [GgmlDType::Q8_0, GgmlDType::Q6K, GgmlDType::Q5K, GgmlDType::Q4K, GgmlDType::Q4_0];
        for kind in float.into_iter().chain(blocks_of) {
            let bytes = filled(kind, 1 << 20, 7);
            let storage = QStorage::from_data(bytes.into(), &Device::Cpu, kind).unwrap();
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
        assert_eq!(filled(GgmlDType::Q4K, 1 << 16, 3), filled(GgmlDType::Q4K, 1 << 16, 3));
        assert_ne!(filled(GgmlDType::Q4K, 1 << 16, 3), filled(GgmlDType::Q4K, 1 << 16, 4));
    }
}
