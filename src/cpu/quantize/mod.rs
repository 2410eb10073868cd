//! Making ggml's blocks out of numbers as a checkpoint publishes them.
//!
//! The algorithms are those of ggml's reference (ggml-quants.c of <https://github.com/ggml-org/ggml>), operation for
//! operation, so blocks are those that llama.cpp makes. What is vectorised is not a sum over the numbers of a group, which
//! would be added in another order, but sixteen groups side by side: so all processors make the same bytes.

mod blocks;
mod k_quants;
mod lanes;
mod numbers;
mod simple;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod x86;

use candle_core::quantized::GgmlDType;

use super::isa::Isa;
use blocks::{BATCH, Batch, Blocks};
use lanes::{LANES, Lanes, Plain};
pub use numbers::Numbers;

/// Quantizes numbers to blocks of `kind`, on this thread.
///
/// Of infinities, of what is not a number, and of what is beyond the float16 of a scale, a block is made from which they
/// cannot be had again.
///
/// # Panics
/// If `blocks` has not the size of the blocks of these numbers, or if no weight is held as `kind`
/// (`Weight::held_as` of `bench`).
pub fn quantize(kind: GgmlDType, numbers: Numbers, blocks: &mut [u8]) {
    quantize_by(Isa::best(), kind, numbers, blocks);
}

fn quantize_by(isa: Isa, kind: GgmlDType, numbers: Numbers, blocks: &mut [u8]) {
    assert!(numbers.count().is_multiple_of(kind.block_size()), "numbers make whole blocks");
    assert_eq!(blocks.len(), numbers.count() / kind.block_size() * kind.type_size(), "there is room for each block");
    match isa.min(Isa::best()) {
        Isa::Portable => quantize_with::<Plain>(kind, numbers, blocks),
        // SAFETY: the processor has the instructions.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe { quantize_with_avx2(kind, numbers, blocks) },
        // SAFETY: the processor has the instructions.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 | Isa::Avx512Bf16 => unsafe { quantize_with_avx512(kind, numbers, blocks) },
        #[cfg(not(target_arch = "x86_64"))]
        other => unreachable!("{other:?} is of another processor"),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,f16c")]
fn quantize_with_avx2(kind: GgmlDType, numbers: Numbers, blocks: &mut [u8]) {
    quantize_with::<x86::Avx2>(kind, numbers, blocks);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,f16c,avx512f,avx512bw,avx512dq,avx512vl")]
fn quantize_with_avx512(kind: GgmlDType, numbers: Numbers, blocks: &mut [u8]) {
    quantize_with::<x86::Avx512>(kind, numbers, blocks);
}

#[inline(always)]
fn quantize_with<V: Lanes>(kind: GgmlDType, numbers: Numbers, blocks: &mut [u8]) {
    match kind {
        GgmlDType::Q8_0 => quantize_to::<V, simple::Q8_0, _>(numbers, blocks),
        GgmlDType::Q4_0 => quantize_to::<V, simple::Q4_0, _>(numbers, blocks),
        GgmlDType::Q4K => quantize_to::<V, k_quants::Q4K, _>(numbers, blocks),
        GgmlDType::Q5K => quantize_to::<V, k_quants::Q5K, _>(numbers, blocks),
        GgmlDType::Q6K => quantize_to::<V, k_quants::Q6K, _>(numbers, blocks),
        other => unreachable!("no weight is held as {other:?} by the inventory"),
    }
}

#[inline(always)]
fn quantize_to<V: Lanes, B: Blocks<BYTES>, const BYTES: usize>(mut numbers: Numbers, blocks: &mut [u8]) {
    let mut batch: Batch = [[0.0; LANES]; BATCH / LANES];
    for blocks in blocks.as_chunks_mut::<BYTES>().0.chunks_mut(BATCH / B::NUMBERS) {
        for row in &mut batch {
            numbers.next::<V>().store(row);
        }
        B::quantize::<V>(&batch, blocks);
    }
}
