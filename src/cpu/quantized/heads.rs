//! 16-bit floats, which blocks of 32 weights begin with.

use half::f16;

#[cfg(target_arch = "x86_64")]
use {
    super::Format,
    super::x86::{load64, table32},
    std::arch::x86_64::*,
};

/// The 16-bit float at `at`.
#[inline]
pub(super) fn half(block: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}

/// The first 16-bit float of each of up to 8 blocks, and 0 for those that there are not.
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn heads_avx2(blocks: &[u8], stride: usize) -> __m256 {
    let head = |block| match blocks.get(stride * block..).and_then(<[u8]>::first_chunk) {
        Some(bytes) => i16::from_le_bytes(*bytes),
        None => 0,
    };
    _mm256_cvtph_ps(_mm_setr_epi16(head(0), head(1), head(2), head(3), head(4), head(5), head(6), head(7)))
}

/// The same of the first two.
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn two_heads_avx2(blocks: &[u8], stride: usize) -> [__m256; 2] {
    let head = |block| match blocks.get(stride * block..).and_then(<[u8]>::first_chunk) {
        Some(bytes) => i32::from_le_bytes(*bytes),
        None => 0,
    };
    let heads = _mm256_setr_epi32(head(0), head(1), head(2), head(3), head(4), head(5), head(6), head(7));
    // Those of 4 blocks in each half; then the first of all 8, and the second.
    let apart = _mm_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15);
    let apart = _mm256_shuffle_epi8(heads, _mm256_broadcastsi128_si256(apart));
    let apart = _mm256_permute4x64_epi64(apart, 0b11_01_10_00);
    [_mm256_castsi256_si128(apart), _mm256_extracti128_si256(apart, 1)].map(|halves| _mm256_cvtph_ps(halves))
}

/// The first one or two 16-bit floats of each of up to 8 blocks: the first of all, then the second, and 0 for those that there
/// are not.
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(super) fn heads_avx512<F: Format, const HALVES: usize>(blocks: &[u8]) -> __m512 {
    let table = const { &Heads::new(F::BYTES, HALVES) };
    let mut heads = _mm512_setzero_si512();
    for load in 0..8_usize.div_ceil(table.blocks) {
        let bytes = load64(blocks, F::BYTES * table.blocks * load);
        heads = _mm512_mask_permutexvar_epi16(heads, table.lanes[load], table32(&table.words), bytes);
    }
    _mm512_cvtph_ps(_mm512_castsi512_si256(heads))
}

/// Where in 64 bytes that begin with a block those halves lie, and which of them each such load gives.
#[cfg(target_arch = "x86_64")]
struct Heads {
    /// Blocks of a load whose halves are within it.
    blocks: usize,
    words: [u16; 32],
    lanes: [u32; 4],
}

#[cfg(target_arch = "x86_64")]
impl Heads {
    const fn new(bytes: usize, halves: usize) -> Self {
        let mut table = Self { blocks: (64 - 2 * halves) / bytes + 1, words: [0; 32], lanes: [0; 4] };
        let mut lane = 0;
        while lane < 8 * halves {
            let (block, half) = (lane % 8, lane / 8);
            table.words[lane] = (block % table.blocks * bytes / 2 + half) as u16;
            table.lanes[block / table.blocks] |= 1 << lane;
            lane += 1;
        }
        table
    }
}
