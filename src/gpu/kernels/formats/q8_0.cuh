// Q8_0: 32 weights of 8 bits with a scale.
#pragma once

#include "group.cuh"

struct BlockQ8_0 {
    static constexpr int BYTES = 34;
    static constexpr int WEIGHTS = 32;
    static constexpr int AT_ONCE = 1;

    static __device__ int group(int, int) { return 0; }

    static __device__ void unpack(const uint8_t *block, int, Group *groups) {
        Group &group = groups[0];
        shifted_words_at<8>(block + 2, group.quants);
        group.uniform(half_at(block), 0.0f);
    }
};
