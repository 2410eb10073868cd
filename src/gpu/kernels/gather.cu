// Puts the shares of an attention together, by their largest scores.
#include "quantize.cuh"

constexpr int GATHER_THREADS = 256;

KERNEL(gather, Gather, GATHER_THREADS) {
    const uint32_t at = blockIdx.x * GATHER_THREADS + threadIdx.x;
    const bool within = at < p.heads * p.dim;
    float x = 0.0f;
    if (within) {
        const float *shares = p.partial + uint64_t{at / p.dim} * p.splits * (p.dim + 2);
        float largest = -INFINITY;
        for (uint32_t split = 0; split < p.splits; split++) {
            largest = fmaxf(largest, shares[split * (p.dim + 2) + p.dim]);
        }
        float sum = 0.0f;
        float weight = 0.0f;
        for (uint32_t split = 0; split < p.splits; split++) {
            const float *share = shares + split * (p.dim + 2);
            const float factor = expf(share[p.dim] - largest);
            sum += share[at % p.dim] * factor;
            weight += share[p.dim + 1] * factor;
        }
        x = sum / weight;
        p.out[at] = x;
    }
    if (p.quantized.quants && at / WARP * WARP < p.heads * p.dim) {
        quantize_group(p.quantized, at, x);
    }
}
