//! Weights in floats of 8 bits, multiplied by their scales as they are read.
//!
//! Types: OCP 8-bit Floating Point Specification, revision 1.0 (E4M3 without infinities, E5M2), which safetensors names
//! `F8_E4M3` and `F8_E5M2`. A matrix of rows and columns has one scale, one a row, or one a block; every writer multiplies by
//! it, those too that call it an inverse (`weight_scale_inv` of DeepSeek-V3 and of transformers).

use candle_core::DType;
use half::f16;
use rayon::prelude::*;
use safetensors::Dtype;

use crate::acquire::StoredTensor;
use crate::cpu::bytes::Buffer;
use crate::engine::EngineError;

/// A float of 8 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Float8 {
    /// 4 bits of exponent, 3 of fraction, and no infinity.
    E4M3,
    /// 5 bits of exponent and 2 of fraction: the upper half of a float16.
    E5M2,
}

impl Float8 {
    /// The type by safetensors' name of it, if it is one.
    pub(super) fn of(dtype: Dtype) -> Option<Self> {
        match dtype {
            Dtype::F8_E4M3 => Some(Self::E4M3),
            Dtype::F8_E5M2 => Some(Self::E5M2),
            _ => None,
        }
    }

    /// Safetensors' name of it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::E4M3 => "F8_E4M3",
            Self::E5M2 => "F8_E5M2",
        }
    }

    /// The number that a byte is.
    fn number(self, byte: u8) -> f32 {
        match self {
            Self::E4M3 => {
                let (exponent, fraction) = (i32::from(byte >> 3 & 15), f32::from(byte & 7));
                let size = match (exponent, byte & 7) {
                    (15, 7) => f32::NAN,
                    (0, _) => fraction * 2f32.powi(-9),
                    _ => (8.0 + fraction) * 2f32.powi(exponent - 10),
                };
                if byte >> 7 == 1 { -size } else { size }
            }
            Self::E5M2 => f16::from_bits(u16::from(byte) << 8).to_f32(),
        }
    }
}

/// The scales of a matrix.
pub(super) struct Scales {
    numbers: Vec<f32>,
    /// Rows and columns that share one.
    block: [usize; 2],
    /// Scales of a row of blocks.
    across: usize,
}

impl Scales {
    /// The scales of a matrix of rows and columns: by blocks of this size, by rows, or one. `None` of any other shape.
    pub(super) fn new(stored: &StoredTensor, [rows, columns]: [usize; 2], block: Option<[usize; 2]>) -> Option<Self> {
        let numbers =
            stored.to_tensor().and_then(|scales| scales.to_dtype(DType::F32)?.flatten_all()?.to_vec1()).ok()?;
        let whole = [rows.max(1), columns.max(1)];
        let grid = |[down, across]: [usize; 2]| [rows.div_ceil(down), columns.div_ceil(across)];
        let shape = stored.shape.as_slice();
        let block = match block {
            Some(block) if shape == grid(block) => block,
            _ if numbers.len() == 1 => whole,
            _ if shape == [rows] || shape == [rows, 1] => [1, whole[1]],
            _ => return None,
        };
        Some(Self { numbers, block, across: grid(block)[1] })
    }
}

/// A matrix of 8 bits as the numbers that it stands for, in float32.
///
/// # Errors
/// If memory does not suffice.
pub(super) fn multiplied(
    kind: Float8,
    bytes: &[u8],
    shape: &[usize],
    scales: &Scales,
) -> Result<StoredTensor, EngineError> {
    let numbers: [f32; 256] = std::array::from_fn(|byte| kind.number(byte as u8));
    let columns = shape.last().copied().unwrap_or(1).max(1);
    let mut buffer = Buffer::zeroed(4 * bytes.len()).map_err(EngineError::Allocation)?;
    let rows = buffer.par_chunks_mut(4 * columns).zip(bytes.par_chunks(columns)).enumerate();
    let [down, across] = scales.block;
    rows.for_each(|(row, (out, bytes))| {
        let scales = &scales.numbers[row / down * scales.across..];
        let blocks = out.chunks_mut(4 * across).zip(bytes.chunks(across)).zip(scales);
        for ((out, bytes), scale) in blocks {
            for (out, byte) in out.chunks_exact_mut(4).zip(bytes) {
                out.copy_from_slice(&(numbers[usize::from(*byte)] * scale).to_le_bytes());
            }
        }
    });
    Ok(StoredTensor { dtype: DType::F32, shape: shape.to_vec(), bytes: buffer.into() })
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor};

    use super::*;

    /// The limits that the specification states.
    #[test]
    fn bytes_are_the_numbers_of_the_specification() {
        for (kind, byte, number) in [
            (Float8::E4M3, 0x00, 0.0),
            (Float8::E4M3, 0x01, 2f32.powi(-9)),
            (Float8::E4M3, 0x07, 0.875 * 2f32.powi(-6)),
            (Float8::E4M3, 0x08, 2f32.powi(-6)),
            (Float8::E4M3, 0x38, 1.0),
            (Float8::E4M3, 0x7e, 448.0),
            (Float8::E4M3, 0xfe, -448.0),
            (Float8::E5M2, 0x01, 2f32.powi(-16)),
            (Float8::E5M2, 0x03, 0.75 * 2f32.powi(-14)),
            (Float8::E5M2, 0x04, 2f32.powi(-14)),
            (Float8::E5M2, 0x3c, 1.0),
            (Float8::E5M2, 0xfb, -57344.0),
            (Float8::E5M2, 0x7c, f32::INFINITY),
        ] {
            assert_eq!(kind.number(byte), number, "{kind:?} {byte:#x}");
        }
        assert!(
            [0x7f, 0xff].iter().all(|byte| Float8::E4M3.number(*byte).is_nan()) && Float8::E5M2.number(0x7d).is_nan()
        );
        assert!(Float8::E4M3.number(0x80).is_sign_negative());
    }

    fn scales(shape: &[usize], block: Option<[usize; 2]>) -> Option<Scales> {
        let count = shape.iter().product::<usize>() as u32;
        let numbers = Tensor::arange(1, count + 1, &Device::Cpu).unwrap().to_dtype(DType::F32).unwrap();
        Scales::new(&StoredTensor::copy_of(&numbers.reshape(shape).unwrap()).unwrap(), [3, 5], block)
    }

    #[test]
    fn a_scale_is_the_whole_matrix_a_row_s_or_a_block_s() {
        const ONE: u8 = 0x38;
        let of = |shape: &[usize], block| -> Vec<Vec<f32>> {
            let scales = scales(shape, block).unwrap();
            let matrix = multiplied(Float8::E4M3, &[ONE; 15], &[3, 5], &scales).unwrap();
            matrix.to_tensor().unwrap().to_vec2().unwrap()
        };
        for shape in [&[][..], &[1], &[1, 1]] {
            assert_eq!(of(shape, None), [[1.0; 5]; 3]);
        }
        for shape in [&[3][..], &[3, 1]] {
            assert_eq!(of(shape, None), [[1.0; 5], [2.0; 5], [3.0; 5]]);
        }
        // The last block of a row, and of a column, is smaller.
        let blocks = [[1.0, 1.0, 1.0, 2.0, 2.0], [1.0, 1.0, 1.0, 2.0, 2.0], [3.0, 3.0, 3.0, 4.0, 4.0]];
        assert_eq!(of(&[2, 2], Some([2, 3])), blocks);
    }

    #[test]
    fn scales_of_another_shape_are_none() {
        for (shape, block) in [
            (&[2, 2][..], None),
            (&[2, 3], Some([2, 3])),
            (&[5], None),
            (&[1, 5], None),
            (&[3, 5], Some([2, 3])),
            (&[0], None),
        ] {
            assert!(scales(shape, block).is_none(), "{shape:?} {block:?}");
        }
    }
}
