//! What the blocks of 32 weights of 4 or 5 bits share: the low nibbles of 16 bytes are the first 16 weights, the high ones
//! the others.

#[cfg(target_arch = "x86_64")]
use {
    super::x86::{load16_or_zero, load32_bits, load64, table32},
    std::arch::x86_64::*,
};

/// The quants of 16 bytes.
#[inline]
pub(super) fn set_nibbles(bytes: &[u8], quants: &mut [u8]) {
    for (at, byte) in bytes[..16].iter().enumerate() {
        (quants[at], quants[at + 16]) = (byte & 15, byte >> 4);
    }
}

/// Adds the fifth bits, of 4 bytes.
#[inline]
pub(super) fn add_fifth_bits(bytes: &[u8], quants: &mut [u8]) {
    for (at, quant) in quants[..32].iter_mut().enumerate() {
        *quant |= (bytes[at / 8] >> (at % 8) & 1) << 4;
    }
}

/// The quants of the 16 bytes from `at` on, 0 if there are none.
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn nibbles_avx2(blocks: &[u8], at: usize) -> __m256i {
    let both = _mm256_broadcastsi128_si256(load16_or_zero(blocks, at));
    let shifts = _mm256_setr_epi64x(0, 0, 4, 4);
    _mm256_and_si256(_mm256_srlv_epi64(both, shifts), _mm256_set1_epi8(15))
}

/// The same with the fifth bits of the 4 bytes before.
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn five_bits_avx2(blocks: &[u8], at: usize) -> __m256i {
    // Each byte of them 8 times, and of each its own bit.
    let bytes = _mm256_setr_epi64x(0, 0x0101_0101_0101_0101, 0x0202_0202_0202_0202, 0x0303_0303_0303_0303);
    let bit = _mm256_set1_epi64x(0x8040_2010_0804_0201_u64.cast_signed());
    let spread = _mm256_shuffle_epi8(_mm256_set1_epi32(load32_bits(blocks, at - 4).cast_signed()), bytes);
    let set = _mm256_cmpeq_epi8(_mm256_and_si256(spread, bit), bit);
    _mm256_or_si256(nibbles_avx2(blocks, at), _mm256_and_si256(set, _mm256_set1_epi8(16)))
}

/// The quants of the 16 bytes from `at` on and of those a block of so many bytes further, 0 where there are none.
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(super) fn nibbles_avx512<const BYTES: usize>(blocks: &[u8], at: usize) -> __m512i {
    // Of 64 bytes, the first 16 twice, and then the next block's twice.
    let words = table32(const { &words_twice(BYTES) });
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
pub(super) fn five_bits_avx512<const BYTES: usize>(blocks: &[u8], at: usize) -> __m512i {
    let nibbles = nibbles_avx512::<BYTES>(blocks, at);
    let [first, next] = [at, at + BYTES].map(|at| u64::from(load32_bits(blocks, at - 4)));
    _mm512_mask_add_epi8(nibbles, first | next << 32, nibbles, _mm512_set1_epi8(16))
}
