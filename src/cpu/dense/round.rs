//! Activations rounded to bfloat16, once for all products with them.

use half::bf16;

use super::Kind;
use crate::isa::Isa;
use crate::pool::Pool;
use crate::share::by_parts;

/// From so many tokens on activations are rounded where weights are bfloat16, if the processor multiplies such numbers.
///
/// That is twice as fast where arithmetic bounds a product, which it does from about 10 tokens on: before, a weight takes
/// longer to come from memory. But it keeps 8 of the 24 bits of an activation, and a short prompt is over soon. With fewer
/// tokens than these a product remains exact, and what that costs is bounded: some 0.3 ns a weight with two cores, 0.3 s for a
/// billion of them. What counts are the tokens of a forward pass, of all its sequences; to an expert, those that it is given.
pub const ROUNDED_TOKENS: usize = 128;

/// Whether a product of so many tokens, all of a job's, is one of rounded activations.
pub(super) fn rounds(isa: Isa, kind: Kind, tokens: usize) -> bool {
    isa >= Isa::Avx512Bf16 && kind == Kind::Bf16 && tokens >= ROUNDED_TOKENS
}

/// Rounds to the nearest, of two equally near to the even one; what is no number remains none, and denormals become 0.
///
/// # Panics
/// If the processor has no instruction for it: see [`rounds`].
pub(super) fn round(pool: &Pool, x: &[f32]) -> Vec<bf16> {
    assert!(Isa::best() >= Isa::Avx512Bf16, "this processor does not round to bfloat16");
    let mut rounded = vec![bf16::ZERO; x.len()];
    by_parts(pool, &mut rounded, 1, &|first, rounded| {
        let x = &x[first..][..rounded.len()];
        // SAFETY: the processor has the instructions.
        #[cfg(target_arch = "x86_64")]
        unsafe {
            round_part(x, rounded);
        }
    });
    rounded
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
fn round_part(x: &[f32], rounded: &mut [bf16]) {
    use std::arch::x86_64::*;

    assert_eq!(x.len(), rounded.len());
    for (x, rounded) in x.chunks(16).zip(rounded.chunks_mut(16)) {
        let there = u16::MAX >> (16 - x.len());
        // SAFETY: as many as there are.
        unsafe {
            let numbers = _mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(there, x.as_ptr()));
            let bits = std::mem::transmute::<__m256bh, __m256i>(numbers);
            _mm256_mask_storeu_epi16(rounded.as_mut_ptr().cast(), there, bits);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn activations_are_rounded_to_the_nearest() {
        if Isa::best() < Isa::Avx512Bf16 {
            return;
        }
        // All of bfloat16's numbers, what lies halfway between two, and to either side of that.
        let bits = (0..=u16::MAX).flat_map(|high| [0, 1, 0x7fff, 0x8000, 0x8001, 0xffff].map(|low| (high, low)));
        let x: Vec<f32> = bits.map(|(high, low)| f32::from_bits(u32::from(high) << 16 | low)).collect();
        for count in [0, 1, 15, 16, 17, x.len() - 3, x.len()] {
            let rounded = round(&Pool::new(2), &x[..count]);
            assert_eq!(rounded.len(), count);
            for (x, rounded) in x.iter().zip(rounded) {
                if x.is_nan() {
                    assert!(rounded.is_nan(), "{x}");
                } else if x.is_subnormal() {
                    assert_eq!(rounded.to_f32(), 0.0, "{x}");
                } else {
                    assert_eq!(rounded.to_bits(), bf16::from_f32(*x).to_bits(), "{x}");
                }
            }
        }
    }
}
