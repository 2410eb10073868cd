//! Numbers as they lie in a checkpoint's file.

use candle_core::DType;

use super::lanes::Lanes;

/// Little-endian numbers of a type that is widened on the way into a register; they may lie on any boundary.
#[derive(Clone, Copy)]
pub struct Numbers<'a> {
    bytes: &'a [u8],
    float: Float,
}

#[derive(Clone, Copy)]
enum Float {
    F32,
    F16,
    Bf16,
}

impl Float {
    fn size(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }
}

impl<'a> Numbers<'a> {
    /// Numbers of a type; `None` if it is not one of float32, float16 and bfloat16, or if the last one is cut short.
    pub fn new(dtype: DType, bytes: &'a [u8]) -> Option<Self> {
        let float = match dtype {
            DType::F32 => Float::F32,
            DType::F16 => Float::F16,
            DType::BF16 => Float::Bf16,
            _ => return None,
        };
        bytes.len().is_multiple_of(float.size()).then_some(Self { bytes, float })
    }

    /// How many are left.
    pub fn count(self) -> usize {
        self.bytes.len() / self.float.size()
    }

    /// Takes the next sixteen in float32; behind the last one come zeros.
    #[inline(always)]
    pub(super) fn next<V: Lanes>(&mut self) -> V {
        match self.float {
            Float::F32 => V::of_f32(&self.take()),
            Float::F16 => V::of_f16(&self.take()),
            Float::Bf16 => V::of_bf16(&self.take()),
        }
    }

    #[inline(always)]
    fn take<const BYTES: usize>(&mut self) -> [u8; BYTES] {
        if let Some((next, rest)) = self.bytes.split_first_chunk() {
            self.bytes = rest;
            return *next;
        }
        let mut padded = [0; BYTES];
        padded[..self.bytes.len()].copy_from_slice(self.bytes);
        self.bytes = &[];
        padded
    }
}
