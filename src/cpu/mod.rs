//! Kernels for the host's processors: products of quantized and 16-bit weights, attention, and what stands between them.
//!
//! candle has packed products for three of ggml's types, at some widths, of copies that take more memory than the weights;
//! others run 5 to 30 times slower there. Here every type and width is multiplied as it lies in its file: on x86 by AVX2 or
//! AVX-512 with VNNI, whichever the processor has, elsewhere by plain loops, which are also what the others are tested
//! against.
//!
//! | module | what |
//! |---|---|
//! | [`isa`] | which instructions there are |
//! | [`pool`] | the threads that share an operation out |
//! | [`disjoint`] | a slice whose parts are written by different threads |
//! | [`dense`] | products with weights of 16 and 32 bits |
//! | [`quantized`] | ggml's blocks, one file a type, and products with them |

pub mod dense;
pub mod disjoint;
pub mod isa;
pub mod pool;
pub mod quantized;
