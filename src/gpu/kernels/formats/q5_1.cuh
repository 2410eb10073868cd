// Q5_1: as Q5_0, with a min that is added.
#pragma once

#include "five_bits.cuh"

struct BlockQ5_1 {
    static constexpr int BYTES = 24;
    static constexpr int WEIGHTS = 32;
    static constexpr int AT_ONCE = 1;

    static __device__ int group(int, int) { return 0; }

    static __device__ void unpack(const uint8_t *block, int, Group *groups) {
        Group &group = groups[0];
        uint32_t bits[5];
        words_at<5>(block + 4, bits);
        unpack_five_bits(bits[0], bits + 1, group);
        group.uniform(half_at(block), -half_at(block + 2));
    }
};
