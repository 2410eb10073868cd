//! Which kernels multiply a type of weights.

use super::dtype::{Visitor, visit};
use super::part::Part;
use super::{Format, rows};
use crate::isa::Isa;
use candle_core::quantized::GgmlDType;

#[cfg(target_arch = "x86_64")]
use super::panel;

/// Multiplies a part.
///
/// # Safety
/// The processor has the instructions that the kernel is for, and nobody else has results of the part.
pub(super) type Kernel = unsafe fn(&Part);

/// A type of weights, with its kernels.
#[derive(Debug)]
pub(super) struct Kernels {
    /// Weights and bytes of a block.
    pub block: usize,
    pub bytes: usize,
    portable: Kernel,
    #[cfg(target_arch = "x86_64")]
    avx2: Kernel,
    #[cfg(target_arch = "x86_64")]
    avx512: Kernel,
    /// With AVX-512, for many tokens.
    #[cfg(target_arch = "x86_64")]
    panel: Kernel,
}

impl Kernels {
    pub(super) const fn of<F: Format>() -> Self {
        Self {
            block: F::BLOCK,
            bytes: F::BYTES,
            portable: rows::portable::<F>,
            #[cfg(target_arch = "x86_64")]
            avx2: rows::avx2::<F>,
            #[cfg(target_arch = "x86_64")]
            avx512: rows::avx512::<F>,
            #[cfg(target_arch = "x86_64")]
            panel: panel::multiply::<F>,
        }
    }

    /// Those of a type of block; `None` if it is none.
    pub(super) fn of_dtype(dtype: GgmlDType) -> Option<&'static Self> {
        visit(dtype, Find)
    }

    /// The kernel for so many tokens, and the rows and tokens that it takes at a time.
    #[cfg_attr(not(target_arch = "x86_64"), expect(unused_variables, reason = "one kernel is for all"))]
    pub(super) fn choose(&self, isa: Isa, tokens: usize) -> (Kernel, Portion) {
        match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 | Isa::Avx512Bf16 if tokens >= PANEL_TOKENS => {
                (self.panel, Portion { rows: panel::STRIP, most_tokens: panel::MOST_TOKENS })
            }
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 | Isa::Avx512Bf16 => (self.avx512, Portion::ROWS),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => (self.avx2, Portion::ROWS),
            _ => (self.portable, Portion::ROWS),
        }
    }
}

struct Find;

impl Visitor for Find {
    type Out = &'static Kernels;

    fn visit<F: Format>(self) -> &'static Kernels {
        const { &Kernels::of::<F>() }
    }
}

/// What a kernel likes to take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Portion {
    /// A multiple of this.
    pub rows: usize,
    pub most_tokens: usize,
}

impl Portion {
    /// A line of memory of results.
    const ROWS: Self = Self { rows: 16, most_tokens: usize::MAX };
}

/// Tokens from which on a panel is worth its making.
#[cfg(target_arch = "x86_64")]
const PANEL_TOKENS: usize = 4;
