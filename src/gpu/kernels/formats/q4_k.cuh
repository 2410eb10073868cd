// Q4_K: 256 weights of 4 bits, in groups of 32 with a scale and a min of 6 bits. Each 32 bytes hold two groups, the first in
// the low nibbles.
#pragma once

#include "six_bit.cuh"

struct BlockQ4K {
    static constexpr int BYTES = 144;
    static constexpr int WEIGHTS = 256;
    static constexpr int AT_ONCE = 2;

    static __device__ int group(int index, int which) { return 2 * index + which; }

    static __device__ void unpack(const uint8_t *block, int index, Group *groups) {
        uint32_t header[4];
        uint32_t bits[8];
        aligned_words_at<4>(block, header);
        aligned_words_at<8>(block + 16 + index * 32, bits);
        for (int i = 0; i < 8; i++) {
            groups[0].quants[i] = bits[i] & 0x0f0f0f0f;
            groups[1].quants[i] = bits[i] >> 4 & 0x0f0f0f0f;
        }
        unpack_six_bit(header, group(index, 0), groups[0]);
        unpack_six_bit(header, group(index, 1), groups[1]);
    }
};
