// Q4_K: 256 weights of 4 bits, in groups of 32 with a scale and a min of 6 bits. Each 32 bytes hold two groups, the first in
// the low nibbles.
#pragma once

#include "six_bit.cuh"

struct BlockQ4K {
    static constexpr int BYTES = 144;
    static constexpr int WEIGHTS = 256;

    static __device__ void unpack(const uint8_t *block, int at, Group &group) {
        uint32_t bits[8];
        words_at<8>(block + 16 + at / 2 * 32, bits);
        for (int i = 0; i < 8; i++) {
            group.quants[i] = bits[i] >> 4 * (at % 2) & 0x0f0f0f0f;
        }
        unpack_six_bit(block, at, group);
    }
};
