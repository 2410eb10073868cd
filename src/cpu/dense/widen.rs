//! Dense weights as float32, for looking up embeddings and for looking through weights.

use half::{bf16, f16};

use super::Kind;

/// Widens `bytes`, which need not be aligned.
///
/// # Panics
/// If they are not as many weights as `wide` is long.
pub fn widen(kind: Kind, bytes: &[u8], wide: &mut [f32]) {
    assert_eq!(bytes.len(), wide.len() * kind.size(), "these bytes hold another number of weights");
    match kind {
        Kind::Bf16 => each(bytes, wide, |two| bf16::from_le_bytes(two).to_f32()),
        Kind::F16 => each(bytes, wide, |two| f16::from_le_bytes(two).to_f32()),
        Kind::F32 => each(bytes, wide, f32::from_le_bytes),
    }
}

fn each<const N: usize>(bytes: &[u8], wide: &mut [f32], of: impl Fn([u8; N]) -> f32) {
    for (wide, bytes) in wide.iter_mut().zip(bytes.as_chunks().0) {
        *wide = of(*bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_each_kind_come_out_as_they_went_in() {
        let numbers = [0.0, -1.5, 0.015625, 1024.0, f32::INFINITY];
        let [mut bf, mut half, mut full] = [const { Vec::new() }; 3];
        for number in numbers {
            bf.extend(bf16::from_f32(number).to_le_bytes());
            half.extend(f16::from_f32(number).to_le_bytes());
            full.extend(number.to_le_bytes());
        }
        for (kind, bytes) in [(Kind::Bf16, bf), (Kind::F16, half), (Kind::F32, full)] {
            // On no boundary.
            let shifted = [&[0], &bytes[..]].concat();
            let mut wide = [0.0; 5];
            widen(kind, &shifted[1..], &mut wide);
            assert_eq!(wide, numbers, "{kind:?}");
        }
    }
}
