//! Products with weights in ggml's blocks, as they lie in a file.
//!
//! All types are unpacked to one form, [`Span`], so that a type is one short file: where its bits lie. Products know only
//! that form. Layouts of the blocks: ggml-common.h of <https://github.com/ggml-org/ggml>.

pub mod activations;
pub mod dequantize;
pub mod dtype;
pub mod product;
pub mod unpack;

pub mod nibbles;
pub mod q2_k;
pub mod q3_k;
pub mod q4_k;
pub mod q5_k;
pub mod q6_k;
pub mod q8_0;

mod heads;
mod kernels;
#[cfg(target_arch = "x86_64")]
mod panel;
mod part;
mod rows;
mod six_bit;
#[cfg(target_arch = "x86_64")]
mod x86;

/// Weights that are unpacked at a time.
pub const SPAN: usize = 256;

/// Up to 256 consecutive weights of a row: weight `i` of group `g` is `scales[g] · quants[i] − mins[g]`.
#[repr(C, align(64))]
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// Unsigned codes, one a weight.
    pub quants: [u8; SPAN],
    /// Of each group in order; those beyond the last are 0.
    pub scales: [f32; 16],
    /// What is subtracted in each group; those beyond the last are 0.
    pub mins: [f32; 16],
}

impl Span {
    /// A span whose weights are all zero, to be unpacked into.
    pub const ZERO: Self = Self { quants: [0; SPAN], scales: [0.0; 16], mins: [0.0; 16] };
}

/// A type of block.
pub trait Format {
    /// Weights of a block: 32 or 256.
    const BLOCK: usize;
    /// Bytes of a block.
    const BYTES: usize;
    /// Weights that share a scale: 16 or 32.
    const GROUP: usize;
    /// Whether a quant can be over 127: it then does not fit where two products are added in 16 bits.
    const WIDE: bool;
    /// What all mins are times their scales, where they are so: whole numbers are then taken off.
    const OFFSET: Option<i32> = None;

    /// Unpacks 1 to `SPAN / BLOCK` blocks; what is beyond them becomes 0.
    fn unpack(blocks: &[u8], span: &mut Span);

    /// The same with AVX2.
    ///
    /// # Safety
    /// The processor has what [`Isa::Avx2`](super::isa::Isa::Avx2) says.
    #[cfg(target_arch = "x86_64")]
    unsafe fn unpack_avx2(blocks: &[u8], span: &mut Span);

    /// The same with AVX-512.
    ///
    /// # Safety
    /// The processor has what [`Isa::Avx512`](super::isa::Isa::Avx512) says.
    #[cfg(target_arch = "x86_64")]
    unsafe fn unpack_avx512(blocks: &[u8], span: &mut Span);
}
