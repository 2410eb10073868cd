// What every type of block is unpacked to, and how its bytes are read.
//
// A type unpacks `AT_ONCE` groups, those that lie in the same bytes: `unpack` fills them, and `group` says which ones of the block
// they are.
#pragma once

#include "../params.cuh"

// 32 weights in bytes with a sign, four to a word: weight `i` is `scales[i / 16] * quant - mins[i / 16]`.
struct Group {
    uint32_t quants[8];
    float scales[2];
    float mins[2];

    __device__ void uniform(float scale, float min) {
        scales[0] = scales[1] = scale;
        mins[0] = mins[1] = min;
    }
};

// Of 16 bytes: the low nibbles are the first 16 quants, the high ones the others.
__device__ inline void unpack_nibbles(const uint32_t bits[4], Group &group) {
    for (int i = 0; i < 4; i++) {
        group.quants[i] = bits[i] & 0x0f0f0f0f;
        group.quants[i + 4] = bits[i] >> 4 & 0x0f0f0f0f;
    }
}

__device__ inline float half_at(const uint8_t *place) {
    return number(F16{__ldg(reinterpret_cast<const uint16_t *>(place))});
}

// Words that begin at a multiple of 4 bytes.
template <int COUNT> __device__ void words_at(const uint8_t *place, uint32_t *out) {
    const uint32_t *words = reinterpret_cast<const uint32_t *>(place);
#pragma unroll
    for (int i = 0; i < COUNT; i++) {
        out[i] = __ldg(words + i);
    }
}

// Words that begin at a multiple of 16 bytes, in as few reads as can be.
template <int COUNT> __device__ void aligned_words_at(const uint8_t *place, uint32_t *out) {
    const uint4 *words = reinterpret_cast<const uint4 *>(place);
#pragma unroll
    for (int i = 0; i < COUNT; i += 4) {
        const uint4 four = __ldg(words + i / 4);
        out[i] = four.x;
        out[i + 1] = four.y;
        out[i + 2] = four.z;
        out[i + 3] = four.w;
    }
}

// Words that begin at a multiple of 2 bytes: blocks of some types are not whole words long. Reading the words around them and
// shifting takes half the loads that halves of words would.
template <int COUNT> __device__ void shifted_words_at(const uint8_t *place, uint32_t *out) {
    const uintptr_t address = reinterpret_cast<uintptr_t>(place);
    const uint32_t *words = reinterpret_cast<const uint32_t *>(address & ~uintptr_t{3});
    const uint32_t shift = (address & 2) * 8;
    uint32_t low = __ldg(words);
#pragma unroll
    for (int i = 0; i < COUNT; i++) {
        // The word behind the last is needed only where something was shifted.
        const uint32_t high = __ldg(words + (i + 1 < COUNT || shift ? i + 1 : i));
        out[i] = __funnelshift_r(low, high, shift);
        low = high;
    }
}
