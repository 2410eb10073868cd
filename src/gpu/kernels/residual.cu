// What a block of a layer adds to the stream, and the norm before the next one.
#include "quantize.cuh"

constexpr int RESIDUAL_THREADS = 1024;

// How a norm changes numbers: x is (x - mean) * factor.
struct Spread {
    float mean;
    float factor;
};

template <typename Of> __device__ Spread spread(const Norm &norm, uint32_t columns, Of number_at) {
    float mean = 0.0f;
    if (norm.layer) {
        float sum = 0.0f;
        for (uint32_t at = threadIdx.x; at < columns; at += RESIDUAL_THREADS) {
            sum += number_at(at);
        }
        mean = block_sum<RESIDUAL_THREADS>(sum) / static_cast<float>(columns);
    }
    float squares = 0.0f;
    for (uint32_t at = threadIdx.x; at < columns; at += RESIDUAL_THREADS) {
        const float x = number_at(at) - mean;
        squares += x * x;
    }
    const float variance = block_sum<RESIDUAL_THREADS>(squares) / static_cast<float>(columns);
    return {mean, 1.0f / sqrtf(variance + norm.epsilon)};
}

__device__ inline float normed(const Norm &norm, Spread spread, float x, uint32_t at) {
    const float y = (x - spread.mean) * spread.factor * norm.scale[at];
    return norm.bias ? y + norm.bias[at] : y;
}

KERNEL(residual, Residual, RESIDUAL_THREADS) {
    // Each thread writes and reads the same numbers of x, so nothing must be waited for in between.
    if (p.y) {
        Spread post = {0.0f, 1.0f};
        if (p.post.scale) {
            post = spread(p.post, p.columns, [&](uint32_t at) { return p.y[at]; });
        }
        for (uint32_t at = threadIdx.x; at < p.columns; at += RESIDUAL_THREADS) {
            float y = p.post.scale ? normed(p.post, post, p.y[at], at) : p.y[at];
            p.x[at] += p.z ? y + p.z[at] : y;
        }
    }
    Spread pre = {0.0f, 1.0f};
    if (p.pre.scale) {
        pre = spread(p.pre, p.columns, [&](uint32_t at) { return p.x[at]; });
    }
    // Whole warps go on, and the lanes beyond the end bring nothing.
    for (uint32_t at = threadIdx.x; at / WARP * WARP < p.columns; at += RESIDUAL_THREADS) {
        const bool within = at < p.columns;
        const float x = !within ? 0.0f : p.pre.scale ? normed(p.pre, pre, p.x[at], at) : p.x[at];
        if (within) {
            p.out[at] = x;
        }
        if (p.quantized.quants) {
            quantize_group(p.quantized, at, x);
        }
    }
}
