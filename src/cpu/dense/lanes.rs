//! A register of columns, and how weights get into it.

/// A type of weight.
pub(super) trait Weight {
    /// Bytes of it.
    const SIZE: usize;
}

pub(super) struct Bf16;
pub(super) struct F16;
pub(super) struct F32;

impl Weight for Bf16 {
    const SIZE: usize = 2;
}

impl Weight for F16 {
    const SIZE: usize = 2;
}

impl Weight for F32 {
    const SIZE: usize = 4;
}

/// What is multiplied at a time, with each set of instructions: weights, values, or their sums in float32.
///
/// Everything is inlined into a function that is compiled for the instructions.
///
/// # Safety
/// `load` reads `COUNT` values and nothing beyond them, wherever they start.
pub(super) unsafe trait Lanes: Copy {
    /// Columns: 4 to 32.
    const COUNT: usize;

    /// A token's value as it is multiplied; with all bits 0 it is 0.
    type Value: Copy;

    /// All lanes 0.
    ///
    /// # Safety
    /// The processor has the instructions.
    unsafe fn zero() -> Self;

    /// # Safety
    /// The processor has the instructions, and `COUNT` values can be read.
    unsafe fn load(from: *const Self::Value) -> Self;

    /// `self + weights · values` in each lane.
    ///
    /// # Safety
    /// The processor has the instructions.
    unsafe fn add_product(self, weights: Self, values: Self) -> Self;

    /// The sum of all lanes of each, in an order that is the same for all four.
    ///
    /// # Safety
    /// The processor has the instructions.
    unsafe fn sums(four: [Self; 4]) -> [f32; 4];

    /// Has what lies there brought from memory, which is no access: it may be no memory of ours.
    fn prefetch(at: *const u8);
}

/// Weights of a type that are multiplied so.
///
/// # Safety
/// `load_weights` reads `COUNT` weights and nothing beyond them, wherever they start.
pub(super) unsafe trait Load<W: Weight>: Lanes {
    /// # Safety
    /// The processor has the instructions, and `COUNT` weights can be read.
    unsafe fn load_weights(from: *const u8) -> Self;
}

/// An array, which fills a register of most other processors.
#[derive(Clone, Copy)]
pub(super) struct Plain([f32; 4]);

// SAFETY: it reads an array of 4.
unsafe impl Lanes for Plain {
    const COUNT: usize = 4;
    type Value = f32;

    #[inline(always)]
    unsafe fn zero() -> Self {
        Self([0.0; 4])
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller's promise.
        Self(unsafe { from.cast::<[f32; 4]>().read_unaligned() })
    }

    #[inline(always)]
    unsafe fn add_product(mut self, weights: Self, values: Self) -> Self {
        for (sum, (weight, value)) in self.0.iter_mut().zip(weights.0.iter().zip(&values.0)) {
            *sum += weight * value;
        }
        self
    }

    #[inline(always)]
    unsafe fn sums(four: [Self; 4]) -> [f32; 4] {
        four.map(|lanes| lanes.0.iter().sum())
    }

    #[inline(always)]
    fn prefetch(_: *const u8) {}
}

// SAFETY: it reads an array of 4.
unsafe impl Load<Bf16> for Plain {
    #[inline(always)]
    unsafe fn load_weights(from: *const u8) -> Self {
        // SAFETY: the caller's promise.
        let numbers = unsafe { from.cast::<[half::bf16; 4]>().read_unaligned() };
        Self(numbers.map(half::bf16::to_f32))
    }
}

// SAFETY: it reads an array of 4.
unsafe impl Load<F16> for Plain {
    #[inline(always)]
    unsafe fn load_weights(from: *const u8) -> Self {
        // SAFETY: the caller's promise.
        let numbers = unsafe { from.cast::<[half::f16; 4]>().read_unaligned() };
        Self(numbers.map(half::f16::to_f32))
    }
}

// SAFETY: it reads what values are.
unsafe impl<L: Lanes<Value = f32>> Load<F32> for L {
    #[inline(always)]
    unsafe fn load_weights(from: *const u8) -> Self {
        // SAFETY: the caller's promise.
        unsafe { Self::load(from.cast()) }
    }
}
