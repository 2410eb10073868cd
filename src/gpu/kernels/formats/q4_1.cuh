// Q4_1: as Q4_0, with a min that is added.
#pragma once

#include "group.cuh"

struct BlockQ4_1 {
    static constexpr int BYTES = 20;
    static constexpr int WEIGHTS = 32;
    static constexpr int AT_ONCE = 1;

    static __device__ int group(int, int) { return 0; }

    static __device__ void unpack(const uint8_t *block, int, Group *groups) {
        Group &group = groups[0];
        uint32_t bits[4];
        words_at<4>(block + 4, bits);
        unpack_nibbles(bits, group);
        group.uniform(half_at(block), -half_at(block + 2));
    }
};
