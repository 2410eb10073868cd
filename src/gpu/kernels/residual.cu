// What a block of a layer adds to the stream, and the norm before the next one.
#include "norm.cuh"
#include "quantize.cuh"

constexpr int RESIDUAL_THREADS = 1024;

// Of the row that all threads of the block share.
template <typename Of> __device__ Spread spread_of(const Norm &norm, uint32_t columns, Of number_at) {
    const auto sum = [](float x) { return block_sum<RESIDUAL_THREADS>(x); };
    return spread<RESIDUAL_THREADS>(norm, columns, threadIdx.x, sum, number_at);
}

KERNEL(residual, Residual, RESIDUAL_THREADS) {
    // Each thread writes and reads the same numbers of x, so nothing must be waited for in between.
    if (p.y) {
        Spread post = {0.0f, 1.0f};
        if (p.post.scale) {
            post = spread_of(p.post, p.columns, [&](uint32_t at) { return p.y[at]; });
        }
        for (uint32_t at = threadIdx.x; at < p.columns; at += RESIDUAL_THREADS) {
            float y = p.post.scale ? normed(p.post, post, p.y[at], at) : p.y[at];
            p.x[at] += p.z ? y + p.z[at] : y;
        }
    }
    Spread pre = {0.0f, 1.0f};
    if (p.pre.scale) {
        pre = spread_of(p.pre, p.columns, [&](uint32_t at) { return p.x[at]; });
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
