use candle_core::quantized::{GgmlDType, QStorage, QTensor};
use candle_core::{DType, Device, Tensor};
use half::{bf16, f16};

use super::*;

const KINDS: [GgmlDType; 5] = [GgmlDType::Q8_0, GgmlDType::Q4_0, GgmlDType::Q4K, GgmlDType::Q5K, GgmlDType::Q6K];

/// Numbers with tails as those of weights, in groups that differ in size, some of them far from zero.
fn numbers(count: usize) -> Vec<f32> {
    let mut state = 1u32;
    let mut even = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((state >> 8) as i32 - (1 << 23)) as f32 / (1 << 23) as f32
    };
    let number = |at: usize| {
        let [a, b, c, _] = [even(), even(), even(), even()];
        (a + b) * c * (0.01 + 0.01 * (at / 64) as f32) + if at % 160 < 32 { 0.05 } else { 0.0 }
    };
    (0..count).map(number).collect()
}

fn bytes(dtype: DType, numbers: &[f32]) -> Vec<u8> {
    match dtype {
        DType::F16 => numbers.iter().flat_map(|x| f16::from_f32(*x).to_le_bytes()).collect(),
        DType::BF16 => numbers.iter().flat_map(|x| bf16::from_f32(*x).to_le_bytes()).collect(),
        _ => numbers.iter().flat_map(|x| x.to_le_bytes()).collect(),
    }
}

fn blocks_by(isa: Isa, kind: GgmlDType, dtype: DType, bytes: &[u8]) -> Vec<u8> {
    let numbers = Numbers::new(dtype, bytes).unwrap();
    let mut blocks = vec![0xAA; numbers.count() / kind.block_size() * kind.type_size()];
    quantize_by(isa, kind, numbers, &mut blocks);
    blocks
}

fn blocks(kind: GgmlDType, numbers: &[f32]) -> Vec<u8> {
    blocks_by(Isa::best(), kind, DType::F32, &bytes(DType::F32, numbers))
}

fn dequantized(kind: GgmlDType, blocks: &[u8]) -> Vec<f32> {
    let count = blocks.len() / kind.type_size() * kind.block_size();
    let storage = QStorage::from_data(blocks.into(), &Device::Cpu, kind).unwrap();
    let tensor = QTensor::new(storage, count).unwrap().dequantize(&Device::Cpu).unwrap();
    tensor.to_vec1().unwrap()
}

fn squared_error(kind: GgmlDType, blocks: &[u8], numbers: &[f32], weight: impl Fn(f32) -> f64) -> f64 {
    let off = |(x, y): (&f32, f32)| weight(*x) * (f64::from(*x) - f64::from(y)).powi(2);
    numbers.iter().zip(dequantized(kind, blocks)).map(off).sum()
}

#[test]
fn blocks_are_those_of_ggmls_reference() {
    let numbers = numbers(768);
    let mut rest: &[u8] = include_bytes!("../../../tests/fixtures/ggml/blocks.bin");
    for kind in KINDS {
        let expected;
        (expected, rest) = rest.split_at(768 / kind.block_size() * kind.type_size());
        assert_eq!(blocks(kind, &numbers), expected, "{kind:?}");
    }
    assert!(rest.is_empty());
}

#[test]
fn all_processors_make_the_same_blocks_of_any_number_of_them() {
    for kind in KINDS {
        for count in [1, 2, 3, 17].map(|blocks| blocks * kind.block_size()) {
            for dtype in [DType::F32, DType::F16, DType::BF16] {
                let bytes = bytes(dtype, &numbers(count));
                let portable = blocks_by(Isa::Portable, kind, dtype, &bytes);
                for isa in Isa::all() {
                    assert_eq!(
                        blocks_by(isa, kind, dtype, &bytes),
                        portable,
                        "{count} of {dtype:?} to {kind:?} by {isa:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn numbers_are_widened_exactly_and_may_lie_on_any_boundary() {
    let numbers = numbers(512);
    for dtype in [DType::F32, DType::F16, DType::BF16] {
        let bytes = bytes(dtype, &numbers);
        let shifted = [&[0], bytes.as_slice()].concat();
        let widened: Vec<f32> = match dtype {
            DType::F16 => numbers.iter().map(|x| f16::from_f32(*x).to_f32()).collect(),
            DType::BF16 => numbers.iter().map(|x| bf16::from_f32(*x).to_f32()).collect(),
            _ => numbers.clone(),
        };
        for kind in KINDS {
            for isa in Isa::all() {
                assert_eq!(blocks_by(isa, kind, dtype, &shifted[1..]), blocks(kind, &widened), "{dtype:?} to {kind:?}");
            }
        }
    }
}

#[test]
fn numbers_of_other_types_and_cut_ones_are_none() {
    assert!(Numbers::new(DType::F64, &[0; 64]).is_none());
    assert!(Numbers::new(DType::BF16, &[0; 63]).is_none());
    assert!(Numbers::new(DType::F32, &[0; 62]).is_none());
}

#[test]
fn the_error_is_not_larger_than_candles() {
    let numbers = numbers(16 * 256);
    let tensor = Tensor::from_slice(&numbers, numbers.len(), &Device::Cpu).unwrap();
    for kind in KINDS {
        let own = blocks(kind, &numbers);
        let theirs = QTensor::quantize(&tensor, kind).unwrap().data().unwrap().into_owned();
        for (name, weight) in [("unweighted", (|_| 1.0) as fn(f32) -> f64), ("weighted", |x| f64::from(x).powi(2))] {
            let [own, theirs] = [&own, &theirs].map(|blocks| squared_error(kind, blocks, &numbers, weight).sqrt());
            assert!(own <= 1.001 * theirs, "{kind:?}, {name}: {own} against {theirs}");
        }
    }
}

#[test]
fn zeros_stay_zeros_and_a_constant_stays_one() {
    for kind in KINDS {
        for constant in [0.0, 1.0, -1.0, 0.1, -300.0] {
            for number in dequantized(kind, &blocks(kind, &[constant; 512])) {
                let off = (number - constant).abs();
                assert!(off <= 0.01 * constant.abs(), "{kind:?}: {constant} became {number}");
            }
        }
    }
}

#[test]
fn a_tiny_number_becomes_a_finite_one() {
    for kind in KINDS {
        for tiny in [1e-6, 1e-20, f32::MIN_POSITIVE, f32::from_bits(1)] {
            let scattered: Vec<f32> = numbers(512).iter().map(|number| number * tiny).collect();
            let back = dequantized(kind, &blocks(kind, &scattered));
            assert!(back.iter().all(|number| number.abs() <= tiny), "{kind:?}: {tiny}");
        }
    }
}

#[test]
fn what_no_block_can_hold_spoils_no_other_block_and_is_the_same_on_all_processors() {
    for kind in KINDS {
        let good = numbers(3 * kind.block_size());
        let whole = blocks(kind, &good);
        for bad in [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN] {
            for first in [0, 5] {
                let mut numbers = good.clone();
                numbers[kind.block_size() + first] = bad;
                let bytes = bytes(DType::F32, &numbers);
                for isa in Isa::all() {
                    let spoilt = blocks_by(isa, kind, DType::F32, &bytes);
                    let size = kind.type_size();
                    assert_eq!(spoilt[..size], whole[..size], "{kind:?} of {bad} by {isa:?}");
                    assert_eq!(spoilt[2 * size..], whole[2 * size..], "{kind:?} of {bad} by {isa:?}");
                    assert_eq!(spoilt, blocks_by(Isa::Portable, kind, DType::F32, &bytes), "{kind:?} of {bad}");
                }
            }
        }
    }
}
