//! Rows of blocks as numbers, for looking up embeddings and for looking through weights.

use super::super::isa::Isa;
use super::dtype::{Visitor, visit};
use super::unpack::unpack;
use super::{Format, SPAN, Span};
use candle_core::quantized::GgmlDType;

/// The weights of blocks that follow each other, of one row or of several; `None` if this is no type of block.
///
/// # Panics
/// If there are not as many blocks as the weights take.
pub fn dequantize(dtype: GgmlDType, blocks: &[u8], weights: &mut [f32]) -> Option<()> {
    visit(dtype, Row { blocks, weights })
}

struct Row<'a> {
    blocks: &'a [u8],
    weights: &'a mut [f32],
}

impl Visitor for Row<'_> {
    type Out = ();

    fn visit<F: Format>(self) {
        let Self { blocks, weights } = self;
        assert_eq!(blocks.len() * F::BLOCK, weights.len() * F::BYTES, "these blocks hold another number of weights");
        let (isa, mut span) = (Isa::best(), Span::ZERO);
        for (blocks, weights) in blocks.chunks(SPAN / F::BLOCK * F::BYTES).zip(weights.chunks_mut(SPAN)) {
            unpack::<F>(isa, blocks, &mut span);
            let groups = weights.chunks_mut(F::GROUP).zip(span.quants.chunks(F::GROUP));
            for ((weights, quants), (scale, min)) in groups.zip(span.scales.iter().zip(&span.mins)) {
                for (weight, quant) in weights.iter_mut().zip(quants) {
                    *weight = scale * f32::from(*quant) - min;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::dtype::types;
    use super::*;
    use candle_core::Device;
    use candle_core::quantized::{QStorage, QTensor};
    use rand::rngs::StdRng;
    use rand::{RngCore, SeedableRng};
    use std::borrow::Cow;

    fn candle(dtype: GgmlDType, blocks: &[u8], weights: usize) -> Vec<f32> {
        let storage = QStorage::from_data(Cow::Borrowed(blocks), &Device::Cpu, dtype).unwrap();
        QTensor::new(storage, weights).unwrap().dequantize(&Device::Cpu).unwrap().to_vec1().unwrap()
    }

    fn ours(dtype: GgmlDType, blocks: &[u8]) -> Vec<f32> {
        let mut weights = vec![7.0; blocks.len() / dtype.type_size() * dtype.block_size()];
        dequantize(dtype, blocks, &mut weights).unwrap();
        weights
    }

    #[test]
    fn weights_are_those_of_candle() {
        let mut rng = StdRng::seed_from_u64(11);
        for dtype in types() {
            // 101 blocks end within a span of those that are smaller. Random bytes have scales of all kinds: one in 32 is
            // subnormal, and one in 32 no finite number.
            let mut blocks = vec![0; 101 * dtype.type_size()];
            rng.fill_bytes(&mut blocks);
            let ours = ours(dtype, &blocks);
            let theirs = candle(dtype, &blocks, ours.len());
            let finite = theirs.iter().filter(|weight| weight.is_finite()).count();
            assert!(theirs.len() / 2 < finite && finite < theirs.len(), "{dtype:?}: {finite} finite weights");
            for (at, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
                assert!(
                    *ours == theirs || !ours.is_finite() && !theirs.is_finite(),
                    "{dtype:?} {at}: {ours}, {theirs}"
                );
            }
        }
    }

    #[test]
    fn a_scale_of_zero_gives_zeros() {
        for dtype in types() {
            assert!(ours(dtype, &vec![0; 3 * dtype.type_size()]).iter().all(|weight| *weight == 0.0), "{dtype:?}");
        }
    }

    #[test]
    fn other_types_have_no_blocks() {
        assert_eq!(dequantize(GgmlDType::F16, &[0; 64], &mut [0.0; 32]), None);
    }

    #[test]
    #[should_panic(expected = "another number of weights")]
    fn blocks_of_another_length_are_refused() {
        dequantize(GgmlDType::Q8_0, &[0; 34], &mut [0.0; 33]);
    }
}
