//! Unpacking with the instructions that there are.

use super::super::isa::Isa;
use super::{Format, SPAN, Span};

/// Unpacks 1 to `SPAN / BLOCK` blocks; what is beyond them becomes 0.
///
/// # Panics
/// If these are not whole blocks, or not so many, or if the processor has not these instructions.
pub fn unpack<F: Format>(isa: Isa, blocks: &[u8], span: &mut Span) {
    let count = blocks.len() / F::BYTES;
    assert!(
        blocks.len().is_multiple_of(F::BYTES) && (1..=SPAN / F::BLOCK).contains(&count),
        "these are no whole blocks, or more than a span"
    );
    assert!(isa <= Isa::best(), "this processor has no {isa:?}");
    match isa {
        // SAFETY: the processor has it.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe { F::unpack_avx2(blocks, span) },
        // SAFETY: the processor has it.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 | Isa::Avx512Bf16 => unsafe { F::unpack_avx512(blocks, span) },
        _ => F::unpack(blocks, span),
    }
}

#[cfg(test)]
mod tests {
    use super::super::dtype::{Visitor, types, visit};
    use super::super::q8_0::Q8_0;
    use super::*;
    #[cfg(unix)]
    use crate::guarded::Guarded;
    use candle_core::quantized::GgmlDType;
    use rand::rngs::StdRng;
    use rand::{RngCore, SeedableRng};

    /// Random blocks of all types, 1 to as many as a span has, several times.
    fn samples() -> Vec<(GgmlDType, Vec<u8>)> {
        let mut rng = StdRng::seed_from_u64(7);
        let mut samples = Vec::new();
        for dtype in types() {
            for blocks in (1..=SPAN / dtype.block_size()).flat_map(|blocks| [blocks; 32]) {
                let mut bytes = vec![0; blocks * dtype.type_size()];
                rng.fill_bytes(&mut bytes);
                samples.push((dtype, bytes));
            }
        }
        samples
    }

    /// Unpacks blocks with all instructions that there are, and holds the spans against the portable one.
    struct Agree<'a>(&'a [u8]);

    impl Visitor for Agree<'_> {
        type Out = ();

        fn visit<F: Format>(self) {
            let used = Span { quants: [77; SPAN], scales: [7.0; 16], mins: [7.0; 16] };
            let mut expected = used.clone();
            F::unpack(self.0, &mut expected);
            let weights = self.0.len() / F::BYTES * F::BLOCK;
            assert!(expected.quants[weights..].iter().all(|quant| *quant == 0));
            assert!(expected.scales[weights / F::GROUP..].iter().all(|scale| *scale == 0.0));
            assert!(expected.mins[weights / F::GROUP..].iter().all(|min| *min == 0.0));
            assert!(F::WIDE || expected.quants.iter().all(|quant| *quant < 128));
            if let Some(offset) = F::OFFSET {
                assert!(same(&expected.mins, &expected.scales.map(|scale| offset as f32 * scale)));
            }
            for isa in Isa::all() {
                let mut span = used.clone();
                unpack::<F>(isa, self.0, &mut span);
                assert_eq!(span.quants, expected.quants, "{isa:?}, {weights} weights");
                assert!(same(&span.scales, &expected.scales), "{isa:?}: {span:?}, not {expected:?}");
                assert!(same(&span.mins, &expected.mins), "{isa:?}: {span:?}, not {expected:?}");
            }
        }
    }

    fn same(some: &[f32], others: &[f32]) -> bool {
        some.iter().zip(others).all(|(one, other)| one == other || one.is_nan() && other.is_nan())
    }

    #[test]
    fn all_instructions_give_the_same_wherever_blocks_lie() {
        for (dtype, bytes) in samples() {
            for offset in [0, 2, 30] {
                let mut buffer = vec![0xff; offset];
                buffer.extend_from_slice(&bytes);
                buffer.extend_from_slice(&[0xff; 64]);
                visit(dtype, Agree(&buffer[offset..][..bytes.len()])).unwrap();
            }
        }
    }

    #[cfg(unix)]
    #[test]
    fn nothing_before_or_behind_the_blocks_is_read() {
        let mut guarded = Guarded::new(1);
        for (dtype, bytes) in samples() {
            visit(dtype, Agree(guarded.at_start(&bytes))).unwrap();
            visit(dtype, Agree(guarded.at_end(&bytes))).unwrap();
        }
    }

    #[test]
    #[should_panic(expected = "whole blocks")]
    fn a_part_of_a_block_is_refused() {
        unpack::<Q8_0>(Isa::best(), &[0; 33], &mut { Span::ZERO });
    }

    #[test]
    #[should_panic(expected = "whole blocks")]
    fn more_than_a_span_is_refused() {
        unpack::<Q8_0>(Isa::best(), &[0; 9 * 34], &mut { Span::ZERO });
    }
}
