// The fifth bits of Q5_0 and Q5_1: one word, bit `i` of weight `i`.
#pragma once

#include "group.cuh"

// Bits 0 to 3 as bit 4 of each of four bytes.
__device__ inline uint32_t fifth_bits(uint32_t bits) {
    return (bits << 4 & 0x00000010) | (bits << 11 & 0x00001000) | (bits << 18 & 0x00100000) | (bits << 25 & 0x10000000);
}

__device__ inline void unpack_five_bits(uint32_t high, const uint32_t low[4], Group &group) {
    unpack_nibbles(low, group);
    for (int i = 0; i < 8; i++) {
        group.quants[i] |= fifth_bits(high >> 4 * i);
    }
}
