// Q2_K: 256 weights of 2 bits; 16 bytes of a scale and a min for each 16 weights, 64 of quants, then what scales and mins are
// multiplied by. Of each 128 weights, bits 0 and 1, 2 and 3 … of 32 bytes are 32 each.
#pragma once

#include "group.cuh"

struct BlockQ2K {
    static constexpr int BYTES = 84;
    static constexpr int WEIGHTS = 256;
    static constexpr int AT_ONCE = 2;

    static __device__ int group(int index, int which) { return 2 * index + which; }

    static __device__ void unpack(const uint8_t *block, int index, Group *groups) {
        uint32_t bits[8];
        words_at<8>(block + 16 + index / 2 * 32, bits);
        const float scale = half_at(block + 80);
        const float min = half_at(block + 82);
#pragma unroll
        for (int which = 0; which < 2; which++) {
            const int at = BlockQ2K::group(index, which);
            Group &group = groups[which];
            for (int i = 0; i < 8; i++) {
                group.quants[i] = bits[i] >> 2 * (at % 4) & 0x03030303;
            }
            for (int i = 0; i < 2; i++) {
                const uint8_t both = __ldg(block + 2 * at + i);
                group.scales[i] = scale * static_cast<float>(both & 15);
                group.mins[i] = min * static_cast<float>(both >> 4);
            }
        }
    }
};
