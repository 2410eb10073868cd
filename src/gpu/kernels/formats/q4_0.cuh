// Q4_0: 32 weights of 4 bits with a scale. Low nibbles are the first 16 weights, high ones the others.
#pragma once

#include "group.cuh"

struct BlockQ4_0 {
    static constexpr int BYTES = 18;
    static constexpr int WEIGHTS = 32;
    static constexpr int AT_ONCE = 1;

    static __device__ int group(int, int) { return 0; }

    static __device__ void unpack(const uint8_t *block, int, Group *groups) {
        Group &group = groups[0];
        uint32_t bits[4];
        shifted_words_at<4>(block + 2, bits);
        unpack_nibbles(bits, group);
        const float scale = half_at(block);
        group.uniform(scale, 8.0f * scale);
    }
};
