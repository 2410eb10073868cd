// Greedy choice: the token with the largest logit, the first of equals, becomes the one that goes in next.
#include "params.cuh"

constexpr int PICK_THREADS = 1024;

struct Best {
    float logit;
    uint32_t id;
};

// What is not a number is larger than any: it must be seen, not passed over.
__device__ inline Best better(Best a, Best b) {
    if (isnan(a.logit) || isnan(b.logit)) {
        return isnan(a.logit) && (!isnan(b.logit) || a.id < b.id) ? a : b;
    }
    return a.logit > b.logit || (a.logit == b.logit && a.id < b.id) ? a : b;
}

__device__ inline Best warp_best(Best best) {
    for (int step = WARP / 2; step > 0; step /= 2) {
        const float logit = __shfl_xor_sync(ALL_LANES, best.logit, step);
        const uint32_t id = __shfl_xor_sync(ALL_LANES, best.id, step);
        best = better(best, {logit, id});
    }
    return best;
}

KERNEL(pick, Pick, PICK_THREADS) {
    __shared__ Best bests[PICK_THREADS / WARP];
    Best best = {-INFINITY, UINT32_MAX};
    for (uint32_t at = threadIdx.x; at < p.count; at += PICK_THREADS) {
        best = better(best, {p.logits[at], at});
    }
    best = warp_best(best);
    if (lane() == 0) {
        bests[warp()] = best;
    }
    __syncthreads();
    if (warp() == 0) {
        best = warp_best(bests[lane()]);
        if (lane() == 0) {
            p.state->id = p.state->token = best.id;
            p.state->logit = best.logit;
            p.state->position += 1;
        }
    }
}
