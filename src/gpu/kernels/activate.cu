// Activates the inner numbers of an MLP in place, all rows of a prompt at once.
#include "activation.cuh"

constexpr int ACTIVATE_THREADS = 256;
// Numbers of a thread, so that several reads are under way.
constexpr uint32_t ACTIVATED = 4;

KERNEL(activate, Activate, ACTIVATE_THREADS) {
    const uint64_t base = uint64_t{blockIdx.x} * (ACTIVATE_THREADS * ACTIVATED) + threadIdx.x;
#pragma unroll
    for (uint32_t i = 0; i < ACTIVATED; i++) {
        const uint64_t at = base + i * ACTIVATE_THREADS;
        if (at < p.count) {
            const float y = activated(p.activation, p.x[at]);
            p.x[at] = p.factor ? y * p.factor[at] : y;
        }
    }
}
