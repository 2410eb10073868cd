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
        Isa::Avx512 => unsafe { F::unpack_avx512(blocks, span) },
        _ => F::unpack(blocks, span),
    }
}

#[cfg(test)]
mod tests {
    use super::super::dtype::{TYPES, Visitor, visit};
    use super::super::q8_0::Q8_0;
    use super::*;
    use rand::rngs::StdRng;
    use rand::{RngCore, SeedableRng};

    /// Unpacks a type's blocks as the processor can, and holds the spans against the portable one's.
    struct Agree<'a>(&'a dyn Fn(&[u8], &mut dyn FnMut(&[u8])));

    impl Visitor for Agree<'_> {
        type Out = ();

        fn visit<F: Format>(self) {
            let mut rng = StdRng::seed_from_u64(7);
            for blocks in (1..=SPAN / F::BLOCK).flat_map(|blocks| [blocks; 32]) {
                let mut bytes = vec![0; blocks * F::BYTES];
                rng.fill_bytes(&mut bytes);
                let mut expected = Span::ZERO;
                F::unpack(&bytes, &mut expected);
                assert!(expected.quants[F::BLOCK * blocks..].iter().all(|quant| *quant == 0));
                assert!(expected.scales[F::BLOCK / F::GROUP * blocks..].iter().all(|scale| *scale == 0.0));
                assert!(expected.mins[F::BLOCK / F::GROUP * blocks..].iter().all(|min| *min == 0.0));
                assert!(F::WIDE || expected.quants.iter().all(|quant| *quant < 128));
                self.0(&bytes, &mut |placed| {
                    for isa in Isa::all() {
                        let mut span = Span { quants: [77; SPAN], scales: [7.0; 16], mins: [7.0; 16] };
                        unpack::<F>(isa, placed, &mut span);
                        assert_eq!(span.quants, expected.quants, "{isa:?}, {blocks} blocks");
                        assert!(same(&span.scales, &expected.scales), "{isa:?}: {span:?}, not {expected:?}");
                        assert!(same(&span.mins, &expected.mins), "{isa:?}: {span:?}, not {expected:?}");
                    }
                });
            }
        }
    }

    fn same(some: &[f32], others: &[f32]) -> bool {
        some.iter().zip(others).all(|(one, other)| one == other || one.is_nan() && other.is_nan())
    }

    fn every_type(place: &dyn Fn(&[u8], &mut dyn FnMut(&[u8]))) {
        for dtype in TYPES {
            visit(dtype, Agree(place)).unwrap();
        }
    }

    #[test]
    fn all_instructions_give_the_same_wherever_blocks_lie() {
        every_type(&|bytes, check| {
            for offset in [0, 2, 30] {
                let mut buffer = vec![0xff; offset];
                buffer.extend_from_slice(bytes);
                buffer.extend_from_slice(&[0xff; 64]);
                check(&buffer[offset..][..bytes.len()]);
            }
        });
    }

    #[cfg(unix)]
    #[test]
    fn nothing_before_or_behind_the_blocks_is_read() {
        let guarded = Guarded::new();
        every_type(&|bytes, check| {
            for place in [0, guarded.page - bytes.len()] {
                // SAFETY: the page can be written, has room for them, and nobody else refers to it.
                let placed = unsafe {
                    let placed = guarded.start.add(guarded.page + place);
                    std::ptr::copy_nonoverlapping(bytes.as_ptr(), placed, bytes.len());
                    std::slice::from_raw_parts(placed, bytes.len())
                };
                check(placed);
            }
        });
    }

    /// A page between two that cannot be read.
    #[cfg(unix)]
    struct Guarded {
        start: *mut u8,
        page: usize,
    }

    #[cfg(unix)]
    impl Guarded {
        fn new() -> Self {
            use libc::{MAP_ANON, MAP_FAILED, MAP_PRIVATE, PROT_NONE, PROT_READ, PROT_WRITE};
            // SAFETY: a new mapping, whose middle page is then allowed to be used.
            unsafe {
                let page = usize::try_from(libc::sysconf(libc::_SC_PAGESIZE)).unwrap();
                let start = libc::mmap(std::ptr::null_mut(), 3 * page, PROT_NONE, MAP_PRIVATE | MAP_ANON, -1, 0);
                assert_ne!(start, MAP_FAILED);
                assert_eq!(libc::mprotect(start.byte_add(page), page, PROT_READ | PROT_WRITE), 0);
                Self { start: start.cast(), page }
            }
        }
    }

    #[cfg(unix)]
    impl Drop for Guarded {
        fn drop(&mut self) {
            // SAFETY: the mapping is this one's own, and nobody refers to it any more.
            unsafe { libc::munmap(self.start.cast(), 3 * self.page) };
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
