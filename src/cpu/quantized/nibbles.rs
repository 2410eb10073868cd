//! Q4_0, Q4_1, Q5_0 and Q5_1: 32 weights of 4 or 5 bits. The low nibbles of 16 bytes are the first 16 weights, the high ones
//! the others.

use super::heads::half;
use super::{Format, Span};

#[cfg(target_arch = "x86_64")]
use {
    super::heads::{heads_avx2, heads_avx512, two_heads_avx2},
    super::x86::{load16_or_zero, load32_bits, load64, set_groups8, set32, set64, table32},
    std::arch::x86_64::*,
};

/// 32 weights of 4 bits, and no min.
pub type Q4_0 = Nibbles<false, false>;
/// 32 weights of 4 bits, and a min.
pub type Q4_1 = Nibbles<false, true>;
/// 32 weights of 5 bits, and no min.
pub type Q5_0 = Nibbles<true, false>;
/// 32 weights of 5 bits, and a min.
pub type Q5_1 = Nibbles<true, true>;

/// In this order: `d`, `m` where there is a min, 4 bytes of fifth bits where weights have them, and 16 bytes of quants.
///
/// Weights are `d · quant + m`. Where there is no min, half of what quants reach is taken off them: 8 or 16.
pub struct Nibbles<const FIFTH: bool, const MIN: bool>;

impl<const FIFTH: bool, const MIN: bool> Nibbles<FIFTH, MIN> {
    /// Where the 16 bytes begin; the fifth bits are before them.
    const QUANTS: usize = 2 + 2 * MIN as usize + 4 * FIFTH as usize;
    const HALF: f32 = if FIFTH { 16.0 } else { 8.0 };
}

impl<const FIFTH: bool, const MIN: bool> Format for Nibbles<FIFTH, MIN> {
    const BLOCK: usize = 32;
    const BYTES: usize = Self::QUANTS + 16;
    const GROUP: usize = 32;
    const WIDE: bool = false;
    const OFFSET: Option<i32> = if MIN { None } else { Some(Self::HALF as i32) };

    fn unpack(blocks: &[u8], span: &mut Span) {
        *span = Span::ZERO;
        for (group, block) in blocks.chunks_exact(Self::BYTES).enumerate() {
            let scale = half(block, 0);
            span.scales[group] = scale;
            span.mins[group] = if MIN { -half(block, 2) } else { Self::HALF * scale };
            let quants = &mut span.quants[32 * group..][..32];
            set_nibbles(&block[Self::QUANTS..], quants);
            if FIFTH {
                add_fifth_bits(&block[Self::QUANTS - 4..], quants);
            }
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn unpack_avx2(blocks: &[u8], span: &mut Span) {
        let (scales, mins) = if MIN {
            let [scales, mins] = two_heads_avx2(blocks, Self::BYTES);
            (scales, _mm256_xor_ps(mins, _mm256_set1_ps(-0.0)))
        } else {
            let scales = heads_avx2(blocks, Self::BYTES);
            (scales, _mm256_mul_ps(scales, _mm256_set1_ps(Self::HALF)))
        };
        set_groups8(span, scales, mins);
        for group in 0..8 {
            let at = Self::BYTES * group + Self::QUANTS;
            let quants = if FIFTH { five_bits_avx2(blocks, at) } else { nibbles_avx2(blocks, at) };
            set32(span, group, quants);
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
    unsafe fn unpack_avx512(blocks: &[u8], span: &mut Span) {
        let (scales, mins) = if MIN {
            let heads = heads_avx512::<Self, 2>(blocks);
            (_mm512_castps512_ps256(heads), _mm256_xor_ps(_mm512_extractf32x8_ps(heads, 1), _mm256_set1_ps(-0.0)))
        } else {
            let scales = _mm512_castps512_ps256(heads_avx512::<Self, 1>(blocks));
            (scales, _mm256_mul_ps(scales, _mm256_set1_ps(Self::HALF)))
        };
        set_groups8(span, scales, mins);
        for pair in 0..4 {
            let at = 2 * Self::BYTES * pair + Self::QUANTS;
            let quants = if FIFTH { five_bits_avx512::<Self>(blocks, at) } else { nibbles_avx512::<Self>(blocks, at) };
            set64(span, pair, quants);
        }
    }
}

/// The quants of 16 bytes.
#[inline]
fn set_nibbles(bytes: &[u8], quants: &mut [u8]) {
    for (at, byte) in bytes[..16].iter().enumerate() {
        (quants[at], quants[at + 16]) = (byte & 15, byte >> 4);
    }
}

/// Adds the fifth bits, of 4 bytes.
#[inline]
fn add_fifth_bits(bytes: &[u8], quants: &mut [u8]) {
    for (at, quant) in quants[..32].iter_mut().enumerate() {
        *quant |= (bytes[at / 8] >> (at % 8) & 1) << 4;
    }
}

/// The quants of the 16 bytes from `at` on, 0 if there are none.
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn nibbles_avx2(blocks: &[u8], at: usize) -> __m256i {
    let both = _mm256_broadcastsi128_si256(load16_or_zero(blocks, at));
    let shifts = _mm256_setr_epi64x(0, 0, 4, 4);
    _mm256_and_si256(_mm256_srlv_epi64(both, shifts), _mm256_set1_epi8(15))
}

/// The same with the fifth bits of the 4 bytes before.
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn five_bits_avx2(blocks: &[u8], at: usize) -> __m256i {
    // Each byte of them 8 times, and of each its own bit.
    let bytes = _mm256_setr_epi64x(0, 0x0101_0101_0101_0101, 0x0202_0202_0202_0202, 0x0303_0303_0303_0303);
    let bit = _mm256_set1_epi64x(0x8040_2010_0804_0201_u64.cast_signed());
    let spread = _mm256_shuffle_epi8(_mm256_set1_epi32(load32_bits(blocks, at - 4).cast_signed()), bytes);
    let set = _mm256_cmpeq_epi8(_mm256_and_si256(spread, bit), bit);
    _mm256_or_si256(nibbles_avx2(blocks, at), _mm256_and_si256(set, _mm256_set1_epi8(16)))
}

/// The quants of the 16 bytes from `at` on and of those a block further, 0 where there are none.
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
fn nibbles_avx512<F: Format>(blocks: &[u8], at: usize) -> __m512i {
    // Of 64 bytes, the first 16 twice, and then the next block's twice.
    let words = table32(const { &words_twice(F::BYTES) });
    let both = _mm512_permutexvar_epi16(words, load64(blocks, at));
    let shifts = _mm512_setr_epi64(0, 0, 4, 4, 0, 0, 4, 4);
    _mm512_and_si512(_mm512_srlv_epi64(both, shifts), _mm512_set1_epi8(15))
}

#[cfg(target_arch = "x86_64")]
const fn words_twice(block: usize) -> [u16; 32] {
    let (mut words, mut lane) = ([0; 32], 0);
    while lane < 32 {
        words[lane] = (lane / 16 * block / 2 + lane % 8) as u16;
        lane += 1;
    }
    words
}

/// The same with the fifth bits of the 4 bytes before each.
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
fn five_bits_avx512<F: Format>(blocks: &[u8], at: usize) -> __m512i {
    let nibbles = nibbles_avx512::<F>(blocks, at);
    let [first, next] = [at, at + F::BYTES].map(|at| u64::from(load32_bits(blocks, at - 4)));
    _mm512_mask_add_epi8(nibbles, first | next << 32, nibbles, _mm512_set1_epi8(16))
}
