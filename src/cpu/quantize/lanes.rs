//! Sixteen float32 side by side: what quantizing does with them, in the instructions of each processor.
//!
//! Every operation rounds as IEEE 754 says and none is fused with another, so all of them give the same bits. The larger
//! and the smaller of two numbers are the second one if either is not a number, as on x86.

/// Lanes of a [`Lanes`].
pub(super) const LANES: usize = 16;

/// Sixteen float32.
///
/// # Safety
/// Values are made only where the processor has the instructions of the implementation.
pub(super) unsafe trait Lanes: Copy {
    /// Which lanes something is true of.
    type Mask: Copy;

    fn splat(number: f32) -> Self;
    fn load(numbers: &[f32; LANES]) -> Self;
    fn of_f32(bytes: &[u8; 64]) -> Self;
    fn of_f16(bytes: &[u8; 32]) -> Self;
    fn of_bf16(bytes: &[u8; 32]) -> Self;
    fn store(self, numbers: &mut [f32; LANES]);
    /// The numbers without what is behind the point; they are in the range of `i8`, or of `u7`.
    fn store_bytes(self, bytes: &mut [u8; LANES]);

    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    fn div(self, other: Self) -> Self;
    fn max(self, other: Self) -> Self;
    fn min(self, other: Self) -> Self;
    fn abs(self) -> Self;
    fn sqrt(self) -> Self;
    /// To the nearest whole number, from the middle to the even one, of numbers between −2²² and 2²².
    fn round(self) -> Self;

    fn less(self, other: Self) -> Self::Mask;
    fn both(a: Self::Mask, b: Self::Mask) -> Self::Mask;
    /// `yes` in the lanes of the mask, `no` in the others.
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self;

    /// Rows become columns.
    fn transpose(rows: [Self; LANES]) -> [Self; LANES];
}

/// In plain Rust.
#[derive(Clone, Copy)]
pub(super) struct Plain([f32; LANES]);

/// An array of a value for each lane. Closures would do as well, and be slow where nothing is optimised.
macro_rules! lanes {
    ($lane:ident: $value:expr) => {{
        let mut values = [Default::default(); LANES];
        let mut $lane = 0;
        while $lane < LANES {
            values[$lane] = $value;
            $lane += 1;
        }
        values
    }};
}

// SAFETY: needs no instructions of its own.
unsafe impl Lanes for Plain {
    type Mask = [bool; LANES];

    #[inline(always)]
    fn splat(number: f32) -> Self {
        Self([number; LANES])
    }

    #[inline(always)]
    fn load(numbers: &[f32; LANES]) -> Self {
        Self(*numbers)
    }

    #[inline(always)]
    fn of_f32(bytes: &[u8; 64]) -> Self {
        let (numbers, _) = bytes.as_chunks();
        Self(lanes!(lane: f32::from_le_bytes(numbers[lane])))
    }

    #[inline(always)]
    fn of_f16(bytes: &[u8; 32]) -> Self {
        let (numbers, _) = bytes.as_chunks();
        Self(lanes!(lane: half::f16::from_le_bytes(numbers[lane]).to_f32()))
    }

    #[inline(always)]
    fn of_bf16(bytes: &[u8; 32]) -> Self {
        let (numbers, _) = bytes.as_chunks();
        Self(lanes!(lane: f32::from_bits(u32::from(u16::from_le_bytes(numbers[lane])) << 16)))
    }

    #[inline(always)]
    fn store(self, numbers: &mut [f32; LANES]) {
        *numbers = self.0;
    }

    #[inline(always)]
    fn store_bytes(self, bytes: &mut [u8; LANES]) {
        *bytes = lanes!(lane: self.0[lane] as i32 as u8);
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self(lanes!(lane: self.0[lane] + other.0[lane]))
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Self(lanes!(lane: self.0[lane] - other.0[lane]))
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        Self(lanes!(lane: self.0[lane] * other.0[lane]))
    }

    #[inline(always)]
    fn div(self, other: Self) -> Self {
        Self(lanes!(lane: self.0[lane] / other.0[lane]))
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        Self(lanes!(lane: if self.0[lane] > other.0[lane] { self.0[lane] } else { other.0[lane] }))
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        Self(lanes!(lane: if self.0[lane] < other.0[lane] { self.0[lane] } else { other.0[lane] }))
    }

    #[inline(always)]
    fn abs(self) -> Self {
        Self(lanes!(lane: self.0[lane].abs()))
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        Self(lanes!(lane: self.0[lane].sqrt()))
    }

    #[inline(always)]
    fn round(self) -> Self {
        // Beyond 2²³ there is nothing behind the point. `f32::round_ties_even` is a call where SSE4.1 is not taken for granted.
        const WHOLE: f32 = 12_582_912.0;
        Self(lanes!(lane: (self.0[lane] + WHOLE) - WHOLE))
    }

    #[inline(always)]
    fn less(self, other: Self) -> Self::Mask {
        lanes!(lane: self.0[lane] < other.0[lane])
    }

    #[inline(always)]
    fn both(a: Self::Mask, b: Self::Mask) -> Self::Mask {
        lanes!(lane: a[lane] & b[lane])
    }

    #[inline(always)]
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self {
        Self(lanes!(lane: if mask[lane] { yes.0[lane] } else { no.0[lane] }))
    }

    #[inline(always)]
    fn transpose(rows: [Self; LANES]) -> [Self; LANES] {
        let mut columns = [Self([0.0; LANES]); LANES];
        for (at, column) in columns.iter_mut().enumerate() {
            *column = Self(lanes!(lane: rows[lane].0[at]));
        }
        columns
    }
}
