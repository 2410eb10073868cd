// Q6_K: 256 weights of 6 bits, in groups of 16 with scales of 8 bits. 128 bytes of the low 4 bits, 64 of the high 2, 16 of
// scales, and what scales are multiplied by. Of each 128 weights, the low nibbles of 64 bytes are the first 64, and bits 0
// and 1, 2 and 3 … of 32 bytes the high bits of 32 each. Quants have 32 more than they stand for.
#pragma once

#include "group.cuh"

struct BlockQ6K {
    static constexpr int BYTES = 210;
    static constexpr int WEIGHTS = 256;
    static constexpr int AT_ONCE = 2;

    static __device__ int group(int index, int which) { return 4 * (index / 2) + index % 2 + 2 * which; }

    static __device__ void unpack(const uint8_t *block, int index, Group *groups) {
        uint32_t low[8];
        uint32_t high[8];
        shifted_words_at<8>(block + 32 * index, low);
        shifted_words_at<8>(block + 128 + 32 * (index / 2), high);
        const float factor = half_at(block + 208);
#pragma unroll
        for (int which = 0; which < 2; which++) {
            Group &group = groups[which];
            for (int i = 0; i < 8; i++) {
                const uint32_t pairs = high[i] >> 2 * (index % 2 + 2 * which);
                group.quants[i] = (low[i] >> 4 * which & 0x0f0f0f0f) | (pairs & 0x03030303) << 4;
            }
            for (int i = 0; i < 2; i++) {
                const uint8_t scale = __ldg(block + 192 + 2 * BlockQ6K::group(index, which) + i);
                group.scales[i] = factor * static_cast<float>(static_cast<int8_t>(scale));
                group.mins[i] = 32.0f * group.scales[i];
            }
        }
    }
};
