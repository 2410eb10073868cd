//! Q3_K: 256 weights of 3 bits, in groups of 16 with scales of 6 bits.

use super::heads::half;
use super::{Format, Span};

#[cfg(target_arch = "x86_64")]
use {
    super::x86::{load16, load32, lower_upper, set_groups, set_groups16, set32, set64, table8, table16},
    std::arch::x86_64::*,
};

/// 32 bytes of the quants' bits 2, 64 bytes of their low 2 bits, 12 bytes of scales with 32 more, and `d`. The quants have 4
/// more, which the min takes off.
///
/// Of each 128 weights, bits 0 and 1, 2 and 3 … of 32 bytes are the low bits of 32 each; of all, bit 0, 1 … of 32 bytes the
/// high one of 32 each.
pub struct Q3K;

const LOW: usize = 32;
const SCALES: usize = 96;
const D: usize = 108;

impl Format for Q3K {
    const BLOCK: usize = 256;
    const BYTES: usize = 110;
    const GROUP: usize = 16;
    const WIDE: bool = false;
    const OFFSET: Option<i32> = Some(4);

    fn unpack(blocks: &[u8], span: &mut Span) {
        let block = &blocks[..Self::BYTES];
        let bits = &block[SCALES..D];
        for group in 0..16 {
            let low = bits[group % 8] >> (group / 8 * 4) & 15;
            let high = bits[8 + group % 4] >> (group / 4 * 2) & 3;
            span.scales[group] = half(block, D) * (f32::from(low | high << 4) - 32.0);
            span.mins[group] = 4.0 * span.scales[group];
        }
        for (part, quants) in span.quants.chunks_exact_mut(32).enumerate() {
            let (low, high) = (&block[LOW + part / 4 * 32..][..32], &block[..32]);
            for (quant, (low, high)) in quants.iter_mut().zip(low.iter().zip(high)) {
                *quant = low >> (part % 4 * 2) & 3 | (high >> part & 1) << 2;
            }
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn unpack_avx2(blocks: &[u8], span: &mut Span) {
        let block = &blocks[..Self::BYTES];
        let d = half(block, D);
        let tail = _mm256_broadcastsi128_si256(load16(block, TAIL));
        let scales = |at| {
            let bits = _mm256_shuffle_epi8(tail, table8(&SIX_BIT.bytes, at));
            let low = _mm256_and_si256(_mm256_srlv_epi32(bits, table8(&SIX_BIT.low, at)), _mm256_set1_epi32(15));
            let high = _mm256_and_si256(_mm256_srlv_epi32(bits, table8(&SIX_BIT.high, at)), _mm256_set1_epi32(48));
            let number = _mm256_sub_epi32(_mm256_or_si256(low, high), _mm256_set1_epi32(32));
            _mm256_mul_ps(_mm256_cvtepi32_ps(number), _mm256_set1_ps(d))
        };
        let scales = [scales(0), scales(8)];
        set_groups16(span, scales, scales.map(|scales| _mm256_mul_ps(scales, _mm256_set1_ps(4.0))));
        let high = load32(block, 0);
        for part in 0..8_usize {
            let shifted = |bits, by: usize| _mm256_srlv_epi64(bits, _mm256_set1_epi64x(by as i64));
            let low = _mm256_and_si256(shifted(load32(block, LOW + part / 4 * 32), part % 4 * 2), _mm256_set1_epi8(3));
            let bit = _mm256_set1_epi8(1 << part);
            let set = _mm256_cmpeq_epi8(_mm256_and_si256(high, bit), bit);
            set32(span, part, _mm256_or_si256(low, _mm256_and_si256(set, _mm256_set1_epi8(4))));
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
    unsafe fn unpack_avx512(blocks: &[u8], span: &mut Span) {
        let block = &blocks[..Self::BYTES];
        let bits = _mm512_shuffle_epi8(_mm512_broadcast_i32x4(load16(block, TAIL)), table16(&SIX_BIT.bytes));
        let [low, high] = [&SIX_BIT.low, &SIX_BIT.high].map(|shifts| _mm512_srlv_epi32(bits, table16(shifts)));
        // The low nibble from the one, bits 4 and 5 from the other.
        let six = _mm512_ternarylogic_epi32(_mm512_set1_epi32(15), low, high, 0xca);
        let number = _mm512_sub_epi32(_mm512_and_si512(six, _mm512_set1_epi32(63)), _mm512_set1_epi32(32));
        let scales = _mm512_mul_ps(_mm512_cvtepi32_ps(number), _mm512_set1_ps(half(block, D)));
        set_groups(span, scales, _mm512_mul_ps(scales, _mm512_set1_ps(4.0)));
        // Bits 0 to 7, shifted to bit 2 of each byte.
        let high = _mm512_broadcast_i64x4(load32(block, 0));
        let highs = [
            _mm512_sllv_epi16(high, lower_upper(2, 1)),
            _mm512_srlv_epi16(high, lower_upper(0, 1)),
            _mm512_srlv_epi16(high, lower_upper(2, 3)),
            _mm512_srlv_epi16(high, lower_upper(4, 5)),
        ];
        let shifts = [lower_upper(0, 2), lower_upper(4, 6)];
        for (part, high) in highs.into_iter().enumerate() {
            let low = _mm512_broadcast_i64x4(load32(block, LOW + part / 2 * 32));
            let low = _mm512_srlv_epi16(low, shifts[part % 2]);
            let three = _mm512_ternarylogic_epi32(_mm512_set1_epi8(3), low, high, 0xca);
            set64(span, part, _mm512_and_si512(three, _mm512_set1_epi8(7)));
        }
    }
}

/// Where the 16 bytes begin that end with the scales and `d`.
#[cfg(target_arch = "x86_64")]
const TAIL: usize = Q3K::BYTES - 16;

/// For vectors: the bytes of the tail with the low and with the high bits of each scale, and the shifts that bring them to
/// bits 0 and 4.
#[cfg(target_arch = "x86_64")]
struct SixBit {
    bytes: [i32; 16],
    low: [i32; 16],
    high: [i32; 16],
}

#[cfg(target_arch = "x86_64")]
static SIX_BIT: SixBit = {
    let mut table = SixBit { bytes: [0; 16], low: [0; 16], high: [0; 16] };
    let mut group = 0;
    while group < 16 {
        let first = SCALES - TAIL;
        let (low, high) = ((first + group % 8) as u8, (first + 8 + group % 4) as u8);
        table.bytes[group] = i32::from_le_bytes([low, high, 0x80, 0x80]);
        table.low[group] = 4 * (group as i32 / 8);
        table.high[group] = 4 + 2 * (group as i32 / 4);
        group += 1;
    }
    table
};
