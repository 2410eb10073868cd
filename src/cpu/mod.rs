//! Kernels for the host's processors: products of quantized and 16-bit weights, attention, and what stands between them.
//!
//! candle has fast products for three of ggml's types, at some widths, of copies that take more memory than the weights.
//! Here every type and width is multiplied as it lies in its file: on x86 by AVX2, AVX-512 with VNNI, or that with BF16,
//! whichever the processor has, elsewhere by plain loops, which are also what the others are tested against.
//!
//! | module | what |
//! |---|---|
//! | [`bytes`] | where weights lie: in a mapped file, or in memory of their own |
//! | [`disjoint`] | a slice whose parts are written by different threads |
//! | [`isa`] | which instructions there are |
//! | [`matrix`] | weights of any type, and products with them |
//! | [`pool`] | the threads that share an operation out |
//! | [`dense`] | products with weights of 16 and 32 bits |
//! | [`quantize`] | ggml's blocks out of numbers as they are published |
//! | [`share`] | cutting what goes number by number into tasks for them |
//! | [`simd`], [`math`] | vectors of numbers, so that a kernel is written once, and functions of them |
//! | [`quantized`] | ggml's blocks, one file a type, and products with them |
//! | [`attention`] | queries over a cache of keys and values |
//! | [`norm`], [`rope`], [`activation`] | what goes row by row or number by number |

#![warn(missing_docs)]

pub mod bytes;
pub mod dense;
pub mod disjoint;
#[cfg(all(test, unix))]
mod guarded;
pub mod ggml;
pub mod isa;
pub mod matrix;
pub mod activation;
pub mod attention;
pub mod math;
pub mod norm;
pub mod pool;
pub mod quantize;
pub mod quantized;
pub mod rope;
pub mod share;
pub mod simd;
