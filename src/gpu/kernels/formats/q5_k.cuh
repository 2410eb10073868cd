// Q5_K: as Q4_K, with 32 bytes of fifth bits behind the header: bit `g` of byte `i` is weight `i`'s of group `g`.
#pragma once

#include "six_bit.cuh"

struct BlockQ5K {
    static constexpr int BYTES = 176;
    static constexpr int WEIGHTS = 256;
    static constexpr int AT_ONCE = 2;

    static __device__ int group(int index, int which) { return 2 * index + which; }

    static __device__ void unpack(const uint8_t *block, int index, Group *groups) {
        uint32_t header[4];
        uint32_t high[8];
        uint32_t low[8];
        aligned_words_at<4>(block, header);
        aligned_words_at<8>(block + 16, high);
        aligned_words_at<8>(block + 48 + index * 32, low);
        for (int i = 0; i < 8; i++) {
            const uint32_t bits = high[i] >> 2 * index;
            groups[0].quants[i] = (low[i] & 0x0f0f0f0f) | (bits & 0x01010101) << 4;
            groups[1].quants[i] = (low[i] >> 4 & 0x0f0f0f0f) | (bits >> 1 & 0x01010101) << 4;
        }
        unpack_six_bit(header, group(index, 0), groups[0]);
        unpack_six_bit(header, group(index, 1), groups[1]);
    }
};
