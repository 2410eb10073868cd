// Q5_0: 32 weights of 5 bits with a scale; the fifth bits lie apart.
#pragma once

#include "five_bits.cuh"

struct BlockQ5_0 {
    static constexpr int BYTES = 22;
    static constexpr int WEIGHTS = 32;
    static constexpr int AT_ONCE = 1;

    static __device__ int group(int, int) { return 0; }

    static __device__ void unpack(const uint8_t *block, int, Group *groups) {
        Group &group = groups[0];
        uint32_t bits[5];
        shifted_words_at<5>(block + 2, bits);
        unpack_five_bits(bits[0], bits + 1, group);
        const float scale = half_at(block);
        group.uniform(scale, 16.0f * scale);
    }
};
