// Norms of rows, by as many threads as share one.
#pragma once

#include "params.cuh"

// How a norm changes numbers: x is (x - mean) * factor.
struct Spread {
    float mean;
    float factor;
};

// Of `count` numbers, of which a thread has every `THREADS`th from its own place on; `sum` adds up what the threads have.
template <int THREADS, typename Sum, typename Of>
__device__ Spread spread(const Norm &norm, uint32_t count, uint32_t place, Sum sum, Of number_at) {
    float mean = 0.0f;
    if (norm.layer) {
        float total = 0.0f;
        for (uint32_t at = place; at < count; at += THREADS) {
            total += number_at(at);
        }
        mean = sum(total) / static_cast<float>(count);
    }
    float squares = 0.0f;
    for (uint32_t at = place; at < count; at += THREADS) {
        const float x = number_at(at) - mean;
        squares += x * x;
    }
    const float variance = sum(squares) / static_cast<float>(count);
    return {mean, 1.0f / sqrtf(variance + norm.epsilon)};
}

__device__ inline float normed(const Norm &norm, Spread spread, float x, uint32_t at) {
    const float y = (x - spread.mean) * spread.factor * norm.scale[at];
    return norm.bias ? y + norm.bias[at] : y;
}
