// One head of a query or a key, before it is attended with.
#pragma once

#include "params.cuh"

// Numbers of a head at the most.
constexpr int LONGEST = 256;

// One head's numbers, normed by one warp.
__device__ inline void take_head(const Norm &norm, const float *head, uint32_t dim, float *out) {
    float mean = 0.0f;
    float factor = 1.0f;
    if (norm.scale) {
        if (norm.layer) {
            float sum = 0.0f;
            for (uint32_t at = lane(); at < dim; at += WARP) {
                sum += head[at];
            }
            mean = warp_sum(sum) / static_cast<float>(dim);
        }
        float squares = 0.0f;
        for (uint32_t at = lane(); at < dim; at += WARP) {
            squares += (head[at] - mean) * (head[at] - mean);
        }
        factor = 1.0f / sqrtf(warp_sum(squares) / static_cast<float>(dim) + norm.epsilon);
    }
    for (uint32_t at = lane(); at < dim; at += WARP) {
        float x = head[at];
        if (norm.scale) {
            x = (x - mean) * factor * norm.scale[at] + (norm.bias ? norm.bias[at] : 0.0f);
        }
        out[at] = x;
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
