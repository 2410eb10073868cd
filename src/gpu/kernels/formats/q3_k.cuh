// Q3_K: 256 weights of 3 bits; 32 bytes of the high bits, 64 of the low two as Q2_K has them, 12 of scales of 6 bits for each
// 16 weights, and what scales are multiplied by. Quants have 4 more than they stand for, and scales 32.
#pragma once

#include "group.cuh"

struct BlockQ3K {
    static constexpr int BYTES = 110;
    static constexpr int WEIGHTS = 256;
    static constexpr int AT_ONCE = 2;

    static __device__ int group(int index, int which) { return 2 * index + which; }

    static __device__ void unpack(const uint8_t *block, int index, Group *groups) {
        uint32_t high[8];
        uint32_t low[8];
        shifted_words_at<8>(block, high);
        shifted_words_at<8>(block + 32 + index / 2 * 32, low);
        const uint8_t *scales = block + 96;
        const float factor = half_at(block + 108);
#pragma unroll
        for (int which = 0; which < 2; which++) {
            const int at = BlockQ3K::group(index, which);
            Group &group = groups[which];
            for (int i = 0; i < 8; i++) {
                group.quants[i] = (low[i] >> 2 * (at % 4) & 0x03030303) | (high[i] >> at & 0x01010101) << 2;
            }
            for (int i = 0; i < 2; i++) {
                const int scale = 2 * at + i;
                const int nibble = __ldg(scales + scale % 8) >> (scale < 8 ? 0 : 4) & 15;
                const int pair = __ldg(scales + 8 + scale % 4) >> 2 * (scale / 4) & 3;
                group.scales[i] = factor * static_cast<float>((nibble | pair << 4) - 32);
                group.mins[i] = 4.0f * group.scales[i];
            }
        }
    }
};
