// Q5_K: as Q4_K, with 32 bytes of fifth bits behind the header: bit `g` of byte `i` is weight `i`'s of group `g`.
#pragma once

#include "six_bit.cuh"

struct BlockQ5K {
    static constexpr int BYTES = 176;
    static constexpr int WEIGHTS = 256;

    static __device__ void unpack(const uint8_t *block, int at, Group &group) {
        uint32_t high[8];
        uint32_t low[8];
        words_at<8>(block + 16, high);
        words_at<8>(block + 48 + at / 2 * 32, low);
        for (int i = 0; i < 8; i++) {
            group.quants[i] = (low[i] >> 4 * (at % 2) & 0x0f0f0f0f) | (high[i] >> at & 0x01010101) << 4;
        }
        unpack_six_bit(block, at, group);
    }
};
