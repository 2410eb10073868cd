// One head of a query or a key, before it is attended with.
#pragma once

#include "norm.cuh"

// Numbers of a head at the most.
constexpr int LONGEST = 256;

// First position that the query at a position sees; a window of 0 hides nothing.
__device__ inline uint32_t first_seen(uint32_t window, uint32_t position) {
    return window > 0 && position + 1 > window ? position + 1 - window : 0;
}

// What is taken off scores before they become powers: the largest, but of -infinity alone nothing could be.
__device__ inline float origin_of(float largest) { return largest == -INFINITY ? 0.0f : largest; }

// One head's numbers, normed by one warp.
__device__ inline void take_head(const Norm &norm, const float *head, uint32_t dim, float *out) {
    Spread of_head = {0.0f, 1.0f};
    if (norm.scale) {
        const auto sum = [](float x) { return warp_sum(x); };
        of_head = spread<WARP>(norm, dim, lane(), sum, [&](uint32_t at) { return head[at]; });
    }
    for (uint32_t at = lane(); at < dim; at += WARP) {
        out[at] = norm.scale ? normed(norm, of_head, head[at], at) : head[at];
    }
}

// Turns one pair of a head's numbers by the angle of its position.
__device__ inline void turn_pair(const Turn &turn, uint32_t position, float *head, uint32_t pair) {
    const uint32_t half = turn.dims / 2;
    const float cos = turn.cos[uint64_t{position} * half + pair];
    const float sin = turn.sin[uint64_t{position} * half + pair];
    float &a = head[turn.interleaved ? 2 * pair : pair];
    float &b = head[turn.interleaved ? 2 * pair + 1 : pair + half];
    const float x = a;
    a = x * cos - b * sin;
    b = x * sin + b * cos;
}
