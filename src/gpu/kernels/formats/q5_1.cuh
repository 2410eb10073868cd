// Q5_1: as Q5_0, with a min that is added.
#pragma once

#include "five_bits.cuh"

struct BlockQ5_1 {
    static constexpr int BYTES = 24;
    static constexpr int WEIGHTS = 32;

    static __device__ void unpack(const uint8_t *block, int, Group &group) {
        uint32_t bits[5];
        words_at<5>(block + 4, bits);
        unpack_five_bits(bits[0], bits + 1, group);
        group.uniform(half_at(block), -half_at(block + 2));
    }
};
