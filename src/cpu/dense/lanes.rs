//! A register of float32 lanes, and how weights are widened into it.

/// What is multiplied at a time, with each set of instructions.
///
/// Everything is inlined into a function that is compiled for the instructions.
///
/// # Safety
/// `load`, `load_bf16` and `load_f16` read `COUNT` numbers and nothing beyond them, wherever they start.
pub unsafe trait Lanes: Copy {
    /// 4 to 16.
    const COUNT: usize;

    /// All lanes 0.
    ///
    /// # Safety
    /// The processor has the instructions.
    unsafe fn zero() -> Self;

    /// # Safety
    /// The processor has the instructions, and `COUNT` float32 can be read.
    unsafe fn load(from: *const u8) -> Self;

    /// # Safety
    /// The processor has the instructions, and `COUNT` bfloat16 can be read.
    unsafe fn load_bf16(from: *const u8) -> Self;

    /// # Safety
    /// The processor has the instructions, and `COUNT` float16 can be read.
    unsafe fn load_f16(from: *const u8) -> Self;

    /// `self + a · b` in each lane.
    ///
    /// # Safety
    /// The processor has the instructions.
    unsafe fn add_product(self, a: Self, b: Self) -> Self;

    /// The sum of all lanes of each, in an order that is the same for all four.
    ///
    /// # Safety
    /// The processor has the instructions.
    unsafe fn sums(four: [Self; 4]) -> [f32; 4];

    /// Has what lies there brought from memory, which is no access: it may be no memory of ours.
    fn prefetch(at: *const u8);
}

/// An array, which fills a register of most other processors.
#[derive(Clone, Copy)]
pub struct Plain([f32; 4]);

// SAFETY: it reads arrays of 4.
unsafe impl Lanes for Plain {
    const COUNT: usize = 4;

    #[inline(always)]
    unsafe fn zero() -> Self {
        Self([0.0; 4])
    }

    #[inline(always)]
    unsafe fn load(from: *const u8) -> Self {
        // SAFETY: the caller's promise.
        Self(unsafe { from.cast::<[f32; 4]>().read_unaligned() })
    }

    #[inline(always)]
    unsafe fn load_bf16(from: *const u8) -> Self {
        // SAFETY: the caller's promise.
        let numbers = unsafe { from.cast::<[half::bf16; 4]>().read_unaligned() };
        Self(numbers.map(half::bf16::to_f32))
    }

    #[inline(always)]
    unsafe fn load_f16(from: *const u8) -> Self {
        // SAFETY: the caller's promise.
        let numbers = unsafe { from.cast::<[half::f16; 4]>().read_unaligned() };
        Self(numbers.map(half::f16::to_f32))
    }

    #[inline(always)]
    unsafe fn add_product(mut self, a: Self, b: Self) -> Self {
        for (sum, (a, b)) in self.0.iter_mut().zip(a.0.iter().zip(&b.0)) {
            *sum += a * b;
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
