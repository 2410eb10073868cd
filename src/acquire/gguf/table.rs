//! GGUF's types of 4 bits whose numbers stand in a table: IQ4_NL, IQ4_XS and MXFP4, held as Q8_0.
//!
//! Their blocks are 32 indices into a table of whole numbers, and a scale: `ggml-common.h` and `dequantize_row_*` of
//! `ggml-quants.c` in <https://github.com/ggml-org/ggml>. Q8_0 has the same blocks with the numbers themselves and a scale in
//! float16. IQ4_NL states its scale in float16. A scale of MXFP4 is a power of two, which float16 holds from 2^-24 to 2^15. The
//! scale of a group of IQ4_XS is a product, which is rounded to float16: by less than 1 in 2000.

use std::io;

use candle_core::quantized::GgmlDType;
use half::f16;
use rayon::prelude::*;

use crate::cpu::bytes::{Buffer, WeightBytes};

/// A type whose numbers stand in a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableType {
    Iq4Nl,
    Iq4Xs,
    Mxfp4,
}

const IQ4: [i8; 16] = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

/// Twice the numbers of E2M1, a float of 4 bits (OCP Microscaling Formats, revision 1.0).
const E2M1: [i8; 16] = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12];

/// Numbers that share a scale, as in Q8_0.
const GROUP: usize = 32;

impl TableType {
    /// The type that has this number in files.
    pub(super) fn of_number(number: u32) -> Option<Self> {
        match number {
            20 => Some(Self::Iq4Nl),
            23 => Some(Self::Iq4Xs),
            39 => Some(Self::Mxfp4),
            _ => None,
        }
    }

    /// Numbers of a block, and its bytes.
    pub(super) fn block(self) -> (usize, usize) {
        match self {
            Self::Iq4Nl => (32, 18),
            Self::Iq4Xs => (256, 136),
            Self::Mxfp4 => (32, 17),
        }
    }

    /// Whole blocks as those of Q8_0, of which each group of numbers is one.
    ///
    /// # Errors
    /// If memory does not suffice.
    pub fn as_q8_0(self, blocks: &[u8]) -> io::Result<WeightBytes> {
        let (numbers, size) = self.block();
        let group = GgmlDType::Q8_0.type_size();
        let held = numbers / GROUP * group;
        let mut buffer = Buffer::zeroed(blocks.len() / size * held)?;
        buffer.par_chunks_exact_mut(held).zip(blocks.par_chunks_exact(size)).for_each(|(out, block)| {
            for (at, out) in out.chunks_exact_mut(group).enumerate() {
                let (scale, indices, table) = self.group(block, at);
                out[..2].copy_from_slice(&f16::from_f32(scale).to_le_bytes());
                for (at, byte) in indices.iter().enumerate() {
                    let [low, high] = [byte & 15, byte >> 4].map(|index| table[usize::from(index)]);
                    (out[2 + at], out[2 + GROUP / 2 + at]) = (low.cast_unsigned(), high.cast_unsigned());
                }
            }
        });
        Ok(buffer.into())
    }

    /// A group of a block: its scale, the indices of its numbers, and what they lead into.
    fn group(self, block: &[u8], at: usize) -> (f32, &[u8], &'static [i8; 16]) {
        let word = |at: usize| u16::from_le_bytes([block[at], block[at + 1]]);
        match self {
            Self::Iq4Nl => (f16::from_bits(word(0)).to_f32(), &block[2..], &IQ4),
            Self::Iq4Xs => {
                let (low, high) = (block[4 + at / 2] >> (4 * (at % 2)) & 15, (word(2) >> (2 * at) & 3) as u8);
                let scale = f32::from((low | high << 4) as i8 - 32);
                (f16::from_bits(word(0)).to_f32() * scale, &block[8 + 16 * at..][..16], &IQ4)
            }
            // A power of two, halved for the numbers of the table are doubled.
            Self::Mxfp4 => (2f32.powi(i32::from(block[0]) - 128), &block[1..], &E2M1),
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::quantized::GgmlDType;
    use serde::Deserialize;

    use super::*;

    /// What gguf-py makes of random blocks of a type.
    #[derive(Deserialize)]
    struct Case {
        number: u32,
        bytes: Vec<u8>,
        values: Vec<f32>,
    }

    #[test]
    fn blocks_are_the_numbers_that_gguf_py_makes_of_them() {
        let cases: Vec<Case> =
            serde_json::from_str(include_str!("../../../tests/fixtures/gguf/table_types.json")).unwrap();
        assert_eq!(cases.len(), 3);
        for case in cases {
            let kind = TableType::of_number(case.number).unwrap();
            let held = kind.as_q8_0(&case.bytes).unwrap();
            assert_eq!(held.len(), case.values.len() / 32 * GgmlDType::Q8_0.type_size());
            let blocks = held.chunks_exact(34);
            let numbers = blocks.flat_map(|block| {
                let scale = f16::from_le_bytes([block[0], block[1]]).to_f32();
                block[2..].iter().map(move |number| scale * f32::from(number.cast_signed()))
            });
            // Half a unit in the last place of float16, where the scale is a product.
            let lost = if kind == TableType::Iq4Xs { 2f32.powi(-11) } else { 0.0 };
            for (found, expected) in numbers.zip(&case.values) {
                assert!((found - expected).abs() <= lost * expected.abs(), "{kind:?}: {found}, not {expected}");
            }
        }
    }
}
